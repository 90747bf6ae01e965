"""Sessions with heavy-tailed costs, and A/A experiments on them with daily looks; the benchmark uses them too."""

import numpy as np

from quality.ab.looks import FEWEST
from quality.ab.moments import Difference, Floats, Moments, difference
from quality.group_sequential import boundary
from quality.sequential import reach

DAYS, PER_DAY = 30, 80  # looks, and units of each arm a day


class Sessions:
    """Sessions of one call and more, of log-normal cost that the first call's expected cost partly explains."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def draw(self, *shape: int) -> tuple[Floats, Floats, Floats]:
        """(cost, calls, covariate) per session."""
        n = self._rng.geometric(0.5, shape).astype(float)
        known = self._rng.lognormal(-6, 0.8, shape)  # of the first call, from its text
        spread = self._rng.lognormal(0, 0.6, shape) / np.exp(0.18)  # its answer's length, which nobody knows
        return known * spread * n, n, known


def daily_looks(units: int, per_day: int) -> Floats:
    """The units of an arm seen at the end of each day, as soon as they are enough for an interval."""
    looks = np.arange(per_day, units + per_day, per_day).clip(max=units)
    return looks[looks >= FEWEST].astype(float)


def crosses(found: Difference, errors: Floats | float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether an interval of so many standard errors at each look excludes 0 at some."""
    return np.asarray((np.abs(found.value) > errors * np.sqrt(found.variance)).any(axis=-1))


def false_alarms(experiments: int, *, seed: int, covariate: bool = True) -> tuple[float, float, float]:
    """The share of A/A experiments of 30 daily looks that find a difference.

    By the boundary of their horizon, by the interval for ever, and by one made for a single look.
    """
    sessions, looks = Sessions(seed), daily_looks(DAYS * PER_DAY, PER_DAY)
    arms = []
    for _ in range(2):
        y, n, x = sessions.draw(experiments, DAYS * PER_DAY)
        arms.append(Moments.running(y, n, x if covariate else 0 * x, looks))
    found = difference(*arms)
    horizon = boundary((looks / looks[-1]).tolist(), 0.05)
    kinds = (horizon, reach(2 * looks, 2.0 * DAYS * PER_DAY, 0.05), 1.96)
    alarms = [float(crosses(found, errors).mean()) for errors in kinds]
    return alarms[0], alarms[1], alarms[2]
