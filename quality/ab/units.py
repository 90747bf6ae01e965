"""Live calls as units of an experiment: who was in which arm, and what each unit cost, waited and suffered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from problems import BackrouteError, nearest
from quality.ab.moments import Floats

LARGEST_RATING = 1e6  # beyond any scale of feedback
GOOD = {"up": 1.0, "good": 1.0, "positive": 1.0, "like": 1.0, "true": 1.0, "thumbs_up": 1.0}
BAD = {"down": 0.0, "bad": 0.0, "negative": 0.0, "dislike": 0.0, "false": 0.0, "thumbs_down": 0.0}


@dataclass(frozen=True)
class Units:
    """The units of one experiment in its latest phase, in the order in which they were first seen.

    Args:
        experiment: its name.
        arms: the control first.
        shares: of the units, per arm, as they were logged.
        since: when the phase began: shares changed last.
        arm: int, each unit's.
        sums: by column, float, each unit's sum: requests, usd, priced, latency_ms, answered, errors, rating, rated.
        first_seen: int64 microseconds.
        first_request: the id of each unit's first request, which was sent before its arm had answered any; None for
            units that had been answered before the phase began.
        left_out: calls left out, by reason.
        moved: units that were seen in two arms within the phase, and are left out.
        horizon: the units at which it ends, as it was stated when the phase began; None where it was not.
        restated: another horizon, where one was stated later: too late to count.
    """

    experiment: str
    arms: tuple[str, ...]
    shares: Floats
    since: datetime
    arm: np.ndarray[tuple[int], np.dtype[np.int64]]
    sums: dict[str, Floats]
    first_seen: np.ndarray[tuple[int], np.dtype[np.int64]]
    first_request: list[str | None]
    left_out: dict[str, int]
    moved: int
    horizon: int | None
    restated: int | None


def units_of(calls: pa.Table, *, experiment: str | None, unit: str, control: str | None) -> Units:
    """The units of one experiment.

    Raises:
        BackrouteError: no experiment in the log, several and none named, fewer than two arms, or no such control.
    """
    frame = calls.to_pandas()
    name = _experiment(frame, experiment)
    frame = frame[frame["experiment"] == name].sort_values("arrived_at", kind="stable")
    left_out = {"without an arm: they lack the unit": int((frame["arm"].isna() | frame[unit].isna()).sum())}
    frame = frame[frame["arm"].notna() & frame[unit].notna()]
    since = _last_change(frame)
    before = frame["arrived_at"] < since
    left_out["before the shares changed last"] = int(before.sum())
    earlier = set(frame.loc[before, unit])
    frame = frame[~before]
    horizon, restated = (_whole(frame["horizon"].iloc[at]) for at in (0, -1))
    shares = frame.groupby("arm", sort=True)["share"].last()
    arms = _arms(list(shares.index), control, name)
    grouped = frame.groupby(unit, sort=False)
    moved = grouped["arm"].nunique()
    frame = frame[frame[unit].map(moved) == 1].copy()
    frame["usd"] = frame["usd_pico"].astype("float64").fillna(0.0) / 1e12
    frame["rating_value"] = frame["feedback"].map(_rating)
    answered = frame["status"] == "ok"
    columns = {
        "requests": np.ones(len(frame)),
        "usd": frame["usd"],
        "priced": frame["usd_pico"].notna(),
        "latency_ms": frame["latency_ms"].where(answered).fillna(0.0),
        "answered": answered & frame["latency_ms"].notna(),
        "errors": frame["status"] == "error",
        "rating": frame["rating_value"].fillna(0.0),
        "rated": frame["rating_value"].notna(),
    }
    table = pd.DataFrame({key: np.asarray(value, float) for key, value in columns.items()}, index=frame[unit])
    sums = table.groupby(level=0, sort=False).sum()
    first = frame.drop_duplicates(unit)
    left_out["of the figures in USD: their price is not known"] = int(frame["usd_pico"].isna().sum())
    left_out = {reason: count for reason, count in left_out.items() if count}
    return Units(
        name,
        arms,
        np.array([shares[arm] for arm in arms], float),
        since.to_pydatetime(),
        np.array([arms.index(arm) for arm in first["arm"]], np.int64),
        {key: sums[key].to_numpy() for key in sums.columns},
        first["arrived_at"].astype("int64").to_numpy(),
        [None if name in earlier else asked for name, asked in zip(first[unit], first["request_id"], strict=True)],
        left_out,
        int((moved > 1).sum()),
        horizon,
        None if restated == horizon else restated,
    )


def _experiment(frame: pd.DataFrame, wanted: str | None) -> str:
    names = sorted(frame["experiment"].dropna().unique().tolist())
    if not names:
        fix = "give a decision log of an Experiment: see docs/experiments.md"
        raise BackrouteError("ab", "no call of an experiment in the log", fix=fix)
    if wanted is None and len(names) > 1:
        raise BackrouteError("ab", f"several experiments ({', '.join(names)})", fix="name one with --experiment")
    name = names[0] if wanted is None else wanted
    if name not in names:
        fix = nearest(name, names) or f"it holds {', '.join(names)}"
        raise BackrouteError("--experiment", f"not in the log ({name!r})", fix=fix)
    return str(name)


def _arms(seen: list[str], control: str | None, name: str) -> tuple[str, ...]:
    if len(seen) < 2:
        what = f"experiment {name!r} has one arm only since its shares changed last ({', '.join(seen)})"
        raise BackrouteError("ab", what, fix="give two arms a weight, and wait")
    first = control or ("control" if "control" in seen else seen[0])
    if first not in seen:
        raise BackrouteError("--control", f"no arm {first!r}", fix=nearest(first, seen) or f"one of {', '.join(seen)}")
    return (first, *(arm for arm in seen if arm != first))


def _last_change(frame: pd.DataFrame) -> pd.Timestamp:
    """When an arm's share changed last; the first call where none did. Across a change, arms are not comparable."""
    changed = frame["share"] != frame.groupby("arm")["share"].shift()
    first = ~frame.duplicated("arm")
    later = frame["arrived_at"][changed & ~first]
    last: pd.Timestamp = later.max() if len(later) else frame["arrived_at"].min()
    return last


def _whole(value: float) -> int | None:
    return None if pd.isna(value) else int(value)


def _rating(said: object) -> float | None:
    """Feedback as a number; None where it is none."""
    word = str(said).strip().strip('"').lower()
    if said is None or word in GOOD | BAD:
        return None if said is None else (GOOD | BAD)[word]
    try:
        value = float(word)
    except ValueError:
        return None
    return value if abs(value) <= LARGEST_RATING else None
