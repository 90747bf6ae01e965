"""Mooncake's traces: lengths and prefix-block hashes of production requests, times in milliseconds since the start.

github.com/kvcache-ai/Mooncake, FAST'25: `hash_ids` name blocks of 512 prompt tokens; equal ids are an equal prefix.
They are kept in `meta`, for a simulated prompt cache.
"""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from workloads.formats.cells import since_start, whole
from workloads.formats.envelope import Record
from workloads.rows import Row, RowError
from workloads.usage import read_usage

NAME = "Mooncake trace"
REPEATS = True


def detect(record: Record) -> str | None:
    """Why this record is a line of a Mooncake trace; None when it is not."""
    if "hash_ids" in record and "input_length" in record:
        return "it has `hash_ids` and `input_length`"
    return None


def read(record: Record, zone: tzinfo) -> Row:  # noqa: ARG001 - its times count from the trace's start
    """One row of lengths; its time needs a start.

    Raises:
        RowError, UsageError: a time, a count or hashes that cannot be meant.
    """
    hashes = record["hash_ids"]
    if not isinstance(hashes, list) or not all(type(each) is int for each in hashes):
        raise RowError("hash_ids", hashes, "not_hashes", "give a list of whole numbers")
    row = Row(meta=msgspec.json.encode({"hash_ids": hashes}).decode())
    row.since_start = since_start("timestamp", record.get("timestamp"), per_second=1_000)
    block = {"input_tokens": whole("input_length", record), "output_tokens": whole("output_length", record)}
    row.usage = read_usage(block)
    return row
