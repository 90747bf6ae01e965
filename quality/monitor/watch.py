"""Watching live calls as they come: columns kept, the change detector fed, alarms raised."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quality.ab.moments import Floats
from quality.live_calls import CALLS
from quality.monitor.forecast import Forecast, features_of
from quality.sequential import Detector
from simulator.money import PICO

SLACK = 0.02  # of a share, beside the tolerance: a mix moves a little every day


@dataclass(frozen=True)
class Limits:
    """What is no change.

    Args:
        tolerance: how far above the forecast's interval the cost of a request, or above the forecast the share of a
            rule, may lie, as a share of it.
        errors, fallbacks: shares of requests.
        patience_days: false alarms come this many days of the forecast's traffic apart, on average at least.
        retires_within: days before a model's end that are an alarm.
    """

    tolerance: float = 0.10
    errors: float = 0.02
    fallbacks: float = 0.05
    patience_days: float = 365.0
    retires_within: int = 30


@dataclass
class Watch:
    """Live calls so far, against a forecast.

    `alarms` holds, by what rose, the number of the call at which it did, from 1.
    """

    forecast: Forecast
    limits: Limits = field(default_factory=Limits)
    calls: pa.Table = field(default_factory=CALLS.empty_table)

    def __post_init__(self) -> None:
        forecast, limits = self.forecast, self.limits
        names = ["cost of a request", "errors", "fallbacks"]
        families = list(names)
        free = 1 / PICO  # where a forecast costs nothing, any cost is a rise
        bounds = [max(forecast.high_usd * (1 + limits.tolerance), free), limits.errors, limits.fallbacks]
        self._at: list[tuple[int, int]] = []  # (feature, bin) of each further stream
        for number, feature in enumerate(forecast.features):
            shares = feature.counts / feature.counts.sum()
            for bin_, share in enumerate(shares.tolist()):
                self._at.append((number, bin_))
                names.append(f"{feature.name} {_bin_name(feature.bins, bin_)}")
                families.append(f"mix: {feature.name}")
                bounds.append(min(share * (1 + limits.tolerance) + SLACK, 1.0))
        self.names = names
        patience = max(forecast.per_day, 1.0) * limits.patience_days
        self.detector = Detector(np.array(bounds), np.array(families), patience)

    @property
    def alarms(self) -> dict[str, int]:
        """See the class."""
        return self.detector.alarms

    def see(self, calls: pa.Table) -> None:
        """More calls, in the order in which they came."""
        self.detector.see(self._values(calls))
        self.calls = pa.concat_tables([self.calls, calls])

    def cause(self, family: str) -> str:
        """Which of a family's streams rose."""
        return self.names[self.detector.strongest(family)]

    def _values(self, calls: pa.Table) -> Floats:
        values = np.full((calls.num_rows, len(self.names)), np.nan)
        ok = pc.equal(calls["status"], "ok").to_numpy(zero_copy_only=False)
        usd = calls["usd_pico"].to_numpy(zero_copy_only=False).astype(float) / PICO
        values[:, 0] = np.where(ok, usd, np.nan)
        values[:, 1] = pc.equal(calls["status"], "error").to_numpy(zero_copy_only=False)
        passed = calls["fallbacks"].to_numpy(zero_copy_only=False).astype(float)
        values[:, 2] = np.where(np.isnan(passed), np.nan, passed > 0)
        columns = features_of(calls)
        binned = [feature.binned(columns[feature.name]) for feature in self.forecast.features]
        for stream, (number, bin_) in enumerate(self._at, 3):
            known = binned[number] >= 0
            values[:, stream] = np.where(known, binned[number] == bin_, np.nan)
        return values


def _bin_name(bins: tuple[object, ...], at: int) -> str:
    if bins and isinstance(bins[0], str):
        return str(bins[at]) if at < len(bins) else "not in the forecast"
    if not bins:
        return "any"
    return f"up to {bins[at]:,.0f}" if at < len(bins) else f"above {bins[-1]:,.0f}"
