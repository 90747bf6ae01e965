"""The same `Log` replayed again is not read again, unless a file has changed."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from pricing import PriceBook
from router import AlwaysUse, LLMRouter, RoutingRule, length, load_rules
from simulator import ReplayResult, Scenario, replay
from tests.simulator.conftest import call
from workloads import Log, checked, read_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "log.jsonl"
    lines = [json.dumps(call(n, prompt="code " * n)) for n in range(30)]
    found.write_text("\n".join([*lines, "{oops"]), "utf-8")
    return found


def replayed(log: Log, book: PriceBook, out: Path, rules: str = "case") -> ReplayResult:
    base = Scenario.always("openai/gpt-4o", book)
    return replay(log, base, Scenario(rules, load_rules(rules), book), out=out)[1]


def test_a_second_replay_reads_nothing_and_says_the_same(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = read_log(path)
    first = replayed(log, book, tmp_path / "first")
    monkeypatch.setattr(Log, "batches", lambda *_, **__: pytest.fail("read again"))
    again = replayed(log, book, tmp_path / "again")
    assert again.summary == first.summary
    assert again.requests().equals(first.requests())
    problems = [(tmp_path / name / "problems.jsonl").read_text("utf-8") for name in ("first", "again")]
    assert problems[0] == problems[1] != ""


def test_other_rules_on_a_log_in_memory_give_what_a_fresh_reading_gives(
    path: Path, book: PriceBook, tmp_path: Path
) -> None:
    log = read_log(path)
    replayed(log, book, tmp_path / "first")
    changed = replayed(log, book, tmp_path / "changed", "starter")
    fresh = replayed(read_log(path), book, tmp_path / "fresh", "starter")
    assert changed.summary == fresh.summary
    assert changed.requests().equals(fresh.requests())


def test_decisions_of_a_log_in_memory_are_written_when_they_are_asked_for(
    path: Path, book: PriceBook, tmp_path: Path
) -> None:
    base, case = Scenario.always("openai/gpt-4o", book), Scenario("case", load_rules("case"), book)
    before, after = replay(read_log(path), base, case)
    assert not after.run.decisions_path(1).exists()
    summary = after.summary
    kept = replayed(read_log(path), book, tmp_path / "kept")
    assert after.requests().equals(kept.requests())
    assert before.requests().equals(kept.requests()[before.requests().columns])
    assert after.summary == summary == kept.summary


def test_nothing_is_written_behind_a_replay_whose_parts_go_when_it_ends(
    tmp_path: Path, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns of 30 requests take less than 40,000 bytes, their texts more, which are on disk until the replay ends."""
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(call(n, prompt="code " * 600)) for n in range(30)), "utf-8")
    monkeypatch.setattr("simulator.prepared.HELD_BYTES", 40_000)
    monkeypatch.setattr("simulator.stored.together.Together.save", lambda _: pytest.fail("written later"))
    written = list[str]()
    put = checked.put
    monkeypatch.setattr("simulator.stored.parts.put", lambda *of, **how: written.append(of[1]) or put(*of, **how))
    replayed(read_log(path, cache=False), book, tmp_path / "out")
    assert any(name.endswith(".texts") for name in written)
    assert not list((tmp_path / "out").glob(".parts-*"))


def test_a_file_that_has_changed_is_read_again(path: Path, book: PriceBook, tmp_path: Path) -> None:
    log = read_log(path)
    assert replayed(log, book, tmp_path / "first").run.facts.rows == 30
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps(call(99)))
    assert replayed(log, book, tmp_path / "again").run.facts.rows == 31


def test_a_router_changed_in_place_is_another_and_leaves_the_results_that_it_gave(path: Path, book: PriceBook) -> None:
    def rules(target: str, limit: int) -> tuple[RoutingRule, ...]:
        default = RoutingRule("default", None, "openai", "gpt-4o")
        return RoutingRule("short", length() < limit, *target.split("/"), fallback=(default.target,)), default

    def run(log: Log, router: LLMRouter) -> ReplayResult:
        return replay(log, Scenario.always("openai/gpt-4o", book), Scenario("edited", router, book))[1]

    path.write_text("\n".join(json.dumps(call(n, prompt="code " * n, max_tokens=10_000)) for n in range(30)), "utf-8")
    log, router = read_log(path), LLMRouter(rules("anthropic/claude-3-haiku", 60))  # whose answers end at 4,096 tokens
    before = run(log, router)
    router.rules = rules("openai/gpt-4o-mini", 30)
    after, fresh = run(log, router), run(read_log(path), router)
    assert after.summary == fresh.summary
    assert after.requests().equals(fresh.requests())
    kept = run(read_log(path), LLMRouter(rules("anthropic/claude-3-haiku", 60)))
    assert before.summary == kept.summary
    assert before.requests().equals(kept.requests())


def priced(folder: Path, said: dict[str, Any]) -> PriceBook:
    """A price book with something said of one more model."""
    path = folder / "prices.yaml"
    path.write_text(yaml.safe_dump({"as_of": date(2026, 11, 23), "models": said}), "utf-8")
    return PriceBook.load([path])


def test_other_prices_are_charged_without_reading_again(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = read_log(path)
    replayed(log, book, tmp_path / "first")
    price = {"effective_from": date(2020, 1, 1), "source": "https://example.com/prices", "input_usd_per_mtok": 100}
    dear = priced(tmp_path, {"openai/gpt-4o": {"prices": [price | {"output_usd_per_mtok": 100}]}})
    monkeypatch.setattr(Log, "batches", lambda *_, **__: pytest.fail("read again"))
    base = Scenario.always("openai/gpt-4o", dear)
    after = replay(log, base, Scenario("same", AlwaysUse("openai/gpt-4o"), dear))[1]
    # 30 x (1,000 + 100) tokens at $100 per million
    assert after.summary["baseline"]["usd"] == "3.3"
    assert after.summary["as_logged"]["usd"] == "3.3"


def test_a_price_book_that_knows_more_of_the_log_s_models_reads_again(tmp_path: Path, book: PriceBook) -> None:
    log = read_log([call(n, model="our-own-deployment") for n in range(3)])
    base = Scenario.always("openai/gpt-4o", book)
    assert replay(log, base)[0].summary["as_logged"]["usd"] is None
    knows = priced(tmp_path, {"openai/gpt-4o": {"names": ["our-own-deployment"]}})
    base = Scenario.always("openai/gpt-4o", knows)
    # 3 x (1,000 tokens at $2.50 + 100 at $10) per million
    assert replay(log, base)[0].summary["as_logged"]["usd"] == "0.0105"
