"""The looks of an experiment with a horizon: told by the log's own times, whoever looks when."""

import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router import Arm, Experiment
from tests.command_line import backroute
from tests.quality.ab.test_ab import NEW, OLD, Talkative

START = datetime(2026, 6, 1, 15, tzinfo=UTC)
A_DAY = 150  # sessions


class Clock:
    """Says what it was set to."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


def ran(path: Path, *, horizon: int | None, sessions: int, failing: float = 0.0) -> list[str]:
    """The log's lines: sessions of a call or two, evenly over the days."""
    clock, rng = Clock(), np.random.default_rng(1)
    arms = [Arm("control", OLD, 50), Arm("candidate", NEW, 50)]
    providers = {"openai": Talkative()}
    running = Experiment("cheap", arms, horizon=horizon, providers=providers, decision_log=path, clock=clock)
    for session in range(sessions):
        for call in range(1 + session % 2):
            clock.at = START + timedelta(days=session / A_DAY, seconds=call)
            text = "word " * int(rng.lognormal(4.5, 1))
            running.complete([{"role": "user", "content": text}], session_id=f"s{session}")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row["decision"]["arm"] == "candidate" and rng.random() < failing:
            row["status"] = "error"
    return [json.dumps(row) for row in rows]


@pytest.fixture(autouse=True, scope="module")
def _in_memory() -> Iterator[None]:
    """Thousands of lines need not each be on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def found(path: Path, lines: Iterable[str]) -> dict[str, Any]:
    path.write_text("".join(line + "\n" for line in lines))
    said = backroute("ab", str(path), "--format", "json")
    assert said.exit_code == 0, said.stderr
    return dict(json.loads(said.stdout))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Ten days towards a horizon of twelve."""
    return ran(tmp_path_factory.mktemp("looks") / "d.jsonl", horizon=12 * A_DAY, sessions=10 * A_DAY)


def until(lines: list[str], end: datetime) -> list[str]:
    return [line for line in lines if datetime.fromisoformat(json.loads(line)["timestamp"]) < end]


def test_looking_more_often_than_daily_shows_the_same_interval(lines: list[str], tmp_path: Path) -> None:
    midnight = datetime(2026, 6, 6, tzinfo=UTC)
    seen = [found(tmp_path / "d.jsonl", until(lines, midnight + timedelta(hours=hours))) for hours in (1, 7, 23.9)]
    assert seen[0]["intervals"] == "horizon"
    assert seen[0]["horizon"]["looks"][-1]["at"] == midnight.isoformat()
    assert seen[0]["horizon"]["next"] == "2026-06-07T00:00:00+00:00"
    assert seen[0]["results"] == seen[1]["results"] == seen[2]["results"]
    assert seen[0]["horizon"] == seen[1]["horizon"] == seen[2]["horizon"]
    later = found(tmp_path / "d.jsonl", until(lines, midnight + timedelta(hours=25)))
    assert later["results"] != seen[0]["results"]


def test_looks_that_were_taken_stay_as_they_were(lines: list[str], tmp_path: Path) -> None:
    """The first two midnights have fewer than 100 units in an arm, and are no looks."""
    early = found(tmp_path / "d.jsonl", until(lines, datetime(2026, 6, 6, 12, tzinfo=UTC)))["horizon"]["looks"]
    late = found(tmp_path / "d.jsonl", lines)["horizon"]["looks"]
    assert [look["at"][:10] for look in late] == [f"2026-06-{day:02d}" for day in range(4, 12)]
    assert early == late[: len(early)]
    spent = [look["spent"] for look in late]
    assert spent == sorted(spent)
    assert 0 < spent[0] < spent[-1] < 0.05


def test_at_its_horizon_an_experiment_has_spent_its_level_and_ends(tmp_path: Path) -> None:
    lines = ran(tmp_path / "d.jsonl", horizon=4 * A_DAY, sessions=6 * A_DAY)
    ended = found(tmp_path / "d.jsonl", lines)
    assert ended["horizon"]["reached"]
    assert ended["horizon"]["next"] is None
    assert ended["horizon"]["looks"][-1]["units"] == 4 * A_DAY
    assert ended["horizon"]["looks"][-1]["spent"] == pytest.approx(0.05)
    just_reached = until(lines, START + timedelta(days=4, hours=1))
    assert found(tmp_path / "d.jsonl", just_reached)["results"] == ended["results"], "later calls are not used"
    words = backroute("ab", str(tmp_path / "d.jsonl")).stdout
    assert "600 of 600 units; 5.00% of 5% spent; the horizon is reached" in words


def test_the_interval_of_a_horizon_is_narrower_at_its_end_than_one_for_ever(tmp_path: Path) -> None:
    widths = []
    for horizon in (4 * A_DAY, None):
        seen = found(tmp_path / "e.jsonl", ran(tmp_path / f"{horizon}.jsonl", horizon=horizon, sessions=4 * A_DAY))
        cost = next(result for result in seen["results"] if result["metric"] == "USD per request")
        widths.append(cost["high"] - cost["low"])
        assert seen["intervals"] == ("for ever" if horizon is None else "horizon")
    assert widths[0] < 0.8 * widths[1]


def test_before_the_first_look_there_is_no_interval(lines: list[str], tmp_path: Path) -> None:
    log = tmp_path / "d.jsonl"
    seen = found(log, until(lines, START + timedelta(hours=6)))
    assert seen["horizon"]["looks"] == []
    assert all(result["low"] is None for result in seen["results"])
    assert "No look yet" in backroute("ab", str(log)).stdout


def test_a_horizon_stated_after_the_beginning_does_not_count(lines: list[str], tmp_path: Path) -> None:
    rows = [json.loads(line) for line in lines]
    for row in rows[:500]:
        row["decision"]["horizon"] = None
    seen = found(tmp_path / "d.jsonl", [json.dumps(row) for row in rows])
    assert (seen["intervals"], seen["horizon"]) == ("for ever", None)
    assert "does not count" in backroute("ab", str(tmp_path / "d.jsonl")).stderr


def test_a_guardrail_does_not_wait_for_a_look(tmp_path: Path) -> None:
    lines = ran(tmp_path / "d.jsonl", horizon=10_000, sessions=3 * A_DAY, failing=0.5)
    log = tmp_path / "e.jsonl"
    log.write_text("".join(line + "\n" for line in until(lines, datetime(2026, 6, 3, 23, tzinfo=UTC))))
    said = backroute("ab", str(log), "--format", "json")
    assert json.loads(said.stdout)["horizon"]["looks"] == []
    assert said.exit_code == 1, "errors breach their guardrail"
    assert backroute("ab", str(log), "--max-errors", "0.9").exit_code == 0
