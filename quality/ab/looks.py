"""The looks of an experiment that states its horizon: at the end of each day in UTC, and when the horizon is reached.

They are told from the log's own times, so what is shown does not depend on who looked when: between two looks the
later calls wait, and looking more often spends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quality.ab.moments import Floats
from quality.ab.units import Units
from quality.group_sequential import boundary, spent

FEWEST = 100  # units an arm, below which a mean is not near enough to normal for an interval
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Looks:
    """The looks that the log allows so far; those with fewer than FEWEST units in an arm are none.

    Args:
        horizon: units at which the experiment ends.
        at: of each look, calls before it are seen.
        units: seen by each, all arms together.
        reach: standard errors that the intervals of each reach.
        spent: of the level, by each.
        following: when the next one is due; None where the horizon is reached.
    """

    horizon: int
    at: tuple[datetime, ...]
    units: tuple[int, ...]
    reach: Floats
    spent: Floats
    following: datetime | None

    def seen(self, calls: pa.Table) -> pa.Table:
        """The calls that the latest look sees."""
        return calls.filter(pc.less(calls["arrived_at"], pa.scalar(self.at[-1], calls["arrived_at"].type)))


def looks_of(units: Units, calls: pa.Table, level: float) -> Looks | None:
    """The looks of an experiment; None where it states no horizon.

    Args:
        units: of the experiment, to date.
        calls: of the log: a day is over once it holds a call of a later one.
        level: of the intervals.
    """
    if units.horizon is None:
        return None
    times = np.sort(units.first_seen)
    reached = EPOCH + timedelta(microseconds=int(times[units.horizon - 1]) + 1) if len(times) >= units.horizon else None
    last = reached or pc.max(calls["arrived_at"]).as_py()
    midnight = units.since.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    ends = list[datetime]()
    while midnight <= last:
        ends.append(midnight)
        midnight += DAY
    if reached is not None and reached not in ends:
        ends.append(reached)
    arms = [np.sort(units.first_seen[units.arm == arm]) for arm in range(len(units.arms))]
    at = tuple(end for end in ends if min(_before(arm, end) for arm in arms) >= FEWEST)
    seen = tuple(_before(times, end) for end in at)
    shares = [count / units.horizon for count in seen]
    return Looks(
        units.horizon,
        at,
        seen,
        boundary(shares, level),
        spent(np.array(shares), level),
        midnight if reached is None else None,
    )


def _before(times: np.ndarray[tuple[int], np.dtype[np.int64]], end: datetime) -> int:
    return int(np.searchsorted(times, (end - EPOCH) // timedelta(microseconds=1)))
