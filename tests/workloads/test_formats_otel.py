"""OpenTelemetry spans in every spelling: the same call each time."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.workloads.format_samples import GENAI, OPENINFERENCE
from tests.workloads.reading import buckets, not_calls, read

DEPRECATED = {
    "gen_ai.system": "openai",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.max_tokens": 64,
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Two and two?",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Four.",
    "gen_ai.usage.prompt_tokens": "1000",
    "gen_ai.usage.completion_tokens": "50",
    "gen_ai.usage.cache_read_input_tokens": "600",
    "session.id": "s1",
    "user.id": "ann",
}
AI_SDK = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.model.id": "gpt-4o",
    "ai.model.provider": "openai.responses",
    "ai.settings.maxOutputTokens": 64,
    "ai.prompt.messages": '[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Two and two?"}]}]',  # noqa: E501
    "ai.response.text": "Four.",
    "ai.usage.inputTokens": "1000",
    "ai.usage.cachedInputTokens": "600",
    "ai.usage.outputTokens": "50",
    "ai.telemetry.metadata.sessionId": "s1",
    "ai.telemetry.metadata.userId": "ann",
}
TIMES = {"start_time": "2024-06-01T10:00:00Z", "end_time": "2024-06-01T10:00:02Z"}


def otlp(attributes: dict[str, Any]) -> dict[str, Any]:
    """An OTLP JSON export of one span."""
    listed = [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in attributes.items()
    ]
    span = {
        "traceId": "t1",
        "spanId": "a1",
        "name": "chat gpt-4o",
        "startTimeUnixNano": "1717236000000000000",
        "endTimeUnixNano": "1717236002000000000",
        "attributes": listed,
        "status": {},
    }
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}


SPELLINGS = {
    "current": GENAI,
    "otlp": otlp(GENAI["attributes"]),
    "deprecated": {"span_id": "a1", "name": "chat", **TIMES, "attributes": DEPRECATED},
    "openinference": OPENINFERENCE,
    "table": {**TIMES, **{f"attributes.{key}": value for key, value in OPENINFERENCE["attributes"].items()}},
    "ai sdk": {
        "name": "ai.generateText.doGenerate",
        "spanContext": {"spanId": "a1"},
        "startTime": [1_717_236_000, 0],
        "endTime": [1_717_236_002, 0],
        "attributes": AI_SDK,
    },
}


@pytest.mark.parametrize("record", SPELLINGS.values(), ids=SPELLINGS)
def test_a_span_is_one_call_in_every_spelling(record: dict[str, Any]) -> None:
    """1,000 in, of them 600 read from the cache: 400 uncached."""
    [row], problems = read([record])
    assert not problems.counts
    assert buckets(row) == (400, 600, 0, 0, 50, 0)
    assert row["model"].startswith("gpt-4o")
    assert (row["provider"], row["session_id"], row["user_id"]) == ("openai", "s1", "ann")
    assert (row["system"], row["prompt"], row["completion"]) == ("Be brief.", "Two and two?", "Four.")
    assert (row["max_output_tokens"], row["latency_ms"]) == (64, 2_000)
    assert row["arrived_at"] == datetime(2024, 6, 1, 10, tzinfo=UTC)


def test_javascripts_pairs_of_seconds_and_nanoseconds_are_times() -> None:
    [row], _ = read([{**SPELLINGS["ai sdk"], "startTime": [1_717_236_000, 250_000_000]}])
    assert row["arrived_at"] == datetime(2024, 6, 1, 10, 0, 0, 250_000, UTC)
    assert row["latency_ms"] == 1_750


def test_more_cached_than_input_means_that_the_input_leaves_the_cache_out() -> None:
    attributes = {**GENAI["attributes"], "gen_ai.usage.input_tokens": 4}
    [row], _ = read([{**GENAI, "attributes": attributes}])
    assert buckets(row) == (4, 600, 0, 0, 50, 0)


def test_attributes_alone_are_enough() -> None:
    [row], _ = read([GENAI["attributes"]])
    assert (buckets(row), row["arrived_at"]) == ((400, 600, 0, 0, 50, 0), None)


def test_agents_tools_and_other_spans_are_no_calls() -> None:
    kinds = ["invoke_agent", "execute_tool", "create_agent"]
    spans = [{**GENAI, "span_id": kind, "attributes": {"gen_ai.operation.name": kind}} for kind in kinds]
    http = {"name": "GET /", "spanId": "h", "attributes": [{"key": "http.method", "value": {"stringValue": "GET"}}]}
    rows, problems = read([*spans, http, {**OPENINFERENCE, "attributes": {"openinference.span.kind": "CHAIN"}}])
    assert not rows
    assert not_calls(problems) == {"agent": 2, "tool": 1, "span": 2}


def test_a_call_traced_by_two_instrumentations_is_one_call() -> None:
    inner, others = {**OPENINFERENCE, "parent_id": "a1"}, [{"prompt": f"call {number}"} for number in range(50)]
    for between in ([], others):
        rows, problems = read([*between, GENAI, inner])
        assert [row["request_id"] for row in rows[len(between) :]] == ["b1"]
        assert not_calls(problems) == {"wrapper of a call": 1}


def test_a_failed_span_is_an_error_and_an_image_is_seen() -> None:
    parts = '[{"role": "user", "parts": [{"type": "uri", "modality": "image", "uri": "https://a/b.png"}]}]'
    attributes = {**GENAI["attributes"], "gen_ai.input.messages": parts}
    [row], _ = read([{**GENAI, "status": {"code": "STATUS_CODE_ERROR"}, "attributes": attributes}])
    assert (row["status"], row["has_images"]) == ("error", True)


def test_an_embedding_has_no_output() -> None:
    attributes = {"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "text-embedding-3-small", "ai.usage.tokens": 10}
    [row], _ = read([{"name": "embed", "spanContext": {"spanId": "e"}, "attributes": attributes}])
    assert (row["call_type"], buckets(row)) == ("embedding", (10, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ("gcp.vertex.agent", "google"),
        ("aws.bedrock", "aws"),
        ("az.ai.inference", "azure"),
        ("google.generative-ai", "google"),
        ("openai.chat", "openai"),
        ("x.ai", "x.ai"),
        ("anthropic", "anthropic"),
    ],
)
def test_a_providers_product_is_the_provider(said: str, provider: str) -> None:
    attributes = {**GENAI["attributes"], "gen_ai.provider.name": said}
    [row], _ = read([{**GENAI, "attributes": attributes}])
    assert row["provider"] == provider
