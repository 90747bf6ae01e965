"""Request and response bodies side by side, as a proxy or a recorder keeps them: `request` and `response`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from workloads.bodies import read_exchange
from workloads.formats.envelope import EPOCH, MICROSECOND, Record, read_envelope
from workloads.rows import Row

NAME = "request+response pairs"


def detect(record: Record) -> str | None:
    """Why this record is a pair; None when it is not."""
    held = isinstance(record.get("request"), Mapping | str | None) and isinstance(record.get("response"), Mapping | str | list)
    return "it has `request` and `response`" if held and "request" in record else None


def read(record: Record, zone: tzinfo) -> Row:
    """One row, whichever provider's bodies the pair holds.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = read_envelope(record, zone)
    request, response = record["request"], record["response"]
    status = record.get("status")
    url = next((record[key] for key in ("url", "uri", "path") if isinstance(record.get(key), str)), None)
    exchange = read_exchange(
        request,
        response,
        url=url or (record.get("host") if isinstance(record.get("host"), str) else None),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        provider=row.provider,
    )
    row.request_id = row.request_id or exchange.response_id
    row.arrived_at = row.arrived_at if row.arrived_at is not None else _micros(exchange.created)
    row.model, row.provider, row.call_type = exchange.model, exchange.provider, exchange.call_type
    row.system, row.prompt = exchange.system, exchange.prompt or "" if exchange.messages else None
    row.messages, row.n_messages = exchange.messages or None, exchange.n_messages
    row.has_tools, row.has_images, row.json_mode = exchange.has_tools, exchange.has_images, exchange.json_mode
    row.max_output_tokens, row.service_tier = exchange.max_output_tokens, exchange.service_tier
    row.completion, row.usage = exchange.completion, exchange.usage
    row.status = "error" if exchange.status == "error" else row.status
    return row


def _micros(when: datetime | None) -> int | None:
    # The request came before its answer was made; the body's own time is the nearest that is known.
    return None if when is None else (when - EPOCH) // MICROSECOND


