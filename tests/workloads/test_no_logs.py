"""Files that look like logs and are none: every record is set aside, with the reason and a way on."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.workloads.reading import read

REPORTS: list[dict[str, Any]] = [
    {"date": "2026-06-28", "model": "openai/gpt-4o", "requests": 31, "prompt_tokens": 640_000, "usage": 0.33},
    {"start_time": 1_782_604_800, "num_model_requests": 5, "input_tokens": 5_000, "output_tokens": 700},
    {"object": "bucket", "start_time": 1, "results": [{"input_tokens": 5_000, "num_model_requests": 5}]},
    {"starting_at": "2026-06-28T00:00:00Z", "results": [{"uncached_input_tokens": 5_000, "output_tokens": 700}]},
    {"date": "2026-06-28", "api_requests": "31", "prompt_tokens": "640000", "completion_tokens": "30500"},
]


@pytest.mark.parametrize("record", REPORTS)
def test_a_sum_over_many_calls_is_no_call(record: dict[str, Any]) -> None:
    rows, problems = read([record])
    assert (rows, problems.counts) == ([], {"sum_of_calls": 1})


def test_a_call_may_count_requests_beside_its_text() -> None:
    rows, _ = read([{"prompt": "Hi", "requests": 2}])
    assert len(rows) == 1


OUTCOMES: dict[str, Any] = {
    "sample_id": "mmlu.1",
    "prompt": "Two and two?",
    "gpt-4-1106-preview": 1.0,
    "claude-v2": 0.0,
    "gpt-4-1106-preview|model_response": "Four.",
    "gpt-4-1106-preview|total_cost": 0.0012,
    "claude-v2|model_response": "Five.",
    "claude-v2|total_cost": 0.0009,
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_of_outcomes_is_no_log_but_one_models_columns_can_be_read_as_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"routerbench.{kind}"
    table = pd.DataFrame([OUTCOMES])
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    rows, problems = read(path)
    assert (rows, problems.counts) == ([], {"outcomes_of_many_models": 1})
    assert problems.kept[0].value == "claude-v2, gpt-4-1106-preview"
    mapping = {
        "prompt": "prompt",
        "=openai/gpt-4-1106-preview": "model",
        "gpt-4-1106-preview|model_response": "response",
        "gpt-4-1106-preview|total_cost": "recorded_usd",
    }
    [row], _ = read(path, mapping=mapping)
    assert (row["completion"], row["recorded_usd"]) == ("Four.", Decimal("0.0012"))
