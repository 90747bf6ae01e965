"""Price entries compiled to integer tables, so that finding each request's price is a few array look-ups."""

from collections.abc import Hashable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pricing.asof import AsOf
from pricing.book import PriceBook
from pricing.entries import BUCKETS, PriceEntry, picodollars_per_token

Ints = NDArray[np.int64]

UNPRICED = -1  # in `Schedule.prices`
_SECOND_BITS, _CLOCK_BITS, _TOKEN_BITS = 36, 17, 44  # 2,177 years, one day, 17 billion tokens in thousandths
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPILED: "WeakKeyDictionary[PriceBook, dict[Hashable, Schedule]]" = WeakKeyDictionary()


class Schedule:
    """The prices of some (model, tier) pairs under one date policy.

    Three levels, each a sorted table searched once: a pair's days, a day's hours, an hour's input sizes. A level where
    nothing differs is skipped.

    Args:
        book: where the prices come from.
        pairs: (canonical model or None, service tier) in the order that `rows` numbers them; None is unpriced.
        at: the date policy.
    """

    def __init__(self, book: PriceBook, pairs: Sequence[tuple[str | None, str | None]], at: AsOf) -> None:
        self.at = at
        self.book_seconds = _seconds(datetime(book.date.year, book.date.month, book.date.day, tzinfo=UTC))
        day_keys: list[int] = []
        clock_keys: list[int] = []
        size_keys: list[int] = []
        prices: list[tuple[int, ...]] = []
        tiered: list[bool] = []
        for pair, (model, tier) in enumerate(pairs):
            for day in _days(book, model, at):
                day_keys.append(pair << _SECOND_BITS | max(0, _seconds(datetime.combine(day, time(), UTC))))
                for clock in _clocks(book, model, day, at):
                    at_second = clock.hour * 3600 + clock.minute * 60 + clock.second
                    clock_keys.append((len(day_keys) - 1) << _CLOCK_BITS | at_second)
                    moment = datetime.combine(day, clock) if at.policy != "instant" else at.moment
                    entry = None if model is None or moment is None else book.quote(model, moment, tier)
                    steps = _steps(entry)
                    tiered.append(len(steps) > 1)
                    for tokens, row in steps:
                        # Strictly more input than the step's start crosses it.
                        size_keys.append((len(clock_keys) - 1) << _TOKEN_BITS | (tokens * 1000 + 1 if tokens else 0))
                        prices.append(row)
        prices.append((UNPRICED,) * len(BUCKETS))
        self.prices: Ints = np.array(prices, np.int64).T.copy()
        self._days = np.array(day_keys, np.int64)
        self._clocks = np.array(clock_keys, np.int64)
        self._sizes = np.array(size_keys, np.int64)
        self._tiered = np.array(tiered, bool)
        slots = np.arange(len(tiered), dtype=np.int64)
        self._first_row = np.searchsorted(self._sizes, slots << _TOKEN_BITS).astype(np.intp)
        self._unpriced_row = len(prices) - 1
        self.by_day = len(day_keys) > len(pairs)
        self.by_clock = len(clock_keys) > len(day_keys)
        self.by_size = bool(self._tiered.any())
        starts = [start for key in size_keys if (start := key & (1 << _TOKEN_BITS) - 1)]
        self._first_step = min(starts, default=0)  # below it, no size of input crosses any
        self.unpriced = [bool((bucket == UNPRICED).any()) for bucket in self.prices]
        self.dearest = [int(bucket.max(initial=0)) for bucket in self.prices]
        # Whole picodollars for a thousandth of a token: such charges need no rounding.
        self.whole = [bool((bucket[bucket != UNPRICED] % 1000 == 0).all()) for bucket in self.prices]

    @classmethod
    def of(cls, book: PriceBook, models: Sequence[str | None], tiers: Sequence[str | None], at: AsOf) -> "Schedule":
        """The schedule of every model, as anyone may spell it, under every tier, models first; compiled once."""
        compiled = _COMPILED.setdefault(book, {})
        key = (tuple(models), tuple(tiers), at)
        if key not in compiled:
            compiled[key] = cls(book, [(book.resolve(model), tier) for model in models for tier in tiers], at)
        return compiled[key]

    @cached_property
    def signature(self) -> Hashable:
        """Equal for schedules of as many pairs at which everything costs the same."""
        tables = (self.prices, self._days, self._clocks, self._sizes, self._first_row)
        return (self.book_seconds if self.needs_times else None, *(table.tobytes() for table in tables))

    @property
    def needs_times(self) -> bool:
        """Whether any pair's price depends on when the request arrived."""
        return self.by_day or self.by_clock

    def seconds(self, arrived_at: pa.Array) -> Ints:
        """Seconds since 1970 in UTC; the book's own date at 00:00 where a request has no time."""
        micros = arrived_at.cast(pa.timestamp("us", arrived_at.type.tz), safe=False).view(pa.int64())
        filled: Ints = pc.fill_null(micros, self.book_seconds * 1_000_000).to_numpy()
        return np.floor_divide(filled, 1_000_000)

    def rows(self, pair: NDArray[np.intp], seconds: Ints | None, input_thousandths: Ints | None) -> NDArray[np.intp]:
        """The column of `prices` that holds each request's prices.

        Args:
            pair: index into the pairs.
            seconds: arrival in seconds since 1970 UTC, where `needs_times`; None where no request has a time.
            input_thousandths: total input, cached parts included, in thousandths of a token; negative where unknown,
                which leaves a request unpriced where the price depends on it. Read only where `by_size`.
        """
        slot = pair
        if self.by_day:
            when = np.full(len(pair), self.book_seconds, np.int64) if seconds is None else seconds
            slot = np.searchsorted(self._days, slot << _SECOND_BITS | np.clip(when, 0, None), side="right") - 1
        if self.by_clock:
            clock = np.zeros(len(pair), np.int64) if seconds is None else np.mod(seconds, 86_400)
            slot = np.searchsorted(self._clocks, slot << _CLOCK_BITS | clock, side="right") - 1
        if not self.by_size or input_thousandths is None:
            return slot
        row = self._first_row[slot]
        if input_thousandths.min(initial=0) >= 0 and input_thousandths.max(initial=0) < self._first_step:
            return row
        affected = np.flatnonzero(self._tiered[slot])
        size = np.minimum(input_thousandths[affected], (1 << _TOKEN_BITS) - 1)
        found = np.searchsorted(self._sizes, slot[affected] << _TOKEN_BITS | np.maximum(size, 0), side="right") - 1
        row[affected] = np.where(size < 0, self._unpriced_row, found)
        return row


def _days(book: PriceBook, model: str | None, at: AsOf) -> list[date]:
    """The UTC days on which anything about a model's price may change; one under a fixed policy."""
    if at.policy != "request":
        return [at.moment.date() if at.moment else book.date]
    days = {date(1970, 1, 1)}
    if model is not None:
        launched = book.launched(model)
        days |= {launched} if launched else set()
        days |= {day for entry in book.entries(model) for day in (entry.effective_from, entry.until) if day}
        days |= {day for each in book.discounts(model) for day in (each.effective_from, each.until) if day}
        days |= {rule.effective_from for rule in book.all_tier_rules(model) if rule.effective_from}
    return sorted(days)


def _clocks(book: PriceBook, model: str | None, day: date, at: AsOf) -> list[time]:
    """The times of day at which a model's price may change on a day; midnight is always one."""
    if model is None or at.policy == "instant":
        return [time()]
    return sorted({time()} | {edge for entry in book.entries(model) if entry.on(day) for edge in entry.window or ()})


def _steps(entry: PriceEntry | None) -> list[tuple[int, tuple[int, ...]]]:
    """(total input tokens above which it holds, picodollars per token by bucket), ascending."""
    if entry is None:
        return [(0, (UNPRICED,) * len(BUCKETS))]
    rates = entry.usd_per_mtok
    starts = sorted({0} | {start for rate in rates.values() if rate for start, _ in rate.above})
    return [
        (
            start,
            tuple(
                UNPRICED if (rate := rates[bucket]) is None else picodollars_per_token(rate.at(start + 1))
                for bucket in BUCKETS
            ),
        )
        for start in starts
    ]


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)
