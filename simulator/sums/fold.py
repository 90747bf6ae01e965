"""Sums over batches of what two arms cost: mergeable, exact, and enough for savings, waterfall and intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from simulator.arms import Arm, Batch
from simulator.counts import ESTIMATED, PROVIDER, TOKENIZER, UNKNOWN, Array
from simulator.days import NO_DAY, day_numbers
from simulator.models import ModelIndex
from simulator.money import Ints, exact_sum, exact_sums, grouped, regrouped
from simulator.scores import NO_SCORE
from simulator.sums.bootstrap import BUCKETS, bucket_of
from simulator.sums.cached import CacheTally
from simulator.sums.dearer import Dearer
from simulator.sums.quality_sums import QualitySums, Slice, SliceSums
from simulator.usage.pairs import Pair, Pairs

LARGEST_VARIANCE = 9e18  # nanodollars squared of one request: $3 of standard deviation; int64 holds no more
SIDES = 3  # input, output text, reasoning

WATERFALL = ("token", "price", "cache", "overhead", "retry")


@dataclass
class Tally:
    """Requests and money of one slice, in picodollars."""

    requests: int = 0
    logged: int = 0
    baseline: int = 0
    routed: int = 0

    def add(self, requests: int, logged: int, baseline: int, routed: int) -> None:
        """Add a part."""
        self.requests += requests
        self.logged += logged
        self.baseline += baseline
        self.routed += routed


@dataclass
class ArmSums:
    """One arm's bootstrap sums: by pair, int64 nanodollars (SIDES, BUCKETS).

    They are whole nanodollars, and so exact and independent of the order up to $9 million in a batch.
    """

    by_pair: dict[Pair, Array] = field(default_factory=dict)
    requests: Counter[Pair] = field(default_factory=Counter)

    @classmethod
    def of(cls, arm: Arm, rows: Array, buckets: Array, pairs: Sequence[Pair]) -> ArmSums:
        """The sums of the rows of a mask, each in its bucket; `pairs` by code."""
        all_rows = rows.all()
        first, which = grouped((arm.pair if all_rows else arm.pair[rows]).astype(np.int64))
        codes = arm.pair[first] if all_rows else arm.pair[rows][first]
        cell = which * BUCKETS + (buckets if all_rows else buckets[rows])
        sums = np.zeros((len(codes), SIDES, BUCKETS), np.int64)
        for side, nano in enumerate(arm.nano):
            if nano is not None:
                held = np.bincount(cell, nano if all_rows else nano[rows], len(codes) * BUCKETS)
                sums[:, side] = held.reshape(len(codes), BUCKETS)
        self = cls()
        for code, held, many in zip(codes.tolist(), sums, np.bincount(which).tolist(), strict=True):
            known = self.by_pair.get(pairs[code])
            self.by_pair[pairs[code]] = held if known is None else known + held
            self.requests[pairs[code]] += many
        return self

    def copy(self) -> ArmSums:
        """The same sums, to be merged apart."""
        return ArmSums(dict(self.by_pair), self.requests.copy())

    def total(self, pair: Pair, side: int) -> int:
        """Nanodollars of one side of a pair."""
        return int(self.by_pair[pair][side].sum()) if pair in self.by_pair else 0


@dataclass
class Comparison:
    """Everything summed of a baseline arm and a routed arm over the requests usable in both."""

    total: Tally = field(default_factory=Tally)
    waterfall: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WATERFALL, 0))
    by_rule: dict[tuple[int, str | None], Tally] = field(default_factory=dict)
    cached: dict[tuple[int, str | None], CacheTally] = field(default_factory=dict)  # as by_rule; empty: none simulated
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
    caches: Counter[str] = field(default_factory=Counter)  # see `state.unsimulated`: what caches could change
    quality: QualitySums = field(default_factory=QualitySums)
    unnamed: Counter[str] = field(default_factory=Counter)  # see `unnamed_tokens`

    def drop_empty(self) -> None:
        """Forget slices that no request is left in."""
        slices: list[dict[Any, Any]] = [self.by_rule, self.by_day, self.quality.slices]
        for each in slices:
            for name in [name for name, tally in each.items() if not tally.requests]:
                del each[name]
        self.cached = {name: tally for name, tally in self.cached.items() if name in self.by_rule}
        sums: list[tuple[Counter[Any], dict[Any, Any]]] = [
            (arm.requests, arm.by_pair) for arm in (self.baseline, self.routed)
        ]
        for requests, money in sums + [(self.model_requests[arm], self.model_usd[arm]) for arm in self.model_usd]:
            for name in [name for name, many in requests.items() if not many]:
                del requests[name], money[name]

    def renumber(self, rules: Mapping[int, int]) -> None:
        """Call the rules by other numbers."""
        self.by_rule = {(rules[rule], model): tally for (rule, model), tally in self.by_rule.items()}
        self.cached = {(rules[rule], model): tally for (rule, model), tally in self.cached.items()}
        slices = self.quality.slices
        self.quality.slices = {name._replace(rule=rules[name.rule]): sums for name, sums in slices.items()}


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

    @classmethod
    def of(cls, batch: Batch, index: ModelIndex, pairs: Pairs) -> Slices:
        """Those of a batch."""
        requests = batch.requests
        named = requests["model"].is_valid().to_numpy(zero_copy_only=False)
        days = day_numbers(requests["arrived_at"])
        return cls(
            requests["request_id"], days, bucket_of(batch.key), named, batch.task, batch.score, index, pairs.pairs
        )


def comparable(by: Slices, logged: Arm, baseline: Arm, routed: Arm) -> tuple[Array, Array]:
    """Bool per request: it can be compared with the baseline, and with the log."""
    rows = routed.usable & (logged.priced | ~by.named)
    return baseline.usable & rows, logged.usable & rows


def compared(
    by: Slices, logged: Arm, baseline: Arm, routed: Arm, folded: Callable[[Arm, Arm], tuple[Array, Array]]
) -> tuple[Comparison, Comparison]:
    """A batch's routed arm against the baseline, and against the log.

    A request whose logged model is named but unpriced is left out of every comparison, so that all of them speak of
    the same requests; where the log names no model, only the baseline can be compared with.

    Args:
        by: what to slice by.
        logged, baseline, routed: the arms.
        folded: one arm's tokens without cache at another's models: picodollars and whether they are known.
    """
    masks = comparable(by, logged, baseline, routed)
    cells = Cells.of(by, (logged, baseline, routed), masks)
    alike = bool((masks[0] == masks[1]).all())
    found: list[Comparison] = []
    for which, (base, rows) in enumerate(zip((baseline, logged), masks, strict=True)):
        one = Comparison(requests=len(rows))
        found.append(one)
        one.infeasible = len(rows) - int((base.feasible & routed.feasible).sum())
        usable = base.usable, routed.usable
        one.baseline_only, one.routed_only = int((usable[0] & ~usable[1]).sum()), int((usable[1] & ~usable[0]).sum())
        if not rows.any():
            continue
        one.dearer.add(by.ids, base, routed, rows, by.index)
        cells.add(one, which, by.index)
        one.waterfall = waterfall(base, routed, rows, one.total, folded)
        one.noise = _variance(base, routed, rows)
        one.baseline = ArmSums.of(base, rows, by.buckets, by.pairs)
        if which and alike:  # the same sums of the same rows
            one.routed = found[0].routed.copy()
            one.routed_by_provenance = found[0].routed_by_provenance.copy()
            one.logged_by_provenance = found[0].logged_by_provenance.copy()
        else:
            one.routed = ArmSums.of(routed, rows, by.buckets, by.pairs)
            one.routed_by_provenance = _by_provenance(routed, rows)
            one.logged_by_provenance = _by_provenance(logged, rows & logged.priced)
    return found[0], found[1]


@dataclass(frozen=True)
class Cells:
    """A batch's requests counted and summed by all that the breakdowns slice by at once.

    Args:
        keys: int64 per cell, by name: rule, logged, baseline and routed (model codes), task, day.
        within: bool per cell, usable against the baseline, and against the log.
        counts: requests per cell.
        money: picodollars per cell in the logged arm (where priced), the baseline's and the routed one.
        scored, score: answers that the log scores, and the sum of their thousandths.
    """

    keys: dict[str, Array]
    within: tuple[Array, Array]
    counts: Array
    money: dict[str, Ints]
    scored: Array
    score: Ints

    @classmethod
    def of(cls, by: Slices, arms: tuple[Arm, Arm, Arm], masks: tuple[Array, Array]) -> Cells:
        """The cells of a batch's logged, baseline and routed arms."""
        logged, baseline, routed = arms
        keys = {"rule": routed.rule, "logged": logged.model, "baseline": baseline.model, "routed": routed.model}
        keys |= {"task": by.task}
        cell = masks[0] + 2 * masks[1].astype(np.int64)
        for column in keys.values():
            cell = _crossed(cell, column)
        first, cell = grouped(_crossed(cell, by.days))
        many = len(first)
        money = {"logged": np.where(logged.priced, logged.total, 0), "baseline": baseline.total, "routed": routed.total}
        score = np.where(by.score == NO_SCORE, 0, by.score)
        zeros = np.zeros(many, np.int64)
        is_scored = by.score != NO_SCORE
        return cls(
            {name: column[first].astype(np.int64) for name, column in (keys | {"day": by.days}).items()},
            (masks[0][first], masks[1][first]),
            np.bincount(cell, minlength=many),
            {name: exact_sums(cell, column, many) for name, column in money.items()},
            exact_sums(cell, is_scored.astype(np.int64), many) if is_scored.any() else zeros,
            exact_sums(cell, score, many) if is_scored.any() else zeros,
        )

    def add(self, to: Comparison, which: int, index: ModelIndex) -> None:
        """Add what is usable against the baseline (0) or the log (1) to every breakdown of a comparison."""
        mine = self.within[which]
        keys = {name: column[mine] for name, column in self.keys.items()}
        logged, baseline, routed = (self.money[name][mine] for name in ("logged", "baseline", "routed"))
        before = (baseline, logged)[which]
        keys["before"] = keys["logged" if which else "baseline"]
        tallies = (self.counts[mine], logged, before, routed)
        to.total = Tally(*(sum(column.tolist()) for column in tallies))
        to.covered_logged = to.total.logged

        def sliced(names: tuple[str, ...], columns: tuple[Ints, ...]) -> Iterator[tuple[list[int], tuple[int, ...]]]:
            cell = np.zeros(len(before), np.int64)
            for name in names:
                cell = _crossed(cell, keys[name])
            first, where = grouped(cell)
            sums = [regrouped(where, column, len(first)) for column in columns]
            named = np.stack([keys[name][first] for name in names], axis=1).tolist()
            yield from zip(named, zip(*sums, strict=True), strict=True)

        for (day,), tally in sliced(("day",), tallies):
            to.by_day[None if day == NO_DAY else day] = Tally(*tally)
        parts = (*tallies, self.scored[mine], self.score[mine])
        for (rule, *codes, task), sums in sliced(("rule", "before", "routed", "logged", "task"), parts):
            one, two, of_log = map(index.name, codes)
            requests, _, before_usd, routed_usd, scored, score = sums
            name = Slice(rule, one, two, of_log, task)
            to.quality.slices[name] = SliceSums(requests, before_usd, routed_usd, scored, score)
            to.by_rule.setdefault((rule, two), Tally()).add(*sums[:4])
            for arm, model, pico in zip(to.model_usd, (of_log, one, two), sums[1:4], strict=True):
                to.model_requests[arm][model] += requests
                to.model_usd[arm][model] += pico


def waterfall(
    base: Arm, routed: Arm, rows: Array, total: Tally, folded: Callable[[Arm, Arm], tuple[Array, Array]]
) -> dict[str, int]:
    """Token, price, cache, overhead and retry effects by CONTRACTS, of the rows of a mask; they add up exactly."""
    (own_base, ok_base), (swapped, ok_swap), (own_routed, ok_routed) = (
        folded(base, base), folded(routed, base), folded(routed, routed),
    )  # fmt: skip
    known = rows & ok_base & ok_swap & ok_routed
    before, between, after = (_sum(column, known) for column in (own_base, swapped, own_routed))
    overhead, retry = (_sum(one, rows) - _sum(two, rows) for one, two in
                       ((base.overhead, routed.overhead), (base.retry, routed.retry)))  # fmt: skip
    token, price = before - between, between - after
    cache = total.baseline - total.routed - token - price - overhead - retry
    return {"token": token, "price": price, "cache": cache, "overhead": overhead, "retry": retry}


def _crossed(cell: Array, column: Array) -> Array:
    """One code for each two, close together where the rows allow it."""
    low, high = int(column.min()), int(column.max())
    if low == high:
        return cell
    close = 4 * len(cell)
    if high - low >= close:
        column, low = grouped(column)[1], 0
        high = int(column.max())
    if (int(cell.max()) + 1) * (high - low + 1) > close:
        cell = grouped(cell)[1]
    return np.asarray(cell * (high - low + 1) + (column - low))


def _sum(column: Array, rows: Array) -> int:
    return exact_sum(column if rows.all() else column[rows])


def _variance(base: Arm, routed: Arm, rows: Array) -> int:
    """Of the saving, from single requests' output lengths: nanodollars squared."""
    one, two = base.noise, routed.noise
    if one is None and two is None:
        return 0
    apart = np.asarray((0.0 if one is None else one) - (0.0 if two is None else two))[rows]
    return exact_sum(np.rint(np.minimum(apart**2, LARGEST_VARIANCE)).astype(np.int64))


def _by_provenance(arm: Arm, rows: Array) -> Counter[int]:
    """Picodollars by who counted the tokens they pay for."""
    found: Counter[int] = Counter()
    counts = arm.counts
    for said, money in ((counts.input_provenance, arm.inputs), (counts.output_provenance, arm.outputs)):
        sums = exact_sums(np.where(rows, said, UNKNOWN) - UNKNOWN, money, ESTIMATED - UNKNOWN + 1).tolist()
        found.update({code: sums[code - UNKNOWN] for code in (PROVIDER, TOKENIZER, ESTIMATED)})
    return found


def _by_arm(kind: type[Counter[str | None]]) -> dict[str, Counter[str | None]]:
    return {arm: kind() for arm in ("logged", "baseline", "routed")}
