from pathlib import Path
from typing import Any

import pytest

from pricing import PriceBook
from problems import BackrouteError
from simulator import Scenario
from simulator.state.cascades import Cascade
from simulator.state.guards import Budget, DrawnOutages, Guards, Limit, Outage, Sticky
from simulator.state.latency import LatencyLimits
from simulator.state.named import check_names
from simulator.state.retries import Retries
from simulator.state.settings import CacheSettings, State, load_state, parse_state
from simulator.state.tiers import Tiers

EVERYTHING = """
cache: {hit_rate: {openai: 0.9}, breakpoints: true, lifetime: 1h}
guards:
  budgets: [{usd: 50, by: team, then: openai/gpt-4o-mini}]
  limits: [{of: groq, rpm: 1000, max_wait_s: 2}]
  outages:
    - {of: openai, from: 1970-01-01T00:00:01Z, to: "1970-01-01T01:00:02+01:00"}
    - {of: groq, per_30d: 2, mean_minutes: 20}
  sticky: true
  max_latency_ms: 8000
  obey_latency_budget: true
  fallback: [openai/gpt-4o]
retries: {error_pct: {groq: 1.5}, billed_pct: 50, attempts: 2}
cascade: {first: groq/llama-3.1-8b-instant, rules: [code], check_usd: 0.0001, score: confidence, below: 0.7}
tiers: {to: flex, meta: can_wait}
latency: {limit_ms: 5000}
"""


def test_a_file_says_everything_that_python_can(tmp_path: Path) -> None:
    (tmp_path / "state.yaml").write_text(EVERYTHING)
    assert load_state(tmp_path / "state.yaml") == State(
        CacheSettings({"openai": 0.9}, True, "1h"),
        Guards(
            (Budget(50, by="team", then="openai/gpt-4o-mini"),),
            (Limit("groq", rpm=1000, max_wait_s=2),),
            (Outage("openai", 1_000_000, 2_000_000),),
            (DrawnOutages("groq", 2, 20),),
            Sticky(),
            8000,
            True,
            ("openai/gpt-4o",),
        ),
        Retries({"groq": 1.5}, 50, 2),
        Cascade("groq/llama-3.1-8b-instant", ("code",), 0.0001, None, "confidence", 0.7),
        Tiers("flex", "can_wait"),
        LatencyLimits(5000),
    )


def test_a_baseline_shares_the_world_and_no_policy() -> None:
    said = parse_state(
        {"cache": {}, "guards": {"limits": [{"of": "openai", "rpm": 5}], "sticky": True, "budgets": [{"usd": 1}]}}
    )
    world = said.of_the_world
    assert world == State(CacheSettings(), Guards(limits=(Limit("openai", rpm=5),)))
    assert world.of_the_world == world


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"cachee": {}}, "unknown key 'cachee'.*cache"),
        ({"cache": {"hit_rates": 1}}, "cache: unknown key 'hit_rates'.*hit_rate"),
        ({"cache": {"hit_rate": 90}}, "hit_rate: not a share"),
        ({"cache": {"lifetime": "2h"}}, "lifetime: not a lifetime .*5m or 1h"),
        ({"cache": {"breakpoints": "yes"}}, "breakpoints: not a bool or null"),
        ({"guards": {"budgets": {"usd": 1}}}, "budgets: not a list"),
        ({"guards": {"budgets": [{"per": "day"}]}}, r"budgets\[0\]: without usd"),
        ({"guards": {"budgets": [{"usd": 1, "per": "week"}]}}, "not a period"),
        ({"guards": {"budgets": [{"usd": 1, "then": "mini"}]}}, "then: not a model"),
        ({"guards": {"limits": [{"of": "groq"}]}}, "no rpm and no tpm"),
        ({"guards": {"limits": [{"of": "groq", "rmp": 1}]}}, "unknown key 'rmp'.*rpm"),
        ({"guards": {"limits": [{"of": "groq", "rpm": 0}]}}, "not above zero"),
        ({"guards": {"outages": [{"of": "groq", "from": "soon", "to": "later"}]}}, "from: not a time"),
        ({"guards": {"outages": [{"of": "a", "from": "2026-01-02", "to": "2026-01-01"}]}}, "ends before it begins"),
        ({"guards": {"max_latency": 1}}, "unknown key 'max_latency'.*max_latency_ms"),
        ({"retries": {"error_pct": {"groq": 200}}}, "not a percentage"),
        ({"retries": {"attempts": 0}}, "not at least 1"),
        ({"cascade": {"first": "a/b"}}, "none of escalate_pct, score and correct"),
        ({"cascade": {"first": "a/b", "escalate_pct": 5, "score": "x"}}, "several of"),
        ({"latency": {"limit_ms": True}}, "limit_ms: not a float or null"),
        ({"guards": {"budgets": [{"usd": -1}]}}, "usd: not a number from zero up"),
        ({"guards": {"sticky": {"within_s": float("nan")}}}, "within_s: not a number from zero up"),
        ({"cascade": {"first": "a/b", "check_usd": -0.5, "escalate_pct": 5}}, "check_usd: not a number from zero up"),
        ([1], "not a mapping"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_to_do(said: Any, message: str) -> None:
    with pytest.raises(BackrouteError, match=f"(?s){message}"):
        parse_state(said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"guards": {"limits": [{"of": "opnai", "rpm": 9}]}}, "limits: no provider or model .*opnai.*openai"),
        ({"guards": {"outages": [{"of": "gpt-4o", "per_30d": 1, "mean_minutes": 9}]}}, "outages: .*openai/gpt-4o"),
        ({"retries": {"error_pct": {"openai/gpt-4oo": 9}}}, "error_pct: .*openai/gpt-4o"),
        ({"cache": {"hit_rate": {"antropic": 0.5}}}, "hit_rate: .*anthropic"),
        ({"cascade": {"first": "groq/llama-3.1-8b-instant", "rules": ["al"], "escalate_pct": 5}}, "there is no rule"),
        ({"tiers": {"to": "bathc"}}, "tiers: to: no model in play .*bathc.*batch"),
    ],
)
def test_a_name_that_is_nobodys_is_an_error_rather_than_a_guard_that_never_acts(said: Any, message: str) -> None:
    with pytest.raises(BackrouteError, match=f"(?s){message}"):
        check_names([Scenario.always("openai/gpt-4o", PriceBook.load(), state=parse_state(said))])


def test_a_file_that_is_not_there_or_not_yaml_says_so(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="cannot be read"):
        load_state(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("cache: [")
    with pytest.raises(BackrouteError, match="not valid YAML"):
        load_state(tmp_path / "bad.yaml")
