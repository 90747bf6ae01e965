"""BurstGPT: CSV of a campus's requests to ChatGPT and GPT-4, lengths only, times in seconds since the trace began.

github.com/HPMLL/BurstGPT: no response tokens mean that the request failed. "ChatGPT" is gpt-3.5-turbo there.
"""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from workloads.formats.cells import since_start, whole
from workloads.formats.envelope import Record, elapsed, kept, text
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "BurstGPT trace"
REPEATS = True  # times are whole seconds, so equal rows are different requests

MODELS = {"ChatGPT": "gpt-3.5-turbo", "GPT-4": "gpt-4"}


def detect(record: Record) -> str | None:
    """Why this record is a row of BurstGPT; None when it is not."""
    if "Request tokens" in record and "Response tokens" in record:
        return "it has the columns Request tokens and Response tokens"
    return None


def read(record: Record, zone: tzinfo) -> Row:  # noqa: ARG001 - its times count from the trace's start
    """One row of lengths; its time needs a start.

    Raises:
        RowError, UsageError: a time or a count that cannot be meant.
    """
    model = text("Model", record.get("Model"))
    row = Row(model=MODELS.get(model or "", model), provider="openai")
    row.since_start = since_start("Timestamp", record.get("Timestamp"))
    row.session_id = kept(row, text, "Session ID", record.get("Session ID"))
    row.latency_ms = elapsed(0, since_start("Elapsed time", record.get("Elapsed time")))
    output = whole("Response tokens", record)
    block = {"input_tokens": whole("Request tokens", record), "output_tokens": output}
    row.usage = read_usage(block, provider="openai")
    row.status = "error" if output == 0 else "ok"
    if kind := kept(row, text, "Log Type", record.get("Log Type")):
        row.meta = msgspec.json.encode({"log_type": kind}).decode()
    return row
