"""One JSON object that holds many records: a trace with its observations, an OTLP export, a page of an API's answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workloads.formats.envelope import Record

# What stands beside `data` in an API's page.
PAGE = {"data", "meta", "pagination", "cursor", "next_cursor", "nextCursor", "has_more", "total", "error", "object"}


def unfold(record: Record) -> Iterator[Any] | None:
    """The records within; None where it is one record itself."""
    if isinstance(rows := record.get("observations"), list):
        trace = record.get("trace", record)
        if isinstance(trace, dict):
            return _observations(rows, {key: trace[key] for key in trace if key not in ("observations", "scores")})
    for key, scopes in (("resourceSpans", "scopeSpans"), ("resource_spans", "scope_spans")):
        if isinstance(rows := record.get(key), list):
            return _spans(rows, scopes)
    if "data" in record and PAGE.issuperset(record):
        held = record["data"]
        return iter(held) if isinstance(held, list) else iter([held]) if isinstance(held, dict) else None
    if len(record) == 1 and isinstance(rows := record.get("requests"), list):
        return iter(rows)
    return None


def _observations(rows: list[Any], trace: Mapping[str, Any]) -> Iterator[Any]:
    context = {key: trace[key] for key in ("id", "name", "sessionId", "userId", "tags") if trace.get(key)}
    for row in rows:
        yield {**row, "trace": context} if isinstance(row, dict) else row


def _spans(resources: list[Any], scopes: str) -> Iterator[Any]:
    for resource in resources:
        groups = resource.get(scopes) if isinstance(resource, dict) else None
        if not isinstance(groups, list):
            yield resource
            continue
        for group in groups:
            spans = group.get("spans") if isinstance(group, dict) else None
            if isinstance(spans, list):
                yield from spans
            else:
                yield group
