"""`backroute ab` on the log of an experiment that ran."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricing import PriceBook
from quality.ab import analyse
from quality.ab.covariate import replayed_cost
from quality.ab.units import _rating, units_of
from quality.live_calls import lines_of, live_calls
from router import Arm, Experiment, LLMRouter, RoutingRule, length
from router.providers import ProviderFault
from simulator import Assumptions, Scenario, replay
from tests.command_line import backroute
from tests.router.fakes import Fake, answer
from workloads import read_log

OLD = LLMRouter([RoutingRule("all", None, "openai", "gpt-4o")], name="old")
NEW = LLMRouter(
    [RoutingRule("short", length() < 500, "openai", "gpt-4o-mini"), RoutingRule("all", None, "openai", "gpt-4o")]
)


class Talkative(Fake):
    """Counts its input by its length and answers at a length drawn from a seed; some calls fail."""

    def __init__(self, failing: float = 0.0) -> None:
        super().__init__("openai")
        self._rng, self._failing = np.random.default_rng(0), failing

    def complete(self, model: str, messages: Any, **more: Any) -> Any:  # noqa: ARG002
        out, fails = int(self._rng.gamma(4, 20)) + 1, self._rng.random() < self._failing
        if fails and model == "gpt-4o-mini":
            raise ProviderFault("server", "openai")
        usage = {"prompt_tokens": len(messages[-1]["content"]) // 2, "completion_tokens": out}
        return answer(model, usage=usage, latency_ms=100.0 + out)


def ran(path: Path, weight: float = 50, sessions: int = 500, failing: float = 0.0, first: int = 0) -> Path:
    arms = [Arm("control", OLD, 100 - weight), Arm("candidate", NEW, weight)]
    running = Experiment("cheap", arms, providers={"openai": Talkative(failing)}, decision_log=path)
    rng = np.random.default_rng(first)
    for session in range(first, first + sessions):
        for _ in range(1 + session % 2):
            content = "word " * int(rng.lognormal(4.5, 1))
            try:
                running.complete([{"role": "user", "content": content}], session_id=f"s{session}")
            except ProviderFault:
                continue
    return path


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran(tmp_path_factory.mktemp("ab") / "decisions.jsonl")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "old.yaml"
    path.write_text("rules: [{name: all, use: openai/gpt-4o}]")
    return path


def test_the_cheaper_arm_is_found_cheaper_and_nothing_else_is_found(log: Path, rules: Path) -> None:
    said = backroute("ab", str(log), "--rules", str(rules), "--format", "json")
    assert said.exit_code == 0, said.stderr
    found = json.loads(said.stdout)
    assert [arm["arm"] for arm in found["arms"]] == ["control", "candidate"]
    assert sum(arm["units"] for arm in found["arms"]) == 500
    by_metric = {result["metric"]: result for result in found["results"]}
    assert by_metric["USD per request"]["high_pct"] < 0
    assert by_metric["USD per unit"]["high_pct"] < 0
    assert by_metric["ms per answer"]["low"] < 0 < by_metric["ms per answer"]["high"]
    assert by_metric["errors per request"]["guard"] in ("clear", "open")
    assert "feedback" not in by_metric
    assert by_metric["USD per request"]["variance_saved_pct"] > 20
    assert found["sample_ratio_p"] > 0.001


def test_the_table_says_it_in_words(log: Path) -> None:
    said = backroute("ab", str(log))
    assert said.exit_code == 0
    assert "Experiment cheap" in said.stdout
    assert "as assigned" in said.stdout
    assert all(len(line) <= 80 or line.startswith("Experiment") for line in said.stdout.splitlines())


def test_an_arm_whose_calls_fail_breaches_the_guardrail(tmp_path: Path) -> None:
    said = backroute("ab", str(ran(tmp_path / "d.jsonl", failing=0.5)), "--format", "json")
    assert said.exit_code == 1
    guards = {result["metric"]: result["guard"] for result in json.loads(said.stdout)["results"]}
    assert guards["errors per request"] == "breached"


def test_lost_sessions_of_one_arm_are_found_by_the_shares(log: Path, tmp_path: Path) -> None:
    kept = [
        line
        for number, line in enumerate(log.read_text().splitlines())
        if json.loads(line)["decision"]["arm"] == "control" or number % 3 == 0
    ]
    (tmp_path / "d.jsonl").write_text("\n".join(kept) + "\n")
    said = backroute("ab", str(tmp_path / "d.jsonl"))
    assert said.exit_code == 1
    assert "do not trust" in said.stdout


def test_only_what_came_after_the_last_change_of_shares_is_compared(tmp_path: Path) -> None:
    path = ran(tmp_path / "d.jsonl", weight=5, sessions=60)
    ran(path, weight=50, sessions=300, first=60)
    said = backroute("ab", str(path), "--format", "json")
    found = json.loads(said.stdout)
    assert [arm["share"] for arm in found["arms"]] == [0.5, 0.5]
    assert sum(arm["units"] for arm in found["arms"]) == 300
    assert found["left_out"] == {"before the shares changed last": 90}


def test_a_unit_with_a_call_of_unknown_price_has_no_cost_rather_than_a_low_one(log: Path, tmp_path: Path) -> None:
    """Half of the candidate's answers come from a model in no price book: a unit does not get cheaper by that."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    for number, row in enumerate(rows):
        if row["decision"]["arm"] == "candidate" and number % 2:
            row["model"] = "unheard-of"
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    calls = live_calls(lines_of(tmp_path / "d.jsonl"), PriceBook.load())
    units = units_of(calls, experiment=None, unit="session_id", control=None)
    candidate = units.arm == 1
    whole = candidate & (units.sums["priced"] == units.sums["requests"])
    found = next(result for result in analyse(units).results if result.metric == "USD per unit")
    assert found.candidate == pytest.approx(units.sums["usd"][whole].sum() / whole.sum())
    assert whole.sum() < candidate.sum()
    unpriced = sum(row["model"] == "unheard-of" for row in rows)
    assert units.left_out == {"of the figures in USD: their price is not known": unpriced}


def test_a_unit_from_before_the_phase_has_no_first_request_that_its_arm_did_not_touch(tmp_path: Path) -> None:
    path = ran(tmp_path / "d.jsonl", weight=5, sessions=40)
    ran(path, weight=50, sessions=100)
    calls = live_calls(lines_of(path), PriceBook.load())
    units = units_of(calls, experiment=None, unit="session_id", control=None)
    assert len(units.first_request) == 100
    assert units.first_request.count(None) == 40
    covariate = replayed_cost(lines_of(path), units.first_request, OLD, calls, PriceBook.load())
    unknown = [one is None for one in units.first_request]
    assert len(set(covariate[unknown])) == 1, "the mean of the others"


def test_a_log_without_an_experiment_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps({"request_id": "r", "model": "gpt-4o", "prompt": "hi", "usage": {"total_tokens": 3}}))
    said = backroute("ab", str(path))
    assert said.exit_code == 2
    assert "no call of an experiment" in said.stderr


def test_a_plan_speaks_of_sessions_requests_and_days(log: Path, tmp_path: Path) -> None:
    out, book = tmp_path / "out", PriceBook.load()
    copied = Assumptions(output="as_logged")
    scenarios = [Scenario(each.name, each, book, assumptions=copied) for each in (OLD, NEW)]
    replay(read_log(log), *scenarios, out=out)
    found = json.loads(backroute("ab", "plan", str(out), "--effect-pct", "-20", "--format", "json").stdout)
    assert found["units"] == pytest.approx(found["fixed_units"], rel=0.01), "all within a day: a single look"
    assert found["fixed_units"] > 100
    assert found["requests"] == round(found["units"] * found["requests_per_unit"])
    halved = json.loads(
        backroute("ab", "plan", str(out), "--effect-pct", "-20", "--saved-pct", "50", "--format", "json").stdout
    )
    assert halved["fixed_units"] == pytest.approx(found["fixed_units"] / 2, rel=0.01)
    words = backroute("ab", "plan", str(out), "--effect-pct", "-20").stdout
    assert f"horizon: {found['units']}" in words


@pytest.mark.parametrize(("said", "value"), [("4.5", 4.5), ("up", 1.0), ("1e300", None), ("nan", None), ("-inf", None)])
def test_feedback_beyond_any_scale_is_none(said: str, value: float | None) -> None:
    assert _rating(said) == value


def test_an_assignment_that_cannot_be_is_none() -> None:
    decided = {"rule": "r", "experiment": "e", "arm": "a", "share": 0.5, "horizon": 40}
    odd = [{}, {"horizon": 10**30}, {"horizon": -1}, {"share": 1e300}, {"share": -1}]
    lines = [
        json.dumps({"request_id": f"r{n}", "model": "gpt-4o", "prompt": "hi", "decision": decided | each}).encode()
        for n, each in enumerate(odd)
    ]
    assert live_calls(lines, PriceBook.load())["arm"].to_pylist() == ["a", None, None, None, None]
