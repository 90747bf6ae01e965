"""OpenRouter's generation records, and its activity export: billed on the model's native tokens.

openrouter.ai/docs/api-reference/get-a-generation: `native_tokens_prompt` includes the cached part, and
`native_tokens_completion` the reasoning; `tokens_*` beside them are normalised. The activity page's CSV has one row a
generation under names of its own, and there `tokens_*` are the billed ones.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import msgspec

from workloads.formats.cells import number
from workloads.formats.envelope import Record, kept, milliseconds, text
from workloads.formats.times import read_time
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "OpenRouter generations"

BLOCK = ("native_tokens_prompt", "native_tokens_completion", "native_tokens_reasoning", "native_tokens_cached")
META = ("provider_name", "app_id", "app_name", "origin", "api_type", "finish_reason")
EXPORT = {
    "generation_id": "id",
    "created_at": "created_at",
    "cost_total": "total_cost",
    "byok_usage_inference": "upstream_inference_cost",
    "tokens_prompt": "native_tokens_prompt",
    "tokens_completion": "native_tokens_completion",
    "tokens_reasoning": "native_tokens_reasoning",
    "tokens_cached": "native_tokens_cached",
    "generation_time_ms": "generation_time",
    "time_to_first_token_ms": "latency",
    "finish_reason_normalized": "finish_reason",
    "user": "external_user",
    "provider_name": "provider_name",
    "app_name": "app_name",
}
TEXTS = ("id", "created_at", "external_user", "finish_reason", "provider_name", "app_name")


def detect(record: Record) -> str | None:
    """Why this record is a generation; None when it is not."""
    if _is_exported(record):
        return "it has `generation_id` and `model_permaslug`: a row of the activity export"
    return "it has `native_tokens_prompt`" if "native_tokens_prompt" in record else None


def read(record: Record, zone: tzinfo) -> Row:
    """One row: `total_cost` is what OpenRouter charged; with one's own key, the upstream's charge comes on top.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    if _is_exported(record):
        record = _exported(record)
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


def _is_exported(record: Record) -> bool:
    return "generation_id" in record and "model_permaslug" in record


def _exported(record: Record) -> Record:
    """A row of the activity export under the names of a generation record."""
    found = {ours: value for theirs, ours in EXPORT.items() if (value := record.get(theirs)) not in (None, "")}
    found |= {name: number(value) for name, value in found.items() if name not in TEXTS}
    slug, variant = record["model_permaslug"], record.get("variant")
    plain = variant in (None, "", "standard") or not isinstance(slug, str) or ":" in slug
    flags = {name: str(record.get(name)).lower() == "true" for name in ("cancelled", "streamed")}
    own_key = isinstance(upstream := found.get("upstream_inference_cost"), int | float) and upstream > 0
    return found | flags | {"model": slug if plain else f"{slug}:{variant}", "is_byok": own_key}
