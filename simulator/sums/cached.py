"""What simulated prompt caches do for each rule's requests, before and with routing: money saved, and input read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.arms import Arm
from simulator.counts import Array
from simulator.models import ModelIndex
from simulator.money import Int64s, exact_sums, grouped
from workloads import BUCKETS

READ = BUCKETS.index("cache_read")


@dataclass
class CacheTally:
    """Of one slice of the requests compared: picodollars that caches save, thousandths of tokens of input and read."""

    saved_before: int = 0
    saved_routed: int = 0
    input_before: int = 0
    input_routed: int = 0
    read_before: int = 0
    read_routed: int = 0


def cached_by_rule(
    before: Arm, routed: Arm, saved: tuple[Int64s, Int64s], rows: Array, index: ModelIndex
) -> dict[tuple[int, str | None], CacheTally]:
    """What caches do by rule and the model it chose.

    Args:
        before, routed: the arms.
        saved: int64 picodollars per request that the cache saves in each.
        rows: bool per request, it is compared.
        index: of the models.
    """
    here = np.flatnonzero(rows)
    rule, model = routed.rule[here].astype(np.int64), routed.model[here].astype(np.int64)
    first, where = grouped(rule * (len(index.names) + 2) + model)
    counts = before.counts, routed.counts
    columns = [
        *saved,
        *(each.input_milli for each in counts),
        *(each.milli[:, READ] for each in counts),
    ]
    sums = [exact_sums(where, column[here], len(first)).tolist() for column in columns]
    names = [(rule[row], index.name(model[row])) for row in first.tolist()]
    return {(int(number), name): CacheTally(*tally) for (number, name), *tally in zip(names, *sums, strict=True)}
