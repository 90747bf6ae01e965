from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from router import LLMRouter, RoutingRule, mentions
from simulator.scores import scores
from tests.simulator.conftest import Replayed, call

ROUTER = LLMRouter(
    [
        RoutingRule("sums", mentions("sum"), "groq", "llama-3.1-8b-instant"),
        RoutingRule("talk", mentions("talk"), "openai", "gpt-4o-mini"),
        RoutingRule("default", None, "openai", "gpt-4o"),
    ],
    name="by kind",
)


def rows(n: int = 90, **fields: Any) -> list[dict[str, Any]]:
    """A third each of scored sums (half of them right), unlabelled talk, and the rest."""
    kinds = (
        {"prompt": "sum", "label": "reasoning"},
        {"prompt": "talk"},
        {"prompt": "other", "label": "code"},
    )
    return [call(i, **kinds[i % 3], feedback={"score": i % 2}, **fields) for i in range(n)]


def predicted(replayed: Replayed, logged: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    _, after = replayed(logged, ROUTER, **options)
    found: dict[str, Any] = after.summary["quality"]["predicted"]
    saved = sum(Decimal(value) for value in found["saving_usd"].values())
    shown = "savings" if after.summary["headline"] == "baseline" else "savings_vs_as_logged"
    assert saved == Decimal(after.summary[shown]["usd"])
    return found


def test_the_saving_is_split_into_what_keeps_quality_what_does_not_and_what_is_unknown(replayed: Replayed) -> None:
    found = predicted(replayed, rows())
    by_rule = {each["rule"]: each for each in found["slices"]}
    assert by_rule["default"]["keeps"] is True
    assert by_rule["default"]["basis"] == "same model"
    assert by_rule["talk"]["keeps"] is None
    assert by_rule["talk"]["routed_quality"] is None
    sums = by_rule["sums"]
    assert (sums["model"], sums["against"], sums["task"]) == ("groq/llama-3.1-8b-instant", "openai/gpt-4o", "reasoning")
    assert sums["baseline_quality"] == pytest.approx(0.5, abs=0.02)
    assert sums["difference"] < -0.1
    assert sums["low"] < sums["difference"] < sums["high"]
    assert found["scored"] == 90
    assert found["saving_usd"]["keeps"] == "0"


def test_scores_of_the_routed_model_in_the_same_log_come_first(replayed: Replayed) -> None:
    """120 sums on either model: gpt-4o is right in 60, llama in all but 6: as good, surely."""
    logged = [
        call(
            i,
            prompt="sum",
            label="reasoning",
            model=("gpt-4o", "groq/llama-3.1-8b-instant")[i % 2],
            feedback=str(int(i % 4 == 0 or (i % 2 == 1 and i > 12))),
        )
        for i in range(240)
    ]
    found = predicted(replayed, logged)
    (only,) = found["slices"]
    assert (only["basis"], only["tasks"]) == ("log", [])
    assert only["baseline_quality"] == pytest.approx(0.5, abs=0.01)
    assert only["routed_quality"] == pytest.approx(114 / 120, abs=0.01)
    assert only["keeps"] is True


def test_the_prediction_speaks_of_the_headlines_comparison(replayed: Replayed) -> None:
    """The log is of gpt-4o, so a baseline of Claude 3 Opus is hypothetical, and the headline is against the log."""
    found = predicted(replayed, rows(), baseline="anthropic/claude-3-opus")
    sums = next(each for each in found["slices"] if each["rule"] == "sums")
    assert sums["against"] == "openai/gpt-4o"
    assert sums["basis"] == "log and public outcomes"


def test_a_log_without_labels_or_scores_predicts_nothing(replayed: Replayed) -> None:
    found = predicted(replayed, [call(i, prompt="talk") for i in range(20)])
    assert [(each["keeps"], each["basis"], each["low"]) for each in found["slices"]] == [(None, "unknown", None)]


def test_a_score_is_a_number_from_0_to_1_or_true_or_false_and_nothing_else() -> None:
    texts = ["1", "0.25", "true", '{"score": 0.5}', '{"correct": false}', "5", "-1", '"good"', "not json", "null", None]
    assert scores(pa.array(texts)).tolist() == [1000, 250, 1000, 500, 0, -1, -1, -1, -1, -1, -1]


def test_a_log_without_feedback_has_no_scores() -> None:
    assert scores(pa.array([None, None], pa.string())).tolist() == [-1, -1]
