"""An experiment's results: differences with intervals that hold at every look, and what must not get worse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from quality.ab.looks import FEWEST, Looks
from quality.ab.moments import Floats, Moments, difference
from quality.ab.units import Units
from quality.sequential import ratio_evidence, reach

# By name: numerator, denominator (None: the unit itself).
METRICS: dict[str, tuple[str, str | None]] = {
    "USD per request": ("usd", "priced"),
    "USD per unit": ("usd", None),
    "ms per answer": ("latency_ms", "answered"),
    "errors per request": ("errors", "requests"),
    "feedback": ("rating", "rated"),
}
PLANNED = 5_000  # units at which an interval for ever is narrowest, without a horizon; at 20 times as many 10% wider
CLEAR, BREACHED, OPEN = "clear", "breached", "open"


@dataclass(frozen=True)
class Guard:
    """What must not get worse by more than `limit`, a share of the control's value where `relative`."""

    metric: str
    limit: float
    relative: bool


def guards(*, errors: float = 0.01, latency: float = 0.20) -> tuple[Guard, ...]:
    """The guardrails: errors may rise by so many per request, latency by such a share of the control's."""
    return Guard("errors per request", errors, False), Guard("ms per answer", latency, True)


@dataclass(frozen=True)
class Result:
    """One metric of one arm against the control.

    Args:
        arm, metric: which.
        control, candidate: the metric in each, unadjusted.
        difference: candidate less control, adjusted by the covariate where it is used.
        low, high: hold at every look together, with a chance of 1 - level; None below FEWEST units an arm, without any
            spread, or before the first look of a horizon.
        pct, low_pct, high_pct: the same in percent of the control.
        variance_saved_pct: what the covariate took off the variance; None where it is not used.
        guard: clear, breached or open, where the metric is guarded; by an interval that holds for ever.
    """

    arm: str
    metric: str
    control: float
    candidate: float
    difference: float
    low: float | None
    high: float | None
    pct: float | None
    low_pct: float | None
    high_pct: float | None
    variance_saved_pct: float | None
    guard: str | None


@dataclass(frozen=True)
class Analysis:
    """The whole of it.

    Args:
        units: see `Units`; to date.
        counts: units per arm.
        ratio_p: an always-valid p-value of the units' shares; below `RATIO_LEVEL` the assignment or its log is broken.
        results: per arm and metric.
        level: of each interval.
        looks: of the horizon, where one is stated; else the intervals are for ever.
    """

    units: Units
    counts: tuple[int, ...]
    ratio_p: float
    results: tuple[Result, ...]
    level: float
    looks: Looks | None

    @property
    def failed(self) -> bool:
        """Whether a guardrail is breached or the arms' shares are not what they should be."""
        return self.ratio_p < RATIO_LEVEL or any(result.guard == BREACHED for result in self.results)


RATIO_LEVEL = 0.001


def analyse(
    units: Units,
    *,
    covariate: Floats | None = None,
    level: float = 0.05,
    looks: Looks | None = None,
    to_date: Units | None = None,
    guarded: tuple[Guard, ...] = guards(),
) -> Analysis:
    """Compare each arm with the control.

    Args:
        units: from `units_of`; where there are looks, of the calls that the latest one sees.
        covariate: per unit, known before its arm acted; see `replayed_cost`.
        level: of each interval.
        looks: of a stated horizon; the intervals hold for ever where left out.
        to_date: where there are looks, the units of all calls. Guardrails and shares do not wait for a look: they are
            judged on these, by intervals that hold for ever.
        guarded: what must not get worse.
    """
    now = to_date or units
    counts = np.bincount(now.arm, minlength=len(now.arms))
    results = []
    for number, metric in _compared(now):
        guard = next((guard for guard in guarded if guard.metric == metric), None)
        ever = _result(now, number, metric, covariate if now is units else None, level, None, guard)
        if looks is not None and looks.at and (number, metric) in _compared(units):
            shown = _result(units, number, metric, covariate, level, float(looks.reach[-1]), None)
            results.append(replace(shown, guard=ever.guard))
        elif looks is not None:
            results.append(replace(ever, low=None, high=None, low_pct=None, high_pct=None))
        else:
            results.append(ever)
    evidence = _highest_evidence(now.arm, now.shares / now.shares.sum())
    return Analysis(now, tuple(counts.tolist()), min(1.0, 1 / evidence), tuple(results), level, looks)


def _compared(units: Units) -> list[tuple[int, str]]:
    """Arms, by number, and the metrics that both they and the control have."""
    return [
        (number, metric)
        for number in range(1, len(units.arms))
        for metric, (_, bottom) in METRICS.items()
        if min(_told(units, bottom)[units.arm == at].sum() for at in (0, number)) > 0
    ]


def _highest_evidence(arm: np.ndarray[tuple[int], np.dtype[np.int64]], shares: Floats) -> float:
    """The most evidence against the shares at any time so far; it holds at all times."""
    running = np.stack([(arm == at).cumsum() for at in range(len(shares))], axis=-1).astype(float)
    return float(ratio_evidence(running, shares).max(initial=1.0))


def _result(
    units: Units,
    number: int,
    metric: str,
    covariate: Floats | None,
    level: float,
    at_look: float | None,
    guard: Guard | None,
) -> Result:
    top, bottom = METRICS[metric]
    arms = []
    for at in (0, number):
        # A unit with a call of unknown price has no cost of its own to compare.
        rows = (units.arm == at) & (_told(units, bottom) > 0) if bottom is None else units.arm == at
        y = units.sums[top][rows]
        n = np.ones_like(y) if bottom is None else units.sums[bottom][rows]
        arms.append(Moments.of(y, n, np.zeros_like(y) if covariate is None else covariate[rows]))
    found = difference(*arms)
    errors = (
        float(reach(arms[0].units + arms[1].units, units.horizon or PLANNED, level)) if at_look is None else at_look
    )
    # Where no unit differs, no error yet say, there is nothing to tell the spread by.
    enough = min(arms[0].units, arms[1].units) >= FEWEST and float(found.variance) > 0
    value, control, width = float(found.value), float(found.control), errors * float(np.sqrt(found.variance))
    low, high = (value - width, value + width) if enough else (None, None)
    saved = None
    if covariate is not None and float(found.plain) > 0:
        saved = 100 * (1 - float(found.variance) / float(found.plain))
    return Result(
        units.arms[number],
        metric,
        control,
        float(found.candidate),
        value,
        low,
        high,
        _pct(value, control),
        _pct(low, control),
        _pct(high, control),
        saved,
        _guarded(guard, low, high, control),
    )


def _told(units: Units, bottom: str | None) -> Floats:
    """Per unit, how many of what a metric is an average over; without any, 1 for a unit that is priced whole."""
    whole = units.sums["priced"] == units.sums["requests"]
    return whole.astype(float) if bottom is None else units.sums[bottom]


def _guarded(guard: Guard | None, low: float | None, high: float | None, control: float) -> str | None:
    if guard is None:
        return None
    limit = guard.limit * control if guard.relative else guard.limit
    if low is None or high is None:
        return OPEN
    return BREACHED if low > limit else CLEAR if high < limit else OPEN


def _pct(value: float | None, control: float) -> float | None:
    return None if value is None or not control else 100 * value / control
