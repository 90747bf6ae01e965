import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from problems import BackrouteError
from simulator.counterfactual import Parameters, predict_reasoning
from simulator.counterfactual.reasoning import family_of_reasoning
from simulator.counterfactual.reasoning_fit import fit_reasoning

PARAMS = Parameters.load()
VISIBLE = np.array([0.0, 10.0, 100.0, 1000.0])


def recorded(path: Path, usages: Sequence[tuple[str, object]]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as out:
        for model, usage in usages:
            out.write(json.dumps({"model": model, "usage": [{"where": "usage", "usage": usage}]}) + "\n")
    return path


@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "groq/llama-3.1-8b-instant"])
def test_models_that_do_not_think_unasked_have_none(model: str) -> None:
    expected, log_sd = predict_reasoning(PARAMS, model, VISIBLE, VISIBLE)
    assert not expected.any()
    assert log_sd == 0


@pytest.mark.parametrize("model", ["openai/o3-mini", "openai/gpt-5-mini", "google/gemini-2.5-pro", "x/qwq-32b"])
def test_thinking_models_have_more_for_longer_answers_and_wide_doubt(model: str) -> None:
    expected, log_sd = predict_reasoning(PARAMS, model, VISIBLE, VISIBLE)
    assert (expected > 0).all()
    assert (np.diff(expected) >= 0).all()
    assert log_sd >= 1


def test_newer_gpt_5_models_think_less_often_than_the_first() -> None:
    first, later = (
        predict_reasoning(PARAMS, name, VISIBLE, VISIBLE)[0][2] for name in ("openai/gpt-5", "openai/gpt-5.4")
    )
    assert later < first / 2


def test_families_are_told_apart_by_name() -> None:
    assert family_of_reasoning("openai/o4-mini") == "o-series"
    assert family_of_reasoning("openai/gpt-5") == "gpt-5"
    assert family_of_reasoning("openai/gpt-5.2") == "gpt-5.1 and later"
    assert family_of_reasoning("openai/gpt-5-chat-latest") is None
    assert family_of_reasoning("groq/openai/gpt-oss-120b") == "gpt-oss"


def test_rows_and_source_stand_beside_every_family() -> None:
    for row in PARAMS.reasoning.values():
        assert row["rows"] > 0
        assert "recorded provider responses" in row["source"]
    assert sum(row["rows"] for name, row in PARAMS.reasoning.items() if name != "*") == PARAMS.reasoning["*"]["rows"]


def test_visible_tokens_exclude_hidden_ones_at_openai_and_not_at_gemini(tmp_path: Path) -> None:
    """OpenAI's 164 completion tokens include 64 hidden, so 100 are visible; Gemini's 100 candidates exclude them.

    Both then say 64 hidden beside 100 visible, so the two families get one intercept.
    """
    openai = {"completion_tokens": 164, "completion_tokens_details": {"reasoning_tokens": 64}}
    gemini = {"candidatesTokenCount": 100, "thoughtsTokenCount": 64}
    spread = {"candidatesTokenCount": 10, "thoughtsTokenCount": 20}
    other = {"completion_tokens": 30, "completion_tokens_details": {"reasoning_tokens": 20}}
    usages = [("gpt-5", openai), ("gpt-5", other), ("gemini-3-pro", gemini), ("gemini-3-pro", spread)]
    table = fit_reasoning(recorded(tmp_path / "r.jsonl.gz", usages))
    assert table["gpt-5"]["intercept"] == pytest.approx(table["gemini-3"]["intercept"])


def test_responses_without_hidden_tokens_lower_the_share(tmp_path: Path) -> None:
    """Of 2 thinking and 3 silent responses, with the prior's 5 thinking ones: (2 + 5) / (5 + 5) = 0.7."""
    usage = [{"completion_tokens": n, "completion_tokens_details": {"reasoning_tokens": r}} for n, r in
             [(164, 64), (30, 20), (10, 0), (10, 0), (10, 0)]]  # fmt: skip
    table = fit_reasoning(recorded(tmp_path / "r.jsonl.gz", [("gpt-5", each) for each in usage]))
    assert table["gpt-5"]["share"] == pytest.approx(0.7)
    assert (table["gpt-5"]["rows"], table["gpt-5"]["responses"]) == (2, 5)


def test_arrays_of_unlike_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        predict_reasoning(PARAMS, "openai/o3", np.ones(2), np.ones(3))


def test_missing_recordings_are_said(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="no such file"):
        fit_reasoning(tmp_path / "none.jsonl.gz")
