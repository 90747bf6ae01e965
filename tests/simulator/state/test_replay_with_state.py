"""State in a whole replay: exact where nothing acts, and its arithmetic where something does."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import simulator
from problems import BackrouteError
from router import AlwaysUse, LLMRouter, RoutingRule, mentions, task
from simulator import Scenario, replay
from simulator.state import prompt_cache
from simulator.state.cache_rules import CacheRule, cache_rule
from simulator.state.cascades import Cascade
from simulator.state.guards import Budget, Guards, Limit, Outage, Sticky
from simulator.state.latency import LatencyLimits
from simulator.state.retries import Retries
from simulator.state.settings import CacheSettings, State
from simulator.state.tiers import Tiers
from tests.simulator.conftest import CODE_TO_MINI, call
from tests.simulator.state.samples import BOOK, LONG, chat, replayed
from workloads import Log, read_log

IDLE = State(
    guards=Guards(
        budgets=(Budget(1e6), Budget(1e6, by="user"), Budget(1e6, per="hour", by="team")),
        limits=(Limit("openai", rpm=1e6, tpm=1e9),),
        outages=(Outage("openai", -2, -1),),
        sticky=Sticky(within_s=0.0),
        max_latency_ms=1e9,
        obey_latency_budget=True,
        fallback=("groq/llama-3.1-8b-instant",),
    ),
    retries=Retries({"openai": 0.0, "groq": 0.0}),
    tiers=Tiers(),
    latency=LatencyLimits(5000),
)
TEXTS = {"hi": "hi", "code": "write code " * 20, "long": LONG[:2000]}
calls = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "mystery", None]),
        "prompt": st.sampled_from(["hi", "code", "long"]),
        "usage": st.one_of(
            st.none(),
            st.fixed_dictionaries({"prompt_tokens": st.integers(0, 3000), "completion_tokens": st.integers(0, 2000)}),
        ),
        "session_id": st.sampled_from(["a", "b", None]),
        "user_id": st.sampled_from(["ann", None]),
        "status": st.sampled_from(["ok", "ok", "ok", "error"]),
        "latency_ms": st.sampled_from([None, 900.0, 9000.0]),
        "timestamp": st.sampled_from(["2026-06-01T00:00:00Z", "2026-06-01T00:03:00Z", "2026-06-02T12:00:00Z", None]),
    }
)
logs = st.lists(calls, min_size=1, max_size=10).map(
    lambda rows: [row | {"request_id": f"r{n}", "prompt": TEXTS[row["prompt"]]} for n, row in enumerate(rows)]
)
FEW = settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
MONEY = (
    "baseline",
    "routed",
    "savings",
    "savings_vs_as_logged",
    "waterfall",
    "by_rule",
    "by_model",
    "by_day",
    "coverage",
)


@FEW
@given(logs)
def test_guards_that_never_act_equal_the_stateless_replay_to_the_picodollar(rows: list[dict[str, Any]]) -> None:
    _, plain = replayed(rows, State())
    _, idle = replayed(rows, IDLE)
    assert idle.requests().equals(plain.requests())
    assert {name: idle.summary[name] for name in MONEY} == {name: plain.summary[name] for name in MONEY}
    assert not any(idle.summary["guards"]["amended"].values())


BUSY = State(
    cache=CacheSettings(),
    guards=Guards(
        budgets=(Budget(0.01, then="openai/gpt-4o-mini"), Budget(0.02, by="user")),
        limits=(Limit("openai", rpm=2, max_wait_s=5),),
        sticky=Sticky(),
        fallback=("groq/llama-3.1-8b-instant",),
    ),
    retries=Retries({"openai": 30.0, "groq": 10.0}),
    cascade=Cascade("groq/llama-3.1-8b-instant", check_usd=0.0001, escalate_pct=40),
    tiers=Tiers(),
    latency=LatencyLimits(1000),
)


@FEW
@given(logs, st.integers(1, 4))
def test_the_same_seed_gives_the_same_result_for_any_batch_size(rows: list[dict[str, Any]], size: int) -> None:
    _, whole = replayed(rows, BUSY)
    original = Log.batches
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Log, "batches", lambda log, problems: original(log, problems=problems, rows=size))
        _, split = replayed(rows, BUSY)
    assert split.requests().equals(whole.requests())
    assert split.summary == whole.summary


@FEW
@given(logs)
def test_the_waterfall_adds_up_with_all_state_on(rows: list[dict[str, Any]]) -> None:
    _, after = replayed(rows, BUSY)
    summary = after.summary
    assert sum(map(Decimal, summary["waterfall"].values())) == Decimal(summary["savings"]["usd"])
    jsonschema.validate(summary, json.loads((Path(simulator.__file__).parent / "summary.schema.json").read_text()))


def test_each_arm_has_a_cache_history_of_its_own() -> None:
    """Two calls of 2,000 tokens, the second beginning with the first; 100 out each. gpt-4o: $2.50 in, $1.25 cached.

    The baseline reads 15 x 128 = 1,920 of the first prompt's share back: 2,000 / 2,300 of the second's tokens. Routing
    sends the second to gpt-4o-mini, where nothing is cached: it loses 1,920 x $1.25/M = $0.0024 of cache.
    """
    rows = [chat(0, LONG), chat(1, LONG, "yes", "write code", at_s=30)]
    before, after = replayed(rows, State(cache=CacheSettings()))
    frame = after.requests()
    read = frame["baseline_cache_read"].tolist()
    assert read[0] == 0
    assert read[1] == 1920
    assert frame["routed_cache_read"].tolist() == [0, 0]
    assert after.summary["waterfall"]["cache_usd"] == "-0.0024"
    assert before.summary["baseline"]["usd"] == "0.0096"  # 2 x (0.005 + 0.001) - 0.0024
    arms = {arm["arm"]: arm for arm in after.summary["cache"]["arms"]}
    assert arms["openai/gpt-4o"]["saved_usd"] == "0.0024"
    assert arms["code to mini"]["saved_usd"] == "0"


turns = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 900), st.booleans()), min_size=2, max_size=8
)  # session, seconds since the call before, whether it is about code


@FEW
@given(
    turns, st.floats(1, 1000), st.floats(1, 1000), st.sampled_from(["openai/gpt-4o-mini", "groq/openai/gpt-oss-20b"])
)
def test_a_longer_lifetime_never_costs_more_on_automatic_caches(
    said: list[tuple[int, int, bool]], one: float, other: float, cheap: str
) -> None:
    rows: list[dict[str, Any]] = []
    at_s, texts = 0, {session: [f"{session} {LONG}"] for session in range(3)}
    for number, (session, gap, code) in enumerate(said):
        at_s += gap
        texts[session] += ["yes", "write code" if code else "go on"]
        when = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=at_s)
        rows.append(chat(number, *texts[session], tokens=2000 + 50 * number, timestamp=when.isoformat()))
    bills = []
    for lifetime_s in sorted((one, other)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(prompt_cache, "cache_rule", lambda name, s=lifetime_s: lasting(name, s))
            _, after = replayed(rows, State(cache=CacheSettings({"": 1.0})), code_to(cheap))
        bills.append([Decimal(after.summary[arm]["usd"]) for arm in ("baseline", "routed")])
    assert bills[1][0] <= bills[0][0]
    assert bills[1][1] <= bills[0][1]


def lasting(model: str, lifetime_s: float) -> CacheRule | None:
    """A model's cache with another lifetime."""
    rule = cache_rule(model)
    return None if rule is None else dataclasses.replace(rule, lifetime_s=lifetime_s)


def code_to(model: str) -> LLMRouter:
    """Requests that mention code go to a model, the others to gpt-4o."""
    provider, _, name = model.partition("/")
    rules = [RoutingRule("code", mentions("code"), provider, name), RoutingRule("default", None, "openai", "gpt-4o")]
    return LLMRouter(rules)


def test_sticky_routing_keeps_the_cache_and_pays_the_dearer_model() -> None:
    rows = [chat(0, LONG, session_id="s"), chat(1, LONG, "yes", "write code", at_s=30, session_id="s")]
    _, after = replayed(rows, State(cache=CacheSettings(), guards=Guards(sticky=Sticky())))
    assert after.requests()["routed_cache_read"].tolist() == [0, 1920]
    assert after.summary["guards"]["amended"]["sticky"] == 1
    assert after.summary["savings"]["usd"] == "0"


def test_assumed_cache_hits_are_named_with_the_saving_that_rests_on_them() -> None:
    """The baseline reads 1,920 tokens at a rate that nothing recorded: $0.0024 of its $0.0096.

    Routing costs (0.005 + 0.001) + (2,000 x $0.15/M + 100 x $0.60/M = 0.00036) = 0.00636, and saves 0.00324: 74%.
    """
    rows = [chat(0, LONG), chat(1, LONG, "yes", "write code", at_s=30)]
    _, after = replayed(rows, State(cache=CacheSettings()))
    (row,) = (each for each in after.summary["assumptions"] if each["name"].startswith("cache hits"))
    assert row["value"] == "share of live prefixes read: openai 1"
    assert row["saving_resting_on_it_pct"] == pytest.approx(100 * 0.0024 / 0.00324)
    (doubt,) = (each for each in after.summary["sensitivity"] if each["source"] == row["name"])
    found = doubt["low_pct"], doubt["high_pct"]
    # The interval loses 0 to 0.32 of such hits, of which 90% lie between 0.016 and 0.304.
    ends = [100 * (0.00324 + 0.0024 * lost) / (0.0096 + 0.0024 * lost) for lost in (0.016, 0.304)]
    assert found == pytest.approx(ends, abs=0.05)
    assert row["name"] in after.summary["savings"]["interval_includes"]
    _, sure = replayed(rows, State(cache=CacheSettings({"openai": 1.0})))
    (doubt,) = (each for each in sure.summary["sensitivity"] if each["source"] == row["name"])
    found = doubt["low_pct"], doubt["high_pct"]
    assert found == pytest.approx((100 * 0.00324 / 0.0096, 100 * 0.00564 / 0.012)), "with such caches, and without"
    assert row["name"] not in sure.summary["savings"]["interval_includes"], "a rate that is given is taken as given"
    usage = {"prompt_tokens": 2000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 960}}
    _, known = replayed([rows[0], {**rows[1], "usage": usage}], State(cache=CacheSettings()))
    assert not any(each["name"].startswith("cache hits") for each in known.summary["assumptions"])


def test_the_rate_of_escalation_is_named_with_the_saving_that_rests_on_it() -> None:
    """One of two is kept: 0.0035 - 0.00021 = $0.00329 of a saving of 0.007 - 0.00392 = 0.00308, and so all of it."""
    cascade = Cascade("openai/gpt-4o-mini", score="score")
    _, after = replayed(
        [call(0, meta={"score": 0.9}), call(1, meta={"score": 0.2})], State(cascade=cascade),
        AlwaysUse("openai/gpt-4o"),
    )  # fmt: skip
    (row,) = (each for each in after.summary["assumptions"] if "escalates" in each["name"])
    assert row["value"] == "50.0% of 2 requests: those with a score below 0.5"
    assert (row["source"], row["saving_resting_on_it_pct"]) == ("score in the log's meta", 100.0)
    assert after.summary["cascade"]["kept_usd"] == "0.00329"


def test_a_cascade_pays_both_calls_and_every_check() -> None:
    """mini (first) costs $0.00021, gpt-4o $0.0035, a check $0.0001. One of two calls scores below 0.5.

    Kept: 0.00021 + 0.0001. Escalated: 0.0035 + 0.00021 + 0.0001. Together $0.00412 against 2 x 0.0035 = $0.007.
    """
    rows = [call(0, meta={"score": 0.9}), call(1, meta={"score": 0.2})]
    cascade = Cascade("openai/gpt-4o-mini", check_usd=0.0001, score="score")
    _, after = replayed(rows, State(cascade=cascade), AlwaysUse("openai/gpt-4o"))
    assert after.summary["routed"]["usd"] == "0.00412"
    assert after.summary["waterfall"]["overhead_usd"] == "-0.0002"
    assert after.summary["waterfall"]["retry_usd"] == "-0.00021"
    said = after.summary["cascade"]
    assert (said["requests"], said["escalated"], said["checks_usd"]) == (2, 1, "0.0002")
    # 1 - (0.00021 + 0.0001) / 0.0035: up to 91.1% may escalate.
    assert said["break_even_pct"] == pytest.approx(100 * (1 - 0.00031 / 0.0035))
    assert said["sweep"][0] == {"below": 0.2, "escalated": 0, "usd": "0.00062"}
    assert said["sweep"][-1] == {"below": None, "escalated": 2, "usd": "0.00762"}


def test_a_learned_routers_own_cost_is_paid_once_a_request_whatever_is_called_again() -> None:
    """Both calls escalate: the cheap answers are charged as calls in vain, each without another decision."""
    rules = [RoutingRule("code", task("code") >= 0.5, "openai", "gpt-4o"), RoutingRule("x", None, "openai", "gpt-4o")]
    router = LLMRouter(rules, name="learned")
    cascade = Cascade("openai/gpt-4o-mini", escalate_pct=100.0)
    _, after = replayed([call(0), call(1)], State(cascade=cascade), router)
    assert router.overhead_pico > 0
    assert Decimal(after.summary["waterfall"]["overhead_usd"]) == -2 * Decimal(router.overhead_pico).scaleb(-12)
    assert after.summary["waterfall"]["retry_usd"] == "-0.00042"


def test_escalation_follows_outcomes_through_a_checker_that_errs() -> None:
    """Every wrong answer is caught and no right one: exactly the wrong ones escalate."""
    rows = [call(n, meta={"right": n % 3 > 0}) for n in range(9)]
    cascade = Cascade("openai/gpt-4o-mini", correct="right")
    _, after = replayed(rows, State(cascade=cascade), AlwaysUse("openai/gpt-4o"))
    assert after.requests()["routed_model"].eq("openai/gpt-4o").tolist() == [n % 3 == 0 for n in range(9)]


def test_failed_calls_are_charged_and_count_against_answers() -> None:
    """At 20% a request needs 1 / 0.8 = 1.25 calls; 0.8% fail three times: 2,000 x $0.0035 become some 25% more."""
    rows = [call(n, usage={"prompt_tokens": 1000, "completion_tokens": 100}) for n in range(2000)]
    _, after = replayed(rows, State(retries=Retries({"openai": 20.0})), AlwaysUse("openai/gpt-4o"))
    said = after.summary["retries"]
    assert said["calls"] / 2000 == pytest.approx(1.24, abs=0.03)
    assert said["failed"] == pytest.approx(16, abs=10)
    assert float(said["usd_per_answer"]) == pytest.approx(0.0035 * 1.25, rel=0.03)
    assert said["answered"] == 2000 - said["failed"]
    assert said["baseline"]["wasted_usd"] == said["wasted_usd"], "arms share their draws"
    assert after.summary["savings"]["usd"] == "0"


def test_error_rates_come_from_the_log_where_it_has_enough_calls() -> None:
    rows = [call(n, status="error" if n % 10 == 0 else "ok") for n in range(100)]
    _, after = replayed(rows, State(retries=Retries()))
    assert after.summary["retries"]["error_pct"]["openai/gpt-4o"] == 10.0


def test_a_provider_that_always_fails_is_left_for_the_fallback() -> None:
    router = LLMRouter([RoutingRule("it", None, "openai", "gpt-4o", fallback=("openai/gpt-4o-mini",))])
    rates = {"openai/gpt-4o": 100.0, "openai/gpt-4o-mini": 0.0}
    _, after = replayed([call(0)], State(retries=Retries(rates, attempts=2)), router)
    said = after.summary["retries"]
    assert (said["calls"], said["failed"], said["wasted_usd"]) == (3, 0, "0.007")
    assert after.requests()["routed_model"].tolist() == ["openai/gpt-4o-mini"]
    assert after.requests()["routed_usd_pico"].tolist() == [7_000_000_000 + 210_000_000]


def test_a_fallback_that_is_down_takes_no_failed_call_over() -> None:
    day = 86_400_000_000
    groq = "groq/llama-3.1-8b-instant"
    for until, failed in ((0, 0), (40_000 * day, 5)):
        guards = Guards(outages=(Outage("groq", -1, until),), fallback=(groq,))
        state = State(guards=guards, retries=Retries({"openai": 100.0, "groq": 0.0}))
        _, after = replayed([call(n) for n in range(5)], state, AlwaysUse("openai/gpt-4o"))
        assert after.summary["retries"]["failed"] == failed


def test_requests_that_can_wait_cost_half_at_the_batch_tier() -> None:
    """Both arms: $0.0035 becomes $0.00175."""
    rows = [call(0, meta={"deferrable": True}), call(1)]
    _, after = replayed(rows, State(tiers=Tiers()), AlwaysUse("openai/gpt-4o"))
    assert after.summary["baseline"]["usd"] == "0.00525"
    assert [(arm["requests"], arm["saved_usd"]) for arm in after.summary["tiers"]["arms"]] == [(1, "0.00175")] * 2


def test_requests_of_a_named_rule_can_wait_in_the_arm_that_has_the_rule() -> None:
    """gpt-4o $0.0035 each, mini $0.00021: the rule's one call costs half, $0.000105; the baseline has no such rule."""
    rows = [call(0, prompt="write code"), call(1, prompt="hi")]
    _, after = replayed(rows, State(tiers=Tiers(rules=("code",))))
    assert after.summary["baseline"]["usd"] == "0.007"
    assert after.summary["routed"]["usd"] == "0.003605"
    assert [arm["requests"] for arm in after.summary["tiers"]["arms"]] == [0, 1]


@pytest.mark.parametrize(
    "state", [State(tiers=Tiers(rules=("cod",))), State(cascade=Cascade("openai/gpt-4o-mini", ("cod",)))]
)
def test_an_unknown_rule_is_refused_with_the_nearest_name(state: State) -> None:
    with pytest.raises(BackrouteError, match=r"no rule 'cod'.*did you mean 'code'"):
        replayed([call(0)], state)


def test_latency_is_the_logs_own_where_the_model_stays() -> None:
    rows = [call(n, latency_ms=1000.0 + n, prompt="code" if n % 2 else "hi") for n in range(100)]
    _, after = replayed(rows, State(latency=LatencyLimits(1049.5)))
    logged, base, routed = after.summary["latency"]["arms"]
    assert (logged["p50_ms"], logged["recorded"], logged["over_limit"]) == (1049.5, 100, 50)
    assert {**base, "arm": "logged"} == logged, "the baseline is the log's own model"
    assert routed["recorded"] == 50
    paces = {row["model"]: row for row in after.summary["latency"]["models"]}
    assert paces["openai/gpt-4o"]["source"] == "100 calls of the log"
    assert "recorded calls" in paces["openai/gpt-4o-mini"]["source"]


def test_arms_that_do_not_share_the_world_are_refused() -> None:
    base = Scenario.always("openai/gpt-4o", BOOK)
    other = Scenario("cached", CODE_TO_MINI, BOOK, state=State(cache=CacheSettings()))
    with pytest.raises(BackrouteError, match="do not share"):
        replay(read_log([call(0)]), base, other)


def test_requests_blocked_by_a_budget_are_not_compared() -> None:
    rows = [call(n, timestamp=f"2026-06-01T12:{n:02d}:00Z") for n in range(10)]
    _, after = replayed(rows, State(guards=Guards(budgets=(Budget(0.007),))), AlwaysUse("openai/gpt-4o"))
    assert after.summary["guards"]["blocked"] == 8
    assert after.summary["coverage"]["baseline_only"] == 8


def test_spilled_prefixes_give_what_held_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [chat(n, *(LONG, "yes", f"go on {n // 4}")[: 1 + 2 * (n % 2)], at_s=n * 5) for n in range(20)]
    _, held = replayed(rows, State(cache=CacheSettings()))
    monkeypatch.setattr("simulator.state.store.PrefixStore.__init__.__defaults__", (3,))
    _, spilled = replayed(rows, State(cache=CacheSettings()))
    assert spilled.requests().equals(held.requests())
