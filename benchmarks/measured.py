"""What a benchmark measures: times of a run, and a line of the table they come to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """One row of the table: the ratio of two times or rates, or a figure of its own, with its bar."""

    what: str
    against: str
    bar: str
    values: list[float]
    note: str = ""

    def __str__(self) -> str:
        middle, low, high = statistics.median(self.values), min(self.values), max(self.values)
        return f"| {self.what} | {self.against} | {self.bar} | {middle:.3g} ({low:.3g} to {high:.3g}) | {self.note} |"


def seconds(run: Callable[[], Any]) -> float:
    """Wall time of one run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Took:
    """Seconds of a run, by the clock and of this process's cores."""

    clock: float
    cores: float


def timed(run: Callable[[], Any]) -> Took:
    """Both times of one run."""
    cores = time.process_time()
    clock = seconds(run)
    return Took(clock, time.process_time() - cores)
