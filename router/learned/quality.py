"""Quality models: files that score how well each model does on a text, and where a weaker one suffices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from problems import BackrouteError
from router.learned.linear import LinearModel

FOR = " for "  # between the names of a pair


def pair_output(weak: str, strong: str) -> str:
    """The output that holds the probability that `weak` suffices where `strong` would be asked."""
    return f"{weak}{FOR}{strong}"


def pairs_of(outputs: Sequence[str]) -> list[str]:
    """The outputs that speak of pairs."""
    return [name for name in outputs if FOR in name]


@cache
def quality_model(path: str) -> LinearModel:
    """The model of a file, loaded once.

    Raises:
        BackrouteError: no such file, or one that scores no quality.
    """
    model = LinearModel.load(Path(path))
    if model.link != "sigmoid":
        what, fix = "this model scores no quality", "train one with `backroute train LOG --label quality`"
        raise BackrouteError(path, what, fix=fix)
    return model
