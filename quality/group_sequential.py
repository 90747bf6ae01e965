"""A boundary for an experiment that ends: its level is spent by the information seen, and all of it by the end.

Lan and DeMets ("Discrete sequential boundaries for clinical trials", 1983): a function says how much of the level may
be spent by each share of the planned information, so that looks may come when they come. How much a look spends is the
chance to cross there for the first time, by the recursion of Armitage, McPherson and Rowe ("Repeated significance tests
on accumulating data", 1969): with S = Z sqrt(t), its increments are independent and normal of variance dt.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import roots_legendre
from scipy.stats import norm

from quality.sequential import Floats

FARTHEST = 8.0  # standard errors; beyond it chance is below 1e-15 and nothing is spent
Places = tuple[float, Floats, Floats]  # information, places of S, and the weight of each
STEP = 1e-4  # of the information; looks closer than that are treated as that far apart, which is a little wider


def spent(information: Floats, level: float) -> Floats:
    """How much of the level may be spent by each share of the information: like O'Brien and Fleming's.

    Lan and DeMets' first function, for each side half of the level: 2 - 2 Phi(z(1 - level / 4) / sqrt(t)). It spends
    next to nothing early, where few units of skewed costs are far from normal, and costs few units for all its looks.
    """
    share = np.clip(information, 1e-12, 1.0)
    return np.asarray(4 * norm.sf(norm.isf(level / 4) / np.sqrt(share)))


def boundary(information: Sequence[float], level: float) -> Floats:
    """Standard errors that the interval of each look reaches, to hold at all of them with a chance of 1 - `level`.

    Args:
        information: seen by each look, ascending, as a share of what the experiment will have seen at its end; above 1
            nothing is left to spend.
    """
    return np.array(_boundary(tuple(information), level))


def crossing(information: Sequence[float], reach: Floats, drift: float) -> float:
    """The chance to cross a boundary at some look where Z has a mean of drift sqrt(t): the power of an experiment."""
    times = _apart(information)
    start: Places | None = None
    crossed = 0.0
    for at, time in enumerate(times):
        limit = reach[at] * np.sqrt(time)
        step = _Step(start, time, drift)
        crossed += step.outside(limit)
        if at + 1 < len(times):
            start = step.inside(limit, times[at + 1])
    return float(crossed)


@lru_cache(maxsize=256)
def _boundary(information: tuple[float, ...], level: float) -> tuple[float, ...]:
    times = _apart(information)
    allowed = np.diff(spent(times, level), prepend=0.0)
    start: Places | None = None
    reach = list[float]()
    for at, time in enumerate(times):
        step, root = _Step(start, time, 0.0), np.sqrt(time)
        if step.outside(FARTHEST * root) >= allowed[at]:
            limit = FARTHEST * root
        else:
            limit = brentq(_excess, 0.0, FARTHEST * root, args=(step, allowed[at]), xtol=1e-10)
        reach.append(float(limit / root))
        if at + 1 < len(times):
            start = step.inside(limit, times[at + 1])
    return tuple(reach)


def _excess(limit: float, step: _Step, allowed: float) -> float:
    return step.outside(limit) - allowed


def _apart(information: Sequence[float]) -> Floats:
    """The looks' information, each at least a step beyond the one before."""
    steps = STEP * np.arange(len(information))
    return np.asarray(np.maximum.accumulate(np.asarray(information, float) - steps) + steps)


class _Step:
    """S at one look, for the experiments that have not crossed before it.

    Args:
        start: where S stood at the look before; None before the first.
        time: information at this look.
        drift: of S per information.
    """

    def __init__(self, start: Places | None, time: float, drift: float) -> None:
        before, places, weights = start or (0.0, np.zeros(1), np.ones(1))
        self._time, self._drift, self._weights = time, drift, weights
        self._means, self._sd = places + drift * (time - before), np.sqrt(time - before)

    def outside(self, limit: float) -> float:
        """The chance of S beyond the limit on either side."""
        above = norm.sf((limit - self._means) / self._sd)
        return float(self._weights @ (above + norm.sf((limit + self._means) / self._sd)))

    def inside(self, limit: float, following: float) -> Places:
        """S within the limit as places and weights, close enough together for the step to the following look."""
        count = max(48, int(np.ceil(1.5 * np.pi * limit / np.sqrt(following - self._time))))
        nodes, weights = roots_legendre(count)
        places = limit * nodes
        density = norm.pdf((places[:, None] - self._means) / self._sd) @ self._weights / self._sd
        return self._time, places, limit * weights * density
