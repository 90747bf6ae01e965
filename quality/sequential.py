"""Looking whenever one likes, for ever: intervals, a sample-ratio test and a change detector that allow it.

`quality.stats` bets on bounded differences of pairs; here are unbounded means of many units, counts, and changes.
Where an experiment ends at a stated horizon, `quality.group_sequential` is narrower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln

Floats = np.ndarray[Any, np.dtype[np.float64]]

# Shares of the wealth that each bettor of the detector stakes: small ones for small changes, large for sudden ones.
STAKES: Floats = np.geomspace(0.002, 0.5, 10)


def reach(units: Floats | float, planned: float, level: float) -> Floats:
    """How many standard errors an interval reaches at `units`, to hold at all times with a chance of 1 - `level`.

    The asymptotic confidence sequence of a mean (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central
    limit theory and asymptotic confidence sequences", 2024, theorem 2.2), narrowest near `planned` units. It is
    asymptotic: it needs enough units for a mean to be near normal.
    """
    asked = -2 * np.log(level)
    rho2 = (asked + np.log(asked + 1)) / planned
    grown = np.asarray(units, np.float64) * rho2 + 1
    return np.asarray(np.sqrt(2 * grown / (grown - 1) * np.log(np.sqrt(grown) / level)))


def ratio_evidence(counts: Floats, shares: Floats) -> Floats:
    """Evidence (an e-value) that units do not come in these shares; above 1/level at any time rejects at `level`.

    Args:
        counts: units per arm, along the last axis.
        shares: of each arm, adding up to 1.

    The Bayes factor of a Dirichlet prior around the shares against the shares themselves, a martingale where they hold
    (Lindon and Malek, "Anytime-valid inference for multinomial count data", 2022).
    """
    prior = 100.0 * shares  # worth a hundred units: finds a ratio that is a little off, given enough units
    total = counts.sum(axis=-1)
    log = gammaln(prior.sum()) - gammaln(prior.sum() + total)
    log = log + (gammaln(prior + counts) - gammaln(prior) - counts * np.log(shares)).sum(axis=-1)
    return np.asarray(np.exp(np.minimum(log, 700.0)))


class Detector:
    """Raises an alarm soon after a mean has risen, and falsely once in `patience` observations on average at the most.

    One bettor per stream and stake multiplies its wealth by 1 + stake (x / bound - 1), which cannot grow on average
    while the mean of x is at most the bound, whatever the distribution of x >= 0. A bettor starts anew at each
    observation; the sum of them all is an e-detector (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric
    framework for sequential change detection", 2023), and so is any average of such sums.

    Args:
        bounds: the largest mean of each stream that is no change, above 0.
        families: of each stream; a family's evidence is the average over its streams.
        patience: observations between false alarms, on average at least, all families together.

    It supposes that an observation's mean, given those before it, stays within the bound. Requests of one session
    depend on each other: bounds need some slack, as `quality.monitor` gives them.
    """

    def __init__(self, bounds: Floats, families: np.ndarray[Any, Any], patience: float) -> None:
        self.bounds, self.families = bounds, families
        self.names: list[str] = list(dict.fromkeys(families.tolist()))
        self.needed = float(np.log(patience * len(self.names)))
        self.seen = 0
        self.alarms: dict[str, int] = {}  # by family, the observation at which it rose first, from 1
        self._log = np.full((len(bounds), len(STAKES)), -np.inf)

    def see(self, values: Floats) -> None:
        """Observations in order, (observations, streams), each 0 or more; a NaN says nothing about its stream."""
        for start in range(0, len(values), 4_096):
            self._see(values[start : start + 4_096])

    def _see(self, values: Floats) -> None:
        gains = np.log1p(STAKES * (np.nan_to_num(values / self.bounds, nan=1.0)[:, :, None] - 1))
        # M[t] = (M[t-1] + 1) g[t], so M[t] = G[t] (M[0] + sum of 1 / G[s] for s < t), with G the running product.
        grown = np.cumsum(gains, axis=0)
        fresh = np.logaddexp.accumulate(np.concatenate([np.zeros((1, *grown.shape[1:])), -grown[:-1]]), axis=0)
        path = grown + np.logaddexp(self._log, fresh)
        self._log = path[-1]
        mixed = _average(path, 2)
        for name in self.names:
            risen = np.flatnonzero(_average(mixed[:, self.families == name], 1) >= self.needed)
            if len(risen) and name not in self.alarms:
                self.alarms[name] = self.seen + int(risen[0]) + 1
        self.seen += len(values)

    def evidence(self) -> dict[str, float]:
        """By family, the log of its evidence now, as a share of what an alarm needs; 1 and above is an alarm."""
        mixed = _average(self._log, 1)
        return {name: float(_average(mixed[self.families == name], 0)) / self.needed for name in self.names}

    def strongest(self, family: str) -> int:
        """The stream of a family with the most evidence."""
        within = np.flatnonzero(self.families == family)
        return int(within[np.argmax(_average(self._log, 1)[within])])


def _average(logs: Floats, axis: int) -> Floats:
    """The log of the average of exponentials along an axis."""
    most = logs.max(axis=axis, keepdims=True)
    safe = np.where(np.isfinite(most), most, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(logs - safe).mean(axis=axis)) + safe.squeeze(axis))
