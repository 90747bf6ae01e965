"""Azure's LLM inference traces: CSV of arrival times and lengths, no text and no model.

github.com/Azure/AzurePublicDataset, AzureLLMInferenceTrace: `TIMESTAMP,ContextTokens,GeneratedTokens`, times in UTC
with seven fractional digits, of which the last is dropped.
"""

from __future__ import annotations

from datetime import UTC, tzinfo

from workloads.formats.cells import whole
from workloads.formats.envelope import Record
from workloads.formats.times import read_time
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "Azure trace"
REPEATS = True  # two requests of one length at one instant are two requests


def detect(record: Record) -> str | None:
    """Why this record is a row of an Azure trace; None when it is not."""
    if "ContextTokens" in record and "GeneratedTokens" in record:
        return "it has the columns ContextTokens and GeneratedTokens"
    return None


def read(record: Record, zone: tzinfo) -> Row:  # noqa: ARG001 - the trace says what its times mean
    """One row of lengths.

    Raises:
        RowError, UsageError: a time or a count that cannot be meant.
    """
    row = Row()
    row.arrived_at = read_time("TIMESTAMP", record.get("TIMESTAMP"), UTC, row)
    row.notes.clear()
    block = {"input_tokens": whole("ContextTokens", record), "output_tokens": whole("GeneratedTokens", record)}
    row.usage = read_usage(block)
    return row
