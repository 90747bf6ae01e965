"""A span in any of its spellings - OTLP JSON, an SDK's dump, a table's row, bare attributes - as one flat form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workloads.formats.envelope import Record
from workloads.formats.transcript import loosely

MARKS = ("gen_ai.", "llm.", "ai.", "openinference.", "embedding.", "attributes.")
IDS = ("span_id", "spanId", "context.span_id", "id")
SPANLIKE = {*IDS[:3], "spanContext", "context"}
PARENTS = ("parent_span_id", "parentSpanId", "parent_id", "parentId")
STARTS = ("start_time", "startTime", "startTimeUnixNano", "start_time_unix_nano")
ENDS = ("end_time", "endTime", "endTimeUnixNano", "end_time_unix_nano")
INDEXED = re.compile(r"\.(?P<index>\d{1,4})\.(?P<rest>.+)", re.ASCII | re.DOTALL)
FAILED = {"error", "status_code_error", "2"}
MOST_DEPTH = 32


@dataclass(slots=True)
class Span:
    """One span: attributes under dotted names, times as the log has them."""

    attributes: dict[str, Any]
    name: str = ""
    span_id: Any = None
    parent_id: Any = None
    start: Any = None
    end: Any = None
    failed: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)


def is_span(record: Record) -> str | None:
    """Why a record is a span, or a span's attributes alone; None when it is neither."""
    held = record.get("attributes")
    if isinstance(held, dict | list) and not SPANLIKE.isdisjoint(record) and ("name" in record or held):
        return "it is a span: it has an id and `attributes`"
    mark = next((key for key in record if key.startswith(MARKS)), None)
    return f"it has the attribute `{mark}`" if mark else None


def read_span(record: Record) -> Span:
    """One span; nothing in it can make this fail."""
    held = record.get("attributes")
    found: dict[str, Any] = {}
    if isinstance(held, dict | list):
        for key, value in _pairs(held):
            if isinstance(value, dict | list) or key == "metadata":
                _flatten(key, value, found)
            else:  # as most
                found[key] = value
    else:
        for key, value in record.items():
            _flatten(key.removeprefix("attributes."), value, found)
    context: Mapping[str, Any] = next(
        (record[key] for key in ("spanContext", "context") if isinstance(record.get(key), dict)), {}
    )
    ids = {**context, **{key: record[key] for key in record if key in IDS}}
    status = record.get("status")
    code = status.get("code", status.get("status_code")) if isinstance(status, dict) else record.get("status_code")
    events = record.get("events")
    return Span(
        attributes=found,
        name=str(record.get("name") or ""),
        span_id=first(ids, IDS),
        parent_id=first(record, PARENTS),
        start=_time(first(record, STARTS)),
        end=_time(first(record, ENDS)),
        failed=str(code).lower() in FAILED or "error.type" in found,
        events=[_event(event) for event in events if isinstance(event, dict)] if isinstance(events, list) else [],
    )


def first(held: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first of some names that holds something; None where none does."""
    for name in names:
        value = held.get(name)
        if value is not None and value != "":
            return value
    return None


def indexed(attributes: Mapping[str, Any], stem: str) -> list[dict[str, Any]]:
    """The rows spread over names such as `llm.input_messages.0.message.role`: one dict each, by the names' ends."""
    rows: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        if key.startswith(stem) and (match := INDEXED.fullmatch(key[len(stem) :])):
            rows.setdefault(int(match["index"]), {})[match["rest"]] = value
    return [rows[index] for index in sorted(rows)]


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    held = event.get("attributes")
    for key, value in _pairs(held) if isinstance(held, dict | list) else ():
        _flatten(key, value, found)
    return found


def _pairs(held: Mapping[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    """Names and values; OTLP writes a list of `{key, value: {stringValue: ...}}`."""
    if isinstance(held, dict):
        for key, value in held.items():
            yield str(key), value
        return
    for pair in held:
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            yield pair["key"], _otlp(pair.get("value"))


def _otlp(value: Any, depth: int = 0) -> Any:
    if not isinstance(value, dict) or len(value) != 1 or depth > MOST_DEPTH:
        return value
    kind, held = next(iter(value.items()))
    if kind == "intValue":  # protobuf's JSON writes 64-bit numbers as texts
        return int(held) if isinstance(held, str) and held.lstrip("-").isdecimal() and len(held) < 20 else held
    if kind == "arrayValue":
        rows = held.get("values") if isinstance(held, dict) else None
        return [_otlp(row, depth + 1) for row in rows] if isinstance(rows, list) else []
    if kind == "kvlistValue":
        rows = held.get("values") if isinstance(held, dict) else None
        pairs = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return {str(row.get("key")): _otlp(row.get("value"), depth + 1) for row in pairs}
    return held if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue") else value


def _flatten(name: str, value: Any, found: dict[str, Any], depth: int = 0) -> None:
    """Nested objects become dotted names, as some exporters nest them; objects in lists stay."""
    if isinstance(value, dict) and value and depth < MOST_DEPTH:
        for key, inner in value.items():
            _flatten(f"{name}.{key}", inner, found, depth + 1)
    elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value) and "message" in name:
        for index, row in enumerate(value):
            _flatten(f"{name}.{index}", row, found, depth + 1)
        found[name] = value
    else:
        found[name] = loosely(value) if name == "metadata" else value


def _time(value: Any) -> Any:
    """JavaScript's SDK writes [seconds, nanoseconds], OTLP nanoseconds as a text."""
    if isinstance(value, list) and len(value) == 2 and all(type(part) is int for part in value):
        return value[0] * 1_000_000_000 + value[1]
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else value
