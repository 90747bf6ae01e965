"""What a log writes around a call, by the names people really use: id, time, session, cost, latency, labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from workloads.bodies import Exchange
from workloads.counts import MOST_USD
from workloads.formats.times import microseconds, read_time
from workloads.rows import Row, RowError

Record = Mapping[str, Any]
T = TypeVar("T")

ID = ("request_id", "id", "req_id", "uuid", "custom_id")
TIME: tuple[str, ...] = ("timestamp", "time", "ts", "arrived_at", "request_time", "start_time", "created_at", "created")
TIME += ("datetime", "date", "datetime_utc", "@timestamp", "requested_at", "logging_time")
SESSION = ("session_id", "conversation_id", "thread_id", "chat_id", "session")
USER = ("user_id", "user", "end_user")
PROVIDER = ("provider", "llm_provider", "custom_llm_provider", "vendor")
META = ("metadata", "meta")
LABEL = ("label", "task", "task_class")
COST = ("recorded_usd", "cost_usd", "cost", "total_cost", "spend", "response_cost")
LATENCY = ("latency_ms", "duration_ms", "response_time_ms")
TTFT = ("ttft_ms", "time_to_first_token_ms")
FEEDBACK = ("feedback", "rating", "score")
STATUS = ("status", "status_code", "http_status")
CALLS = {"chat", "embedding", "image", "audio", "other"}
STATUSES = dict.fromkeys(("ok", "success", "succeeded", "successful", "completed", "complete", "done"), "ok")
STATUSES |= dict.fromkeys(("error", "failure", "failed", "fail", "exception", "timeout", "timed_out"), "error")
STATUSES |= dict.fromkeys(("rate_limited", "cancelled", "canceled", "aborted", "rejected"), "error")
STATUSES |= {"cached": "cached", "cache_hit": "cached"}

MOST_MS = 10**10  # four months


def pick(record: Record, names: tuple[str, ...]) -> tuple[str, Any]:
    """The first of some names that the record states, and its value; ("", None) when it states none."""
    for name in names:
        value = record.get(name)
        if value is not None:
            return name, value
    return "", None


def read_envelope(record: Record, zone: tzinfo) -> Row:
    """A row with everything but the call itself.

    Args:
        record: one decoded line.
        zone: what a time without a zone means.

    Raises:
        RowError: a time, cost, provider, metadata or latency budget that cannot be meant. Prices or rules rest on
            these; of anything else that cannot be read, the row is kept without it, and noted.
    """
    row = Row(provider=text(*pick(record, PROVIDER)), recorded_usd=money(*pick(record, COST)))
    row.request_id = kept(row, text, *pick(record, ID))
    row.session_id = kept(row, text, *pick(record, SESSION))
    row.user_id = kept(row, text, *pick(record, USER))
    row.label = kept(row, text, *pick(record, LABEL))
    row.latency_ms = kept(row, milliseconds, *pick(record, LATENCY))
    row.ttft_ms = kept(row, milliseconds, *pick(record, TTFT))
    row.status = kept(row, _status, *pick(record, STATUS)) or ("error" if record.get("error") else "ok")
    if _from_cache(record, row):
        row.status = "cached"
    row.arrived_at = read_time(*pick(record, TIME), zone, row)
    _meta(*pick(record, META), record, row)
    _, held = pick(record, FEEDBACK)
    row.feedback = None if held is None else held if isinstance(held, str) else msgspec.json.encode(held).decode()
    row.call_type = kept(row, call_type, *pick(record, ("call_type",))) or "chat"
    return row


def _from_cache(record: Record, row: Row) -> bool:
    """Whether a gateway answered from a cache of its own; a bare `cached` may also mean the provider's, unless free."""
    hit = record.get("cache_hit") in (True, "True", "true") or str(record.get("cache_status")).upper().endswith("HIT")
    return hit or (record.get("cached") in (True, "True", "true") and row.recorded_usd == 0)


def fill(row: Row, exchange: Exchange) -> None:
    """What the call itself asked for, onto its row; without text the prompt stays null."""
    if exchange.messages:
        row.system, row.prompt, row.messages = exchange.system, exchange.prompt or "", exchange.messages
        row.n_messages = exchange.n_messages
    row.has_tools, row.has_images, row.json_mode = exchange.has_tools, exchange.has_images, exchange.json_mode
    row.max_output_tokens, row.service_tier = exchange.max_output_tokens, exchange.service_tier
    if row.arrived_at is None:  # the answer's own time is the nearest that is known
        row.arrived_at = microseconds(exchange.created)


def kept(row: Row, read: Callable[[str, Any], T | None], name: str, value: Any) -> T | None:
    """A field that no money rests on: where it cannot be read, the row is kept without it and a note says so."""
    try:
        return read(name, value)
    except RowError as error:
        row.notes.append((error.kind, name, value, f"kept, without its {name}", error.fix))
        return None


def text(name: str, value: Any) -> str | None:
    """A text or number as text; a table with gaps writes the number 7 as 7.0.

    Raises:
        RowError: something else.
    """
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(name, value, "not_text", "give a text")
    return str(int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value)


def milliseconds(name: str, value: Any) -> float | None:
    """A duration in milliseconds.

    Raises:
        RowError: no number, or one below zero or above four months.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_MS:
        raise RowError(name, value, "bad_duration", "give milliseconds of 0 or more")
    return float(value)


def elapsed(start: int | None, end: int | None) -> float | None:
    """Milliseconds between two instants, which are microseconds; null where that is no duration of a call's."""
    lasted = None if start is None or end is None else (end - start) / 1_000
    return lasted if lasted is not None and 0 <= lasted < MOST_MS else None


def money(name: str, value: Any) -> Decimal | None:
    """USD to twelve decimals.

    Raises:
        RowError: no number, or one below zero or above $9 million.
    """
    if value is None or value == "":
        return None
    try:
        usd = Decimal(value if isinstance(value, str) else repr(value))
        if isinstance(value, bool) or not 0 <= usd < MOST_USD:
            raise RowError(name, value, "bad_cost", f"give USD from 0 to {MOST_USD:,}")
        return usd.quantize(Decimal("1e-12"))
    except (InvalidOperation, ValueError) as error:
        raise RowError(name, value, "bad_cost", "give USD as a number") from error


def decoded(name: str, value: Any) -> Any:
    """A value, or what its JSON text holds: tables keep objects as text.

    Raises:
        RowError: a text that is no JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value) if value.strip() else None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RowError(name, value, "not_json", "give it as JSON") from error


def _status(name: str, value: Any) -> str | None:
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:9])
    if isinstance(value, bool):
        return "ok" if value else "error"
    if isinstance(value, int | float):
        return "error" if value >= 400 else "ok"
    if value is None or value == "":
        return None
    known = STATUSES.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise RowError(name, value, "unknown_status", "give ok, error, cached or an HTTP status")
    return known


def call_type(name: str, value: Any) -> str | None:
    """chat, embedding, image, audio or other, from the many names of the kinds of calls; null where none is given.

    Raises:
        RowError: no text.
    """
    return _kind(text(name, value) or "")


@lru_cache(maxsize=1024)
def _kind(said: str) -> str | None:
    said = said.lower()
    if not said or said in CALLS:
        return said or None
    if any(mark in said for mark in ("embedding", "image")):
        return "embedding" if "embedding" in said else "image"
    if any(mark in said for mark in ("audio", "speech", "transcription")):
        return "audio"
    return "chat" if any(mark in said for mark in ("completion", "chat", "message", "response")) else "other"


def _meta(name: str, value: Any, record: Record, row: Row) -> None:
    value = decoded(name, value)
    budget = record.get("latency_budget_ms")
    if value is not None:
        if not isinstance(value, dict):
            raise RowError(name, value, "not_an_object", "give metadata as a JSON object")
        if value:
            row.meta = msgspec.json.encode(value).decode()
        if budget is None:
            budget = value.get("latency_budget_ms")
    row.latency_budget_ms = milliseconds("latency_budget_ms", budget)
