"""Whatever was replayed before on a log in memory, the next replay of it gives what a fresh reading gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing import AsOf, PriceBook
from router import LLMRouter, Router, RoutingRule, has_tools, length, mentions, meta
from simulator import Scenario, incremental, prepared, replay
from simulator.scenario import Assumptions
from simulator.stored import memory
from tests.simulator.conftest import call
from workloads import Log, read_log, store

OVERLAY = """as_of: 2026-11-23
models:
  groq/llama-3.1-8b-instant:
    prices:
      - effective_from: 2020-01-01
        source: https://example.com/prices
        input_usd_per_mtok: 7
        output_usd_per_mtok: 9
  openai/gpt-4o-mini:
    prices:
      - effective_from: 2020-01-01
        source: https://example.com/prices
        input_usd_per_mtok: 0.2
        output_usd_per_mtok: 0.7
"""


GPT, SONNET, MINI = "openai/gpt-4o", "anthropic/claude-sonnet-4-5", "openai/gpt-4o-mini"
LLAMA, FLASH, HAIKU = "groq/llama-3.1-8b-instant", "google/gemini-2.5-flash", "anthropic/claude-3-haiku"
TARGETS = (GPT, SONNET, MINI, LLAMA, FLASH, HAIKU)


class Setting(NamedTuple):
    """What a notebook's cell may change between two replays; `rules` are names, and their targets by name."""

    rules: tuple[str, ...]
    targets: tuple[tuple[str, str], ...]
    limit: int = 60
    fallback: str | None = None
    baseline: str = GPT
    dear: tuple[bool, bool] = (False, False)  # of the baseline's prices, and the candidate's
    as_of: str = "latest"
    output: Any = "fitted"
    ratio: float | None = None
    words: tuple[str, ...] = ("code",)
    whole_word: bool = False


FIRST = Setting(("short",), (("short", LLAMA), ("default", FLASH)))
WORDS = (("code", GPT), ("gold", LLAMA), ("default", FLASH))
SETTINGS = [
    FIRST,
    FIRST._replace(limit=25),
    FIRST._replace(rules=("code", "gold"), targets=WORDS),
    FIRST._replace(baseline=SONNET),
    FIRST._replace(dear=(False, True)),
    FIRST._replace(dear=(True, True)),
    FIRST._replace(dear=(True, False)),
    FIRST._replace(as_of="request"),
    FIRST._replace(as_of="2026-01-01", dear=(False, True)),
    FIRST._replace(output="as_logged"),
    FIRST._replace(ratio=1.5),
    FIRST._replace(rules=("code", "short", "tools"), targets=(*WORDS, ("short", MINI), ("tools", HAIKU)), fallback=GPT),
    FIRST._replace(rules=("tools", "short", "code"), targets=(*WORDS, ("short", MINI), ("tools", HAIKU)), fallback=GPT),
    FIRST._replace(rules=("code",), targets=WORDS, words=("Alpha", "über")),
    FIRST._replace(rules=("code",), targets=WORDS, words=("Alpha", "über", "eta")),
    FIRST._replace(rules=("code",), targets=WORDS, words=("eta", "gamma")),
    FIRST._replace(rules=("code",), targets=WORDS, words=("eta", "gamma"), whole_word=True),
    FIRST._replace(rules=("code",), targets=WORDS, words=("gamma",)),
    FIRST._replace(rules=("tools", "short"), targets=(*WORDS, ("short", HAIKU), ("tools", HAIKU)), fallback=SONNET),
]
SAID = ("code", "Alpha", "eta", "gamma", "über", "a g", "nowhere")
NAMES = ("short", "code", "gold", "tools")


@st.composite
def edits(draw: st.DrawFn) -> list[Setting]:
    """A first setting, and others that each change a few of its parts."""
    parts: dict[str, st.SearchStrategy[Any]] = {
        "rules": st.lists(st.sampled_from(NAMES), unique=True).map(tuple),
        "targets": st.tuples(*(st.tuples(st.just(name), st.sampled_from(TARGETS)) for name in (*NAMES, "default"))),
        "limit": st.integers(0, 120),
        "fallback": st.sampled_from([None, GPT, FLASH]),
        "baseline": st.sampled_from(TARGETS),
        "dear": st.tuples(st.booleans(), st.booleans()),
        "as_of": st.sampled_from(["latest", "request", "2026-01-01"]),
        "output": st.sampled_from(["fitted", "as_logged"]),
        "ratio": st.sampled_from([None, 0.5, 1.5]),
        "words": st.lists(st.sampled_from(SAID), min_size=1, max_size=4).map(tuple),
        "whole_word": st.booleans(),
    }
    setting = Setting(**{name: draw(part) for name, part in parts.items()})
    made = [setting]
    for _ in range(draw(st.integers(1, 4))):
        changed = draw(st.lists(st.sampled_from(sorted(parts)), min_size=1, max_size=2, unique=True))
        setting = setting._replace(**{name: draw(parts[name]) for name in changed})
        made.append(setting)
    return made


def router_of(setting: Setting) -> Router:
    """The rules of a setting."""
    code = mentions(*setting.words, whole_word=setting.whole_word)
    when = {"short": length() < setting.limit, "code": code, "gold": meta("tier") == "gold", "tools": has_tools()}
    targets = dict(setting.targets)
    fallback = () if setting.fallback is None else (setting.fallback,)
    rules = [RoutingRule(name, when[name], *targets[name].split("/"), fallback=fallback) for name in setting.rules]
    return LLMRouter([*rules, RoutingRule("default", None, *targets["default"].split("/"))], name="edited")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Calls of several models and kinds: with and without text, usage, cost and session, chat and not."""
    models = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "a-model-nobody-knows")
    more, made = ("alpha", "beta gamma", "Über alpha gamma", "gamma", ""), []
    for n in range(48):
        fields: dict[str, Any] = {"model": models[n % 4], "metadata": {"tier": "gold" if n % 5 else "free"}}
        fields |= {"label": ("code", "chat", None)[n % 3], "prompt": "write code " * (n % 9 + 1) + more[n % 5]}
        if n % 7 == 0:
            fields["cost_usd"] = 0.004
        if n % 11 == 0:
            fields["usage"] = None
        if n % 6 == 0:
            fields["prompt"] = None
        if n % 13 == 0:
            fields["call_type"] = "embedding"
        if n % 8 == 3:
            fields["tools"] = [{"type": "function", "function": {"name": "look_up"}}]
        if n % 9 == 4:
            fields["usage"] = {
                "prompt_tokens": 9_000,
                "completion_tokens": 300,
                "prompt_tokens_details": {"cached_tokens": 900},
            }
        fields["max_tokens"] = (None, 50, 100_000)[n % 3]
        made.append({k: v for k, v in call(n, **fields).items() if v is not None})
    return made


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> tuple[PriceBook, PriceBook]:
    """The bundled prices, and others for two models."""
    path: Path = tmp_path_factory.mktemp("prices") / "prices.yaml"
    path.write_text(OVERLAY, "utf-8")
    return PriceBook.load(), PriceBook.load([path])


@pytest.fixture(scope="module")
def fresh() -> dict[Setting, Any]:
    """What a log read for this alone gives, by setting."""
    return {}


def said(log: Log, setting: Setting, books: tuple[PriceBook, PriceBook]) -> Any:
    """The summary and all decisions of one replay."""
    as_of = AsOf.parse(setting.as_of)
    ratio = {} if setting.ratio is None else {FLASH: setting.ratio}
    assumed = Assumptions(setting.output, ratio)
    base = Scenario.always(setting.baseline, books[setting.dear[0]], as_of, Assumptions("fitted"))
    routed = Scenario("routed", router_of(setting), books[setting.dear[1]], as_of, assumed)
    before, after = replay(log, base, routed)
    summaries = [json.dumps(each.summary, sort_keys=True) for each in (before, after)]
    return *summaries, after.requests().to_dict("list").__repr__()


@pytest.mark.slow
@pytest.mark.parametrize("most", [memory.MOST_BYTES, 20_000], ids=["all kept", "most forgotten"])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tried=edits())
def test_a_replay_after_others_is_the_replay_of_a_fresh_log(
    tried: list[Setting],
    most: int,
    rows: list[dict[str, Any]],
    books: tuple[PriceBook, PriceBook],
    fresh: dict[Setting, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MOST_BYTES", most)
    monkeypatch.setattr(incremental, "CHUNK_ROWS", 7)
    log = read_log(rows)
    for setting in tried:
        if setting not in fresh:
            fresh[setting] = said(read_log(rows), setting, books)
        assert said(log, setting, books) == fresh[setting]


def test_changes_to_a_log_whose_texts_are_on_disk_give_what_a_fresh_reading_gives(
    rows: list[dict[str, Any]],
    books: tuple[PriceBook, PriceBook],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = (FIRST, *SETTINGS[1:3], *SETTINGS[11:], FIRST)
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    expected = [said(read_log(path), setting, books) for setting in settings]
    monkeypatch.setattr(store, "SMALLEST", 0)
    monkeypatch.setattr(prepared, "HELD_BYTES", 8_000)  # between the columns' size with texts and without
    monkeypatch.setattr(Log.batches, "__kwdefaults__", {"problems": None, "rows": 10})
    log = read_log(path)
    assert [said(log, setting, books) for setting in settings] == expected
    assert (tmp_path / ".backroute").is_dir()


def test_every_change_in_turn_gives_what_a_fresh_log_gives(
    rows: list[dict[str, Any]], books: tuple[PriceBook, PriceBook], fresh: dict[Setting, Any]
) -> None:
    log = read_log(rows)
    for setting in [each for other in SETTINGS for each in (other, FIRST)]:  # one change at a time, and back
        if setting not in fresh:
            fresh[setting] = said(read_log(rows), setting, books)
        assert said(log, setting, books) == fresh[setting]


def test_rules_in_another_order_and_other_prices_of_the_log_give_what_a_fresh_log_gives(
    rows: list[dict[str, Any]], books: tuple[PriceBook, PriceBook]
) -> None:
    """No request is decided otherwise, but the rules have other numbers, and some sums are taken out and put in."""
    targets = (("short", MINI), ("gold", HAIKU), ("default", FLASH))
    rows = [row for row in rows if "prompt" in row]  # rules on texts would leave the others undecided
    one, log = FIRST._replace(rules=("gold", "short"), targets=targets, limit=0), read_log(rows)
    for setting in (one, one._replace(rules=("short", "gold"), dear=(True, False))):
        assert said(log, setting, books) == said(read_log(rows), setting, books)
