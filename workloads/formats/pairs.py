"""Request and response bodies side by side, as a proxy or a recorder keeps them, or a provider's response alone."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from workloads.bodies import read_exchange
from workloads.formats.chat import MODEL
from workloads.formats.envelope import Record, fill, kept, pick, read_envelope, text
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "request+response pairs"

# The last is Vertex AI's request-response log.
PAIRS = (("request", "response"), ("request_body", "response_body"), ("full_request", "full_response"))
# What marks a response that stands alone: chat completions, Responses, Messages, generateContent.
OBJECTS = ("chat.completion", "response")


def detect(record: Record) -> str | None:
    """Why this record is a pair, or a response; None when it is neither, as where `request` is the prompt's text."""
    for one, other in PAIRS:
        if one in record and other in record:
            request, response = record[one], record[other]
            asked = _is_body(request) and (response is None or isinstance(response, dict | str | list))
            fetched = request in (None, "") and (isinstance(response, list) or _is_body(response))  # nothing was posted
            if asked or fetched:
                return f"it has `{one}` and `{other}`"
    return "it is a provider's response" if _is_response(record) else None


def _is_response(record: Record) -> bool:
    if "messages" in record or "prompt" in record:
        return False
    if isinstance(record.get("usageMetadata"), dict):
        return isinstance(record.get("candidates"), list)
    said = record.get("object") in OBJECTS or (record.get("type"), record.get("role")) == ("message", "assistant")
    answered = any(isinstance(record.get(name), list) for name in ("choices", "output", "content"))
    return said and answered and isinstance(record.get("usage"), dict)


def _is_body(value: Any) -> bool:
    begins = value.lstrip()[:6] if isinstance(value, str) else ""
    return isinstance(value, dict) or begins.startswith(("{", "data:", "event:"))


def read(record: Record, zone: tzinfo) -> Row:
    """One row, whichever provider's bodies the pair holds.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    alone = _is_response(record)
    # A response's own fields are no log's: its `status`, say, or its `metadata`.
    row = Row() if alone else read_envelope(record, zone)
    status = None if alone else record.get("status")
    names = next((pair for pair in PAIRS if pair[0] in record and pair[1] in record), None)
    request, response = (record[names[0]], record[names[1]]) if names else (None, record)
    exchange = read_exchange(
        request,
        response,
        url=next((record[key] for key in ("url", "uri", "path", "host") if isinstance(record.get(key), str)), None),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        provider=row.provider,
    )
    row.request_id = row.request_id or exchange.response_id
    row.model = exchange.model or kept(row, text, *pick(record, MODEL))
    row.provider = exchange.provider
    row.call_type = row.call_type if record.get("call_type") else exchange.call_type
    fill(row, exchange)
    row.completion, row.usage = exchange.completion, exchange.usage
    if "no_usage_block" in row.usage.notes and isinstance(block := record.get("usage"), dict):
        row.usage = read_usage(block, provider=row.provider, api=exchange.api)
    row.status = "error" if exchange.status == "error" else row.status
    return row
