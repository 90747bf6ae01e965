"""Days, UTC, as numbers since 1970."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.counts import Array

DAY_US = 86_400_000_000
NO_DAY = np.iinfo(np.int32).min  # of a request without a time
EPOCH = date(1970, 1, 1)


def day_numbers(arrived: pa.Array) -> Array:
    """Int64 per request, NO_DAY where it has no time; `arrived` in microseconds."""
    days = pc.fill_null(arrived.cast(pa.int64()), 0).to_numpy() // DAY_US
    return np.where(arrived.is_valid().to_numpy(zero_copy_only=False), days, NO_DAY) if arrived.null_count else days


def day_name(number: int | None) -> str | None:
    """A day as an ISO date; None stays None."""
    return None if number is None else (EPOCH + timedelta(days=number)).isoformat()
