"""A bounded sample of a log's rows, the same whatever the batch size: those whose ids hash lowest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from simulator.counts import Array

KEPT = 1_000


@dataclass
class Sample:
    """Up to `most` rows, each with its hash; the lowest hashes stay."""

    most: int = KEPT
    seen: int = 0
    _parts: list[pa.Table] = field(default_factory=list)
    _highest: int = 2**64 - 1  # hashes above it cannot stay

    def wanted(self, keys: Array) -> Array:
        """Indices of the rows of a batch that may stay; count them all as seen."""
        self.seen += len(keys)
        low = np.flatnonzero(keys <= np.uint64(self._highest))
        return np.asarray(low[np.argsort(keys[low], kind="stable")][: self.most])

    def add(self, rows: pa.Table) -> None:
        """Add rows that `wanted` named, with their hashes in a uint64 column `key`."""
        self._parts.append(rows)
        if sum(part.num_rows for part in self._parts) > 2 * self.most:
            self._highest = self.rows()["key"][-1].as_py()

    def merge(self, more: Sample) -> None:
        """Add another sample of the same bound."""
        self.seen += more.seen
        for part in more._parts:
            self.add(part)

    def rows(self) -> pa.Table:
        """The sample, lowest hash first; no columns where nothing was added."""
        if len(self._parts) > 1:  # each is in order by itself
            held = pa.concat_tables(self._parts)
            self._parts = [held.take(np.argsort(held["key"].to_numpy(), kind="stable")[: self.most])]
        return self._parts[0] if self._parts else pa.table({})


def id_hashes(request_id: pa.Array) -> Array:
    """A uint64 per request, from its id alone."""
    ids = request_id.to_numpy(zero_copy_only=False)
    return np.asarray(pd.util.hash_array(ids, categorize=False), np.uint64)
