"""What batches show while they are read: their models' answers, prompt caches, and counts that cannot be true."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from simulator.arms import Batch
from simulator.bill.plausible import Doubt, Doubts, Group, Side
from simulator.models import ModelIndex
from simulator.usage.observed import Observed
from simulator.usage.sample import id_hashes


@dataclass
class Evidence:
    """Gathered batch by batch; parts of a log merge.

    Args:
        observed: see `Observed`.
        sides: see `Doubts.sides`.
    """

    observed: Observed = field(default_factory=Observed)
    sides: dict[tuple[Group, str], Side] = field(default_factory=dict)

    def add(self, batch: Batch, outcomes: pa.RecordBatch, index: ModelIndex) -> None:
        """Look at one batch, its texts in memory."""
        requests, keys = batch.requests, id_hashes(batch.requests["request_id"])
        self.observed.add(batch.logged, batch.source, batch.task, batch.cap, keys, index)
        self.observed.cached_input.add(requests, batch.logged, batch.passes)
        self._doubts(index).add(requests, outcomes, batch.source, keys)

    def doubts(self, index: ModelIndex) -> list[Doubt]:
        """Every doubt about what the log counts."""
        return self._doubts(index).found()

    def _doubts(self, index: ModelIndex) -> Doubts:
        return Doubts(index.book, index, self.sides)
