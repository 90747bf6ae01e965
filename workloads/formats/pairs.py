"""Request and response bodies side by side, as a proxy or a recorder keeps them: `request` and `response`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from workloads.bodies import read_exchange
from workloads.formats.chat import MODEL
from workloads.formats.envelope import Record, fill, kept, pick, read_envelope, text
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "request+response pairs"


def detect(record: Record) -> str | None:
    """Why this record is a pair; None when it is not, as where `request` is the prompt's own text."""
    if "request" not in record or "response" not in record:
        return None
    request, response = record["request"], record["response"]
    asked = _is_body(request) and (response is None or isinstance(response, Mapping | str | list))
    fetched = request in (None, "") and (isinstance(response, list) or _is_body(response))  # nothing was posted
    return "it has `request` and `response`" if asked or fetched else None


def _is_body(value: Any) -> bool:
    begins = value.lstrip()[:6] if isinstance(value, str) else ""
    return isinstance(value, Mapping) or begins.startswith(("{", "data:", "event:"))


def read(record: Record, zone: tzinfo) -> Row:
    """One row, whichever provider's bodies the pair holds.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = read_envelope(record, zone)
    status = record.get("status")
    exchange = read_exchange(
        record["request"],
        record["response"],
        url=next((record[key] for key in ("url", "uri", "path", "host") if isinstance(record.get(key), str)), None),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        provider=row.provider,
    )
    row.request_id = row.request_id or exchange.response_id
    row.model = exchange.model or kept(row, text, *pick(record, MODEL))
    row.provider = exchange.provider
    row.call_type = row.call_type if record.get("call_type") else exchange.call_type
    fill(row, exchange)
    row.completion, row.usage = exchange.completion, exchange.usage
    if "no_usage_block" in row.usage.notes and isinstance(block := record.get("usage"), Mapping):
        row.usage = read_usage(block, provider=row.provider, api=exchange.api)
    row.status = "error" if exchange.status == "error" else row.status
    return row
