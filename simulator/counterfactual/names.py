"""Which model of the data stands behind a name, and which family where none does."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Literal

Level = Literal["pair", "family", "prior"]


@dataclass(frozen=True)
class Known:
    """What is known of a model: `model` in the data or None, `family` or None, and the model's own name otherwise."""

    name: str
    model: str | None
    family: str | None

    @property
    def level(self) -> Level:
        """pair: the model itself was measured; family: others of its family were; prior: neither."""
        return "pair" if self.model else "family" if self.family else "prior"


@cache
def _table() -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    raw = json.loads(files("simulator.counterfactual").joinpath("names.json").read_text("utf-8"))
    return tuple(map(tuple, raw["models"])), tuple(map(tuple, raw["families"]))


def bare(name: str) -> str:
    """The name without its provider, in lower case: who serves an open model does not change its answers."""
    return name.rpartition("/")[2].lower()


def family_of(name: str) -> str | None:
    """The family of a model's name, by the first pattern of `names.json` that fits."""
    return next((family for pattern, family in _table()[1] if fnmatchcase(bare(name), pattern)), None)


def known(name: str, models: Collection[str], families: Collection[str]) -> Known:
    """Look a canonical name up among the models and families that were measured; the data's own names match too."""
    plain = bare(name)
    exact = next((model for model in models if model.lower() == plain or model == name), None)
    if exact is None:
        exact = next((model for pattern, model in _table()[0] if fnmatchcase(plain, pattern) and model in models), None)
    family = family_of(exact or name)
    return Known(plain, exact, family if family in families else None)
