"""How much of a log's input its providers' caches had to do with, and whether a replay can simulate them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.counts import INPUTS, Array, Counts
from simulator.money import exact_sum
from simulator.state.prefixes import PREFIXES

SHOWN_PCT = 1.0  # of a log's input read from a cache or written to one, from which on its caches are simulated
PLACED_SHARE = 0.5  # of that, in calls whose time and beginning are known: the rest is priced without a simulation


@dataclass
class CachedInput:
    """What a log shows of prompt caches; input of chats in thousandths of a token, the same for any batch size.

    Args:
        input_milli: all that is known.
        cached_milli: of it, what was read from a cache or written to one.
        untimed_milli: of that, in calls without a time.
        unplaced_milli: of that, in calls whose beginning is unknown: no text, no trace's blocks, no session.
        placed_milli: of `cached_milli`, in calls with both.
    """

    input_milli: int = 0
    cached_milli: int = 0
    untimed_milli: int = 0
    unplaced_milli: int = 0
    placed_milli: int = 0

    def add(self, requests: pa.RecordBatch, logged: Counts, passes: Array) -> None:
        """Take in a batch: its arrival columns, its logged tokens, and which calls are no chat."""
        self.input_milli += exact_sum(np.where(passes, 0, logged.input_milli))
        if not logged.cached:
            return
        cached = np.where(passes, 0, logged.milli[:, 1:INPUTS].sum(axis=1))
        timed = requests["arrived_at"].is_valid().to_numpy(zero_copy_only=False)
        placed = _placed(requests)
        self.cached_milli += exact_sum(cached)
        self.untimed_milli += exact_sum(cached[~timed])
        self.unplaced_milli += exact_sum(cached[~placed])
        self.placed_milli += exact_sum(cached[timed & placed])

    @property
    def pct(self) -> float:
        """Cached input in percent of all."""
        return 100.0 * self.cached_milli / self.input_milli if self.input_milli else 0.0

    @property
    def much(self) -> bool:
        """Whether caches are enough of the bill to be worth a simulation."""
        return self.pct >= SHOWN_PCT

    @property
    def obstacle(self) -> str:
        """Why its caches cannot be simulated, in words; empty where they can."""
        if self.placed_milli >= PLACED_SHARE * self.cached_milli:
            return ""
        if self.untimed_milli >= self.unplaced_milli:
            return "its calls have no times"
        return "it holds neither texts nor sessions, so where two calls begin alike is not known"


def _placed(requests: pa.RecordBatch) -> Array:
    """Bool per request: `prefixes.Nodes.of` can tell how it begins."""
    if PREFIXES in requests.schema.names:
        return np.asarray(pc.list_value_length(requests[PREFIXES]).to_numpy(zero_copy_only=False) > 0)
    known = requests["session_id"].is_valid()
    if not pa.types.is_struct(requests["messages"].type):  # a profile's counts
        known = pc.or_(known, requests["messages"].is_valid())
    blocks = pc.fill_null(pc.match_substring(requests["meta"], '"hash_ids"'), False)
    return np.asarray(pc.or_(known, blocks).to_numpy(zero_copy_only=False))
