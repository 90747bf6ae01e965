"""Task models by name: the one that comes with the package, the embedding one, or a file of your own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Protocol

from problems import BackrouteError
from router.learned.linear import Array, LinearModel

CORE, MINILM = "core", "minilm"


class Scorer(Protocol):
    """Scores texts: pure, and alike for one text and for many."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """What is scored, in the order of the columns."""

    @property
    def digest(self) -> str:
        """A hash that changes whenever a score could."""

    @property
    def seconds_a_text(self) -> float:
        """Of one core, for a text's scores; what a replay charges does not hang on how busy the machine was."""

    def scores(self, texts: Sequence[str]) -> Array:
        """Float64 (texts, outputs), 0 to 1."""

    def similarity(self, text: str, others: Sequence[str]) -> Array:
        """How alike a text is to each of some others, at most 1."""


@cache
def task_model(name: str = CORE) -> Scorer:
    """The model of a name, loaded once: "core", "minilm" (extra `embeddings`), or the path of a trained file.

    Raises:
        BackrouteError: no such file, or one that scores no tasks.
    """
    if name == CORE:
        with as_file(files("router.semantic").joinpath("core.npz")) as path:
            return LinearModel.load(path)
    if name == MINILM:
        from router.semantic.minilm import EmbeddedModel

        with as_file(files("router.semantic").joinpath("minilm.npz")) as path:
            return EmbeddedModel.load(path)
    model = LinearModel.load(Path(name))
    if model.link != "softmax":
        fix = "train one with `backroute train LOG --label task`"
        raise BackrouteError(name, "this model scores no tasks", fix=fix)
    return model


@cache
def utterances() -> tuple[tuple[str, str], ...]:
    """(text, task) of the requests written for this project."""
    import yaml

    said = yaml.safe_load(files("router.semantic").joinpath("utterances.yaml").read_text("utf-8"))
    return tuple((text, task) for task, texts in said.items() for text in texts)
