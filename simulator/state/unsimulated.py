"""What a saving may be off by where the log shows cached input and no prompt cache was simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from simulator.counts import INPUTS, Array, Counts
from simulator.models import Codes, ModelIndex
from simulator.state.cache_rules import cache_rule

READ, WRITES = 1, (2, 3)  # places among the buckets
# Names of the sums: by what the arm before and the routed one would be cheaper, and the routed one dearer. An arm of
# one model alone loses nothing by switching: what it would be cheaper by stands apart.
BEFORE_KEPT, ROUTED_KEPT, ALONE_KEPT, ROUTED_LOST = "before kept", "routed kept", "alone kept", "routed lost"


def carried(counts: Counts, logged: Counts, model: Codes, stays: Array, index: ModelIndex) -> Counts:
    """An arm's tokens, had the calls that move to a model with a cache been cached as they were in the log.

    Args:
        counts: the arm's.
        logged: the log's.
        model: int32 per request, who serves.
        stays: bool, that is the logged model.
        index: of the codes.
    """
    has, bills = _rules(model, index)
    moved = ~stays & has & (logged.input_milli > 0) & counts.input_known
    scale = counts.input_milli / np.maximum(logged.input_milli, 1)
    milli = counts.milli.copy()
    for bucket in range(1, INPUTS):
        part = np.rint(logged.milli[:, bucket] * scale).astype(np.int64)
        milli[:, bucket] = np.where(moved, part if bucket == READ else np.where(bills, part, 0), milli[:, bucket])
    milli[:, 0] = np.where(moved, counts.input_milli - milli[:, 1:INPUTS].sum(axis=1), milli[:, 0])
    return replace(counts, milli=milli)


def lost(counts: Counts, model: Codes, stays: Array, index: ModelIndex) -> Counts:
    """An arm's tokens, had the calls that stay on their model found nothing in the cache."""
    _, bills = _rules(model, index)
    milli, read = counts.milli.copy(), np.where(stays, counts.milli[:, READ], 0)
    milli[:, READ] -= read
    milli[:, 0] += np.where(bills, 0, read)
    milli[:, WRITES[0]] += np.where(bills, read, 0)
    return replace(counts, milli=milli)


def _rules(model: Codes, index: ModelIndex) -> tuple[Array, Array]:
    """Bool per request: its model has a cache; what that takes in is billed as written."""
    rules = [*map(cache_rule, index.names), None]
    has = np.array([rule is not None for rule in rules])
    writes = np.array([rule is not None and rule.writes for rule in rules])
    return has[model], writes[model]


def effects(
    charge: Callable[[Counts], tuple[Array, Array]],
    counts: Counts,
    logged: Counts,
    model: Codes,
    stays: Array,
    index: ModelIndex,
) -> tuple[Array, Array]:
    """Int64 picodollars per request by which an arm would be cheaper with what is `carried`, and dearer with `lost`.

    Args:
        charge: picodollars per request of some tokens on the arm's models, and whether they are known.
        counts, logged, model, stays, index: see `carried`.
    """
    total, known = charge(counts)
    cheaper, sure = charge(carried(counts, logged, model, stays, index))
    dearer, certain = charge(lost(counts, model, stays, index))
    return np.where(known & sure, total - cheaper, 0), np.where(known & certain, dearer - total, 0)


class Sides(NamedTuple):
    """Two arms, picodollars."""

    before: int
    routed: int

    @property
    def saving(self) -> int:
        """Picodollars."""
        return self.before - self.routed

    @property
    def pct(self) -> float | None:
        """The saving in percent of the arm before; None where that cost nothing."""
        return 100.0 * self.saving / self.before if self.before else None


@dataclass(frozen=True)
class SavingRange:
    """A saving as replayed, and the least and the greatest that caches could leave."""

    replayed: Sides
    least: Sides
    most: Sides

    @property
    def overstated(self) -> int:
        """Picodollars by which the saving may be too high."""
        return self.replayed.saving - self.least.saving

    @property
    def understated(self) -> int:
        """Picodollars by which it may be too low."""
        return self.most.saving - self.replayed.saving


def saving_range(before: int, routed: int, sums: Mapping[str, int]) -> SavingRange:
    """What caches that were not simulated could leave of a saving.

    What moves may be cached where it goes as it was in the log, in both arms alike, since that is the providers' doing.
    Where the rules name several models, calls of one conversation may go apart: what they move is not cached then,
    nor what stays.

    Args:
        before, routed: picodollars as replayed.
        sums: `Comparison.caches`.
    """
    cases = [
        Sides(
            before - elsewhere * sums[BEFORE_KEPT],
            routed - elsewhere * (sums[ALONE_KEPT] + together * sums[ROUTED_KEPT]) + gone * sums[ROUTED_LOST],
        )
        for elsewhere in (0, 1)
        for together in (0, 1)
        for gone in (0, 1)
    ]
    saving = attrgetter("saving")
    return SavingRange(Sides(before, routed), min(cases, key=saving), max(cases, key=saving))
