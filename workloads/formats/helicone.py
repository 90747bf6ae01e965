"""Helicone's requests: the provider's bodies with counts, cost and properties beside them.

docs.helicone.ai/rest/request: `prompt_cache_read_tokens` and `prompt_cache_write_tokens` follow the provider's own
meaning, so the response body's usage block is read where it was kept.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import msgspec

from workloads.bodies import read_exchange
from workloads.counts import Usage
from workloads.formats.envelope import Record, decoded, kept, milliseconds, money, text
from workloads.formats.exchanges import lay_over
from workloads.formats.times import read_time
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "Helicone"

MODELS = ("response_model", "model", "request_model", "model_override")
COSTS = ("cost", "costUSD", "cost_usd")
NO_CACHE = "00000000-0000-0000-0000-000000000000"
COUNTS = {
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "total_tokens": "total_tokens",
    "prompt_cache_read_tokens": "cache_read_input_tokens",
    "prompt_cache_write_tokens": "cache_creation_input_tokens",
    "reasoning_tokens": "reasoning_tokens",
}
ANTHROPIC = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens", "total_tokens": "stated_total"}


def detect(record: Record) -> str | None:
    """Why this record is Helicone's; None when it is not."""
    if "request_created_at" in record and ("request_body" in record or "response_created_at" in record):
        return "it has `request_created_at`"
    return None


def read(record: Record, zone: tzinfo) -> Row:
    """One row.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = Row()
    row.provider = (kept(row, text, "provider", record.get("provider")) or "").lower() or None
    row.request_id = kept(row, text, "request_id", record.get("request_id"))
    row.user_id = kept(row, text, "request_user_id", record.get("request_user_id"))
    row.arrived_at = read_time("request_created_at", record.get("request_created_at"), zone, row)
    row.latency_ms = kept(row, milliseconds, "delay_ms", record.get("delay_ms"))
    row.ttft_ms = kept(row, milliseconds, "time_to_first_token", record.get("time_to_first_token"))
    cost = next((name for name in COSTS if record.get(name) is not None), "cost")
    row.recorded_usd = money(cost, record.get(cost))
    row.model = next((text(name, record[name]) for name in MODELS if record.get(name)), None)
    properties = decoded("request_properties", record.get("request_properties"))
    if isinstance(properties, dict) and properties:
        row.meta = msgspec.json.encode(properties).decode()
        row.session_id = kept(row, text, "Helicone-Session-Id", properties.get("Helicone-Session-Id"))
    status = record.get("response_status")
    path = next((record[name] for name in ("target_url", "request_path") if isinstance(record.get(name), str)), None)
    lay_over(row, _exchange(record, row, path, status))
    row.usage = _usage(record, row)
    if isinstance(status, int) and status < 0:  # cancelled, timed out or still pending
        row.status = "error"
    if str(record.get("cache_reference_id") or NO_CACHE) != NO_CACHE or record.get("cache_hit") is True:
        row.status = "cached"
    return row


def _exchange(record: Record, row: Row, url: str | None, status: Any) -> Any:
    asked, answered = record.get("request_body"), record.get("response_body")
    return read_exchange(
        asked if isinstance(asked, dict | str) else None,
        answered if isinstance(answered, dict | str | list) else None,
        url=url,
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        provider=row.provider,
    )


def _usage(record: Record, row: Row) -> Usage:
    if row.usage.input_total is not None or row.usage.output_total is not None:
        return row.usage
    names = COUNTS | ANTHROPIC if "anthropic" in (row.provider or "") else COUNTS
    block = {ours: record[theirs] for theirs, ours in names.items() if record.get(theirs) is not None}
    return read_usage(block, provider=row.provider) if block else row.usage
