"""Sums over batches of what two arms cost: mergeable, exact, and enough for savings, waterfall and intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa

from simulator.arms import Arm
from simulator.bootstrap import BUCKETS
from simulator.counts import ESTIMATED, INPUTS, PROVIDER, REASONING, TEXT, THOUSAND, TOKENIZER, Array
from simulator.dearer import Dearer
from simulator.models import ModelIndex
from simulator.money import exact_sum, exact_sums, grouped
from simulator.pairs import Pair
from simulator.quality_sums import QualitySums

# Bootstrap sums are whole nanodollars: exact, and so independent of the order, up to $9 million in a batch.
NANO = 1000
LARGEST_VARIANCE = 9e18  # nanodollars squared of one request: $3 of standard deviation; int64 holds no more
SIDES = 3  # input, output text, reasoning

Key = TypeVar("Key")
WATERFALL = ("token", "price", "cache", "overhead", "retry")


@dataclass
class Tally:
    """Requests and money of one slice, in picodollars."""

    requests: int = 0
    logged: int = 0
    baseline: int = 0
    routed: int = 0

    def add(self, requests: int, logged: int, baseline: int, routed: int) -> None:
        """Add a batch's part of the slice."""
        self.requests += requests
        self.logged += logged
        self.baseline += baseline
        self.routed += routed


@dataclass
class ArmSums:
    """One arm's bootstrap sums: by pair, int64 nanodollars (SIDES, BUCKETS)."""

    by_pair: dict[Pair, Array] = field(default_factory=dict)

    def add(self, arm: Arm, rows: Array, buckets: Array, pairs: Sequence[Pair]) -> None:
        """Add the rows of a mask, each to its bucket; `pairs` by code."""
        sides = np.stack([arm.pico[:, :INPUTS].sum(axis=1), arm.pico[:, TEXT], arm.pico[:, REASONING]], axis=1)
        # A call billed as a whole has no buckets: it counts with the input, and is as exact.
        sides[:, 0] += arm.total - sides.sum(axis=1)
        nano = np.rint(sides[rows] / NANO)
        pair = arm.pair[rows].astype(np.int64)
        first, which = grouped(pair)
        codes = pair[first]
        cell = which * BUCKETS + buckets[rows]
        held = [np.bincount(cell, nano[:, side], len(codes) * BUCKETS) for side in range(SIDES)]
        sums = np.stack(held).astype(np.int64).reshape(SIDES, len(codes), BUCKETS)
        for at, code in enumerate(codes.tolist()):
            known = self.by_pair.get(pairs[code])
            self.by_pair[pairs[code]] = sums[:, at] if known is None else known + sums[:, at]

    def total(self, pair: Pair, side: int) -> int:
        """Nanodollars of one side of a pair."""
        return int(self.by_pair[pair][side].sum()) if pair in self.by_pair else 0


@dataclass(frozen=True)
class Slices:
    """What the sums of a batch are sliced and named by.

    Args:
        ids: of the requests.
        days: int64 since 1970, NO_DAY where a request has no time.
        buckets: the bootstrap's, int64.
        named: bool, the log names a model.
        task, score: see `Batch`.
        index: models by code.
        pairs: pairs by code.
    """

    ids: pa.Array
    days: Array
    buckets: Array
    named: Array
    task: Array
    score: Array
    index: ModelIndex
    pairs: Sequence[Pair]


@dataclass
class Comparison:
    """Everything summed of a baseline arm and a routed arm over the requests usable in both."""

    total: Tally = field(default_factory=Tally)
    waterfall: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WATERFALL, 0))
    by_rule: dict[tuple[int, str | None], Tally] = field(default_factory=dict)
    by_day: dict[int | None, Tally] = field(default_factory=dict)
    model_requests: dict[str, Counter[str | None]] = field(default_factory=lambda: _by_arm(Counter))
    model_usd: dict[str, Counter[str | None]] = field(default_factory=lambda: _by_arm(Counter))
    baseline: ArmSums = field(default_factory=ArmSums)
    routed: ArmSums = field(default_factory=ArmSums)
    noise: int = 0  # variance of the saving from single requests' output lengths, nanodollars squared
    routed_by_provenance: Counter[int] = field(default_factory=Counter)
    logged_by_provenance: Counter[int] = field(default_factory=Counter)
    infeasible: int = 0
    baseline_only: int = 0
    routed_only: int = 0
    requests: int = 0
    covered_logged: int = 0
    dearer: Dearer = field(default_factory=Dearer)
    quality: QualitySums = field(default_factory=QualitySums)

    def add(
        self, by: Slices, logged: Arm, baseline: Arm, routed: Arm, steps: tuple[Array, Array, Array, Array, Array]
    ) -> None:
        """Add one batch; `steps` are the waterfall's effects in picodollars per request.

        A request whose logged model is named but unpriced is left out of every comparison, so that all of them speak of
        the same requests; where the log names no model, only the baseline can be compared with.
        """
        rows = baseline.usable & routed.usable & (logged.priced | ~by.named)
        self.requests += len(rows)
        self.infeasible += int((~(baseline.feasible & routed.feasible)).sum())
        self.baseline_only += int((baseline.usable & ~routed.usable).sum())
        self.routed_only += int((routed.usable & ~baseline.usable).sum())
        self.covered_logged += exact_sum(logged.total[rows & logged.priced])
        if not rows.any():
            return
        self.dearer.add(by.ids, baseline, routed, rows, by.index)
        self.quality.add(by.index, (logged, baseline, routed), rows, by.task, by.score)
        for name, effect in zip(WATERFALL, steps, strict=True):
            self.waterfall[name] += exact_sum(effect[rows])
        money = [np.where(logged.priced, logged.total, 0)[rows], baseline.total[rows], routed.total[rows]]
        self.total.add(int(rows.sum()), *(exact_sum(part) for part in money))

        models = len(by.index.names) + 1  # and none

        def rule_key(key: int) -> tuple[int, str | None]:
            return key // models, by.index.name(key % models - 1)

        _slice(self.by_rule, routed.rule[rows].astype(np.int64) * models + (routed.model[rows] + 1), money, rule_key)
        _slice(self.by_day, by.days[rows], money, _day_key)
        for name, arm, part in zip(("logged", "baseline", "routed"), (logged, baseline, routed), money, strict=True):
            model = arm.model[rows].astype(np.int64)
            first, where = grouped(model)
            codes = model[first]
            sums = exact_sums(where, part, len(codes))
            for code, usd, count in zip(codes.tolist(), sums, np.bincount(where).tolist(), strict=True):
                self.model_requests[name][by.index.name(code)] += count
                self.model_usd[name][by.index.name(code)] += usd
        self.baseline.add(baseline, rows, by.buckets, by.pairs)
        self.routed.add(routed, rows, by.buckets, by.pairs)
        variance = np.minimum((_noise(baseline) - _noise(routed))[rows] ** 2, LARGEST_VARIANCE)
        self.noise += exact_sum(np.rint(variance).astype(np.int64))
        self.routed_by_provenance.update(_by_provenance(routed, rows))
        self.logged_by_provenance.update(_by_provenance(logged, rows & logged.priced))


def _by_provenance(arm: Arm, rows: Array) -> dict[int, int]:
    """Picodollars by who counted the tokens they pay for."""
    inputs = arm.pico[:, :INPUTS].sum(axis=1)
    outputs = arm.pico[:, TEXT] + arm.pico[:, REASONING]
    counts = arm.counts
    return {
        code: exact_sum(inputs[rows & (counts.input_provenance == code)])
        + exact_sum(outputs[rows & (counts.output_provenance == code)])
        for code in (PROVIDER, TOKENIZER, ESTIMATED)
    }


def _noise(arm: Arm) -> Array:
    """One standard deviation of a request's cost, nanodollars, from its output length alone."""
    tokens = arm.counts.milli[:, TEXT] / THOUSAND
    price = np.divide(arm.pico[:, TEXT], tokens, out=np.zeros(len(tokens)), where=tokens > 0)
    return np.asarray(arm.request_sd * price / NANO)


def _slice(slices: dict[Key, Tally], keys: Array, money: list[Array], name: Callable[[int], Key]) -> None:
    first, where = grouped(keys)
    distinct = keys[first]
    counts = np.bincount(where, minlength=len(distinct)).tolist()
    sums = [exact_sums(where, part, len(distinct)) for part in money]
    for i, key in enumerate(distinct.tolist()):
        slices.setdefault(name(key), Tally()).add(counts[i], *(part[i] for part in sums))


def _day_key(key: int) -> int | None:
    return None if key == NO_DAY else key


NO_DAY = np.iinfo(np.int32).min


def _by_arm(kind: type[Counter[str | None]]) -> dict[str, Counter[str | None]]:
    return {arm: kind() for arm in ("logged", "baseline", "routed")}
