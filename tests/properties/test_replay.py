"""What holds of every replay, whatever the log."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pricing import PriceBook
from router import AlwaysUse, LLMRouter, load_rules
from simulator import ReplayResult, Scenario, replay
from workloads import Log, read_log

BOOK = PriceBook.load()
MODELS = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "llama-3.1-8b-instant", "gpt-4o-2024-05-13", "mystery", None]
CASE = load_rules("case")
# Shrinking replays hundreds of logs; a failing log is short as it is.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
FEW = settings(max_examples=25, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])

usages = st.fixed_dictionaries(
    {"prompt_tokens": st.integers(0, 300_000), "completion_tokens": st.integers(0, 20_000)},
).map(lambda usage: usage | {"prompt_tokens_details": {"cached_tokens": usage["prompt_tokens"] // 3}})
calls = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "prompt": st.sampled_from(["hi", "write python code " * 20, "which region sold most? " * 20, ""]),
        "usage": st.one_of(usages, st.none()),
        "completion": st.sampled_from(["Yes.", None]),
        "session_id": st.sampled_from(["a", "b", None]),
        "service_tier": st.sampled_from([None, "batch", "default"]),
        "status": st.sampled_from(["ok", "ok", "ok", "error"]),
        "timestamp": st.sampled_from(["2026-06-01T00:00:00Z", "2026-06-02T23:59:59Z", "2026-07-01T12:00:00Z", None]),
    }
)
logs = st.lists(calls, min_size=1, max_size=12).map(
    lambda rows: [row | {"request_id": f"r{number}"} for number, row in enumerate(rows)]
)


def replayed(
    rows: list[dict[str, Any]], router: Any = CASE, book: PriceBook = BOOK
) -> tuple[ReplayResult, ReplayResult]:
    before, after = replay(read_log(rows), Scenario.always("openai/gpt-4o", book), Scenario("it", router, book))
    return before, after


@FEW
@given(logs)
def test_a_scenario_against_itself_saves_exactly_nothing(rows: list[dict[str, Any]]) -> None:
    before, after = replayed(rows, AlwaysUse("openai/gpt-4o"))
    savings = after.savings_against(before)
    assert savings.usd == 0
    assert set(after.summary["waterfall"].values()) == {"0"}
    if savings.pct is not None:
        assert (savings.interval.low_pct, savings.interval.high_pct) == (0, 0)


@FEW
@given(logs)
def test_every_breakdown_adds_up_to_the_total(rows: list[dict[str, Any]]) -> None:
    _, after = replayed(rows)
    summary = after.summary
    for arm in ("baseline", "routed"):
        total = Decimal(summary[arm]["usd"])
        for name in ("by_rule", "by_day", "by_model"):
            assert sum((Decimal(row[f"{arm}_usd"]) for row in summary[name]), Decimal(0)) == total
    steps = sum((Decimal(step) for step in summary["waterfall"].values()), Decimal(0))
    assert steps == Decimal(summary["savings"]["usd"])
    frame = after.requests()
    usable = frame["baseline_feasible"] & frame["routed_feasible"]
    usable &= frame["baseline_usd_pico"].notna() & frame["routed_usd_pico"].notna()
    # A request whose logged model is named but has no price is left out of every comparison.
    usable &= frame["logged_usd_pico"].notna() | pd.Series([row["model"] is None for row in rows])
    for arm in ("baseline", "routed"):
        pico = sum(int(value) for value in frame.loc[usable, f"{arm}_usd_pico"])
        assert Decimal(pico).scaleb(-12) == Decimal(summary[arm]["usd"])


@FEW
@given(logs, st.integers(1, 5))
def test_the_size_of_batches_changes_nothing(rows: list[dict[str, Any]], size: int) -> None:
    _, whole = replayed(rows)
    original = Log.batches
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Log, "batches", lambda log, problems: original(log, problems=problems, rows=size))
        _, split = replayed(rows)
    assert split.requests().equals(whole.requests())
    assert split.summary == whole.summary


@FEW
@given(logs, st.integers(0, 10_000))
def test_changing_an_outcome_changes_no_decision(rows: list[dict[str, Any]], tokens: int) -> None:
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens}
    changed = [row | {"usage": usage, "completion": "something else", "latency_ms": 5} for row in rows]
    rules = [replayed(some)[1].requests()["rule"].tolist() for some in (rows, changed)]
    assert rules[0] == rules[1]


@FEW
@given(rows=logs)
def test_raising_a_price_never_lowers_the_cost_of_the_same_decisions(
    rows: list[dict[str, Any]], dearer: PriceBook
) -> None:
    _, cheap = replayed(rows)
    _, dear = replayed(rows, book=dearer)
    before, after = cheap.requests()["routed_usd_pico"], dear.requests()["routed_usd_pico"]
    known = before.notna() & after.notna()
    assert (after[known] >= before[known]).all()


@pytest.fixture(scope="module")
def dearer(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    path: Path = tmp_path_factory.mktemp("prices") / "dearer.yaml"
    path.write_text(DEARER, "utf-8")
    return PriceBook.load([path])


DEARER = """
as_of: 2026-11-23
models:
  openai/gpt-4o-mini:
    prices:
      - effective_from: 2020-01-01
        source: https://example.com/prices
        input_usd_per_mtok: 0.30
        cache_read_usd_per_mtok: 0.15
        output_usd_per_mtok: 1.20
"""


def test_the_log_the_seed_and_the_rules_decide_everything() -> None:
    rows = [
        {
            "request_id": f"{n}",
            "model": "gpt-4o",
            "prompt": "code",
            "usage": {"prompt_tokens": n, "completion_tokens": 9},
        }
        for n in range(50)
    ]
    router = LLMRouter(CASE.rules, name="again")
    _, first = replayed(rows, router)
    _, second = replayed(rows, router)
    assert first.summary == second.summary
