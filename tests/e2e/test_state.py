"""State from a settings file to the summary."""

import json
from pathlib import Path

import pytest

from tests.command_line import backroute
from tests.simulator.conftest import call

RULES = """
rules:
  - {name: code, when: {mentions: [code]}, use: groq/llama-3.1-8b-instant, fallback: [openai/gpt-4o-mini]}
  - {name: rest, use: openai/gpt-4o}
"""
STATE = """
cache: {}
guards:
  limits: [{of: groq, rpm: 2, max_wait_s: 1}]
  budgets: [{usd: 0.02, by: team, then: openai/gpt-4o-mini}]
retries: {error_pct: {openai: 5}}
tiers: {}
latency: {limit_ms: 1000}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        call(n, timestamp=f"2026-06-01T12:00:{n:02d}Z", prompt="code" if n % 2 else "hi", meta={"team": "a"})
        for n in range(60)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "state.yaml").write_text(STATE)
    return tmp_path


def test_a_settings_file_changes_the_replay_and_says_how(folder: Path) -> None:
    out = folder / "out"
    options = ("--rules", str(folder / "rules.yaml"), "--out", str(out), "--state", str(folder / "state.yaml"))
    said = backroute("replay", str(folder / "log.jsonl"), *options)
    assert said.exit_code == 0, said.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["guards"]["amended"]["limit"] > 2, "two a minute go to Groq, the rest to its fallback"
    assert summary["guards"]["amended"]["budget"] > 10, "a call is $0.0035 and takes a second: spent after six"
    for words in (
        "prompt caches are simulated",
        "guards changed",
        "an answer costs $0.0",
        "the batch tier saves",
        "p50",
    ):
        assert words in said.stderr


def test_a_mistake_in_the_file_names_the_nearest_key_and_exits_with_2(folder: Path) -> None:
    (folder / "state.yaml").write_text("guards: {limit: []}")
    options = ("--rules", str(folder / "rules.yaml"), "--state", str(folder / "state.yaml"), "--out", str(folder / "o"))
    said = backroute("replay", str(folder / "log.jsonl"), *options)
    assert said.exit_code == 2
    assert "unknown key 'limit'" in said.stderr
    assert "limits" in said.stderr
    assert "Traceback" not in said.stderr
