"""How many units and requests an experiment needs, from the spread of costs that a replay shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy.stats import norm

from problems import BackrouteError
from quality.ab.moments import Floats, Moments, difference
from quality.sequential import reach

PATHS = 4_000  # simulated experiments
MOST_UNITS = 10**8
MOST_LOOKS = 60


@dataclass(frozen=True)
class AbPlan:
    """What an experiment on USD per request needs.

    Args:
        control_usd, effect_usd: per request; the effect is candidate less control.
        effect_pct: in percent of the control.
        units, requests, days: needed, both arms together; None where more than MOST_UNITS.
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
    seed: int = 0,
) -> AbPlan:
    """Plan an experiment of the replayed rules against what was logged, or against the baseline.

    Args:
        folder: a replay's.
        control: "logged" or "baseline".
        effect_pct: the change in USD per request to find, in percent; the replayed one when left out.
        share: of the units that get the candidate.
        saved_pct: what the covariate takes off the variance, as `backroute ab` measured it.
        power, level: of the test, which may be looked at daily.
        seed: of the simulation.

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
    per_day = len(frame) / max(_days(frame), 1.0)
    needed = units_needed(abs(effect) / np.sqrt(spread), per_day, power=power, level=level, seed=seed)
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


def units_needed(effect: float, per_day: float, *, power: float, level: float, seed: int) -> int | None:
    """Units of both arms for an effect, in standard deviations of the difference times the root of the units.

    By bisection over simulated experiments that are looked at daily.
    """
    low, high = 2, 4
    while high <= MOST_UNITS and power_at(high, effect, per_day, level=level, seed=seed) < power:
        low, high = high, high * 2
    if high > MOST_UNITS:
        return None
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        if power_at(middle, effect, per_day, level=level, seed=seed) < power:
            low = middle
        else:
            high = middle
    return high


def power_at(units: int, effect: float, per_day: float, *, level: float, seed: int) -> float:
    """The chance that an interval narrowest at `units` excludes 0 at a daily look by then, by simulation."""
    looks = int(np.clip(np.ceil(units / per_day), 1, MOST_LOOKS))
    seen = np.linspace(units / looks, units, looks)
    steps = np.random.default_rng(seed).standard_normal((PATHS, looks)) * np.sqrt(np.diff(seen, prepend=0.0))
    # The difference in standard errors, at each look: a random walk with a drift.
    z = (steps.cumsum(axis=1) + effect * seen) / np.sqrt(seen)
    return float((np.abs(z) > reach(seen, units, level)).any(axis=1).mean())


def _units(folder: Path, control: str) -> pd.DataFrame:
    path = folder / "decisions.parquet"
    if not path.exists():
        raise BackrouteError(str(folder), "no decisions.parquet in it", fix="give the --out folder of a replay")
    names = ["request_id", "session_id", "arrived_at", f"{control}_usd_pico", "routed_usd_pico"]
    frame = pq.read_table(path, columns=names).to_pandas().dropna(subset=names[3:])
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
