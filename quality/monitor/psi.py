"""The population stability index: how far a mix has moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from quality.ab.moments import Floats

# The usual rule of thumb (Siddiqi, "Credit risk scorecards", 2006): below 0.1 stable, from 0.25 on another population.
MOVED, SHIFTED = 0.1, 0.25
FLOOR = 0.5  # requests that an empty bin counts as, so that its share is not 0


@dataclass(frozen=True)
class Psi:
    """The index, the value that chance alone exceeds in 5 of 100 samples of this size, and the rule of thumb's word."""

    value: float
    by_chance: float
    said: str


def psi(expected: Floats, seen: Floats) -> Psi:
    """The index of two histograms over the same bins.

    Chance: the index times nm / (n + m) is near chi-square with bins - 1 degrees of freedom where nothing moved
    (Yurdakul, "Statistical properties of population stability index", 2018).
    """
    shares = [np.maximum(counts, FLOOR) / np.maximum(counts, FLOOR).sum() for counts in (expected, seen)]
    value = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    held = max(int(((expected + seen) > 0).sum()), 2)
    by_chance = float(chi2.ppf(0.95, held - 1) * (1 / max(expected.sum(), 1) + 1 / max(seen.sum(), 1)))
    shown = "stable" if value < MOVED or value < by_chance else "moved" if value < SHIFTED else "shifted"
    return Psi(value, by_chance, shown)
