"""Sums over units, and from them the difference of two arms in a ratio, with its variance: for one experiment or many.

A unit i, a session say, has a numerator y (its cost), a denominator n (its requests; 1 for a mean per unit) and a
covariate x known before its arm acted. An arm's metric is R = sum(y) / sum(n); its variance is that of the linearised
z = (y - R n) / mean(n) by the delta method, with the unit as the cluster (Deng, Knoblich and Lu, "Applying the delta
method in metric analytics", 2018). The covariate takes out what it explains: the difference in means of x between the
arms, times theta = cov(z, x) / var(x) (CUPED; Deng, Xu, Kohavi and Walker, 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Moments:
    """Sums over the units of one arm; each field has the shape of the experiments and looks, or is a number."""

    units: Floats
    y: Floats
    n: Floats
    x: Floats
    yy: Floats
    yn: Floats
    nn: Floats
    yx: Floats
    nx: Floats
    xx: Floats

    @classmethod
    def of(cls, y: Floats, n: Floats, x: Floats) -> Moments:
        """The sums of units along the last axis."""
        return cls(*(part.sum(axis=-1) for part in _products(y, n, x)))

    @classmethod
    def running(cls, y: Floats, n: Floats, x: Floats, looks: Floats) -> Moments:
        """The sums of the first k units for each k of `looks`, along the last axis."""
        return cls(*(part.cumsum(axis=-1)[..., looks.astype(int) - 1] for part in _products(y, n, x)))


@dataclass(frozen=True)
class Difference:
    """Candidate less control.

    Args:
        control, candidate: the metric in each arm.
        value: their difference, adjusted by the covariate.
        variance: of `value`.
        plain: the variance it would have without the covariate.
    """

    control: Floats
    candidate: Floats
    value: Floats
    variance: Floats
    plain: Floats


def difference(control: Moments, candidate: Moments) -> Difference:
    """The difference in sum(y) / sum(n) between two arms."""
    zs = [_linear(arm) for arm in (control, candidate)]
    within = sum(arm.units * z.xx for arm, z in zip((control, candidate), zs, strict=True))
    shared = sum(arm.units * z.zx for arm, z in zip((control, candidate), zs, strict=True))
    theta = np.divide(shared, within, out=np.zeros_like(np.asarray(within, float)), where=np.asarray(within) > 0)
    plain = sum(z.zz / arm.units for arm, z in zip((control, candidate), zs, strict=True))
    adjusted = sum(
        (z.zz - 2 * theta * z.zx + theta**2 * z.xx) / arm.units for arm, z in zip((control, candidate), zs, strict=True)
    )
    ratios = [arm.y / arm.n for arm in (control, candidate)]
    value = ratios[1] - ratios[0] - theta * (candidate.x / candidate.units - control.x / control.units)
    return Difference(ratios[0], ratios[1], value, np.maximum(adjusted, 0.0), np.asarray(plain))


@dataclass(frozen=True)
class _Linear:
    """Second moments, about their means, of the linearised metric and the covariate in one arm."""

    zz: Floats
    zx: Floats
    xx: Floats


def _linear(arm: Moments) -> _Linear:
    ratio, mean_n, mean_x = arm.y / arm.n, arm.n / arm.units, arm.x / arm.units
    squares = arm.yy - 2 * ratio * arm.yn + ratio**2 * arm.nn
    crossed = arm.yx - ratio * arm.nx  # z has mean 0, so nothing is to be taken off
    return _Linear(
        np.maximum(squares, 0.0) / arm.units / mean_n**2,
        crossed / arm.units / mean_n,
        np.maximum(arm.xx / arm.units - mean_x**2, 0.0),
    )


def _products(y: Floats, n: Floats, x: Floats) -> tuple[Floats, ...]:
    return np.ones_like(y), y, n, x, y * y, y * n, n * n, y * x, n * x, x * x
