"""Amazon Bedrock's model invocation logs, from S3 or CloudWatch: both bodies, and counts beside them.

docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html. A streamed answer's body is a list of its
events. A body above 100 KB lies in a file of its own (`inputBodyS3Path`): the counts stay, the texts are unknown.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from workloads.bodies import read_exchange
from workloads.bodies.content import object_or_empty
from workloads.formats.envelope import Record, kept, text
from workloads.formats.exchanges import lay_over
from workloads.formats.times import read_time
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "Bedrock invocation log"

COUNTS = {
    "inputTokens": ("input", "inputTokenCount"),
    "cacheReadInputTokens": ("input", "cacheReadInputTokenCount"),
    "cacheWriteInputTokens": ("input", "cacheWriteInputTokenCount"),
    "outputTokens": ("output", "outputTokenCount"),
}
OPERATIONS = {"Converse": "/converse", "ConverseStream": "/converse"}


def detect(record: Record) -> str | None:
    """Why this record is an invocation's; None when it is not."""
    return "its `schemaType` is ModelInvocationLog" if record.get("schemaType") == "ModelInvocationLog" else None


def read(record: Record, zone: tzinfo) -> Row:
    """One row.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = Row(provider="aws", model=_model(text("modelId", record.get("modelId"))))
    row.request_id = kept(row, text, "requestId", record.get("requestId"))
    row.arrived_at = read_time("timestamp", record.get("timestamp"), zone, row)
    asked, answered = object_or_empty(record.get("input")), object_or_empty(record.get("output"))
    body = answered.get("outputBodyJson")
    url = OPERATIONS.get(str(record.get("operation")))
    exchange = read_exchange(
        asked.get("inputBodyJson") if isinstance(asked.get("inputBodyJson"), dict | str) else None,
        body if isinstance(body, dict | str | list) else None,
        url=url,
        provider="aws",
    )
    lay_over(row, exchange)
    stated: dict[str, Any] = {
        name: value
        for name, (side, theirs) in COUNTS.items()
        if (value := object_or_empty(record.get(side)).get(theirs)) is not None
    }
    if row.usage.input_total is None and row.usage.output_total is None and stated:
        row.usage = read_usage(stated, provider="aws")
    if record.get("errorCode"):
        row.status = "error"
    return row


def _model(name: str | None) -> str | None:
    """The model's id, out of its ARN where it is one."""
    return name.rpartition("/")[2] if name and name.startswith("arn:") else name
