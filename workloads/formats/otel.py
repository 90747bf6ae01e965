"""OpenTelemetry spans of model calls: the GenAI conventions, current and deprecated, OpenInference, and the AI SDK's.

opentelemetry.io/docs/specs/semconv/gen-ai and github.com/Arize-ai/openinference/spec. `gen_ai.usage.input_tokens` is to
include cached tokens; where it cannot, because more was cached, the cached part is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import msgspec

from workloads.counts import Usage
from workloads.formats.cells import number
from workloads.formats.envelope import Record, elapsed, kept, milliseconds, money, text
from workloads.formats.exchanges import lay_over
from workloads.formats.nesting import Nesting
from workloads.formats.not_a_call import NotACallError
from workloads.formats.otel_text import answered_of, asked_of, wanted_of
from workloads.formats.providers import provider_name
from workloads.formats.spans import Span, first, is_span, read_span
from workloads.formats.times import read_time
from workloads.formats.transcript import loosely, read_transcript
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "OpenTelemetry spans"

MODEL = (
    *("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "ai.response.model", "ai.model.id"),
    *("llm.response.model", "llm.request.model", "embedding.model_name"),
)
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")
SESSION = ("gen_ai.conversation.id", "session.id", "langfuse.session.id", "ai.telemetry.metadata.sessionId")
USER = ("user.id", "enduser.id", "langfuse.user.id", "ai.telemetry.metadata.userId")
ID = ("gen_ai.response.id", "ai.response.id")
COST = ("gen_ai.usage.cost", "llm.cost.total", "gen_ai.usage.total_cost", "operation.cost")
TTFT_S = ("gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token")
TTFT_MS = ("ai.response.msToFirstChunk",)
TIER = ("openai.response.service_tier", "gen_ai.openai.response.service_tier", "gen_ai.openai.request.service_tier")
# One figure under the names of each convention, as `workloads.usage` reads it.
COUNTS = {
    "prompt_tokens": (
        *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
        *("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens", "llm.usage.prompt_tokens"),
    ),
    "completion_tokens": (
        *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
        *("ai.usage.outputTokens", "ai.usage.completionTokens", "llm.usage.completion_tokens"),
    ),
    "total_tokens": (
        *("llm.token_count.total", "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "ai.usage.totalTokens"),
    ),
    "cache_read_input_tokens": (
        *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "ai.usage.cachedInputTokens"),
        *("llm.token_count.prompt_details.cache_read", "gen_ai.usage.details.cache_read_tokens"),
        *("gen_ai.usage.details.cached_tokens", "gen_ai.usage.details.cache_read_input_tokens"),
    ),
    "cache_creation_input_tokens": (
        *("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens"),
        *("llm.token_count.prompt_details.cache_write", "gen_ai.usage.details.cache_write_tokens"),
        "gen_ai.usage.details.cache_creation_input_tokens",
    ),
    "reasoning_tokens": (
        *("gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning"),
        *("ai.usage.reasoningTokens", "gen_ai.usage.details.reasoning_tokens", "llm.usage.reasoning_tokens"),
    ),
}
OPERATIONS = {"chat": "chat", "text_completion": "chat", "generate_content": "chat", "completion": "chat"}
OPERATIONS |= {"embeddings": "embedding", "embedding": "embedding", "llm": "chat"}


def detect(record: Record) -> str | None:
    """Why this record is a span; None when it is not."""
    return is_span(record)


class Reader:
    """Spans in the light of those below them."""

    def __init__(self) -> None:
        self._nesting = Nesting()

    def survey(self, record: Record) -> None:
        """The first pass: who stands below whom."""
        span = read_span(record)
        self._nesting.add(span.span_id, span.parent_id, is_call=_kind(span) in OPERATIONS.values())

    def read(self, record: Record, zone: tzinfo) -> Row:
        """One row.

        Raises:
            NotACallError: a span that is no model call, or that wraps one.
            RowError, UsageError: a field that cannot be meant.
        """
        span = read_span(record)
        kind = _kind(span)
        if kind not in OPERATIONS.values():
            raise NotACallError(kind, "a span that is no model call: its usage, if any, repeats that of calls below")
        if self._nesting.wraps(span.span_id):
            raise NotACallError("wrapper of a call", "a call's span around another call's: one call recorded twice")
        return _row(span, kind, zone)


def _kind(span: Span) -> str:
    """chat or embedding, or what the span is instead."""
    held = span.attributes
    operation = first(held, ("openinference.span.kind", "gen_ai.operation.name", "llm.request.type", "span_kind"))
    if isinstance(operation, str) and operation:
        known = OPERATIONS.get(operation.lower())
        if known is None:
            return "agent" if "agent" in operation.lower() else "tool" if "tool" in operation.lower() else "span"
        return known
    step = held.get("ai.operationId")
    if isinstance(step, str):
        if ".do" not in step:
            return "wrapper of a call"
        return "embedding" if "embed" in step.lower() else "chat"
    return "chat" if _usage_block(held) and first(held, MODEL) else "span"


def _row(span: Span, kind: str, zone: tzinfo) -> Row:
    held = span.attributes
    row = Row(call_type=kind, model=text("model", first(held, MODEL)))
    row.provider = provider_name(kept(row, text, "provider", first(held, PROVIDER)))
    row.request_id = kept(row, text, "id", first(held, ID) or span.span_id)
    row.session_id = kept(row, text, "session", first(held, SESSION))
    row.user_id = kept(row, text, "user", first(held, USER))
    row.arrived_at = read_time("start_time", span.start, zone, row)
    end = read_time("end_time", span.end, zone, row)
    row.latency_ms = elapsed(row.arrived_at, end)
    waited = kept(row, milliseconds, TTFT_MS[0], number(first(held, TTFT_MS)))
    seconds = kept(row, milliseconds, TTFT_S[0], number(first(held, TTFT_S)))
    row.ttft_ms = waited if seconds is None else elapsed(0, round(seconds * 1_000_000))
    lay_over(row, read_transcript(asked_of(span), answered_of(span), provider=row.provider, more=wanted_of(held)))
    row.call_type = kind
    row.service_tier = kept(row, text, "service_tier", first(held, TIER)) or row.service_tier
    block = _usage_block(held)
    if block:
        row.usage = _usage(block, row)
    row.recorded_usd = money("cost", first(held, COST))
    row.status = "error" if span.failed else row.status
    meta = held.get("metadata")
    own = {key.partition("metadata.")[2]: value for key, value in held.items() if "metadata." in key}
    own |= meta if isinstance(meta := loosely(meta), dict) else {}
    row.meta = msgspec.json.encode(own).decode() if own else None
    return row


def _usage(block: Mapping[str, Any], row: Row) -> Usage:
    api = "openai_embeddings" if row.call_type == "embedding" else "openai_chat"
    # The conventions count reasoning inside the output, whoever was called, unless the total says otherwise.
    return read_usage(block, provider=None, api=api)


def _usage_block(held: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: number(first(held, names)) for name, names in COUNTS.items()}
    return {name: value for name, value in found.items() if value is not None}
