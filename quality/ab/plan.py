"""How many units and requests an experiment needs, from the spread of costs that a replay shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from problems import BackrouteError
from quality.ab.looks import FEWEST
from quality.ab.moments import Floats, Moments, difference
from quality.group_sequential import boundary, crossing
from simulator.decisions import read_decisions

MOST_UNITS = 10**8
MOST_LOOKS = 60  # more of them change the plan by less than 1%


@dataclass(frozen=True)
class AbPlan:
    """What an experiment on USD per request needs.

    Args:
        control_usd, effect_usd: per request; the effect is candidate less control.
        effect_pct: in percent of the control.
        units, requests, days: needed, both arms together, with daily looks; the units are the experiment's horizon.
            None where more than MOST_UNITS; never so few that an interval could lack.
        fixed_units: what one look at the end would need, with an interval that allows no other.
        units_per_day, requests_per_unit: of the replayed log, with the share of its traffic that takes part.
        power: the chance that the interval excludes 0 by then.
    """

    control_usd: float
    effect_usd: float
    effect_pct: float
    units: int | None
    requests: int | None
    days: float | None
    fixed_units: int | None
    units_per_day: float
    requests_per_unit: float
    power: float


def plan_from_replay(
    folder: Path,
    *,
    control: str = "logged",
    effect_pct: float | None = None,
    share: float = 0.5,
    saved_pct: float = 0.0,
    power: float = 0.8,
    level: float = 0.05,
) -> AbPlan:
    """Plan an experiment of the replayed rules against what was logged, or against the baseline.

    Args:
        folder: a replay's.
        control: "logged" or "baseline".
        effect_pct: the change in USD per request to find, in percent; the replayed one when left out.
        share: of the units that get the candidate.
        saved_pct: what the covariate takes off the variance, as `backroute ab` measured it.
        power, level: of the test, which is looked at daily.

    Raises:
        BackrouteError: no decisions in the folder, or no effect to find.
    """
    frame = _units(folder, control)
    y, n = frame["control"].to_numpy(), frame["requests"].to_numpy(float)
    cost, routed = y.sum() / n.sum(), frame["candidate"].sum() / n.sum()
    effect = routed - cost if effect_pct is None else cost * effect_pct / 100
    if not effect or not cost:
        raise BackrouteError("ab plan", "no difference to find", fix="give --effect-pct")
    other = frame["candidate"].to_numpy() if effect_pct is None else y * (1 + effect_pct / 100)
    spread = unit_variance(y, other, n, share) * (1 - saved_pct / 100)
    if not spread:
        raise BackrouteError("ab plan", f"the costs of {len(frame):,} units do not vary", fix="replay a longer log")
    per_day = len(frame) / max(_days(frame), 1.0)
    needed = units_needed(abs(effect) / np.sqrt(spread), per_day, power=power, level=level)
    if needed is not None:
        needed = max(needed, int(np.ceil(1.5 * FEWEST / min(share, 1 - share))))  # surely FEWEST in the smaller arm
    fixed = int(np.ceil(spread * ((norm.ppf(1 - level / 2) + norm.ppf(power)) / effect) ** 2))
    per_unit = float(n.mean())
    asked = None if needed is None else round(needed * per_unit)
    days = None if needed is None else needed / per_day
    return AbPlan(cost, effect, 100 * effect / cost, needed, asked, days, fixed, per_day, per_unit, power)


def unit_variance(control: Floats, candidate: Floats, n: Floats, share: float) -> float:
    """The variance of the difference in sum(y) / sum(n), times the units of both arms."""
    nothing = np.zeros_like(control)
    alike = [Moments.of(y, n, nothing) for y in (control, candidate)]
    # An arm against itself has twice its own variance.
    own = [float(difference(arm, arm).variance) / 2 for arm in alike]
    return len(control) * (own[0] / (1 - share) + own[1] / share)


def units_needed(effect: float, per_day: float, *, power: float, level: float) -> int | None:
    """Units of both arms for an effect, in standard deviations of the difference times the root of the units."""
    low, high = 2, 4
    while high <= MOST_UNITS and power_at(high, effect, per_day, level=level) < power:
        low, high = high, high * 2
    if high > MOST_UNITS:
        return None
    while high - low > max(1, low // 1_000):
        middle = (low + high) // 2
        if power_at(middle, effect, per_day, level=level) < power:
            low = middle
        else:
            high = middle
    return high


def power_at(units: int, effect: float, per_day: float, *, level: float) -> float:
    """The chance that an interval excludes 0 at a daily look of an experiment whose horizon is so many units."""
    looks = int(np.clip(np.ceil(units / per_day), 1, MOST_LOOKS))
    information = [(look + 1) / looks for look in range(looks)]
    return crossing(information, boundary(information, level), effect * np.sqrt(units))


def _units(folder: Path, control: str) -> pd.DataFrame:
    names = ["request_id", "session_id", "arrived_at", f"{control}_usd_pico", "routed_usd_pico"]
    frame = read_decisions(folder, names).to_pandas().dropna(subset=names[3:])
    if frame.empty:
        raise BackrouteError(str(folder), "no request is priced in both arms", fix="try --control baseline")
    frame["unit"] = frame["session_id"].fillna(frame["request_id"])
    grouped = frame.groupby("unit")
    return pd.DataFrame(
        {
            "control": grouped[names[3]].sum() / 1e12,
            "candidate": grouped[names[4]].sum() / 1e12,
            "requests": grouped.size(),
            "first": grouped["arrived_at"].min(),
        }
    )


def _days(frame: pd.DataFrame) -> float:
    first = frame["first"].dropna()
    return float((first.max() - first.min()).total_seconds() / 86_400) if len(first) else 1.0
