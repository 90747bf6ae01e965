"""What predicted quality needs of a log: money per rule, models and task class, and the log's own scores there."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.arms import Arm
from simulator.counts import Array
from simulator.models import ModelIndex
from simulator.money import exact_sums, grouped
from simulator.scores import NO_SCORE


class Slice(NamedTuple):
    """Requests of one kind: the rule that took them, the models of the two arms and of the log, and their task."""

    rule: int
    before: str | None
    routed: str | None
    logged: str | None
    task: int


@dataclass
class SliceSums:
    """Requests, picodollars of both arms, and how many answers of the log were scored, with the scores' thousandths."""

    requests: int = 0
    before: int = 0
    routed: int = 0
    scored: int = 0
    score: int = 0

    def __add__(self, other: SliceSums) -> SliceSums:
        return SliceSums(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


@dataclass
class QualitySums:
    """Sums by slice of one comparison; merges by key."""

    slices: dict[Slice, SliceSums] = field(default_factory=dict)

    def add(self, index: ModelIndex, arms: tuple[Arm, Arm, Arm], rows: Array, task: Array, score: Array) -> None:
        """Add the rows of a mask.

        Args:
            index: models by code.
            arms: the log, the arm compared with, and the routed one.
            rows: bool per request.
            task, score: see `Batch`.
        """
        logged, before, routed = arms
        wide = [routed.rule, before.model, routed.model, logged.model, task]
        columns = [np.asarray(column[rows], np.int64) for column in wide]
        # One integer per slice groups far faster than five columns do.
        low = [int(column.min()) for column in columns]
        size = [int(column.max()) - least + 1 for column, least in zip(columns, low, strict=True)]
        key = np.zeros(len(columns[0]), np.int64)
        for column, least, many in zip(columns, low, size, strict=True):
            key = key * many + (column - least)
        first, where = grouped(key)
        kept = score[rows]
        counts = np.bincount(where).tolist()
        money = [exact_sums(where, arm.total[rows], len(first)) for arm in (before, routed)]
        is_scored = kept != NO_SCORE
        scored, points = [0] * len(first), [0] * len(first)
        if is_scored.any():
            scored = np.bincount(where, is_scored).astype(int).tolist()
            points = exact_sums(where, np.maximum(kept, 0), len(first))
        for i, at in enumerate(first.tolist()):
            rule, one, two, of_log, label = (int(column[at]) for column in columns)
            name = Slice(rule, index.name(one), index.name(two), index.name(of_log), label)
            self.slices[name] = SliceSums(counts[i], money[0][i], money[1][i], scored[i], points[i])
