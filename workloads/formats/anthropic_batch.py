"""Anthropic's message batches: `{custom_id, params}` requests and `{custom_id, result}` results, at half price.

platform.claude.com/docs, "Batch processing": a result is succeeded, errored, canceled or expired, and only the first of
these is billed.
"""

from __future__ import annotations

from datetime import tzinfo

from msgspec.structs import replace

from workloads.bodies import read_exchange
from workloads.formats.batch_join import Join, is_id
from workloads.formats.envelope import Record, kept, text
from workloads.formats.exchanges import lay_over
from workloads.rows import Row, RowError

NAME = "Anthropic batch"

RESULTS = ("succeeded", "errored", "canceled", "expired")


def detect(record: Record) -> str | None:
    """Why this record is a line of a message batch; None when it is not."""
    if is_id(record) and isinstance(record.get("result"), dict) and "type" in record["result"]:
        return "it has `custom_id` and `result`: a message batch's result"
    if is_id(record) and isinstance(record.get("params"), dict):
        return "it has `custom_id` and `params`: a message batch's request"
    return None


class Reader:
    """Results joined with their requests over all files; a request without a result is a call of unknown output."""

    def __init__(self) -> None:
        self._join = Join()

    def survey(self, record: Record) -> None:
        """The first pass: hold requests, and note results."""
        if isinstance(record.get("result"), dict):
            self._join.answered(record["custom_id"])
        else:
            self._join.hold(record["custom_id"], record["params"])

    def read(self, record: Record, zone: tzinfo) -> Row:  # noqa: ARG002 - a result states no time
        """One row.

        Raises:
            NotACallError: a request whose result the log holds.
            RowError, UsageError: a field that cannot be meant.
        """
        row = Row()
        row.request_id = kept(row, text, "custom_id", record["custom_id"])
        if isinstance(record.get("result"), dict):
            request, result = self._join.request_of(record["custom_id"]), record["result"]
            kind, message = result.get("type"), result.get("message")
            if kind not in RESULTS or (kind == "succeeded" and not isinstance(message, dict)):
                raise RowError("result.type", kind, "unknown_result", f"one of {', '.join(RESULTS)}, with its message")
            answer = message if kind == "succeeded" else {"type": "message", "error": result.get("error") or kind}
        else:
            self._join.unanswered(record["custom_id"])
            request, answer = record["params"], None
        lay_over(row, read_exchange(request, answer, url="/v1/messages"))
        row.service_tier = "batch"
        row.usage = replace(row.usage, served_tier="batch")
        return row
