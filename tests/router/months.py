"""Months of dated calls: when they come, what a provider bills for them on each day, and what replay and monitor say.

The benchmark uses them too.
"""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from pricing import AsOf, PriceBook
from quality.live_calls import lines_of, live_calls
from quality.monitor import Forecast, Watch, report_of
from router import Router
from simulator import Scenario, replay
from tests.router.fakes import Fake, answer
from workloads import read_log

DAYS = 30
DAY = timedelta(days=1)


def arrivals(first: date, calls: int, seed: int) -> list[datetime]:
    """When calls of a month come, ascending: three times as many at three in the afternoon as at three at night."""
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * DAYS)
    weights = 1 + 0.5 * np.cos(2 * np.pi * (hours % 24 - 15) / 24)
    at = np.sort(rng.choice(hours, calls, p=weights / weights.sum()) * 3_600 + rng.random(calls) * 3_600)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return [start + timedelta(seconds=round(float(second), 3)) for second in at]


class Clock:
    """Says what it was set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def cost(book: PriceBook, model: str, usage: dict[str, Any], at: datetime) -> int:
    """Picodollars by hand: tokens x USD per million x 10^6, each side rounded to a whole one."""
    quote = book.quote(model, at)
    assert quote is not None
    sides = (("input_uncached", "prompt_tokens"), ("output_text", "completion_tokens"))
    rates = [(quote.usd_per_mtok[bucket], usage[count]) for bucket, count in sides]
    return sum(round(Fraction(rate.base) * 10**6 * count) for rate, count in rates if rate is not None)


class Ledger(Fake):
    """A provider that keeps its own bill, by day, in its own arithmetic."""

    def __init__(self, book: PriceBook, clock: Clock, seed: int) -> None:
        super().__init__("openai")
        self._book, self._clock, self._rng = book, clock, np.random.default_rng(seed)
        self.billed: Counter[date] = Counter()

    def complete(self, model: str, messages: Any, **more: Any) -> Any:  # noqa: ARG002
        """An answer of random length, billed at the day's price."""
        usage = {
            "prompt_tokens": int(self._rng.integers(1, 4_000)),
            "completion_tokens": int(self._rng.integers(1, 900)),
        }
        self.billed[self._clock.at.date()] += cost(self._book, f"openai/{model}", usage, self._clock.at)
        return answer(model, usage=usage)


def replayed(book: PriceBook, router: Router, log: Path) -> Counter[date]:
    """What the replay of a decision log says was charged, by day."""
    policy = AsOf.parse("request")
    _, after = replay(
        read_log(log), Scenario.always("openai/gpt-4o", book, policy), Scenario("as live", router, book, policy)
    )
    rows, days = after.requests(), Counter[date]()
    for at, pico in zip(rows["arrived_at"], rows["logged_usd_pico"].fillna(0), strict=True):
        days[at.date()] += int(pico)
    assert days.total() == after.run.facts.logged_pico
    return days


def forecast(book: PriceBook, router: Router, log: Path, at: date, folder: Path) -> Forecast:
    """What a replay of one month's log, at the prices of a day, forecasts for the next."""
    policy = AsOf.parse(at)
    base = Scenario.always("openai/gpt-4o", book, policy)
    _, after = replay(read_log(log), base, Scenario("rules", router, book, policy), out=folder)
    (folder / "summary.json").write_text(json.dumps(after.summary))
    return Forecast.read(folder)


def mornings(made: Forecast, book: PriceBook, log: Path) -> tuple[dict[str, tuple[str, str]], int]:
    """The monitor after each day: by what alarmed, the first day that it did and its words; and the days within."""
    calls = live_calls(lines_of(log), book).sort_by("arrived_at")
    days = pc.floor_temporal(calls["arrived_at"], unit="day")
    watch, alarms, report = Watch(made), dict[str, tuple[str, str]](), dict[str, Any]()
    for day in sorted(days.unique().to_pylist()):
        watch.see(calls.filter(pc.equal(days, day)))
        report = report_of(watch, book)
        for alarm in report["alarms"]:
            alarms.setdefault(alarm["what"], (day.date().isoformat(), alarm["said"]))
    return alarms, sum(row["within"] for row in report["days"])


def equal_days(billed: Counter[date], found: Counter[date], days: Iterable[date]) -> int:
    """How many days were billed as they were replayed, to the picodollar."""
    return sum(billed[day] == found[day] for day in days)
