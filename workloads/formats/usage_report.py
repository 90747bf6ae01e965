"""Records that are no calls but sums over many: usage and activity reports by day, model or key. None is a row.

OpenAI's and Anthropic's usage APIs, OpenRouter's `/activity`, LiteLLM's daily spend: what they count cannot be routed
one by one, and as a row the sum would pass for a single very long call.
"""

from __future__ import annotations

from datetime import tzinfo

from workloads.formats.cells import number
from workloads.formats.envelope import Record
from workloads.rows import Row, RowError

NAME = "usage report"

REQUESTS = (
    *("num_model_requests", "requests", "num_requests", "n_requests", "request_count", "total_requests"),
    *("api_requests", "successful_requests"),
)
CALL = ("messages", "prompt", "request", "response", "completion")


def detect(record: Record) -> str | None:
    """Why this record sums up many calls; None when it does not."""
    if isinstance(record.get("results"), list) and any(key in record for key in ("start_time", "starting_at")):
        return "it has `results` of a span of time: a usage report"
    named = next((key for key in REQUESTS if key in record and isinstance(number(record[key]), int | float)), None)
    return None if named is None or any(key in record for key in CALL) else f"it counts `{named}`: a usage report"


def read(record: Record, zone: tzinfo) -> Row:  # noqa: ARG001 - there is no row to place in time
    """Nothing but the reason why.

    Raises:
        RowError: always.
    """
    named = next((key for key in REQUESTS if key in record), "results")
    raise RowError(named, record.get(named), "sum_of_calls", "give a log with one record for each call")
