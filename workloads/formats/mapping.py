"""Any table or JSON lines, by a small mapping file: their columns, and which of our fields each one is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

import yaml

from problems import BackrouteError, nearest
from workloads.formats import chat
from workloads.formats.cells import number
from workloads.formats.envelope import Record
from workloads.rows import Row, RowError

FLAT = (
    *("input_tokens", "output_tokens", "total_tokens", "cached_tokens", "cache_read_input_tokens"),
    *("cache_creation_input_tokens", "reasoning_tokens"),
)
NUMBERS = (*FLAT, "max_output_tokens", "latency_ms", "ttft_ms", "latency_budget_ms", "recorded_usd")
TEXTS = (
    *("request_id", "timestamp", "session_id", "user_id", "provider", "model", "messages", "prompt", "system"),
    *("response", "usage", "status", "feedback", "label", "metadata", "call_type", "service_tier", "tools"),
)
FIELDS = (*TEXTS, *NUMBERS)
META = "metadata."
CONSTANT = "="


def load_mapping(source: str | Path | Mapping[str, Any]) -> Mapped:
    """A mapping from a YAML file, or as a dict: `their column: our field`.

    A column may be a path into nested objects (`usage.in`), a field one of ours or `metadata.NAME`. What begins with
    `=` is no column but the value itself, the same in every row.

    Raises:
        BackrouteError: no such file, no mapping, or a field that is none of ours.
    """
    where = "--mapping" if isinstance(source, Mapping) else str(source)
    held: Any = source
    if not isinstance(source, Mapping):
        try:
            held = yaml.safe_load(Path(source).read_text("utf-8"))
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error).replace("\n", " ")
            raise BackrouteError(where, f"cannot be read ({said})", fix="give YAML: their column: our field") from error
    if not isinstance(held, Mapping) or not held:
        raise BackrouteError(where, "holds no mapping", fix="write a line for each column: their column: our field")
    fields: dict[str, str] = {}
    for column, field in held.items():
        if not isinstance(field, str) or not (field in FIELDS or (field.startswith(META) and field != META)):
            fix = nearest(str(field), FIELDS) or f"the fields are {', '.join(FIELDS)} and {META}NAME"
            raise BackrouteError(where, f"{column!r} is mapped to an unknown field ({field!r})", fix=fix)
        if field in fields.values():
            raise BackrouteError(where, f"two columns are mapped to {field!r}", fix="map one of them")
        fields[str(column)] = field
    return Mapped(fields)


class Mapped:
    """A format made of a mapping."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.NAME = "mapping file"
        self.fields = fields

    def detect(self, record: Record) -> str | None:
        """Why this record is what the mapping is for; None when it has none of the columns."""
        found = [column for column in self.fields if column[:1] != CONSTANT and _at(record, column) is not None]
        return f"it has the mapped columns {', '.join(found[:4])}" if found else None

    def read(self, record: Record, zone: tzinfo) -> Row:
        """One row.

        Raises:
            RowError, UsageError: a field that cannot be meant.
        """
        ours: dict[str, Any] = {}
        meta: dict[str, Any] = {}
        for column, field in self.fields.items():
            value = _at(record, column)
            if value is None or value == "":
                continue
            if field.startswith(META):
                meta[field.removeprefix(META)] = value
            else:
                ours[field] = number(value) if field in NUMBERS else value
        if meta:
            if isinstance(own := ours.get("metadata"), Mapping):
                meta = {**own, **meta}
            elif own is not None:
                raise RowError("metadata", own, "not_an_object", "map it, or its parts, but not both")
            ours["metadata"] = meta
        return chat.read(ours, zone)


def _at(record: Record, column: str) -> Any:
    """A column by its name, else by its path; what begins with `=` is the value itself."""
    if column in record:
        return record[column]
    if column.startswith(CONSTANT):
        return column.removeprefix(CONSTANT).strip()
    held: Any = record
    for step in column.split("."):
        if not isinstance(held, Mapping) or step not in held:
            return None
        held = held[step]
    return held
