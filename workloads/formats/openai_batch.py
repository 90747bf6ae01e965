"""OpenAI's Batch API, and its copies at Groq, Azure and Mistral: request and result files, at the batch tier's price.

platform.openai.com/docs/guides/batch: a result is `id, custom_id, response{status_code, request_id, body}, error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from msgspec.structs import replace

from workloads.bodies import read_exchange
from workloads.formats.batch_join import Join, is_id
from workloads.formats.envelope import Record, kept, text
from workloads.formats.exchanges import lay_over
from workloads.rows import Row, RowError

NAME = "OpenAI batch"


def detect(record: Record) -> str | None:
    """Why this record is a line of a batch job; None when it is not."""
    if not is_id(record):
        return None
    if isinstance(record.get("body"), dict):
        return "it has `custom_id` and `body`: a batch request"
    if "response" in record and ("error" in record or isinstance(record["response"], dict)):
        return "it has `custom_id` and `response`: a batch result"
    return None


class Reader:
    """Results joined with their requests over all files; a request without a result is a call of unknown output."""

    def __init__(self) -> None:
        self._join = Join()

    def survey(self, record: Record) -> None:
        """The first pass: hold requests, and note results."""
        if isinstance(record.get("body"), dict):
            self._join.hold(record["custom_id"], {key: record[key] for key in ("url", "body") if key in record})
        else:
            self._join.answered(record["custom_id"])

    def read(self, record: Record, zone: tzinfo) -> Row:  # noqa: ARG002 - the body's time is epoch seconds
        """One row.

        Raises:
            NotACallError: a request whose result the log holds.
            RowError, UsageError: a field that cannot be meant.
        """
        custom_id = record["custom_id"]
        if isinstance(record.get("body"), dict):
            self._join.unanswered(custom_id)
            return _row(record, record, None, None)
        return _row(record, self._join.request_of(custom_id) or {}, *_answer(record))


def _answer(record: Record) -> tuple[Any, int | None]:
    """The response body and the HTTP status."""
    response = record["response"]
    if response is None:
        return {"error": record.get("error") or "no response"}, 500
    if not isinstance(response, dict):
        raise RowError("response", response, "not_an_object", "give the result as the batch job wrote it")
    status = response.get("status_code")
    status = status if isinstance(status, int) and not isinstance(status, bool) else None
    return response.get("body"), 500 if record.get("error") else status


def _row(record: Record, asked: Mapping[str, Any], answer: Any, status: int | None) -> Row:
    row = Row()
    row.request_id = kept(row, text, "id", record.get("id")) or kept(row, text, "custom_id", record["custom_id"])
    url = asked.get("url")
    body = answer if answer is None or isinstance(answer, dict | str | list) else None
    exchange = read_exchange(asked.get("body"), body, url=url if isinstance(url, str) else None, status=status)
    lay_over(row, exchange)
    # The body's own `service_tier` says "default" in a batch, too.
    row.service_tier = "batch"
    row.usage = replace(row.usage, served_tier="batch")
    return row
