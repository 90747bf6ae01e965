"""A column of times in the forms that say their zone; everything else is for `read_time`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workloads.formats.times import EPOCH, FIRST_YEAR, LAST_YEAR, MICROSECOND
from workloads.schema import REQUEST

Array = np.ndarray[Any, np.dtype[Any]]

TIME = REQUEST.field("arrived_at").type
# What Arrow reads as `datetime.fromisoformat` does.
USUAL = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)$"
# A year from each end, so that no zone makes another year of it.
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (FIRST_YEAR + 1, LAST_YEAR - 1))


def read_times(values: list[str | None], odd: Array) -> pa.Array:
    """Times as the column has them, null where there is none; rows in another form are marked in `odd`."""
    said = pa.array(values, pa.string())
    usual = pc.match_substring_regex(said, USUAL)
    if pc.all(usual).as_py() is not False:  # null stays null
        try:
            found = said.cast(TIME)
        except pa.ArrowInvalid:  # a thirteenth month
            found = _one_by_one(values, odd)
    else:
        found = _one_by_one(values, odd)
    first, last = (pa.scalar(end, TIME) for end in (FIRST, LAST))
    within = pc.and_(pc.greater_equal(found, first), pc.less(found, last))
    odd |= ~pc.fill_null(within, True).to_numpy(zero_copy_only=False)
    return found


def _one_by_one(values: list[str | None], odd: Array) -> pa.Array:
    found: list[int | None] = []
    for place, said in enumerate(values):
        found.append(None)
        if said:
            try:
                found[place] = _microseconds(said)
            except (ValueError, OverflowError):
                odd[place] = True
    return pa.array(found, TIME)


def _microseconds(said: str) -> int:
    if said[4:5] != "-" or said[10:11] not in ("T", " ") or not (said[-1] == "Z" or said[-6] in "+-"):
        raise ValueError("another form of time")
    when = datetime.fromisoformat(said)
    if when.tzinfo is None:
        raise ValueError("another form of time")
    return (when - EPOCH) // MICROSECOND
