"""A log seen through a change to its batches: counts taken out, sessions put in. The file itself is not touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from problems import ProblemLog
from workloads.log import BATCH_ROWS, Batches, Log

Change = Callable[[pa.RecordBatch, pa.RecordBatch], tuple[pa.RecordBatch, pa.RecordBatch]]


class Amended(Log):
    """A log whose batches pass through a change.

    Args:
        log: the log as it is.
        begin: makes the change anew for each reading, so that what it remembers starts empty.

    `amends` is the log as it is.
    """

    def __init__(self, log: Log, begin: Callable[[], Change]) -> None:
        self.amends, self._begin = log, begin
        self._learn()

    @property
    def name(self) -> str:
        """See `Log.name`."""
        return self.amends.name

    def batches(self, *, problems: ProblemLog | None = None, rows: int = BATCH_ROWS) -> Batches:
        """See `Log.batches`; the change is applied to each."""
        change = self._begin()
        for requests, outcomes in self.amends.batches(problems=problems, rows=rows):
            yield change(requests, outcomes)
        self._learn()

    def stamp(self) -> object:
        """See `Log.stamp`."""
        return self.amends.stamp()

    def blocks(self) -> None:
        """None: the change may remember what it has seen, so it needs the log in one reading."""
        return

    def files(self) -> list[Path]:
        """None: a reading of the files is not what the change makes of it."""
        return []

    def _learn(self) -> None:
        self.formats, self.recognised, self.digest = self.amends.formats, self.amends.recognised, self.amends.digest
