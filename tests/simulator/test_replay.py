import gc
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pricing import PriceBook
from problems import BackrouteError
from router import AlwaysUse, LLMRouter, RoutingRule, has_images, length, load_rules, mentions
from simulator import Scenario, replay
from tests.simulator.conftest import CODE_TO_MINI, Replayed, call
from workloads import read_log


def test_the_arithmetic_of_a_small_log(replayed: Replayed) -> None:
    """gpt-4o is $2.50 in and $10 out per million, gpt-4o-mini $0.15 and $0.60; every call is 1,000 in and 100 out.

    One call on gpt-4o: 1000 x 2.5e-6 + 100 x 10e-6 = 0.0025 + 0.001 = $0.0035; on mini: 0.00015 + 0.00006 = $0.00021.
    Of three calls one goes to mini: 3 x 0.0035 = $0.0105 becomes 2 x 0.0035 + 0.00021 = $0.00721; saved $0.00329,
    31.33%.
    """
    before, after = replayed([call(0), call(1, prompt="write code"), call(2)])
    savings = after.savings_against(before)
    assert savings.usd == Decimal("0.00329")
    assert savings.pct == pytest.approx(100 * 0.00329 / 0.0105)
    assert after.summary["baseline"]["usd"] == "0.0105"
    assert after.summary["routed"]["usd"] == "0.00721"
    assert [(row["rule"], row["requests"], row["routed_usd"]) for row in after.summary["by_rule"]] == [
        ("default", 2, "0.007"),
        ("code", 1, "0.00021"),
    ]


def test_a_replay_leaves_the_collector_as_it_was(replayed: Replayed) -> None:
    gc.unfreeze()
    replayed([call(0)])
    assert gc.get_freeze_count() == 0
    gc.freeze()  # as a server does before it forks
    replayed([call(0)])
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


def test_cached_input_is_exact_on_the_same_model_and_folds_on_another(replayed: Replayed) -> None:
    """1,000 in, 800 of them cached, 100 out. On gpt-4o: 200 x 2.5 + 800 x 1.25 + 100 x 10 = 500 + 1000 + 1000 = $2,500
    per million calls, $0.0025 each. On mini all 1,000 count in full: 150 + 60 = $0.00021.
    """
    usage = {"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 800}, "completion_tokens": 100}
    before, after = replayed([call(0, usage=usage, prompt="code")])
    assert before.summary["baseline"]["usd"] == "0.0025"
    assert after.summary["routed"]["usd"] == "0.00021"


def test_the_waterfall_names_what_the_cache_was_worth(replayed: Replayed) -> None:
    """Same call. Without caches gpt-4o would cost 0.0025 + 0.001 = $0.0035 and mini $0.00021, so price = 0.00329; the
    baseline's cache made it 0.001 cheaper, which routing gives up: cache = -0.001. Together 0.00229 = 0.0025 - 0.00021.
    """
    usage = {"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 800}, "completion_tokens": 100}
    _, after = replayed([call(0, usage=usage, prompt="code")])
    waterfall = after.summary["waterfall"]
    assert waterfall == {
        "token_usd": "0",
        "price_usd": "0.00329",
        "cache_usd": "-0.001",
        "overhead_usd": "0",
        "retry_usd": "0",
    }


def test_a_dated_snapshot_of_the_target_is_the_same_model(replayed: Replayed) -> None:
    """gpt-4o-2024-05-13 costs $5 and $15: as logged $0.0065; the baseline's gpt-4o asks $0.0035 for the same tokens."""
    _, after = replayed([call(0, model="gpt-4o-2024-05-13")])
    assert after.summary["as_logged"]["usd"] == "0.0065"
    assert after.summary["baseline"]["usd"] == "0.0035"
    assert after.summary["headline"] == "baseline"
    assert after.summary["assumptions"][-1]["name"] == "prices", "nothing else had to be assumed"


def test_the_headline_is_as_logged_where_the_baseline_model_is_not_what_was_paid_for(replayed: Replayed) -> None:
    """94 calls on gpt-4o and 6 on o1 ($15 and $60, $0.021 each): gpt-4o is 72% of the spend, below 95%."""
    rows = [call(n) for n in range(94)] + [call(n, model="o1") for n in range(94, 100)]
    _, after = replayed(rows)
    assert after.summary["headline"] == "as_logged"
    _, after = replayed([*rows[:94], call(99, model="gpt-4o-mini")])
    assert after.summary["headline"] == "baseline"


def test_an_unpriced_logged_model_lowers_coverage_and_is_never_free(replayed: Replayed) -> None:
    rows = [call(0), call(1, model="house-model-7")]
    _, after = replayed(rows, AlwaysUse("openai/gpt-4o-mini"))
    summary = after.summary
    assert summary["as_logged"]["usd"] == "0.0035", "the known call only"
    assert summary["coverage"]["priced_pct"] == 50
    assert after.run.facts.unknown_models == {"house-model-7": 1}


def test_failed_and_gateway_cached_calls_cost_nothing_in_any_arm(replayed: Replayed) -> None:
    rows = [call(0), call(1, status="error", usage=None), call(2, status="cached", usage=None)]
    _, after = replayed(rows, AlwaysUse("anthropic/claude-sonnet-4-5"))
    frame = after.requests().set_index("request_id")
    assert frame.loc[["r1", "r2"], ["logged_usd_pico", "baseline_usd_pico", "routed_usd_pico"]].sum().sum() == 0
    assert after.summary["coverage"]["requests_pct"] == 100


def test_calls_that_are_no_chat_pass_through_at_what_was_billed(replayed: Replayed) -> None:
    rows = [call(0), call(1, call_type="embedding", model="text-embedding-3-small", cost=0.25)]
    _, after = replayed(rows, AlwaysUse("openai/gpt-4o-mini"))
    frame = after.requests().set_index("request_id")
    assert frame.loc["r1", "rule"] == "not routed"
    assert set(frame.loc["r1", ["logged_usd_pico", "baseline_usd_pico", "routed_usd_pico"]]) == {250_000_000_000}


def test_half_price_at_the_batch_tier_counts_as_cache_and_tier_effect(replayed: Replayed) -> None:
    """At the batch tier gpt-4o-mini costs half of $0.00021 and gpt-4o half of $0.0035; both arms keep the tier."""
    before, after = replayed([call(0, prompt="code", service_tier="batch")])
    assert before.summary["baseline"]["usd"] == "0.00175"
    assert after.summary["routed"]["usd"] == "0.000105"
    assert after.summary["waterfall"]["cache_usd"] == "-0.001645", "the tier halves the price effect of 0.00329"


def test_a_request_a_model_cannot_serve_takes_the_fallback_or_is_left_out(replayed: Replayed) -> None:
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, {"type": "text", "text": "hi"}]
    rows = [call(0), call(1, prompt=None, messages=[{"role": "user", "content": image}])]
    llama = ("groq", "llama-3.1-8b-instant")
    with_fallback = LLMRouter(
        [RoutingRule("all", None, *llama, fallback=("openai/gpt-4o-mini",))], name="with fallback"
    )
    _, after = replayed(rows, with_fallback)
    assert after.requests().set_index("request_id").loc["r1", "routed_model"] == "openai/gpt-4o-mini"
    _, after = replayed(rows, LLMRouter([RoutingRule("all", None, *llama)], name="without"))
    assert after.summary["coverage"]["infeasible"] == 1
    assert after.summary["coverage"]["requests_pct"] == 50
    assert after.summary["baseline"]["usd"] == "0.0035", "left out of both arms"


def test_a_log_of_lengths_only_says_so_where_rules_need_text(replayed: Replayed) -> None:
    rows = [call(0, prompt=None), call(1, prompt=None)]
    with pytest.raises(BackrouteError, match=r"(?s)holds no texts.*user_id"):
        replayed(rows)
    _, after = replayed([*rows, call(2)])
    assert after.run.facts.undecided == 2
    assert after.summary["coverage"]["requests_pct"] == pytest.approx(100 / 3)
    assert after.requests()["rule"].isna().sum() == 2


def test_unknown_usage_without_text_is_unknown_and_counted(replayed: Replayed) -> None:
    rows = [call(0), call(1, usage={"prompt_tokens": 10})]
    _, after = replayed(rows)
    assert after.summary["coverage"]["counted_pct"] == 50
    frame = after.requests().set_index("request_id")
    assert frame["logged_output_text"].isna()["r1"]
    assert frame["logged_usd_pico"].isna()["r1"]


def test_tokens_the_log_does_not_state_are_counted_from_its_text(replayed: Replayed) -> None:
    """ "hello world" is 2 tokens of o200k_base; the chat adds 3, and 3 + 1 for the message and its role: 9 in.
    The answer "fine" is 1 token.
    """
    _, after = replayed([call(0, prompt="hello world", usage=None, completion="fine")])
    frame = after.requests()
    assert frame.loc[0, "logged_input_uncached"] == 9
    assert frame.loc[0, "logged_output_text"] == 1
    assert frame.loc[0, "logged_provenance"] == "tokenizer"


def test_money_per_provenance_is_reported(replayed: Replayed) -> None:
    """Kept on gpt-4o: 1,000 provider-counted tokens in, $0.0025, and 100 estimated ones out, $0.001: 2.5 of 3.5."""
    usage = {"completion_tokens": 100, "provenance": "estimated"}
    _, after = replayed([call(0), call(1, usage=usage, prompt="hello world")])
    provenance = after.summary["provenance"]
    assert sum(provenance.values()) == pytest.approx(100)
    # r1: 9 tokens counted, $0.0000225, and 100 estimated ones, $0.001; r0: $0.0035 by the provider.
    assert provenance["tokenizer_pct"] == pytest.approx(100 * 0.0000225 / 0.0045225)
    assert provenance["estimated_pct"] == pytest.approx(100 * 0.001 / 0.0045225)


def test_recorded_spend_is_compared_at_the_price_of_the_day(replayed: Replayed) -> None:
    """In June 2024 gpt-4o cost $5 and $15: 1000 x 5e-6 + 100 x 15e-6 = $0.0065; the log records $0.0065: no drift."""
    _, after = replayed([call(0, timestamp="2024-06-01T00:00:00Z", cost=0.0065)])
    assert after.summary["as_logged"] == {
        "usd": "0.0035",
        "unpriced": 0,
        "recorded_usd": "0.0065",
        "drift_pct": 0.0,
    }


def test_a_sampled_log_is_scaled_to_the_whole_traffic(replayed: Replayed) -> None:
    rows = [call(n, prompt="code" if n % 3 else "talk") for n in range(9)]
    _, whole = replayed(rows)
    _, sampled = replayed(rows, sample_rate=0.01)
    for path in (("baseline", "usd"), ("routed", "usd"), ("savings", "usd"), ("waterfall", "price_usd")):
        assert Decimal(sampled.summary[path[0]][path[1]]) == 100 * Decimal(whole.summary[path[0]][path[1]])
    assert sampled.summary["savings"]["pct"] == whole.summary["savings"]["pct"]
    with pytest.raises(BackrouteError, match="sample rate"):
        replayed(rows, sample_rate=0)


def test_scenarios_at_prices_of_different_dates_are_refused(book: PriceBook) -> None:
    from pricing import AsOf

    base = Scenario.always("openai/gpt-4o", book)
    other = Scenario.always("openai/gpt-4o-mini", book, AsOf.parse("2025-01-01"))
    with pytest.raises(BackrouteError, match="a change of prices would pass for a saving"):
        replay(read_log([call()]), base, other)


def test_several_candidates_each_have_their_own_decisions(book: PriceBook, tmp_path: Path) -> None:
    mini, haiku = (Scenario.always(name, book) for name in ("openai/gpt-4o-mini", "anthropic/claude-3-haiku"))
    base = Scenario.always("openai/gpt-4o", book)
    before, first, second = replay(read_log([call()]), base, mini, haiku, out=tmp_path)
    assert first.requests()["routed_model"].tolist() == ["openai/gpt-4o-mini"]
    assert second.requests()["routed_model"].tolist() == ["anthropic/claude-3-haiku"]
    assert "routed_model" not in before.requests()
    with pytest.raises(BackrouteError, match="was not replayed against"):
        second.savings_against(first)


def test_an_unknown_baseline_or_target_names_its_nearest_matches(book: PriceBook) -> None:
    with pytest.raises(BackrouteError, match="gpt-4o-mini"):
        Scenario.always("openai/gpt-4o-minni", book)
    router = LLMRouter([RoutingRule("all", None, "openai", "gpt-4o-minni")])
    with pytest.raises(BackrouteError, match="rule 'all'"):
        replay(read_log([call()]), Scenario.always("openai/gpt-4o", book), Scenario("x", router, book))


def test_decisions_have_exactly_the_columns_others_build_on(replayed: Replayed, tmp_path: Path) -> None:
    replayed([call()], out=tmp_path)
    buckets = ["input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output_text", "output_reasoning"]
    arms = [
        f"{arm}_{name}"
        for arm in ("logged", "baseline", "routed")
        for name in ("model", *buckets, "usd_pico", "feasible", "provenance")
    ]
    schema = pq.read_schema(tmp_path / "decisions.parquet")
    assert schema.names == ["request_id", "session_id", "arrived_at", "rule", *arms]
    assert str(schema.field("routed_output_text").type) == "double"
    assert str(schema.field("routed_usd_pico").type) == "int64"


def test_rows_set_aside_are_written_with_their_lines(replayed: Replayed, tmp_path: Path) -> None:
    replayed([call(0), call(1, usage={"prompt_tokens": -5})], out=tmp_path)
    text = (tmp_path / "problems.jsonl").read_text()
    assert '"line":2' in text
    assert "-5" in text


def test_an_empty_log_is_an_error_not_an_empty_report(replayed: Replayed) -> None:
    with pytest.raises(BackrouteError, match="no request to replay"):
        replayed([])


@pytest.mark.parametrize("rules", ["starter", "case", "current"])
def test_every_bundled_rule_set_replays_the_bundled_log(rules: str, book: PriceBook) -> None:
    path = Path(__file__).resolve().parents[2] / "workloads" / "presets" / "case-60-25-15.jsonl.gz"
    base = Scenario.always("openai/gpt-4o", book)
    before, after = replay(read_log(path), base, Scenario(rules, load_rules(rules), book))
    assert after.savings_against(before).usd > 0
    assert after.summary["coverage"]["requests_pct"] == 100


def test_slow_callable_rules_are_named(replayed: Replayed) -> None:
    def slow(text: str, meta: Any) -> bool:
        return "code" in text and not meta

    router = LLMRouter([RoutingRule("mine", slow, "openai", "gpt-4o-mini"), CODE_TO_MINI.rules[-1]], name="python")
    _, after = replayed([call(0, prompt="code"), call(1)], router)
    assert list(after.run.slow_rules) == ["mine"]
    assert [row["requests"] for row in after.summary["by_rule"]] == [1, 1]


def test_length_images_and_words_decide_over_columns(replayed: Replayed) -> None:
    router = LLMRouter(
        [
            RoutingRule("short words", (length() < 20) & mentions("hi") & ~has_images(), "openai", "gpt-4o-mini"),
            RoutingRule("rest", None, "openai", "gpt-4o"),
        ],
        name="both",
    )
    _, after = replayed([call(0, prompt="hi there"), call(1, prompt="hi " * 20), call(2, prompt="bye")], router)
    assert after.requests()["rule"].tolist() == ["short words", "rest", "rest"]


def test_a_replay_cut_short_leaves_what_the_one_before_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted after its first batch, when decisions of that batch were written."""
    log = read_log([call(n) for n in range(3)])
    base = Scenario.always("openai/gpt-4o", PriceBook.load())
    replay(log, base, Scenario.always("openai/gpt-4o-mini", base.book), out=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.keys() == {"decisions.parquet", "problems.jsonl"}

    def stopped(parts: Iterator[Any]) -> Iterator[Any]:
        yield next(parts)
        raise KeyboardInterrupt

    module = sys.modules["simulator.replay"]  # whose name in the package is the function's
    whole = module._replayed
    monkeypatch.setattr(module, "_replayed", lambda *args, **options: stopped(whole(*args, **options)))
    with pytest.raises(KeyboardInterrupt):
        replay(log, base, Scenario.always("openai/gpt-4.1-nano", base.book), out=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_path_where_a_log_is_wanted_is_told_how(tmp_path: Path) -> None:
    base = Scenario.always("openai/gpt-4o", PriceBook.load())
    with pytest.raises(BackrouteError, match=r"read it first: replay\(read_log\(path\)"):
        replay(tmp_path / "log.jsonl", base)  # type: ignore[arg-type]
