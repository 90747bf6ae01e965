"""The same `Log` replayed again is not read again, unless a file has changed."""

import json
from pathlib import Path

import pytest

from pricing import PriceBook
from router import AlwaysUse, load_rules
from simulator import ReplayResult, Scenario, replay
from tests.simulator.conftest import call
from workloads import Log, read_log


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


def test_a_file_that_has_changed_is_read_again(path: Path, book: PriceBook, tmp_path: Path) -> None:
    log = read_log(path)
    assert replayed(log, book, tmp_path / "first").run.facts.rows == 30
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps(call(99)))
    assert replayed(log, book, tmp_path / "again").run.facts.rows == 31


def test_another_price_book_reads_again(path: Path, book: PriceBook, tmp_path: Path) -> None:
    log = read_log(path)
    replayed(log, book, tmp_path / "first")
    overlay = tmp_path / "prices.yaml"
    overlay.write_text(
        "as_of: 2026-11-23\nmodels:\n  openai/gpt-4o:\n    prices:\n      - effective_from: 2020-01-01\n"
        "        source: https://example.com/prices\n        input_usd_per_mtok: 100\n"
        "        output_usd_per_mtok: 100\n",
        "utf-8",
    )
    dear = PriceBook.load([overlay])
    base = Scenario.always("openai/gpt-4o", dear)
    after = replay(log, base, Scenario("same", AlwaysUse("openai/gpt-4o"), dear))[1]
    # 30 x (1,000 + 100) tokens at $100 per million
    assert after.summary["baseline"]["usd"] == "3.3"
