"""Rehearsals with known truth: real questions, recorded answers of real models, marked by right answers."""

import gzip
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricing import PriceBook
from quality import ByGold, Pair
from quality.plan import make_plan
from quality.population import Population, Request, Slice
from quality.scoring import Scores
from quality.stats import log_evidence
from quality.verdict import GOOD, WORSE, find, observed
from tests.quality.stand_ins import StandIn, check_of, replayed

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "outcomes"
NAMES = {
    "gpt-4o": "gpt-4o-2024-08-06", "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "llama-3.1-8b-instant": "Meta-Llama-3.1-8B-Instruct", "llama-3.3-70b-versatile": "Meta-Llama-3.1-70B-Instruct",
    "claude-3-5-sonnet": "claude-3-5-sonnet-20241022",
}  # fmt: skip
RULES = """
rules:
  - {name: school, when: {meta: {task: gsm}}, use: openai/gpt-4o-mini}
  - {name: contest, when: {meta: {task: math-l5}}, use: groq/llama-3.1-8b-instant}
  - {name: default, use: openai/gpt-4o}
"""
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="needs the shared outcomes")


@cache
def outcomes(task: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Recorded answers by model and question."""
    with gzip.open(DATA / f"zeroeval_outputs_{task}.jsonl.gz", "rt") as file:
        return {(row["model"], str(row["id"])): row for row in map(json.loads, file)}


@cache
def questions() -> list[dict[str, Any]]:
    with gzip.open(DATA / "zeroeval_questions.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


def differences(task: str, model: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Per question, 1 where only this model was marked right, -1 where only gpt-4o was."""
    held = outcomes(task)
    ids = [id_ for name, id_ in held if name == NAMES["gpt-4o"]]
    marks = np.array([[float(bool(held[NAMES[name], id_]["correct"])) for name in ("gpt-4o", model)] for id_ in ids])
    return np.asarray(marks[:, 1] - marks[:, 0])


def population(*tasks: tuple[str, str]) -> tuple[Population, np.ndarray[Any, np.dtype[np.float64]]]:
    """A slice per (task, model), its requests' costs by the length of gpt-4o's answer, and the true differences."""
    truth = [differences(*task) for task in tasks]
    code = np.repeat(np.arange(len(tasks)), [len(each) for each in truth])
    held = [outcomes(task) for task, _ in tasks]
    lengths = [float(len(row["output"])) for rows in held for (name, _), row in rows.items() if name == NAMES["gpt-4o"]]
    slices = tuple(
        Slice(model, task, model, "openai/gpt-4o", len(t), len(t), 10**12)
        for (task, model), t in zip(tasks, truth, strict=True)
    )
    rows = np.arange(len(code))
    return Population(rows, code, np.array(lengths), np.zeros(len(code), bool), slices, Counter()), np.concatenate(
        truth
    )


@pytest.fixture
def planned_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans without their power, which is simulated and takes most of a run's time."""
    for place in ("quality.plan", "quality.verdict"):
        monkeypatch.setattr(f"{place}.draws_to_settle", lambda *_, **__: None)
    monkeypatch.setattr("quality.plan.chance", lambda *_, **__: 0.0)


@pytest.mark.usefixtures("planned_fast")
@pytest.mark.parametrize(
    ("task", "model"),
    [("math-l5", "gpt-4o-mini"), ("math-l5", "llama-3.3-70b-versatile"), ("gsm", "llama-3.1-8b-instant")],
)
def test_a_model_at_the_margin_passes_in_at_most_one_run_of_twenty(task: str, model: str) -> None:
    """The margin is set to the model's true loss; each of 200 seeded runs looks after every tenth of 600 draws."""
    people, truth = population((task, model))
    margin, passed = -float(truth.mean()), 0
    for seed in range(200):
        plan = make_plan(people, 600, margin=margin, level=0.05, seed=seed)
        seen = plan.slice_weight[plan.draws] * truth[plan.draws]
        looks = (log_evidence(seen[:n], -margin, plan.reach(0)) for n in range(10, 601, 10))
        passed += any(evidence >= -np.log(0.05) for evidence in looks)
    assert passed <= 0.05 * 200


@pytest.mark.usefixtures("planned_fast")
def test_over_200_runs_the_verdicts_agree_with_the_truth_of_the_whole_data() -> None:
    """The margin is 5 points, the draws 1,000 over three slices.

    Against gpt-4o, claude-3.5-sonnet gains 0.5 points on GSM8K, gpt-4o-mini loses 1.9 there, and llama-3.1-8b loses 33
    on level-5 maths. No run may say otherwise: each truth is far from the margin. The power, measured: sonnet passes in
    98% of the runs, mini, whose truth is nearer to the margin, in 20%, and llama-8b fails in all.
    """
    people, truth = population(
        ("gsm", "claude-3-5-sonnet"), ("gsm", "gpt-4o-mini"), ("math-l5", "llama-3.1-8b-instant")
    )
    found: Counter[tuple[str, str]] = Counter()
    for seed in range(200):
        plan = make_plan(people, 1_000, margin=0.05, level=0.05, seed=seed)
        pairs = {row: Pair(_request(row), scores=Scores(float(truth[row]))) for row in plan.rows}
        verdict = find(plan, pairs, margin=0.05, level=0.05, seed=seed)
        passed = 0
        for each, finding in zip(people.slices, verdict.slices, strict=True):
            found[each.name, finding.verdict] += 1
            passed += finding.verdict == GOOD
        assert verdict.verified_pico == passed * 10**12, "a saving is claimed for slices that pass, and for no other"
    print(found)
    assert found["claude-3-5-sonnet", WORSE] == found["gpt-4o-mini", WORSE] == found["llama-3.1-8b-instant", GOOD] == 0
    assert found["claude-3-5-sonnet", GOOD] >= 180
    assert found["gpt-4o-mini", GOOD] >= 20
    assert found["llama-3.1-8b-instant", WORSE] == 200


@pytest.mark.usefixtures("planned_fast")
def test_answers_that_are_still_missing_hold_back_those_behind_them() -> None:
    people, truth = population(("gsm", "gpt-4o-mini"))
    plan = make_plan(people, 100, margin=0.05, level=0.05, seed=0)
    pairs = {row: Pair(_request(row), scores=Scores(float(truth[row]))) for row in plan.rows}
    del pairs[plan.rows[40]]
    assert len(observed(plan, pairs, 0)) == plan.population.row[plan.draws].tolist().index(plan.rows[40])
    pairs[plan.rows[40]] = Pair(_request(plan.rows[40]), dropped="refused")
    assert len(observed(plan, pairs, 0)) >= 98


@pytest.mark.slow
def test_a_check_of_two_thousand_real_questions_comes_to_the_verdict_of_all_of_them(
    tmp_path: Path, book: PriceBook
) -> None:
    answers = {
        (name, row["prompt"]): outcomes(row["task"])[recorded, str(row["id"])]["output"]
        for row in questions()
        for name, recorded in NAMES.items()
    }
    rows = [
        {
            "request_id": f"{row['task']} {row['id']}", "timestamp": "2026-06-01T00:00:00Z", "model": "gpt-4o",
            "prompt": row["prompt"], "response": answers["gpt-4o", row["prompt"]], "metadata": {"task": row["task"]},
        }
        for row in questions()
    ]  # fmt: skip
    gold = {f"{row['task']} {row['id']}": str(row["gold"]) for row in questions()}
    log, out = replayed(tmp_path, rows, RULES)
    check = check_of(log, out, ByGold(gold), book, sample=1_200)
    sides = {name: StandIn(name, lambda model, text: answers[model, text]) for name in ("openai", "groq")}
    result = check.run(sides, 10**12)
    names = [each.name for each in check.plan.population.slices]
    found = dict(zip(names, result.verdict.slices, strict=True))
    assert found["contest"].verdict == WORSE
    assert found["school"].verdict == GOOD
    for name, task, model in (("contest", "math-l5", "llama-3.1-8b-instant"), ("school", "gsm", "gpt-4o-mini")):
        low, high = found[name].low_pct, found[name].high_pct
        assert low is not None
        assert high is not None
        assert low < 100 * differences(task, model).mean() < high
    assert all(n == 1 for side in sides.values() for n in side.calls.values())


def _request(row: int) -> Request:
    return Request(row, str(row), "r", "a/b", "c/d", None, None, (), None)
