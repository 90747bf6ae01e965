"""Batch jobs: requests and results, wherever they stand, at the batch tier's price."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pricing import AsOf, PriceBook
from simulator.inspection import inspect_log
from tests.workloads.format_samples import BATCH_REQUEST, BATCH_RESULT, CLAUDE_REQUEST, CLAUDE_RESULT
from tests.workloads.reading import buckets, not_calls, read
from workloads import read_log

PAIRS = pytest.mark.parametrize(
    ("request_line", "result_line"),
    [(BATCH_REQUEST, BATCH_RESULT), (CLAUDE_REQUEST, CLAUDE_RESULT)],
    ids=["openai", "anthropic"],
)


@PAIRS
@pytest.mark.parametrize("turned", [False, True])
def test_a_result_is_joined_with_its_request_from_another_file(
    request_line: dict[str, Any], result_line: dict[str, Any], turned: bool, tmp_path: Path
) -> None:
    paths = [tmp_path / "requests.jsonl", tmp_path / "results.jsonl"]
    for path, line in zip(paths, (request_line, result_line), strict=True):
        path.write_text(json.dumps(line) + "\n")
    [row], problems = read(paths[::-1] if turned else paths)
    assert not_calls(problems) == {"request of a batch result": 1}
    assert (row["system"], row["prompt"], row["completion"]) == ("Be brief.", "Two and two?", "Four.")
    assert (buckets(row), row["max_output_tokens"]) == ((400, 600, 0, 0, 50, 0), 64)
    assert row["service_tier"] == row["served_tier"] == "batch"


@PAIRS
@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_far_down_a_file_of_other_calls_is_joined(
    request_line: dict[str, Any], result_line: dict[str, Any], turned: bool
) -> None:
    calls = [{"prompt": f"call {number}"} for number in range(100)]
    pair = [request_line, result_line][:: -1 if turned else 1]
    rows, problems = read([*calls, pair[0], {"prompt": "between"}, pair[1]])
    assert not_calls(problems) == {"request of a batch result": 1}
    assert [row["prompt"] for row in rows].count("Two and two?") == 1
    assert len(rows) == 102


@PAIRS
def test_either_file_alone_is_read(request_line: dict[str, Any], result_line: dict[str, Any]) -> None:
    [row], _ = read([result_line])
    assert (row["prompt"], buckets(row)) == (None, (400, 600, 0, 0, 50, 0))
    [row], _ = read([request_line])
    assert (row["prompt"], buckets(row)) == ("Two and two?", (None,) * 6)


def test_a_batch_costs_half_of_the_price_of_its_day(tmp_path: Path) -> None:
    """(400 x 2.5 + 600 x 1.25 + 50 x 10) / 10^6 = $0.00225 at the standard price; half of it is $0.001125."""
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(BATCH_RESULT))
    seen = inspect_log(read_log(path), PriceBook.load(), AsOf.parse("2024-12-01"))
    [model] = seen.models.values()
    assert Decimal(model.recomputed) / 10**12 == Decimal("0.001125")


def test_ids_used_again_by_the_next_job_join_in_order() -> None:
    second = {**BATCH_REQUEST, "body": {**BATCH_REQUEST["body"], "messages": [{"role": "user", "content": "Next"}]}}
    rows, problems = read([BATCH_REQUEST, BATCH_RESULT, second, {**BATCH_RESULT, "id": "batch_req_2"}])
    assert [row["prompt"] for row in rows] == ["Two and two?", "Next"]
    assert not_calls(problems) == {"request of a batch result": 2}


def test_a_result_tried_again_finds_its_request_again() -> None:
    failed = {"id": "e1", "custom_id": "r1", "response": None, "error": {"code": "batch_expired", "message": "late"}}
    rows, _ = read([BATCH_REQUEST, failed, BATCH_RESULT])
    assert [(row["status"], row["prompt"]) for row in rows] == [("error", "Two and two?"), ("ok", "Two and two?")]
    assert rows[0]["input_uncached"] is None


@pytest.mark.parametrize("kind", ["errored", "canceled", "expired"])
def test_a_message_batchs_other_results_used_nothing(kind: str) -> None:
    [row], _ = read([{"custom_id": "r1", "result": {"type": kind, "error": {"type": "error"}}}])
    assert (row["status"], buckets(row), row["provider"]) == ("error", (None,) * 6, "anthropic")


def test_a_result_of_an_unknown_kind_is_a_problem() -> None:
    rows, problems = read([{"custom_id": "r1", "result": {"type": "sleeping"}}])
    assert (rows, problems.counts) == ([], {"unknown_result": 1})


def test_the_body_of_a_message_batchs_request_holds_many() -> None:
    rows, _ = read([{"requests": [CLAUDE_REQUEST, {**CLAUDE_REQUEST, "custom_id": "r2"}]}])
    assert [row["request_id"] for row in rows] == ["r1", "r2"]


def test_a_request_whose_result_is_no_object_is_a_request(tmp_path: Path) -> None:
    (tmp_path / "batch.jsonl").write_text(json.dumps(CLAUDE_REQUEST | {"result": "none yet"}) + "\n")
    rows, problems = read(tmp_path / "batch.jsonl")
    assert ([row["completion"] for row in rows], problems.set_aside) == ([None], 0)
