"""Rows on their way into columns: one call as a format read it, and batches of them as Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from workloads.bodies import Message
from workloads.counts import Usage
from workloads.schema import BUCKETS, MESSAGE, OUTCOME, REQUEST


class Row(msgspec.Struct):
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
    usage: Usage = Usage()
    completion: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    status: str = "ok"
    recorded_usd: Decimal | None = None
    feedback: str | None = None
    since_start: int | None = None
    notes: list[tuple[str, str, object, str, str]] = []


class RowError(Exception):
    """A row that cannot be kept as it stands: becomes a `Problem` with its file and line."""

    def __init__(self, field: str, value: object, kind: str, fix: str) -> None:
        super().__init__(kind)
        self.field, self.value, self.kind, self.fix = field, value, kind, fix


@dataclass(frozen=True)
class Strings:
    """The texts of some rows as strings of Python's, for who needs those and would else make them again.

    Args:
        messages: of every message, row by row; None where one has no text.
        completions: of every row; None where it has none.
    """

    messages: Sequence[str | None]
    completions: Sequence[str | None]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Strings:
        """Those of rows."""
        return cls([text for row in rows for _, _, text in row.messages or ()], [row.completion for row in rows])

    def __add__(self, more: Strings) -> Strings:
        return Strings([*self.messages, *more.messages], [*self.completions, *more.completions])

    def take(self, lengths: Sequence[int], numbers: Iterable[int]) -> Strings:
        """Those of the rows of some numbers; `lengths` says how many messages each row has."""
        begin, at = [0, *accumulate(lengths)], list(numbers)
        messages = [text for row in at for text in self.messages[begin[row] : begin[row + 1]]]
        return Strings(messages, [self.completions[row] for row in at])


Columns = tuple[pa.RecordBatch, pa.RecordBatch]  # requests and outcomes, row by row the same call
OWN_COLUMNS = [name for name in REQUEST.names if name != "messages"]


def to_batches(rows: Sequence[Row]) -> Columns:
    """The rows as (requests, outcomes) in the schemas' columns."""
    columns = {name: pa.array(list(map(attrgetter(name), rows)), REQUEST.field(name).type) for name in OWN_COLUMNS}
    columns["messages"] = _messages(rows)
    requests = pa.RecordBatch.from_arrays([columns[name] for name in REQUEST.names], schema=REQUEST)
    costs = [row.recorded_usd for row in rows]
    after = usage_columns([row.usage for row in rows], costs)
    for column in OUTCOME:
        if column.name not in after:
            after[column.name] = pa.array(list(map(attrgetter(column.name), rows)), column.type)
    return requests, pa.RecordBatch.from_arrays([after[name] for name in OUTCOME.names], schema=OUTCOME)


def usage_columns(usages: Sequence[Usage], costs: Sequence[Decimal | None]) -> dict[str, pa.Array]:
    """The outcome columns that usage blocks give, with the costs that the log states beside them."""
    said = list(map(attrgetter(*BUCKETS, "provenance", "served_tier", "recorded_usd"), usages))
    columns: list[Sequence[Any]] = list(zip(*said, strict=True)) or [()] * (len(BUCKETS) + 3)
    found = dict(zip((*BUCKETS, "provenance", "served_tier", "recorded_usd"), columns, strict=True))
    provenance = found.pop("provenance")
    found |= {
        f"{side}_provenance": [
            None if first is None else who for first, who in zip(found[bucket], provenance, strict=True)
        ]
        for side, bucket in (("input", "input_uncached"), ("output", "output_text"))
    }
    found["recorded_usd"] = [
        own if cost is None else cost for cost, own in zip(costs, found["recorded_usd"], strict=True)
    ]
    return {name: pa.array(values, OUTCOME.field(name).type) for name, values in found.items()}


def _messages(rows: Sequence[Row]) -> pa.Array:
    flat = [message for row in rows for message in row.messages or ()]
    fields = [pa.array([message[i] for message in flat], pa.string()) for i in range(3)]
    offsets = np.cumsum([0, *(len(row.messages or ()) for row in rows)]).astype(np.int32)
    unknown = pa.array([row.messages is None for row in rows], pa.bool_())
    values = pa.StructArray.from_arrays(fields, fields=list(MESSAGE))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=pa.list_(MESSAGE), mask=unknown)
