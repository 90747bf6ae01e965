"""Prompt caches where nobody asked: simulated where the log shows them and can be, else bounded in money."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator
from pricing import PriceBook
from router import AlwaysUse, LLMRouter, RoutingRule, length
from router.parameters import read_parameter
from simulator import ReplayResult, Scenario, replay
from simulator.explain import AS_LOGGED, explain
from simulator.profile import ProfileLog, write_profile
from simulator.search.sweep import sweep
from simulator.state.guards import Budget, Guards
from simulator.state.settings import CacheSettings, State
from tests.simulator.state.samples import BOOK, COPIED, LONG, chat, replayed
from tests.simulator.state.test_replay_with_state import FEW, logs
from workloads import Log, read_log

MINI = AlwaysUse("openai/gpt-4o-mini")
GPT_4O = ("openai", "gpt-4o")
SCHEMA = json.loads((Path(simulator.__file__).parent / "summary.schema.json").read_text())


def used(cached: int, tokens: int = 2000) -> dict[str, Any]:
    return {"prompt_tokens": tokens, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": cached}}


def conversations(number: int = 6) -> list[dict[str, Any]]:
    """Of three calls each, on gpt-4o; the second reads 1,920 tokens of 2,000, the third half of that."""
    rows = []
    for n in range(number):
        text, own = f"{n} {LONG}", {"session_id": f"s{n}"}
        rows += [
            chat(3 * n, text, at_s=100 * n, usage=used(0), **own),
            chat(3 * n + 1, text, "yes", "go on", at_s=100 * n + 9, usage=used(1920), **own),
            chat(3 * n + 2, text, "yes", "write code", at_s=100 * n + 20, usage=used(960), **own),
        ]
    return rows


def test_a_log_that_shows_cached_input_has_its_caches_simulated() -> None:
    """Both calls of a conversation move to gpt-4o-mini, the second reads there what it read on gpt-4o: 1,920 of 2,000.

    2,000 x $0.15 + 100 x $0.60 = 300 + 60 = $360 per million calls, and 80 x 0.15 + 1,920 x 0.075 + 60 = 12 + 144 + 60
    = $216: $0.000576 together. As if it had no cache there, it would be twice $360: $0.00072. The baseline is the log:
    2,000 x 2.50 + 1,000 = $6,000, and 80 x 2.50 + 1,920 x 1.25 + 1,000 = 200 + 2,400 + 1,000 = $3,600.
    """
    rows = [chat(0, LONG, usage=used(0)), chat(1, LONG, at_s=30, usage=used(1920))]
    _, after = replayed(rows, State(), MINI)
    _, plain = replayed(rows, State(cache=None), MINI)
    said = after.summary
    assert (said["baseline"]["usd"], said["routed"]["usd"]) == ("0.0096", "0.000576")
    assert (plain.summary["baseline"]["usd"], plain.summary["routed"]["usd"]) == ("0.0096", "0.00072")
    assert said["cache"]["asked"] is False
    assert said["log"]["cached_input_pct"] == 48.0
    jsonschema.validate(said, SCHEMA)
    (row,) = (row for row in said["assumptions"] if row["name"].startswith("prompt caches"))
    assert (
        row["value"] == "in every arm alike, 48% of the log's input went through them; hit rates from the log: openai 1"
    )
    # What the cache saved on mini, 0.000144, is all that was simulated: the baseline kept what was recorded.
    assert row["saving_resting_on_it_pct"] == pytest.approx(100 * 0.000144 / 0.009024)


def test_a_call_that_keeps_its_cache_is_charged_what_was_recorded() -> None:
    """The third call read 960 of 1,920 tokens, so the hit rate is (1,920 + 960) / (2 x 1,920) = 0.75; on gpt-4o it is
    still charged the 960, and the second its 1,920. Moved to mini both are expected to read 0.75 x 1,920 = 1,440.
    """
    _, stays = replayed(conversations(1), State(), AlwaysUse("openai/gpt-4o"))
    assert stays.requests()["routed_cache_read"].tolist() == [0, 1920, 960]
    assert stays.summary["savings"]["usd"] == "0"
    assert [arm["recorded_requests"] for arm in stays.summary["cache"]["arms"]] == [3, 3, 3]
    _, moves = replayed(conversations(1), State(), MINI)
    assert moves.requests()["routed_cache_read"].tolist() == [0, 1440, 1440]
    assert moves.requests()["logged_cache_read"].tolist() == [0, 1920, 960]
    assert [arm["recorded_requests"] for arm in moves.summary["cache"]["arms"]] == [3, 3, 0]


def test_a_call_whose_conversation_went_elsewhere_loses_what_was_recorded() -> None:
    """The last call, about code, moves to mini: it finds nothing there. The one before stays, and keeps its 1,920."""
    _, after = replayed(conversations(1), State())
    assert after.requests()["routed_cache_read"].tolist() == [0, 1920, 0]
    turned = LLMRouter(
        [RoutingRule("first", length() > 1000, "openai", "gpt-4o-mini"), RoutingRule("rest", None, "openai", "gpt-4o")]
    )
    _, after = replayed(conversations(1), State(), turned)
    assert after.requests()["routed_model"].tolist() == ["openai/gpt-4o-mini", "openai/gpt-4o", "openai/gpt-4o"]
    # The second call was the first to reach gpt-4o, where the third then reads it back, at the rate of 0.75.
    assert after.requests()["routed_cache_read"].tolist() == [0, 0, 960]


def test_a_rule_that_adds_cost_by_caches_it_loses_says_so_with_the_money() -> None:
    """Of the two calls that stay on gpt-4o the first no longer reads 1,920 tokens: 1,920 x $1.25 per million more.

    Before they read 1,920 + 960 of 4,000 tokens, 72%; now 960, 24%. The first call of the conversation read nothing.
    """
    rules = [RoutingRule("first", length() > 1000, "openai", "gpt-4o-mini"), RoutingRule("rest", None, *GPT_4O)]
    _, after = replayed(conversations(1), State(), LLMRouter(rules))
    rest, first = sorted(after.summary["compared"]["by_rule"], key=lambda row: row["rule"], reverse=True)
    assert (rest["saving_usd"], rest["cache_usd"]) == ("-0.0024", "-0.0024")
    assert (rest["before_read_pct"], rest["routed_read_pct"]) == (72.0, 24.0)
    assert (first["cache_usd"], first["before_read_pct"], first["routed_read_pct"]) == ("0", 0.0, 0.0)
    jsonschema.validate(after.summary, SCHEMA)
    _, plain = replayed(conversations(1), State(cache=None), LLMRouter(rules))
    assert not any("cache_usd" in row for row in plain.summary["compared"]["by_rule"])


@FEW
@given(st.integers(1, 4), st.integers(0, 30))
def test_what_caches_change_by_rule_adds_up_to_their_step_of_the_waterfall(sessions: int, threshold: int) -> None:
    rules = [RoutingRule("short", length() < threshold, "openai", "gpt-4o-mini"), RoutingRule("rest", None, *GPT_4O)]
    shown = replayed(conversations(sessions), State(), LLMRouter(rules))[1].summary["compared"]
    parts = sum(Decimal(row["cache_usd"]) for row in shown["by_rule"])
    assert parts == Decimal(shown["waterfall"]["cache_usd"])


def bounded(result: ReplayResult) -> tuple[str, ...]:
    left = result.summary["caches_left_out"]
    jsonschema.validate(result.summary, SCHEMA)
    return left["why"], left["overstated_usd"], left["understated_usd"]


def test_caches_that_cannot_be_simulated_are_bounded_in_money() -> None:
    """Both calls read 1,920 of 2,000 tokens; the one about code moves to mini and is charged as if it had no cache.

    On gpt-4o each costs $3,600 per million (above), on mini $360: the saving is $0.0072 - 0.00396 = $0.00324. Had mini
    cached as gpt-4o did, it would cost $216, and the saving be $0.000144 greater: $0.003384. Had the call that stays
    lost its cache, it would cost $6,000, and the saving be $0.0024 less: $0.00084.
    """
    rows = [chat(0, LONG, usage=used(1920)), chat(1, LONG, "yes", "code", usage=used(1920))]
    for row in rows:
        del row["timestamp"]
    _, after = replayed(rows, State())
    assert after.summary["savings"]["usd"] == "0.00324"
    assert bounded(after) == ("its calls have no times", "0.0024", "0.000144")
    (row,) = (row for row in after.summary["assumptions"] if row["name"].startswith("prompt caches"))
    assert row["saving_resting_on_it_pct"] == pytest.approx(100 * 0.0024 / 0.00324)
    (width,) = (row for row in after.summary["sensitivity"] if row["source"].startswith("prompt caches"))
    assert (width["low_pct"], width["high_pct"]) == pytest.approx((100 * 0.00084 / 0.0072, 100 * 0.003384 / 0.0072))
    for row in rows:
        row |= {"timestamp": "2026-06-01T12:00:00Z", "messages": None, "prompt": None}
    router = LLMRouter([RoutingRule("all", None, "openai", "gpt-4o-mini")])
    _, after = replayed(rows, State(), router)
    # One model alone keeps its caches whatever the rules, so there is no lower end but the saving itself.
    why = "it holds neither texts nor sessions, so where two calls begin alike is not known"
    assert bounded(after) == (why, "0", "0.000288")
    _, asked = replayed(conversations(2), State(cache=None))
    assert bounded(asked)[0] == "as asked"


def test_a_log_with_hardly_any_cached_input_is_replayed_as_ever() -> None:
    """1,024 of 102,500 tokens are under one percent: no state, but what they could change is bounded."""
    few = [chat(n, f"{n} {LONG}", at_s=9 * n, usage=used(0)) for n in range(50)]
    few += [chat(50, f"0 {LONG}", at_s=470, usage=used(1024, 2500))]
    _, after = replayed(few, State(), MINI)
    assert "cache" not in after.summary
    assert bounded(after)[0] == "only 1% of the log's input went through them"
    few[-1] = chat(50, f"0 {LONG}", at_s=470, usage=used(1100, 2500))
    assert "cache" in replayed(few, State(), MINI)[1].summary


@FEW
@given(logs)
def test_without_cached_input_nothing_changes(rows: list[dict[str, Any]]) -> None:
    _, default = replayed(rows, State())
    _, none = replayed(rows, State(cache=None))
    assert default.run.changes is None
    assert default.requests().equals(none.requests())
    assert default.summary == none.summary


cached_logs = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 900), st.sampled_from([0, 0, 1024, 1920]), st.booleans()),
    min_size=1,
    max_size=12,
).map(
    lambda drawn: [
        chat(
            n, f"{who} {LONG}", *(["yes", "code" if code else "more"]), at_s=at, usage=used(read), session_id=f"s{who}"
        )
        for n, (who, at, read, code) in enumerate(drawn)
    ]
)


@FEW
@given(cached_logs, st.integers(1, 4))
def test_a_log_split_anyhow_is_decided_and_simulated_as_a_whole(rows: list[dict[str, Any]], size: int) -> None:
    original = Log.batches
    for state in (State(), State(cache=None)):
        _, whole = replayed(rows, state)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Log, "batches", lambda log, problems: original(log, problems=problems, rows=size))
            _, split = replayed(rows, state)
        assert split.requests().equals(whole.requests())
        assert split.summary == whole.summary


@FEW
@given(cached_logs)
def test_the_log_against_itself_saves_nothing(rows: list[dict[str, Any]]) -> None:
    _, after = replayed(rows, State(), AlwaysUse("openai/gpt-4o"))
    assert after.summary["savings"]["usd"] == after.summary["savings_vs_as_logged"]["usd"] == "0"


def test_other_state_leaves_the_caches_to_the_log() -> None:
    dear = State(guards=Guards(budgets=(Budget(1e6),)))
    _, after = replayed(conversations(), dear)
    assert after.requests().equals(replayed(conversations(), State())[1].requests())
    assert {"cache", "guards"} <= after.summary.keys()


def test_a_second_replay_of_the_same_log_changes_rules_under_the_same_caches() -> None:
    rows = conversations()
    log, base = read_log(rows), Scenario.always("openai/gpt-4o", BOOK, assumptions=COPIED)
    for threshold in (5, 7, 2000):
        router = LLMRouter(
            [
                RoutingRule("short", length() < threshold, "openai", "gpt-4o-mini"),
                RoutingRule("rest", None, "openai", "gpt-4o"),
            ]
        )
        again = replay(log, base, Scenario("test", router, BOOK, assumptions=COPIED))[1]
        fresh = replay(read_log(rows), base, Scenario("test", router, BOOK, assumptions=COPIED))[1]
        assert again.summary == fresh.summary
        assert again.requests().equals(fresh.requests())


RULES = LLMRouter(
    [RoutingRule("short", length() < 7, "openai", "gpt-4o-mini"), RoutingRule("rest", None, "openai", "gpt-4o")]
)


@pytest.mark.parametrize("state", [State(), State(cache=None), State(cache=CacheSettings({"": 0.5}))])
def test_a_swept_setting_costs_what_its_replay_does(state: State, book: PriceBook) -> None:
    rows = conversations()
    template = Scenario("x", RULES, book, assumptions=COPIED, state=state)
    found = sweep(read_log(rows), RULES, [read_parameter("short.length.below=5,7,2000")], template)
    assert found.cached == (state.cache is not None)
    for point in found.settings:
        rule = RoutingRule("short", length() < point.values["short.length.below"], "openai", "gpt-4o-mini")
        _, after = replayed(rows, state, LLMRouter([rule, RULES.rules[1]]))
        assert f"{point.all.usd.normalize():f}" == after.summary["routed"]["usd"]
    for point in found.singles:
        assert (
            f"{point.all.usd.normalize():f}" == replayed(rows, state, AlwaysUse(point.name))[1].summary["routed"]["usd"]
        )
    assert len({point.all.usd for point in found.settings}) == 3


def test_a_profile_replays_to_the_same_caches(tmp_path: Path, book: PriceBook) -> None:
    rows, path = [row | {"session_id": None} for row in conversations()], tmp_path / "profile.parquet"
    write_profile(read_log(rows), path, book=book, salt=b"0123456789abcdef", routers=[RULES])
    base = Scenario.always("openai/gpt-4o", book)
    one, other = (replay(log, base, Scenario("test", RULES, book))[1] for log in (read_log(rows), ProfileLog(path)))
    for name in ("baseline", "routed", "waterfall", "as_logged"):
        assert one.summary[name] == other.summary[name]
    held, again = (result.summary["cache"] for result in (one, other))
    for each in (*held["calibration"], *again["calibration"]):
        del each["held_out_error_pct"]  # which calls are in which half goes by their ids
    assert held == again
    plain = tmp_path / "plain.parquet"
    write_profile(read_log([chat(0, LONG)]), plain, book=book, salt=b"0123456789abcdef", routers=[RULES])
    assert "prefixes" not in next(iter(ProfileLog(plain).batches()))[0].schema.names


def test_a_call_without_counts_is_said_to_have_simulated_reads(tmp_path: Path) -> None:
    """The second call of a conversation whose provider counted the first and the others of its kind."""
    rows = conversations()
    del rows[1]["usage"]
    log, base = read_log(rows), Scenario.always("openai/gpt-4o", BOOK)
    result = replay(log, base, Scenario("mini", MINI, BOOK), out=tmp_path)[1]

    def logged(number: int) -> dict[str, str]:
        found = explain(tmp_path, f"r{number}", BOOK, "latest", caches=result.summary["cache"])
        return {line.bucket: line.counted for line in found.arms[0].lines}

    assert logged(1)["cache_read"] == "simulated"
    assert logged(4)["cache_read"] == AS_LOGGED
