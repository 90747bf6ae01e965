"""Bedrock's invocation logs: whole bodies, streams as lists of events, bodies that lie elsewhere."""

from copy import deepcopy
from typing import Any

from tests.workloads.format_samples import BEDROCK_LOG, CLAUDE_RESULT
from tests.workloads.reading import buckets, read


def one(**output: Any) -> dict[str, Any]:
    """The row of the log with another output."""
    [row], problems = read([{**deepcopy(BEDROCK_LOG), "output": {"outputTokenCount": 50, **output}}])
    assert not problems.counts
    return row


def test_an_invocation_holds_its_call() -> None:
    [row], problems = read([BEDROCK_LOG])
    assert not problems.counts
    assert buckets(row) == (400, 600, 0, 0, 50, 0)
    assert (row["system"], row["prompt"], row["completion"]) == ("Be brief.", "Two and two?", "Four.")
    assert (row["request_id"], row["provider"], row["max_output_tokens"]) == ("b1", "aws", 64)
    assert row["model"] == "anthropic.claude-3-5-sonnet-20240620-v1:0"


def test_a_streamed_answer_is_a_list_of_its_events() -> None:
    events = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Fo"}}},
        {"contentBlockDelta": {"delta": {"text": "ur."}}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 400, "outputTokens": 50, "totalTokens": 450}}},
    ]
    row = one(outputBodyJson=events)
    assert (row["completion"], buckets(row), row["status"]) == ("Four.", (400, 0, 0, 0, 50, 0), "ok")


def test_an_invoked_models_own_body_is_read_as_its_providers() -> None:
    asked = {"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user", "content": "Hi"}]}
    answered = CLAUDE_RESULT["result"]["message"]
    record = {**BEDROCK_LOG, "operation": "InvokeModel", "input": {"inputBodyJson": asked}}
    [row], _ = read([{**record, "output": {"outputBodyJson": answered}}])
    assert (row["prompt"], row["completion"], buckets(row)) == ("Hi", "Four.", (400, 600, 0, 0, 50, 0))
    assert row["provider"] == "aws"


def test_where_a_body_lies_elsewhere_the_counts_beside_it_are_taken() -> None:
    row = one(outputBodyS3Path="s3://bucket/key")
    assert (row["prompt"], row["completion"], buckets(row)) == ("Two and two?", None, (400, 0, 0, 0, 50, 0))


def test_a_model_may_be_named_by_its_arn() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0"
    [row], _ = read([{**BEDROCK_LOG, "modelId": arn}])
    assert row["model"] == "us.anthropic.claude-sonnet-4-20250514-v1:0"
