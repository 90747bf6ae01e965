"""OpenRouter's generation records: billed on the model's native tokens, not on the normalised `tokens_*`.

openrouter.ai/docs/api-reference/get-a-generation. `native_tokens_prompt` includes the cached part, and
`native_tokens_completion` the reasoning.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import msgspec

from workloads.formats.envelope import Record, kept, milliseconds, text
from workloads.formats.times import read_time
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "OpenRouter generations"

BLOCK = ("native_tokens_prompt", "native_tokens_completion", "native_tokens_reasoning", "native_tokens_cached")
META = ("provider_name", "app_id", "origin", "api_type", "finish_reason")


def detect(record: Record) -> str | None:
    """Why this record is a generation; None when it is not."""
    return "it has `native_tokens_prompt`" if "native_tokens_prompt" in record else None


def read(record: Record, zone: tzinfo) -> Row:
    """One row: `total_cost` is what OpenRouter charged; with one's own key, the upstream's charge comes on top.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = Row(provider="openrouter", model=text("model", record.get("model")))
    row.request_id = kept(row, text, "id", record.get("id"))
    row.user_id = kept(row, text, "external_user", record.get("external_user"))
    row.session_id = kept(row, text, "session_id", record.get("session_id"))
    row.arrived_at = read_time("created_at", record.get("created_at"), zone, row)
    row.latency_ms = kept(row, milliseconds, "generation_time", record.get("generation_time"))
    waited = kept(row, milliseconds, "latency", record.get("latency"))
    # With a stream, `latency` ends at the first token.
    if record.get("streamed"):
        row.ttft_ms = waited
    row.latency_ms = max((part for part in (row.latency_ms, waited) if part is not None), default=None)
    block: dict[str, Any] = {name: record[name] for name in BLOCK if record.get(name) is not None}
    block |= {"cost": record.get("total_cost"), "is_byok": record.get("is_byok")}
    block["cost_details"] = {"upstream_inference_cost": record.get("upstream_inference_cost")}
    row.usage = read_usage(block, provider="openrouter")
    if record.get("cancelled") is True or record.get("finish_reason") == "error":
        row.status = "error"
    meta = {name: record[name] for name in META if record.get(name) is not None}
    row.meta = msgspec.json.encode(meta).decode() if meta else None
    return row
