"""Sessions with heavy-tailed costs, and A/A experiments on them with daily looks; the benchmark uses them too."""

import numpy as np

from quality.ab.analysis import FEWEST, interval_width
from quality.ab.moments import Floats, Moments, difference

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


def false_alarms(experiments: int, *, seed: int, covariate: bool = True) -> tuple[float, float]:
    """The share of A/A experiments of 30 daily looks that find a difference: by the interval, and by a naive one."""
    sessions, looks = Sessions(seed), daily_looks(DAYS * PER_DAY, PER_DAY)
    arms = []
    for _ in range(2):
        y, n, x = sessions.draw(experiments, DAYS * PER_DAY)
        arms.append(Moments.running(y, n, x if covariate else 0 * x, looks))
    found = difference(*arms)
    wide = interval_width(found, 2 * looks, 0.05, DAYS * PER_DAY)
    honest = (np.abs(found.value) > wide).any(axis=1).mean()
    naive = (np.abs(found.value) > 1.96 * np.sqrt(found.variance)).any(axis=1).mean()
    return float(honest), float(naive)
