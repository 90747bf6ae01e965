"""Pairs of models that requests move between, and how unsure each pair's tokens are."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.counts import Array


class Pair(NamedTuple):
    """A logged model, the chosen one, the task class, and what the prediction between them rests on."""

    source: str | None
    target: str
    task: int
    note: str

    @property
    def moved(self) -> bool:
        """Whether the request leaves its model; where it stays, only the log's own counts can be unsure."""
        return self.target not in ("", self.source)

    @property
    def seed(self) -> int:
        """A hash of the two models' names: their tasks draw one common error."""
        if self == SAME_MODEL:
            return 0
        return int.from_bytes(hashlib.blake2b(f"{self.source} > {self.target}".encode(), digest_size=6).digest())


SAME_MODEL = Pair(None, "", -1, "")  # the request stays on the model that the log names


@dataclass(frozen=True)
class Spread:
    """How unsure a pair of models' token totals are: standard deviations of the log of each side's total."""

    input: float = 0.0
    output: float = 0.0
    reasoning: float = 0.0

    def widest(self, other: Spread) -> Spread:
        """The larger of each side."""
        return Spread(
            max(self.input, other.input), max(self.output, other.output), max(self.reasoning, other.reasoning)
        )


@dataclass
class Pairs:
    """Small integers for the pairs met in one process, each with one of its spreads; code 0 is `SAME_MODEL`.

    Results name pairs, never codes.
    """

    pairs: list[Pair] = field(default_factory=lambda: [SAME_MODEL])
    spreads: list[Spread] = field(default_factory=lambda: [Spread()])
    _codes: dict[tuple[Pair, Spread], int] = field(default_factory=lambda: {(SAME_MODEL, Spread()): 0})

    def code(self, pair: Pair, spread: Spread) -> int:
        """The code of a pair with a spread."""
        code = self._codes.setdefault((pair, spread), len(self.pairs))
        if code == len(self.pairs):
            self.pairs.append(pair)
            self.spreads.append(spread)
        return code

    def met(self, codes: Array) -> Counter[tuple[Pair, Spread]]:
        """How often each pair and spread was met."""
        counts = np.bincount(codes).tolist()
        return Counter({(self.pairs[code], self.spreads[code]): many for code, many in enumerate(counts) if many})


def widest(met: Iterable[tuple[Pair, Spread]]) -> dict[Pair, Spread]:
    """The widest spread that each pair was met with."""
    found: dict[Pair, Spread] = {}
    for pair, spread in met:
        found[pair] = found.get(pair, spread).widest(spread)
    return found
