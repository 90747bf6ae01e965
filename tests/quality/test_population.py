"""What can be drawn for live calls."""

import json
from pathlib import Path
from typing import Any

import pytest

from backroute.run import run_replay
from pricing import PriceBook
from quality.population import read_population
from simulator import Assumptions
from simulator.money import Scale
from simulator.state.settings import State
from workloads import read_log

LONG = "alpha beta gamma delta " * 400


@pytest.mark.parametrize("state", [State(), State(cache=None)])
def test_a_call_made_alone_is_expected_to_find_no_cache(tmp_path: Path, book: PriceBook, state: State) -> None:
    """Both calls move to gpt-4o-mini, where the second reads 1,920 of 2,000 tokens, as it did on gpt-4o.

    Sent alone each costs 2,000 x $0.15 + 100 x $0.60 = $360 per million, simulated or not; the answers on gpt-4o are
    in the log.
    """
    rows: list[dict[str, Any]] = [
        {
            "request_id": f"r{n}",
            "timestamp": f"2026-06-01T12:00:{10 * n:02d}Z",
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": LONG}],
            "completion": "yes",
            "usage": {
                "prompt_tokens": 2000,
                "completion_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 1920 * n},
            },
        }
        for n in range(2)
    ]
    path, rules, out = tmp_path / "log.jsonl", tmp_path / "rules.yaml", tmp_path / "out"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    rules.write_text("rules:\n  - {name: all, use: openai/gpt-4o-mini}\n", "utf-8")
    said = Assumptions(output="as_logged")
    summary = run_replay(
        read_log(path), rules=str(rules), baseline="openai/gpt-4o", out=out, assumptions=said, state=state
    )
    assert ("cache" in summary) == bool(state.cache)
    log = read_log(path)
    found = read_population(out, log, summary["manifest"]["digests"]["log"], book, Scale(1.0))
    assert found.known.all()
    assert found.cost.tolist() == [360e6, 360e6]
