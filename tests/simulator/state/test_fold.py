"""Budgets, limits, outages, sessions and latency: a proposal amended in order of time."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.money import PICO
from simulator.state.fold import BUDGET, KEPT, LIMIT, NONE, OUTAGE, STICKY, Proposal, guard, payers
from simulator.state.guards import Budget, DrawnOutages, Guards, Limit, Outage, Sticky, drawn

SECOND = 1_000_000
DAY = 86_400 * SECOND
STRONG, CHEAP = 0, 1
MODELS = ("openai/gpt-4o", "groq/llama-3.1-8b-instant")


def proposal(at_s: list[float], proposed: list[int] | None = None, **columns: Any) -> Proposal:
    """Requests that cost $1 on the strong model and 10 cents on the cheap one, and take 10 seconds on either."""
    rows = len(at_s)
    first = np.array(proposed or [STRONG] * rows, np.int32)
    held: dict[str, Any] = {
        "chain": np.stack([first, 1 - first], axis=1),
        "at_us": (np.array(at_s) * SECOND).astype(np.int64),
        "session": np.full(rows, -1),
        "keys": {"all": np.zeros(rows, np.int64)},
        "cost": np.tile([PICO, PICO // 10], (rows, 1)),
        "input_cost": np.tile([PICO // 2, PICO // 20], (rows, 1)),
        "tokens": np.full((rows, 2), 1_000_000),
        "able": np.ones((rows, 2), bool),
        "duration_us": np.full((rows, 2), 10 * SECOND),
        "patience_us": np.full(rows, -1),
        "cache_price": np.array([0.5, 1.0]),
    }
    return Proposal(MODELS, **(held | columns))


def test_without_guards_nothing_changes() -> None:
    said = proposal([0, 1, 2], [STRONG, CHEAP, STRONG])
    found = guard(said, Guards(), ())
    assert found.chosen.tolist() == [STRONG, CHEAP, STRONG]
    assert not found.wait_us.any()
    assert (found.reason == KEPT).all()


def test_a_budget_sees_spend_only_once_a_call_has_completed() -> None:
    """$2 a day. Calls take 10 s: at second 9 nothing is known to be spent, at 11 the first two are."""
    found = guard(proposal([0, 1, 9, 11.5, 12]), Guards(budgets=(Budget(2.0, then=MODELS[CHEAP]),)), ())
    assert found.chosen.tolist() == [STRONG, STRONG, STRONG, CHEAP, CHEAP]
    assert found.reason.tolist() == [KEPT, KEPT, KEPT, BUDGET, BUDGET]


def test_a_budgets_other_model_serves_nobody_while_it_is_down() -> None:
    """$1 is spent at second 10; the cheap model is down from 15 to 25."""
    away = (Outage("groq", 15 * SECOND, 25 * SECOND),)
    found = guard(proposal([0, 20, 40]), Guards(budgets=(Budget(1.0, then=MODELS[CHEAP]),)), away)
    assert found.chosen.tolist() == [STRONG, NONE, CHEAP]
    assert found.reason.tolist() == [KEPT, BUDGET, BUDGET]


def test_a_budget_begins_anew_each_day_and_is_each_payers_own() -> None:
    at = [0, 20, 40, 86_400, 86_420]
    one = guard(proposal(at), Guards(budgets=(Budget(1.0),)), ())
    assert one.chosen.tolist() == [STRONG, NONE, NONE, STRONG, NONE]
    who = {"user": np.array([0, 1, 1, 0, -1])}
    each = guard(proposal(at, keys=who), Guards(budgets=(Budget(1.0, by="user"),)), ())
    assert each.chosen.tolist() == [STRONG, STRONG, NONE, STRONG, STRONG], "who pays is unknown: not budgeted"


def test_a_limit_makes_requests_wait_or_fall_back() -> None:
    """Two a minute: the bucket holds two and gains one in thirty seconds."""
    limit = Limit("openai", rpm=2, max_wait_s=30)
    found = guard(proposal([0, 0, 0, 0]), Guards(limits=(limit,)), ())
    assert found.chosen.tolist() == [STRONG, STRONG, STRONG, CHEAP]
    assert found.wait_us.tolist() == [0, 0, 30 * SECOND, 0]
    assert found.reason.tolist() == [KEPT, KEPT, LIMIT, LIMIT]


def test_without_a_fallback_a_request_waits_on() -> None:
    said = proposal([0, 0, 0], chain=np.array([[STRONG], [STRONG], [STRONG]], np.int32))
    found = guard(said, Guards(limits=(Limit("openai/gpt-4o", tpm=1000),)), ())
    assert found.wait_us.tolist() == [0, 60 * SECOND, 120 * SECOND]


def test_a_limit_that_is_never_reached_folds_nothing() -> None:
    """One a second against sixty a minute: the bucket is full again each time."""
    found = guard(proposal([float(s) for s in range(600)]), Guards(limits=(Limit("openai", rpm=60),)), ())
    assert not found.reason.any()


def test_an_outage_sends_requests_down_the_chain_or_makes_them_wait() -> None:
    down = Outage("openai", 10 * SECOND, 20 * SECOND)
    found = guard(proposal([9.9, 10, 19.9, 20]), Guards(outages=(down,)), (down,))
    assert found.chosen.tolist() == [STRONG, CHEAP, CHEAP, STRONG]
    assert found.reason.tolist() == [KEPT, OUTAGE, OUTAGE, KEPT]
    alone = proposal([12], chain=np.array([[STRONG]], np.int32))
    found = guard(alone, Guards(outages=(down,)), (down,))
    assert (found.chosen.tolist(), found.wait_us.tolist()) == ([STRONG], [8 * SECOND])


def test_what_waited_for_an_outages_end_still_keeps_the_limit() -> None:
    """One a minute comes in, which sixty-second buckets of one let through; after the outage five come at once."""
    down = (Outage("openai", 0, 300 * SECOND),)
    at = [0.0, 60.0, 120.0, 180.0, 240.0]
    said = proposal(at, chain=np.full((5, 1), STRONG, np.int32))
    found = guard(said, Guards(limits=(Limit("openai", rpm=1, max_wait_s=0),)), down)
    assert ((said.at_us + found.wait_us) / SECOND).tolist() == [300, 360, 420, 480, 540]


def test_neither_a_session_nor_a_limit_leads_to_a_model_that_is_down() -> None:
    away = (Outage("openai", 5 * SECOND, 15 * SECOND),)
    session = proposal([0, 10, 20], session=np.array([7, 7, 7]))
    found = guard(session, Guards(sticky=Sticky(within_s=300)), away)
    assert found.chosen.tolist() == [STRONG, CHEAP, CHEAP], "it leaves while its model is down, and stays where it went"
    gone = (Outage("groq", 0, 15 * SECOND),)
    found = guard(proposal([0, 0]), Guards(limits=(Limit("openai", rpm=1, max_wait_s=0),)), gone)
    assert (found.chosen.tolist(), found.wait_us.tolist()) == ([STRONG, STRONG], [0, 60 * SECOND])


def test_a_session_stays_with_its_model_unless_switching_pays() -> None:
    session = np.array([7, 7, 7, 7])
    said = proposal([0, 100, 200, 600], [STRONG, CHEAP, CHEAP, CHEAP], session=session)
    stays = guard(said, Guards(sticky=Sticky(within_s=300)), ())
    assert stays.chosen.tolist() == [STRONG, STRONG, STRONG, CHEAP], "after 400 seconds it is free again"
    assert stays.reason.tolist() == [KEPT, STICKY, STICKY, KEPT]
    # Staying costs 1 - 0.8 x 0.5 x (1 - 0.5) = $0.80, switching $0.10: below 0.5 x 0.80, not below 0.1 x 0.80.
    assert guard(said, Guards(sticky=Sticky(300, switch_if_saves=0.5)), ()).chosen.tolist()[1] == CHEAP
    assert guard(said, Guards(sticky=Sticky(300, switch_if_saves=0.1)), ()).chosen.tolist()[1] == STRONG


def test_a_model_that_is_too_slow_gives_way_to_a_faster_one_of_its_chain() -> None:
    slow = np.array([[10 * SECOND, SECOND]] * 2)
    said = proposal([0, 1], duration_us=slow, patience_us=np.array([-1, 2 * SECOND]))
    assert guard(said, Guards(max_latency_ms=5000), ()).chosen.tolist() == [CHEAP, CHEAP]
    assert guard(said, Guards(obey_latency_budget=True), ()).chosen.tolist() == [STRONG, CHEAP]
    assert guard(said, Guards(max_latency_ms=500), ()).chosen.tolist() == [STRONG, STRONG], "none is fast enough"


def test_drawn_outages_are_the_same_whatever_part_of_a_month_a_log_covers() -> None:
    said = (DrawnOutages("groq", per_30d=10, mean_minutes=30),)
    month = 30 * DAY
    whole, part = drawn(said, 0, 3 * month, 1), drawn(said, month + DAY, month + 2 * DAY, 1)
    assert set(part) <= set(whole)
    assert drawn(said, 0, 3 * month, 2) != whole
    assert len(whole) == pytest.approx(40, abs=20)


requests = st.lists(
    st.tuples(st.floats(0, 40_000), st.integers(0, 2), st.integers(1, 50), st.integers(0, 30_000)),
    min_size=1,
    max_size=60,
)  # seconds since the one before, user, cents, seconds it takes


@settings(max_examples=150, deadline=None)
@given(requests, st.integers(1, 200), st.sampled_from(["all", "user"]), st.sampled_from(["block", MODELS[CHEAP]]))
def test_a_budget_is_never_exceeded_by_more_than_the_calls_in_flight(
    rows: list[tuple[float, int, int, int]], cents: int, by: str, then: str
) -> None:
    at = np.cumsum([gap for gap, _, _, _ in rows])
    cost = np.array([[each * PICO // 100, PICO // 1000] for _, _, each, _ in rows])
    lasts = np.array([[seconds * SECOND, SECOND] for _, _, _, seconds in rows])
    keys = {"all": np.zeros(len(rows), np.int64), "user": np.array([user for _, user, _, _ in rows])}
    said = proposal(at.tolist(), cost=cost, duration_us=lasts, keys=keys)
    budget = Budget(cents / 100, by=by, then=then)
    found = guard(said, Guards(budgets=(budget,)), ())
    who = payers(said, budget)
    spent: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for row in np.flatnonzero(found.chosen == STRONG).tolist():
        start = int(said.at_us[row])
        known = sum(each for begun, ended, each in spent[who[row]] if ended <= start)
        assert known < budget.usd * PICO, "it was sent though the budget was known to be spent"
        spent[who[row]].append((start, start + int(lasts[row, STRONG]), int(cost[row, STRONG])))
    for calls in spent.values():
        last = calls[-1][0]
        # The last one is in flight itself, even where it takes no time.
        flying = sum(each for _, ended, each in calls[:-1] if ended > last) + calls[-1][2]
        assert sum(each for _, _, each in calls) < budget.usd * PICO + flying


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0, 30), min_size=1, max_size=60), st.integers(1, 20), st.one_of(st.none(), st.integers(1, 20))
)
def test_no_minute_holds_more_than_a_limit_and_one_bucket_lets_through(
    gaps: list[float], rpm: int, thousands: int | None
) -> None:
    """A full bucket and a minute's refill are at most twice the limit; tokens are 1,000 a request."""
    limit = Limit("openai", rpm=rpm, tpm=None if thousands is None else thousands * 1000)
    said = proposal(np.cumsum(gaps).tolist(), chain=np.zeros((len(gaps), 1), np.int32))
    found = guard(said, Guards(limits=(limit,)), ())
    sent = np.sort(said.at_us + found.wait_us)
    most = 2 * min(rpm, thousands or rpm) + 1
    for start in sent:
        assert int(((sent >= start) & (sent < start + 60 * SECOND)).sum()) <= most
