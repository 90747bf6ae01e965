"""A dated month through `LLMRouter`, a change of prices in it: each day's bill, and what the monitor says."""

import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from pricing import PriceBook
from router import LLMRouter, RoutingRule, length
from tests.router.months import DAYS, Clock, Ledger, arrivals, equal_days, forecast, mornings, replayed

CHANGED = date(2024, 10, 2)  # gpt-4o from $5 and $15 to $2.50 and $10
RULES = [
    RoutingRule("short", length() < 200, "openai", "gpt-4o-mini"),
    RoutingRule("rest", None, "openai", "gpt-4o"),
]


def month(folder: Path, book: PriceBook, first: date, calls: int, seed: int) -> tuple[Path, Ledger]:
    log, times = folder / f"{first}.jsonl", arrivals(first, calls, seed)
    clock = Clock(times[0])
    ledger = Ledger(book, clock, seed)
    router = LLMRouter(RULES, book=book, providers={"openai": ledger}, decision_log=log, clock=clock)
    words = np.random.default_rng(seed).integers(90, size=calls)
    for call, clock.at in enumerate(times):
        router.complete([{"role": "user", "content": "word " * int(words[call])}], session_id=f"s{call // 3}")
    return log, ledger


def test_every_day_of_a_month_is_billed_as_its_log_replays_and_the_price_change_is_seen_that_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """900 calls a month; the one before is the forecast."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the disk is not what is tested
    book, first = PriceBook.load(), date(2024, 9, 8)
    before, _ = month(tmp_path, book, first - timedelta(days=DAYS), 900, seed=1)
    log, ledger = month(tmp_path, book, first, 900, seed=2)
    found = replayed(book, LLMRouter(RULES), log)
    days = [first + timedelta(days=day) for day in range(DAYS)]
    assert equal_days(ledger.billed, found, days) == DAYS
    assert ledger.billed.total() == found.total() > 0
    spend = [sum(found[day] for day in days if (day >= CHANGED) is late) for late in (False, True)]
    assert spend[1] / 6 < 0.7 * spend[0] / 24, "six cheaper days"
    made = forecast(book, LLMRouter(RULES), before, first, tmp_path / "out")
    alarms, within = mornings(made, book, log)
    assert alarms == {"price": (CHANGED.isoformat(), "openai/gpt-4o input_uncached: $5 became $2.5 per million tokens")}
    assert within >= 15
