"""A provider's exchange laid over a row: what the bodies say, where the log around them says nothing better."""

from __future__ import annotations

from workloads.bodies import Exchange
from workloads.formats.envelope import fill
from workloads.rows import Row


def lay_over(row: Row, exchange: Exchange) -> None:
    """Take over a whole call from its bodies; id, time, model and provider only where the row has none."""
    fill(row, exchange)
    row.request_id = row.request_id or exchange.response_id
    row.model = row.model or exchange.model
    row.provider = row.provider or exchange.provider
    if exchange.api != "unknown":
        row.call_type = exchange.call_type
    row.completion, row.usage = exchange.completion, exchange.usage
    row.status = "error" if exchange.status == "error" and row.status == "ok" else row.status
