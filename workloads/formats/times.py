"""When a call arrived, from whatever a log writes: ISO 8601, or a count since 1970 in seconds down to nanoseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from workloads.rows import Row, RowError

FIRST_YEAR, LAST_YEAR = 2015, 2100  # before the first, no model had a price by the token
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST, LAST = ((datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND for year in (FIRST_YEAR, LAST_YEAR))
NEVER = 10**20  # microseconds, which no calendar holds: more nanoseconds than any date
# Epoch numbers by size: seconds, milliseconds, microseconds or nanoseconds; microseconds = number * times // over.
UNITS = ((10**11, 1_000_000, 1), (10**14, 1_000, 1), (10**17, 1, 1), (10**20, 1, 1_000))
ISO = re.compile(r"[0-9]{4}-[0-9-]+[T ][0-9]\S*[Z0-9]")  # as most logs write it
EPOCH_TEXT = re.compile(r"\d{9,20}(\.\d*)?")
ZONE_NAME = re.compile(r"\s*(UTC|GMT)$")
SPACED_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")


def read_time(name: str, value: Any, zone: tzinfo, row: Row) -> int | None:
    """Microseconds since 1970 UTC; null where the log states no time.

    Args:
        name: the field, for the problem.
        value: what it holds.
        zone: what a time without a zone means; a note on `row` says that it was needed.

    Raises:
        RowError: not a time, or one outside 2015 to 2100.
    """
    if value is None or value == "":
        return None
    if type(value) in (int, float) and FIRST <= (exact := _since_epoch(value)) < LAST:
        return exact
    try:
        when = _parsed(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=zone)
            effect = f"times without a zone were read as {zone}"
            row.notes.append(("no_time_zone", name, value, effect, "--timezone says another"))
        when = when.astimezone(UTC)  # the calendar's ends overflow here
    except (ValueError, OverflowError) as error:
        fix = "give ISO 8601, or seconds or milliseconds since 1970"
        raise RowError(name, value, "bad_time", fix) from error
    if not FIRST_YEAR <= when.year < LAST_YEAR:
        raise RowError(name, value, "absurd_time", f"give a time from {FIRST_YEAR} to {LAST_YEAR - 1}")
    return (when - EPOCH) // MICROSECOND


def microseconds(when: datetime | None) -> int | None:
    """A provider's own time in microseconds since 1970 UTC; null where it is none that can be: stand-ins write 0."""
    return (when - EPOCH) // MICROSECOND if when is not None and FIRST_YEAR <= when.year < LAST_YEAR else None


def _parsed(value: Any) -> datetime:
    if isinstance(value, str):
        said = value.strip()
        if ISO.fullmatch(said):
            return datetime.fromisoformat(said)
        # Ahead of ISO 8601, which also takes digits alone: 20240601.
        if not EPOCH_TEXT.fullmatch(said):
            return datetime.fromisoformat(SPACED_OFFSET.sub("", ZONE_NAME.sub("+00:00", said)))
        value = float(said) if "." in said else int(said)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    return EPOCH + timedelta(microseconds=_since_epoch(value))


def _since_epoch(value: int | float) -> int:
    for limit, times, over in UNITS:
        if abs(value) < limit:
            return value * times // over if isinstance(value, int) else round(value * times / over)
    return NEVER
