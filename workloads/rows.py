"""Rows on their way into columns: one call as a format read it, and batches of them as Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from workloads.bodies import Message
from workloads.counts import Usage
from workloads.schema import BUCKETS, MESSAGE, OUTCOME, REQUEST


@dataclass(slots=True)
class Row:
    """One call; fields are the columns of `workloads.schema`, with the six buckets in `usage`. None is unknown.

    `arrived_at` is microseconds since 1970 UTC; where a trace's clock starts at 0, `since_start` is microseconds of it.
    `notes` are (kind, field, value, effect, fix) of things worth a note on a row that is kept.
    """

    request_id: str | None = None
    arrived_at: int | None = None
    session_id: str | None = None
    user_id: str | None = None
    model: str | None = None
    provider: str | None = None
    call_type: str = "chat"
    system: str | None = None
    prompt: str | None = None
    messages: Sequence[Message] | None = None
    n_messages: int | None = None
    has_tools: bool = False
    has_images: bool = False
    json_mode: bool = False
    max_output_tokens: int | None = None
    latency_budget_ms: float | None = None
    service_tier: str | None = None
    meta: str | None = None
    label: str | None = None
    usage: Usage = field(default_factory=Usage)
    completion: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    status: str = "ok"
    recorded_usd: Decimal | None = None
    feedback: str | None = None
    since_start: int | None = None
    notes: list[tuple[str, str, object, str, str]] = field(default_factory=list)


class RowError(Exception):
    """A row that cannot be kept as it stands: becomes a `Problem` with its file and line."""

    def __init__(self, field: str, value: object, kind: str, fix: str) -> None:
        super().__init__(kind)
        self.field, self.value, self.kind, self.fix = field, value, kind, fix


OWN_COLUMNS = [name for name in REQUEST.names if name != "messages"]
USAGE_COLUMNS = {*BUCKETS, "input_provenance", "output_provenance", "served_tier"}


def to_batches(rows: Sequence[Row]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The rows as (requests, outcomes) in the schemas' columns."""
    columns = {name: pa.array(list(map(attrgetter(name), rows)), REQUEST.field(name).type) for name in OWN_COLUMNS}
    columns["messages"] = _messages(rows)
    requests = pa.RecordBatch.from_arrays([columns[name] for name in REQUEST.names], schema=REQUEST)
    return requests, pa.RecordBatch.from_arrays([_outcome(rows, each) for each in OUTCOME], schema=OUTCOME)


def _messages(rows: Sequence[Row]) -> pa.Array:
    flat = [message for row in rows for message in row.messages or ()]
    fields = [pa.array([message[i] for message in flat], pa.string()) for i in range(3)]
    offsets = np.cumsum([0, *(len(row.messages or ()) for row in rows)]).astype(np.int32)
    unknown = pa.array([row.messages is None for row in rows])
    values = pa.StructArray.from_arrays(fields, fields=list(MESSAGE))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=pa.list_(MESSAGE), mask=unknown)


def _outcome(rows: Sequence[Row], column: pa.Field) -> pa.Array:
    name = column.name
    values: list[Any]
    usages = [row.usage for row in rows]
    if name == "input_provenance":
        values = [each.provenance if each.input_uncached is not None else None for each in usages]
    elif name == "output_provenance":
        values = [each.provenance if each.output_text is not None else None for each in usages]
    elif name in USAGE_COLUMNS:
        values = list(map(attrgetter(name), usages))
    elif name == "recorded_usd":
        values = [row.recorded_usd if row.recorded_usd is not None else row.usage.recorded_usd for row in rows]
    else:
        values = list(map(attrgetter(name), rows))
    return pa.array(values, column.type)
