"""LiteLLM's StandardLoggingPayload: what its callbacks (S3, GCS, webhooks) write, one object a call.

docs.litellm.ai/docs/proxy/logging_spec. Times are epoch seconds, or ISO texts in some callbacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import msgspec

from workloads.formats.envelope import Record, kept, money, text
from workloads.formats.litellm_spend import OWN_META, REQUEST_KEYS, around, body, counted
from workloads.formats.transcript import loosely
from workloads.rows import Row

NAME = "LiteLLM StandardLoggingPayload"


def detect(record: Record) -> str | None:
    """Why this record is a logging payload; None when it is not."""
    if "response_cost" in record and "id" in record and ("call_type" in record or "startTime" in record):
        return "it has `response_cost` and `id`"
    return None


def read(record: Record, zone: tzinfo) -> Row:
    """One row.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = around(record, zone)
    row.request_id = kept(row, text, "id", record.get("id"))
    row.session_id = kept(row, text, "trace_id", record.get("session_id") or record.get("trace_id"))
    row.recorded_usd = money("response_cost", record.get("response_cost"))
    metadata = _object(record.get("metadata"))
    row.meta = _meta(metadata, record)
    parameters = _object(record.get("model_parameters"))
    more = {key: parameters[key] for key in REQUEST_KEYS if key in parameters}
    body(row, record, loosely(record.get("messages")) or None, loosely(record.get("response")) or None, more)
    usage = metadata.get("usage_object")
    row.usage = counted(record, usage if isinstance(usage, dict) else None, row)
    return row


def _object(value: Any) -> Mapping[str, Any]:
    value = loosely(value)
    return value if isinstance(value, dict) else {}


def _meta(metadata: Mapping[str, Any], record: Record) -> str | None:
    meta: dict[str, Any] = {}
    for key in OWN_META:
        meta |= _object(metadata.get(key))
    if isinstance(tags := record.get("request_tags"), list) and tags:
        meta["tags"] = tags
    if record.get("model_group"):
        meta["model_group"] = record["model_group"]
    return msgspec.json.encode(meta).decode() if meta else None
