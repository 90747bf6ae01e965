"""Dated months through `LLMRouter` and through the real LiteLLM proxy: each day's bill, the monitor, the overhead."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
from llmock.scenarios import Fail, Match

from pricing import PriceBook
from router import LLMRouter, Router, RoutingRule, length, load_rules
from tests.router.gateways.proxied import DATED, MISSING, PROXY, Running, proxied
from tests.router.months import (
    DAY,
    DAYS,
    Clock,
    Ledger,
    arrivals,
    cost,
    equal_days,
    forecast,
    mornings,
    replayed,
)

TYPICAL_CALL_MS = 1_000  # a second; what shares of overhead are given of
QUIET = date(2026, 10, 20)  # no price changed and no model ended in the month from here
# In the month from here gpt-3.5-turbo-0613 ended on 13 September, and gpt-4o became cheaper on 2 October. What LiteLLM
# itself records of streams is at today's prices, which the monitor says.
EVENTFUL, ENDED, ENDS = date(2024, 9, 8), "gpt-3.5-turbo-0613", date(2024, 9, 13)
RULES = """
rules:
  - {name: legacy, when: {mentions: [legacy]}, use: openai/gpt-3.5-turbo-0613, fallback: [openai/gpt-4o-mini]}
  - {name: complex, when: {meta: {complex: truthy}}, use: openai/gpt-4o}
  - {name: short, when: {length: {below: 40}}, use: openai/gpt-4o-mini}
  - {name: default, use: openai/gpt-4o}
"""

TIMED = (
    DATED
    + """

import time


class Timed(Dated):
    async def async_pre_call_hook(self, *args, **more):
        start = time.perf_counter()
        try:
            return await super().async_pre_call_hook(*args, **more)
        finally:
            took.write(f"decide {{time.perf_counter() - start}}\\n")

    async def async_log_success_event(self, *args, **more):
        start = time.perf_counter()
        try:
            return await super().async_log_success_event(*args, **more)
        finally:
            took.write(f"log {{time.perf_counter() - start}}\\n")


took = open({log!r} + ".times", "a", buffering=1)
proxy = Timed({rules!r}, decision_log={log!r}, models=["auto"])
"""
)


def month_of_router(book: PriceBook, number: int) -> None:
    """A quiet month after another; its clock says when each call comes."""
    rules = [
        RoutingRule("short", length() < 200, "openai", "gpt-4o-mini"),
        RoutingRule("rest", None, "openai", "gpt-4o"),
    ]
    router = LLMRouter(rules)
    with tempfile.TemporaryDirectory() as name:
        folder, took, billed = Path(name), list[float](), Counter[date]()
        for seed, first in enumerate((QUIET - DAYS * DAY, QUIET)):
            took.clear()
            times, words = arrivals(first, number, seed), np.random.default_rng(seed).integers(90, size=number)
            clock = Clock(times[0])
            ledger = Ledger(book, clock, seed)
            log = folder / f"{seed}.jsonl"
            live = LLMRouter(rules, book=book, providers={"openai": ledger}, decision_log=log, clock=clock)
            for call, clock.at in enumerate(times):
                start = time.perf_counter()
                live.complete([{"role": "user", "content": "word " * int(words[call])}], session_id=f"s{call // 3}")
                took.append(time.perf_counter() - start)
            billed = ledger.billed
        print(f"\nA month through LLMRouter from {QUIET}, {number:,} calls")
        _compare(book, router, folder / "0.jsonl", folder / "1.jsonl", billed, QUIET)
        print(f"  deciding and logging {_quantiles(took)}")


def month_of_proxy(book: PriceBook, number: int) -> None:
    """An eventful month after another, four callers at once; each call's metadata says when it comes."""
    if not PROXY.exists():
        print(f"\nproxy: {MISSING}")
        return
    models = (ENDED, "gpt-4o", "gpt-4o-mini")
    with tempfile.TemporaryDirectory() as name, proxied(Path(name), TIMED, said=RULES, models=models) as running:
        router = load_rules(running.rules)
        before, month = EVENTFUL - DAYS * DAY, EVENTFUL
        billed = _month(running, router, book, number, before) + _month(running, router, book, number, month)
        lines = sorted(running.lines(2 * number), key=lambda line: str(line["timestamp"]))
        logs = []
        for first in (before, month):
            held = [
                line for line in lines if first <= datetime.fromisoformat(line["timestamp"]).date() < first + 30 * DAY
            ]
            logs.append(Path(name) / f"{first}.jsonl")
            logs[-1].write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in held))
        print(f"\nA month through the LiteLLM proxy from {month}, {number:,} calls, a third streamed")
        passed = sum(bool(line["decision"]["fallback_from"]) for line in lines)
        print(
            f"  {len(lines):,} lines of two months in the log; {ENDED} ended on {ENDS}: {passed} calls passed it over"
        )
        _compare(book, router, logs[0], logs[1], billed, month)
        through, direct = (_timed(running, model) for model in ("auto", "openai/gpt-4o-mini"))
        times: dict[str, list[float]] = {"decide": [], "log": []}
        for line in Path(f"{running.log}.times").read_text().splitlines():
            what, took = line.split()
            times[what].append(float(took))
    for what, each in times.items():
        print(f"  {what:<7} {_quantiles(each)}, {np.median(each) * 1e5 / TYPICAL_CALL_MS:.2f}% of a call of one second")
    print(f"  a call one by one: routed {_quantiles(through)}; not routed {_quantiles(direct)}")


def _month(running: Running, router: LLMRouter, book: PriceBook, number: int, first: date) -> Counter[date]:
    """What a month's calls cost by their usage as the client saw it, by day."""
    rng, billed = np.random.default_rng(first.toordinal()), Counter[date]()
    by_day: dict[date, list[tuple[datetime, str, Mapping[str, object], bool]]] = {}
    for call, at in enumerate(arrivals(first, number, first.toordinal())):
        content = "legacy " * (rng.random() < 0.2) + "hi " * int(rng.integers(1, 41))
        meta = {"complex": bool(rng.random() < 0.15), "session_id": f"{first}-{call // 3}", "at": at.isoformat()}
        by_day.setdefault(at.date(), []).append((at, content, meta, call % 3 == 0))

    def ask(asked: tuple[datetime, str, Mapping[str, object], bool]) -> int:
        at, content, meta, stream = asked
        rule = router.route(content, meta)
        served = rule.fallback[0] if rule.model == ENDED and at.date() >= ENDS else rule.target
        return cost(book, served, running.ask(content, stream=stream, metadata=meta), at)

    with ThreadPoolExecutor(4) as pool:
        for day, calls in by_day.items():
            if day >= ENDS and day - DAY < ENDS:
                gone = Fail(404, code="model_not_found", times=None, match=Match(model=ENDED))
                running.provider.state.scenarios.add(gone)
            billed[day] += sum(pool.map(ask, calls))
    return billed


def _compare(book: PriceBook, router: Router, before: Path, log: Path, billed: Counter[date], first: date) -> None:
    """The bill against the replay of the log, and the monitor each morning against the month before."""
    days = [first + timedelta(days=day) for day in range(DAYS)]
    total, found = sum(billed[day] for day in days), replayed(book, router, log)
    same = "equal" if total == found.total() else "NOT EQUAL"
    print(f"  billed {total:,} picodollars, replayed {found.total():,}: {same}")
    print(f"  {equal_days(billed, found, days)} of {DAYS} days equal to the picodollar")
    with tempfile.TemporaryDirectory() as out:
        made = forecast(book, router, before, first, Path(out))
    alarms, within = mornings(made, book, log)
    said = "alarms below" if alarms else "no alarm"
    print(f"  monitor after each day: {said}; {within} of {DAYS} days within their 90% interval")
    for at, alarm in alarms.values():
        print(f"    first after {at}: {alarm}")


def _timed(running: Running, model: str, number: int = 60) -> list[float]:
    took = []
    for _ in range(number):
        start = time.perf_counter()
        running.ask("hello", model=model)
        took.append(time.perf_counter() - start)
    return took


def _quantiles(seconds: list[float]) -> str:
    return ", ".join(f"p{q} {np.quantile(seconds, q / 100) * 1_000:.2f} ms" for q in (50, 99))
