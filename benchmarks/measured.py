"""What a benchmark measures: times of a run, and a line of the table they come to."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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


def peak_mb() -> float:
    """Megabytes of memory at this process's peak.

    On Linux from /proc: what `getrusage` says of a process begins with the size of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
