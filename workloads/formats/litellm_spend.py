"""LiteLLM's SpendLogs: one row a call of the proxy's table, from its database, its API or an export.

github.com/BerriAI/litellm, `schema.prisma`: `cache_hit` is a text, `metadata` and the bodies are JSON as text, and
`metadata.usage_object` holds the provider's own usage block, whose parts the flat counts leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import msgspec

from workloads.counts import Usage
from workloads.formats.envelope import Record, call_type, decoded, elapsed, kept, money, text
from workloads.formats.exchanges import lay_over
from workloads.formats.times import read_time
from workloads.formats.transcript import loosely, read_transcript
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "LiteLLM SpendLogs"

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
# What a caller sends along; the rest of LiteLLM's metadata is its own, keys and their hashes among it.
OWN_META = ("spend_logs_metadata", "requester_metadata")
REQUEST_KEYS = ("tools", "response_format", "max_tokens", "max_completion_tokens", "service_tier")


def detect(record: Record) -> str | None:
    """Why this record is a spend log; None when it is not."""
    if "spend" in record and "startTime" in record and ("request_id" in record or "call_type" in record):
        return "it has `spend` and `startTime`"
    return None


def read(record: Record, zone: tzinfo) -> Row:
    """One row.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = around(record, zone)
    row.request_id = kept(row, text, "request_id", record.get("request_id"))
    row.session_id = kept(row, text, "session_id", record.get("session_id"))
    row.recorded_usd = money("spend", record.get("spend"))
    metadata = decoded("metadata", record.get("metadata"))
    metadata = metadata if isinstance(metadata, dict) else {}
    _meta(row, metadata, record)
    asked = loosely(record.get("proxy_server_request"))
    request = dict(asked) if isinstance(asked, dict) and asked.get("messages") else {}
    said = request.get("messages") or loosely(record.get("messages")) or None
    more = {key: request[key] for key in REQUEST_KEYS if key in request}
    body(row, record, said, loosely(record.get("response")) or None, more)
    usage = metadata.get("usage_object")
    row.usage = counted(record, usage if isinstance(usage, dict) else None, row)
    return row


def around(record: Record, zone: tzinfo) -> Row:
    """What both of LiteLLM's formats write around a call."""
    row = Row(model=text("model", record.get("model")))
    row.provider = kept(row, text, "custom_llm_provider", record.get("custom_llm_provider"))
    user = record.get("end_user") or record.get("user")
    row.user_id = kept(row, text, "user", user)
    row.call_type = kept(row, call_type, "call_type", record.get("call_type")) or "chat"
    row.arrived_at = read_time("startTime", record.get("startTime"), zone, row)
    end = read_time("endTime", record.get("endTime"), zone, row)
    first = read_time("completionStartTime", record.get("completionStartTime"), zone, row)
    row.latency_ms = elapsed(row.arrived_at, end)
    if first is not None and end is not None and first < end:  # without a stream it is the end
        row.ttft_ms = elapsed(row.arrived_at, first)
    row.notes = list({note[0]: note for note in row.notes}.values())
    if str(record.get("status") or "").lower() == "failure":
        row.status = "error"
    elif str(record.get("cache_hit")).lower() == "true":
        row.status = "cached"
    return row


def body(row: Row, record: Record, asked: Any, answered: Any, more: Mapping[str, Any]) -> None:
    """The call's own text and what it asked for; the row's kind of call stands, since LiteLLM names it."""
    kind, status = row.call_type, row.status
    lay_over(row, read_transcript(asked, answered, provider=row.provider, more=more))
    row.call_type = kind if record.get("call_type") else row.call_type
    row.status = status if status != "ok" else row.status


def counted(record: Record, block: Mapping[str, Any] | None, row: Row) -> Usage:
    """The provider's own block where it was kept, else that of the response, else the flat counts."""
    api = "openai_embeddings" if row.call_type == "embedding" else "openai_chat"
    if block:
        usage = read_usage(block, provider=row.provider, api=api)
        if usage.input_total is not None:
            return usage
    if row.usage.input_total is not None:
        return row.usage
    flat = {name: record[name] for name in COUNTS if record.get(name) is not None}
    if row.status == "error" and not any(flat.values()):
        return Usage(notes=("no_usage_block",))
    return read_usage(flat, provider=row.provider, api=api)


def _meta(row: Row, metadata: Mapping[str, Any], record: Record) -> None:
    meta: dict[str, Any] = {}
    for key in OWN_META:
        if isinstance(own := metadata.get(key), dict):
            meta |= own
    tags = loosely(record.get("request_tags"))
    meta |= {"tags": tags} if isinstance(tags, list) and tags else {}
    meta |= {key: record[key] for key in ("team_id", "model_group") if record.get(key)}
    row.meta = msgspec.json.encode(meta).decode() if meta else None
