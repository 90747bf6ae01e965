"""Numbers out of table cells: CSV knows only text, and a column with gaps writes 7 as 7.0."""

from __future__ import annotations

from typing import Any

from workloads.formats.envelope import Record
from workloads.rows import RowError

MOST_SECONDS = 10 * 366 * 86_400  # ten years; a trace's own clock


def number(value: Any) -> Any:
    """A number that was written as a text, as a number; an empty cell as None; anything else as it is."""
    if not isinstance(value, str):
        return value
    said = value.strip()
    try:
        return (int(said) if said.lstrip("-").isdecimal() and len(said) < 20 else float(said)) if said else None
    except ValueError:
        return value


def whole(name: str, record: Record) -> Any:
    """A count from its cell, for `read_usage` to judge; null where the column is missing or empty."""
    return number(record.get(name))


def since_start(name: str, value: Any, *, per_second: int = 1) -> int | None:
    """Microseconds since a trace's start, from a cell of seconds or of parts of one; null where it is empty.

    Raises:
        RowError: no number, or one below zero or above ten years.
    """
    since = number(value)
    if since is None:
        return None
    if isinstance(since, bool) or not isinstance(since, int | float) or not 0 <= since < MOST_SECONDS * per_second:
        raise RowError(name, value, "bad_time", "give the time since the trace's start")
    return since * (1_000_000 // per_second) if isinstance(since, int) else round(since * 1_000_000 / per_second)
