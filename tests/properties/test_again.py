"""Whatever was replayed before on a log in memory, the next replay of it gives what a fresh reading gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing import AsOf, PriceBook
from router import LLMRouter, Router, RoutingRule, length, load_rules, mentions, meta
from simulator import Scenario, memory, replay
from simulator.scenario import Assumptions
from tests.simulator.conftest import call
from workloads import Log, read_log

OVERLAY = """as_of: 2026-11-23
models:
  groq/llama-3.1-8b-instant:
    prices:
      - effective_from: 2020-01-01
        source: https://example.com/prices
        input_usd_per_mtok: 7
        output_usd_per_mtok: 9
"""


class Setting(NamedTuple):
    """What a notebook's cell may change between two replays."""

    rules: str
    baseline: str
    dear: bool
    as_of: str
    output: Any
    ratio: float | None


GPT, SONNET = "openai/gpt-4o", "anthropic/claude-sonnet-4-5"
FIRST = Setting("short", GPT, False, "latest", "fitted", None)
SETTINGS = [
    FIRST,
    FIRST._replace(rules="shorter"),
    FIRST._replace(rules="words"),
    FIRST._replace(rules="case", baseline=SONNET),
    FIRST._replace(dear=True),
    FIRST._replace(as_of="request"),
    FIRST._replace(as_of="2026-01-01", dear=True),
    FIRST._replace(output="as_logged"),
    FIRST._replace(ratio=1.5),
]


def router_of(name: str) -> Router:
    """Rules that differ in a threshold, a word, their models."""
    if name == "case":
        return load_rules("case")
    small, large = ("groq", "llama-3.1-8b-instant"), ("openai", "gpt-4o")
    rules = {
        "short": [RoutingRule("short", length() < 60, *small)],
        "shorter": [RoutingRule("short", length() < 25, *small)],
        "words": [RoutingRule("code", mentions("code"), *large), RoutingRule("gold", meta("tier") == "gold", *small)],
    }[name]
    return LLMRouter([*rules, RoutingRule("default", None, "google", "gemini-2.5-flash")], name=name)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Calls of several models and kinds: with and without text, usage, cost and session, chat and not."""
    models = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "a-model-nobody-knows")
    made = []
    for n in range(48):
        fields: dict[str, Any] = {"model": models[n % 4], "metadata": {"tier": "gold" if n % 5 else "free"}}
        fields |= {"label": ("code", "chat", None)[n % 3], "prompt": "write code " * (n % 9 + 1)}
        if n % 7 == 0:
            fields["cost_usd"] = 0.004
        if n % 11 == 0:
            fields["usage"] = None
        if n % 6 == 0:
            fields["prompt"] = None
        if n % 13 == 0:
            fields["call_type"] = "embedding"
        made.append({k: v for k, v in call(n, **fields).items() if v is not None})
    return made


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> tuple[PriceBook, PriceBook]:
    """The bundled prices, and others for one model."""
    path: Path = tmp_path_factory.mktemp("prices") / "prices.yaml"
    path.write_text(OVERLAY, "utf-8")
    return PriceBook.load(), PriceBook.load([path])


@pytest.fixture(scope="module")
def fresh() -> dict[Setting, Any]:
    """What a log read for this alone gives, by setting."""
    return {}


def said(log: Log, setting: Setting, books: tuple[PriceBook, PriceBook]) -> Any:
    """The summary and all decisions of one replay; only the candidate's prices change, so that the log stays read."""
    as_of = AsOf.parse(setting.as_of)
    ratio = {} if setting.ratio is None else {"google/gemini-2.5-flash": setting.ratio}
    assumed = Assumptions(setting.output, ratio)
    base = Scenario.always(setting.baseline, books[0], as_of, Assumptions("fitted"))
    routed = Scenario("routed", router_of(setting.rules), books[setting.dear], as_of, assumed)
    _, after = replay(log, base, routed)
    return after.summary, after.requests().to_dict("list").__repr__()


@pytest.mark.slow
@pytest.mark.parametrize("most", [memory.MOST_BYTES, 20_000], ids=["all kept", "most forgotten"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tried=st.lists(st.sampled_from(SETTINGS), min_size=2, max_size=4))
def test_a_replay_after_others_is_the_replay_of_a_fresh_log(
    tried: list[Setting],
    most: int,
    rows: list[dict[str, Any]],
    books: tuple[PriceBook, PriceBook],
    fresh: dict[Setting, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MOST_BYTES", most)
    log = read_log(rows)
    for setting in tried:
        if setting not in fresh:
            fresh[setting] = said(read_log(rows), setting, books)
        assert said(log, setting, books) == fresh[setting]


def test_every_change_in_turn_gives_what_a_fresh_log_gives(
    rows: list[dict[str, Any]], books: tuple[PriceBook, PriceBook], fresh: dict[Setting, Any]
) -> None:
    log = read_log(rows)
    for setting in (FIRST, *SETTINGS[1:3], *SETTINGS[4:6], SETTINGS[7], FIRST):
        if setting not in fresh:
            fresh[setting] = said(read_log(rows), setting, books)
        assert said(log, setting, books) == fresh[setting]
