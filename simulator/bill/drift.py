"""Why a recorded cost is not the recomputed one: each known mistake is tried on the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from pricing import AsOf, PriceBook, charge
from simulator.bill.implied import Implied, flat_price, implied_factor, implied_rates
from simulator.counts import INPUTS, REASONING, TEXT, THOUSAND, Array
from simulator.money import dollars
from workloads import BUCKETS

READ, WRITE, WRITE_1H = (BUCKETS.index(name) for name in ("cache_read", "cache_write_5m", "cache_write_1h"))
FLOAT_NOISE = 100_000  # a cost that went through binary floats is off by less than a part in this
FEWEST_FOR_CAUSE = 0.01  # of the drifting rows


@dataclass(frozen=True)
class Cause:
    """One explanation and the rows it fits.

    Args:
        cause: a stable short name: agrees, rounding, cache_full_price, cache_twice, cache_free, write_premium, tier,
            reasoning_twice, reasoning_left_out, recorded_free, other_date, off_list, flat_price, own_rates,
            unknown_price or unexplained.
        words: it in words.
        fix: what to do about it; may be empty.
        rows: sampled rows it fits.
        looked_at: sampled rows of the model in all.
        recorded: what those rows record, picodollars.
        recomputed: what they come to at the price of the day; None where the model is unpriced.
        example: one row's arithmetic, recomputed and as this cause has it; empty where there is none.
        implied: the discount or the rates that the rows follow, for a price file.
    """

    cause: str
    words: str
    fix: str
    rows: int
    looked_at: int
    recorded: int
    recomputed: int | None
    example: tuple[str, ...] = ()
    implied: Implied | None = None

    def as_dict(self) -> dict[str, Any]:
        """The cause for JSON."""
        return {
            "cause": self.cause,
            "words": self.words,
            "fix": self.fix,
            "rows": self.rows,
            "rows_looked_at": self.looked_at,
            "recorded_usd": dollars(self.recorded),
            "recomputed_usd": None if self.recomputed is None else dollars(self.recomputed),
            "example": list(self.example),
            "implied": self.implied.as_dict() if self.implied else None,
        }


@dataclass(frozen=True)
class Variant:
    """One way in which a logger may have charged the rows: other counts, another tier or another day."""

    cause: str
    words: str
    fix: str
    milli: Array
    tier: pa.Array
    at: AsOf


@dataclass(frozen=True)
class _Rows:
    """Sampled rows of one model, as arrays."""

    ids: pa.Array
    arrived: pa.Array
    tier: pa.Array
    recorded: Array
    milli: Array

    @classmethod
    def of(cls, table: pa.Table) -> _Rows:
        flat = table.combine_chunks()
        column = {name: flat[name].combine_chunks() for name in flat.column_names}
        milli = np.stack([column[bucket].to_numpy() for bucket in BUCKETS], axis=1)
        return cls(column["request_id"], column["arrived_at"], column["tier"], column["recorded"].to_numpy(), milli)


def find_causes(sample: pa.Table, model: str | None, book: PriceBook, as_of: AsOf) -> list[Cause]:
    """What a model's sampled rows say of its drift, the cause with most rows first; empty where all agree exactly.

    Args:
        sample: `request_id, arrived_at, tier, recorded` (picodollars) and the six buckets in thousandths of a token.
        model: canonical name; None for a model no price book knows.
        book: prices.
        as_of: the date policy the log was recomputed with.

    A row belongs to the cause that fits most of the rows left over; a cost fits when it is the recorded one but for
    float noise and half a unit of the last decimal that any of the model's rows uses.
    """
    if not sample.num_rows:
        return []
    rows = _Rows.of(sample)
    unit = _unit(rows.recorded)
    charged, known = _charged(rows, Variant("", "", "", rows.milli, rows.tier, as_of), model, book)
    exact = known & _fits(rows.recorded, charged, 0)
    rounded = known & ~exact & _fits(rows.recorded, charged, unit)
    left = ~exact & ~rounded
    found: list[Cause] = []

    def add(
        cause: str, words: str, fix: str, fit: Array, example: tuple[str, ...] = (), implied: Implied | None = None
    ) -> None:
        again = sum(charged[fit].tolist()) if known[fit].all() else None
        recorded = sum(rows.recorded[fit].tolist())
        found.append(Cause(cause, words, fix, int(fit.sum()), len(rows.ids), recorded, again, example, implied))

    if rounded.any():
        add("rounding", f"recorded costs are rounded to ${dollars(unit)}", "", rounded)
    variants = [(v, *_charged(rows, v, model, book)) for v in _variants(rows, model, book, as_of)] if model else []
    fits = [ok & _fits(rows.recorded, cost, unit) for _, cost, ok in variants]
    enough = max(1.0, FEWEST_FOR_CAUSE * left.sum())
    factor = implied_factor(rows.recorded, charged, left & known, unit)
    while left.any():
        best = max(range(len(fits)), key=lambda i: int((fits[i] & left).sum()), default=None)
        most = int((fits[best] & left).sum()) if best is not None else 0
        if factor is not None and (factor.fit & left).sum() > most:
            fit = factor.fit & left
            example = _example(rows, fit, as_of, rows.milli, rows.tier, as_of, model, book, factor.factor)
            add("off_list", factor.words, factor.fix, fit, example, factor)
            left, factor = left & ~fit, None
        elif best is not None and most >= enough:
            variant, fit = variants[best][0], fits[best] & left
            example = _example(rows, fit, as_of, variant.milli, variant.tier, variant.at, model, book)
            add(variant.cause, variant.words, variant.fix, fit, example)
            left = left & ~fit
        else:
            break
    if left.any() and (flat := flat_price(rows.recorded, rows.milli, left, unit)) is not None:
        fit = flat[0] & left
        words = f"one price of ${flat[1].normalize():f} per million for input and output alike: a stand-in, not a price"
        example = _example(rows, fit, as_of, rows.milli, rows.tier, as_of, model, book)
        add("flat_price", words, "give the logger the model's price, or trust the recomputed one", fit, example)
        left = left & ~fit
    if left.any() and (rates := implied_rates(rows.recorded, rows.milli, left, unit)) is not None:
        fit = rates.fit & left
        add("own_rates" if model else "unknown_price", rates.words, rates.fix, fit, (), rates)
        left = left & ~fit
    if left.any():
        fix = "look at the rows furthest off; `--format json` lists them" if model else "add its price with --prices"
        words = "no known mistake fits these rows" if model else "no price book knows this model"
        add(
            "unexplained" if model else "unknown_price",
            words,
            fix,
            left,
            _example(rows, left, as_of, rows.milli, rows.tier, as_of, model, book),
        )
    return sorted(found, key=lambda cause: -cause.rows)


def _unit(recorded: Array) -> int:
    """The last decimal used: the largest power of ten that divides every recorded cost, picodollars."""
    unit = 1
    while unit < 10**12 and recorded.any() and not (recorded % (unit * 10)).any():
        unit *= 10
    return unit


def _fits(recorded: Array, cost: Array, unit: int) -> Array:
    return np.asarray(np.abs(recorded - cost) <= np.maximum(recorded // FLOAT_NOISE, 1) + unit // 2)


def _charged(rows: _Rows, variant: Variant, model: str | None, book: PriceBook) -> tuple[Array, Array]:
    """Picodollars per row under a variant, and whether that is known."""
    names = pa.repeat(pa.scalar(model, pa.string()), len(rows.ids))
    usage = pa.table({bucket: variant.milli[:, i] for i, bucket in enumerate(BUCKETS)})
    total = charge(book, names, usage, at=variant.at, arrived_at=rows.arrived, tier=variant.tier).total
    return total.fill_null(0).to_numpy(zero_copy_only=False), total.is_valid().to_numpy(zero_copy_only=False)


def _variants(rows: _Rows, model: str, book: PriceBook, at: AsOf) -> Iterator[Variant]:
    """The mistakes of the field, likeliest first."""
    tier, milli = rows.tier, rows.milli

    def moved(*changes: tuple[int, Array | int]) -> Array:
        copy = milli.copy()
        for column, tokens in changes:
            copy[:, column] = tokens
        return copy

    none = np.zeros_like(milli)
    read, written = milli[:, READ], milli[:, WRITE] + milli[:, WRITE_1H]
    bug = "mend the logger's cost, or trust the recomputed one"
    if milli.any():
        yield Variant("recorded_free", "recorded as free, though tokens were used", bug, none, tier, at)
    if written.any():
        plain = moved((0, milli[:, 0] + written), (WRITE, 0), (WRITE_1H, 0))
        yield Variant(
            "write_premium", "cache writes were charged as plain input, without their premium", bug, plain, tier, at
        )
        short = moved((WRITE, written), (WRITE_1H, 0))
        yield Variant("write_premium", "one-hour cache writes were charged as five-minute ones", bug, short, tier, at)
    if read.any():
        folded = moved((0, milli[:, :INPUTS].sum(axis=1)), (READ, 0), (WRITE, 0), (WRITE_1H, 0))
        yield Variant("cache_full_price", "cached input was charged at the full input price", bug, folded, tier, at)
        twice = "cached input was charged twice: as input, and again at the cache's price"
        yield Variant("cache_twice", twice, bug, moved((0, milli[:, 0] + read)), tier, at)
        yield Variant("cache_twice", twice, bug, moved((0, milli[:, 0] + read + written)), tier, at)
        free = "cached input was not charged at all"
        yield Variant("cache_free", free, bug, moved((READ, 0), (WRITE, 0), (WRITE_1H, 0)), tier, at)
    if milli[:, REASONING].any():
        doubled = moved((TEXT, milli[:, TEXT] + milli[:, REASONING]))
        yield Variant(
            "reasoning_twice", "reasoning was charged twice, within the output and beside it", bug, doubled, tier, at
        )
        without = moved((REASONING, 0))
        yield Variant("reasoning_left_out", "hidden reasoning tokens were not charged", bug, without, tier, at)
    for name in _tiers(model, book):
        words = f"charged at the {name} tier's price, which the log does not state"
        fix = f"log `service_tier: {name}`" if name != "standard" else "check which tier was served"
        yield Variant("tier", words, fix, milli, pa.repeat(pa.scalar(name), len(rows.ids)), at)
    for day in _days(model, book):
        words = f"charged at the price of {day}, not of the request's own day"
        yield Variant("other_date", words, bug, milli, tier, AsOf.parse(day))


def _tiers(model: str, book: PriceBook) -> list[str]:
    named = {entry.tier for entry in book.entries(model)} | {rule.tier for rule in book.all_tier_rules(model)}
    return sorted({book.tier_name(name) for name in named} | {"standard"}, key=lambda name: (name != "batch", name))


def _days(model: str, book: PriceBook) -> list[date]:
    days = {entry.effective_from for entry in book.entries(model)} | {book.launched(model), book.date}
    days |= {discount.effective_from for discount in book.discounts(model)}
    return sorted((day for day in days if day and day <= book.date), reverse=True)


def _example(
    rows: _Rows,
    fit: Array,
    as_of: AsOf,
    milli: Array,
    tier: pa.Array,
    at: AsOf,
    model: str | None,
    book: PriceBook,
    factor: Decimal | None = None,
) -> tuple[str, ...]:
    """The dearest row's arithmetic: as recorded, recomputed, and as the cause has it."""
    row = int(np.flatnonzero(fit)[np.argmax(rows.recorded[fit])])
    said = [f"request {rows.ids[row].as_py()} records ${dollars(int(rows.recorded[row]))}"]
    if model is None:
        return tuple(said)
    own = _terms(rows, row, rows.milli, rows.tier, as_of, model, book)
    said.append(f"the price of the day: {own}")
    other = _terms(rows, row, milli, tier, at, model, book)
    if factor is not None:
        said.append(f"times {factor.normalize():f}: what was recorded")
    elif other != own:
        said.append(f"what was recorded: {other}")
    return tuple(said)


def _terms(rows: _Rows, row: int, milli: Array, tier: pa.Array, at: AsOf, model: str, book: PriceBook) -> str:
    arrived: datetime | None = rows.arrived[row].as_py()
    moment = (arrived or book.date) if at.policy == "request" else (at.moment or book.date)
    quote = book.quote(model, moment, tier[row].as_py())
    if quote is None:
        return "unpriced"
    size = int(milli[row, :INPUTS].sum()) // THOUSAND
    terms, total = [], 0
    for i, bucket in enumerate(BUCKETS):
        tokens, rate = int(milli[row, i]), quote.usd_per_mtok[bucket]
        if not tokens:
            continue
        if rate is None:
            return f"no price for {bucket}"
        usd = rate.at(size)
        total += round(Decimal(tokens) * usd * 1000)
        plain = f"{Decimal(tokens) / THOUSAND:,f}"
        plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
        terms.append(f"{plain} {bucket} x ${usd.normalize():f}")
    return f"{' + '.join(terms) or 'no tokens'} per million = ${dollars(total)}"
