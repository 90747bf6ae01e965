"""Any table, by a mapping file."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from problems import BackrouteError
from tests.workloads.reading import buckets, read
from workloads import read_log

MAPPING = """
question: prompt
engine: model
asked at: timestamp
used.in: input_tokens
used.out: output_tokens
price: recorded_usd
took: latency_ms
squad: metadata.team
"""
ROW = {
    "question": "123",
    "engine": "gpt-4o",
    "asked at": "2024-06-01T10:00:00Z",
    "used.in": 1_000,
    "used.out": 50,
    "price": 0.003,
    "took": 2_000,
    "squad": "red",
    "other": "kept out",
}


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "map.yaml"
    path.write_text(MAPPING)
    return path


def write(kind: str, folder: Path) -> Path:
    path = folder / f"log.{kind}"
    if kind == "csv":
        pd.DataFrame([ROW]).to_csv(path, index=False)
    elif kind == "parquet":
        pd.DataFrame([ROW]).to_parquet(path)
    elif kind == "json":
        path.write_text(json.dumps([ROW], indent=2))
    else:
        nested = {key: value for key, value in ROW.items() if not key.startswith("used")}
        path.write_text(json.dumps(nested | {"used": {"in": 1_000, "out": 50}}))
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "jsonl"])
def test_a_row_is_the_same_call_whatever_file_holds_it(kind: str, tmp_path: Path, mapping: Path) -> None:
    [row], problems = read(write(kind, tmp_path), mapping=mapping)
    assert not problems.counts
    assert (row["prompt"], row["model"], row["latency_ms"]) == ("123", "gpt-4o", 2_000)
    assert row["arrived_at"] == datetime(2024, 6, 1, 10, tzinfo=UTC)
    assert buckets(row) == (1_000, 0, 0, 0, 50, 0)
    assert (row["recorded_usd"], row["meta"]) == (Decimal("0.003"), '{"team":"red"}')


def test_a_row_without_a_mapped_column_is_a_problem() -> None:
    rows, problems = read([{"a": "Hi"}, {"b": "Ho"}], mapping={"a": "prompt"})
    assert ([row["prompt"] for row in rows], problems.counts) == (["Hi"], {"not_in_format": 1})


def test_what_begins_with_an_equals_sign_is_the_same_in_every_row() -> None:
    held = [{"a": "Hi", "=x": "y"}, {"a": "Ho"}, {"b": "no"}]
    rows, problems = read(held, mapping={"a": "prompt", "= openai/gpt-4o": "model", "=x": "metadata.x"})
    assert [(row["prompt"], row["model"], row["meta"]) for row in rows] == [
        ("Hi", "openai/gpt-4o", '{"x":"y"}'),
        ("Ho", "openai/gpt-4o", '{"x":"x"}'),
    ]
    assert problems.counts == {"not_in_format": 1}


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("question: promt", "did you mean 'prompt'"),
        ("question: 5", "unknown field"),
        ("question: metadata.", "unknown field"),
        ("a: prompt\nb: prompt", "two columns"),
        ("- a", "holds no mapping"),
        ("", "holds no mapping"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_an_error(held: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(held)
    with pytest.raises(BackrouteError, match=said):
        read_log([{}], mapping=path)


def test_a_missing_mapping_or_one_beside_a_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="cannot be read"):
        read_log([{}], mapping=tmp_path / "none.yaml")
    with pytest.raises(BackrouteError, match="--log-format"):
        read_log([{}], mapping={"a": "prompt"}, log_format="chat")


@pytest.mark.parametrize("value", [None, True, 5, "x", [], {}, [[]], {"a": {}}])
def test_any_value_in_a_mapped_column_is_a_row_or_a_problem(value: Any) -> None:
    for column in ROW:
        mapped = yaml.safe_load(MAPPING)
        rows, problems = read([{**ROW, column: value}], mapping=mapped)
        assert len(rows) + problems.set_aside == 1
