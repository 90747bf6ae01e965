"""What state changes in each arm, request by request, and how the kernel applies it to a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.arms import Arm, Choice, Use
from simulator.counts import INPUTS, Array
from simulator.state.prompt_cache import Cached

LOGGED = -1  # the number of the logged arm, beside the scenarios'


@dataclass(frozen=True)
class Change:
    """What state changes in one arm; each column is of the whole log in its order, or None where nothing changes.

    Args:
        model: int32 codes of the models that serve.
        served: bool, something serves the request.
        unanswered: bool, nothing came of it: it was blocked, or every call failed.
        read, written: int64 thousandths of input read from and written to the prompt cache; -1 where it is not known.
        long: bool, what is written is written for an hour.
        waits: bool, the request goes to `tier`.
        tier: the service tier's name.
        overhead, retry: int64 picodollars of checks, and of calls made in vain.
    """

    model: Array | None = None
    served: Array | None = None
    unanswered: Array | None = None
    read: Array | None = None
    written: Array | None = None
    long: Array | None = None
    waits: Array | None = None
    tier: str = ""
    overhead: Array | None = None
    retry: Array | None = None

    def at(self, rows: slice | Array) -> Change:
        """The part of some rows."""
        parts: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        cut: dict[str, Any] = {n: part[rows] if isinstance(part, np.ndarray) else part for n, part in parts.items()}
        return Change(**cut)

    def differs(self, other: Change) -> Array:
        """Bool per request: the prompt cache read or took in something else."""
        assert self.read is not None
        assert self.written is not None
        return np.asarray((self.read != other.read) | (self.written != other.written))

    def recoded(self, codes: Array) -> Change:
        """The change with its models as the codes of another index: its own as indices into `codes`."""
        return self if self.model is None else replace(self, model=codes[self.model])

    def cached(self, cached: Cached, passes: Array, *, long: bool) -> Change:
        """The change with a prompt cache; calls that are no chat have none."""
        lives = np.full(len(passes), long)
        return replace(self, read=np.where(passes, -1, cached.read), written=cached.written, long=lives)

    def choice(self, before: Choice) -> Choice:
        """Who serves after all."""
        model = before.model if self.model is None else self.model
        return Choice(before.rule, model, before.feasible if self.served is None else self.served)

    def use(self, before: Use) -> Use:
        """The input split by what the cache held; nothing where no answer came."""
        counts = before.counts
        if self.unanswered is not None and self.unanswered.any():
            lost = self.unanswered[:, None]
            counts = replace(counts, milli=np.where(lost, 0, counts.milli), known=counts.known | lost)
        if self.read is None or self.written is None:
            return replace(before, counts=counts)
        milli = counts.milli.copy()
        whole = milli[:, :INPUTS].sum(axis=1)
        simulated = (self.read >= 0) & (whole > 0) & counts.known[:, :INPUTS].all(axis=1)
        long = np.zeros(len(whole), bool) if self.long is None else self.long
        split = np.stack(
            [whole - self.read - self.written, self.read, np.where(long, 0, self.written),
             np.where(long, self.written, 0)], axis=1,
        )  # fmt: skip
        milli[:, :INPUTS] = np.where(simulated[:, None], split, milli[:, :INPUTS])
        return replace(before, counts=replace(counts, milli=milli))

    def tiers(self, before: pa.Array) -> pa.Array:
        """The service tiers, with those of requests that wait."""
        if self.waits is None or not self.waits.any():
            return before
        moved = pa.array(np.full(len(self.waits), self.tier, dtype=object), pa.string())
        return pc.if_else(pa.array(self.waits), moved, before.cast(pa.string()))

    def bill(self, before: Arm) -> Arm:
        """The arm with what was paid beside the answers."""
        none = np.zeros(len(before.total), np.int64)
        overhead = none if self.overhead is None else self.overhead
        retry = none if self.retry is None else self.retry
        return replace(before, total=before.total + overhead + retry, overhead=before.overhead + overhead, retry=retry)


@dataclass(frozen=True)
class Changes:
    """The changes of every arm, by scenario number (LOGGED for the log's own), and what state has to say of them.

    Args:
        arms: an arm that is not named is unchanged.
        said: parts of summary.json, by scenario number.
    """

    arms: Mapping[int, Change]
    said: Mapping[int, Mapping[str, Any]]

    def at(self, start: int, rows: int) -> Mapping[int, Change]:
        """The changes of a batch that begins at a row of the log."""
        return {number: change.at(slice(start, start + rows)) for number, change in self.arms.items()}
