"""What a log writes around a call, by the names people really use: id, time, session, cost, latency, labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from workloads.rows import Row, RowError

Record = Mapping[str, Any]

ID = ("request_id", "id", "req_id", "uuid", "custom_id")
TIME = ("timestamp", "time", "ts", "arrived_at", "request_time", "start_time", "created_at", "created", "datetime", "date")
SESSION = ("session_id", "conversation_id", "thread_id", "chat_id", "session")
USER = ("user_id", "user", "end_user")
PROVIDER = ("provider", "llm_provider", "custom_llm_provider", "vendor")
META = ("metadata", "meta")
LABEL = ("label", "task", "task_class")
COST = ("recorded_usd", "cost_usd", "cost", "total_cost", "spend", "response_cost")
LATENCY = ("latency_ms", "duration_ms", "response_time_ms")
TTFT = ("ttft_ms", "time_to_first_token_ms")
FEEDBACK = ("feedback", "rating", "score")
CALLS = {"chat", "embedding", "image", "audio", "other"}
STATUSES = {"success": "ok", "succeeded": "ok", "completed": "ok", "failure": "error", "failed": "error"}

MOST_USD = 9_000_000  # what int64 picodollars hold
FIRST_YEAR, LAST_YEAR = 2015, 2100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Epoch numbers by size: seconds, milliseconds, microseconds or nanoseconds.
UNITS = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1), (1e20, 0.001))


def pick(record: Record, names: tuple[str, ...]) -> tuple[str, Any]:
    """The first of some names that the record states, and its value; ("", None) when it states none."""
    return next(((name, record[name]) for name in names if record.get(name) is not None), ("", None))


def read_envelope(record: Record, zone: tzinfo) -> Row:
    """A row with everything but the call itself.

    Args:
        record: one decoded line.
        zone: what a time without a zone means.

    Raises:
        RowError: a time, cost or latency that cannot be meant.
    """
    row = Row(
        request_id=text(*pick(record, ID)),
        session_id=text(*pick(record, SESSION)),
        user_id=text(*pick(record, USER)),
        provider=text(*pick(record, PROVIDER)),
        label=text(*pick(record, LABEL)),
        recorded_usd=money(*pick(record, COST)),
        latency_ms=milliseconds(*pick(record, LATENCY)),
        ttft_ms=milliseconds(*pick(record, TTFT)),
        status=_status(record),
    )
    _time(*pick(record, TIME), zone, row)
    _meta(*pick(record, META), record, row)
    name, held = pick(record, FEEDBACK)
    row.feedback = None if held is None else held if isinstance(held, str) else msgspec.json.encode(held).decode()
    name, call_type = pick(record, ("call_type",))
    if call_type is not None:
        row.call_type = call_type if call_type in CALLS else _call_type(name, call_type)
    return row


def text(name: str, value: Any) -> str | None:
    """A text or number as text.

    Raises:
        RowError: something else.
    """
    if value is None or (isinstance(value, str) and value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value == "":
        return None
    raise RowError(name, value, "not_text", "give a text")


def milliseconds(name: str, value: Any) -> float | None:
    """A duration in milliseconds.

    Raises:
        RowError: no number, or one below zero.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise RowError(name, value, "bad_duration", "give milliseconds of 0 or more")
    return float(value)


def money(name: str, value: Any) -> Decimal | None:
    """USD to twelve decimals.

    Raises:
        RowError: no number, or one below zero or above $9 million.
    """
    if value is None:
        return None
    try:
        usd = Decimal(value if isinstance(value, str) else repr(value))
        if isinstance(value, bool) or not 0 <= usd < MOST_USD:
            raise RowError(name, value, "bad_cost", "give USD of 0 or more")
        return usd.quantize(Decimal("1e-12"))
    except (InvalidOperation, TypeError, ValueError) as error:
        raise RowError(name, value, "bad_cost", "give USD as a number") from error


def _status(record: Record) -> str:
    if record.get("cache_hit") in (True, "True", "true"):
        return "cached"
    status = record.get("status")
    if record.get("error") and status is None:
        return "error"
    if isinstance(status, int) and not isinstance(status, bool):
        return "error" if status >= 400 else "ok"
    if isinstance(status, str):
        said = STATUSES.get(status.lower(), status.lower())
        return said if said in ("ok", "error", "cached") else "ok"
    return "ok"


def _call_type(name: str, value: Any) -> str:
    said = str(value).lower()
    for call_type in ("embedding", "image", "audio"):
        if call_type in said or (call_type == "audio" and ("speech" in said or "transcription" in said)):
            return call_type
    return "chat" if "completion" in said or "chat" in said or "message" in said or "response" in said else "other"


def _meta(name: str, value: Any, record: Record, row: Row) -> None:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            value = None
    budget = record.get("latency_budget_ms")
    if value is not None:
        if not isinstance(value, Mapping):
            raise RowError(name, value, "not_an_object", "give metadata as a JSON object")
        if value:
            row.meta = msgspec.json.encode(value).decode()
        if budget is None:
            budget = value.get("latency_budget_ms")
    row.latency_budget_ms = milliseconds("latency_budget_ms", budget)


def _time(name: str, value: Any, zone: tzinfo, row: Row) -> None:
    if value is None or value == "":
        return
    try:
        when = _parse(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=zone)
            row.notes.append(
                ("no_time_zone", name, str(value), f"times without a zone were read as {zone}", "--timezone says another")
            )
        # The calendar's ends overflow when moved to UTC.
        when = when.astimezone(UTC)
    except (ValueError, OverflowError, TypeError) as error:
        raise RowError(name, value, "bad_time", "give ISO 8601, or seconds or milliseconds since 1970") from error
    if not FIRST_YEAR <= when.year < LAST_YEAR:
        raise RowError(name, value, "absurd_time", f"give a time between {FIRST_YEAR} and {LAST_YEAR}")
    row.arrived_at = (when - EPOCH) // MICROSECOND


def _parse(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    scale = next((scale for limit, scale in UNITS if abs(value) < limit), None)
    if scale is None:
        raise ValueError(value)
    return EPOCH + timedelta(microseconds=round(value * scale))
