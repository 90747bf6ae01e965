"""What predicted quality needs of a log: money per rule, models and task class, and the log's own scores there."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import NamedTuple


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
