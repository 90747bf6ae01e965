"""What a replay forecast: cost per request with its interval, the mix of requests, and the prices used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from problems import BackrouteError
from quality.ab.moments import Floats, Moments, difference
from simulator.decisions import read_decisions
from simulator.money import PICO
from simulator.summary_file import read_summary

INPUTS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h")
BINS = 10  # of a number: tenths of the forecast's requests


@dataclass(frozen=True)
class Feature:
    """How one thing about requests was spread in the forecast.

    Args:
        name: of the thing.
        bins: names of a category, or the upper edges of a number's bins but the last.
        counts: requests per bin; categories have a last one for what was not in the forecast.
    """

    name: str
    bins: tuple[Any, ...]
    counts: Floats

    def binned(self, values: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The bin of each value, -1 where it is null."""
        held = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        if self.bins and isinstance(self.bins[0], str):
            found = pc.index_in(held, pa.array(self.bins, pa.string())).fill_null(len(self.bins))
            return np.where(held.is_null().to_numpy(zero_copy_only=False), -1, found.to_numpy())
        numbers = held.cast(pa.float64()).to_numpy(zero_copy_only=False)
        edges = np.array(self.bins, float)
        return np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="left"))


@dataclass(frozen=True)
class Forecast:
    """See the module.

    Args:
        requests: that the forecast rests on.
        per_day: requests a day.
        usd: forecast mean cost of a request.
        low_usd, high_usd: its interval, sampling and token error included.
        spread: of the cost of a request, the root of the variance by which a mean over n requests varies times n;
            requests of a session counted together.
        features: see `Feature`.
        prices: the rows of summary.json.
        models: "provider/model" that the rules may use.
    """

    requests: int
    per_day: float
    usd: float
    low_usd: float
    high_usd: float
    spread: float
    features: tuple[Feature, ...]
    prices: tuple[dict[str, Any], ...]
    models: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Forecast:
        """The forecast of a replay's folder.

        Raises:
            BackrouteError: it is not the folder of a replay, or nothing in it is priced.
        """
        summary, table = read_summary(folder), read_decisions(folder)
        table = table.filter(pc.is_valid(table["routed_usd_pico"]))
        if not table.num_rows:
            raise BackrouteError(str(folder), "no priced request in it", fix="replay with prices for its models")
        usd = table["routed_usd_pico"].to_numpy().astype(float) / PICO
        low, high = _relative(summary)
        mean = float(usd.mean())
        days = summary["period"]["days"] or 1.0
        return cls(
            table.num_rows,
            table.num_rows / max(float(days), 1.0),
            mean,
            mean * low,
            mean * high,
            _spread(table, usd),
            _features(table),
            tuple(summary["prices"]),
            tuple(sorted({str(name) for name in table["routed_model"].unique().to_pylist() if name})),
        )


def _relative(summary: dict[str, Any]) -> tuple[float, float]:
    """The interval of the routed spend as shares of its middle, from that of the saving."""
    savings = summary["savings"]
    base, routed = float(summary["baseline"]["usd"]), float(summary["routed"]["usd"])
    if savings["low_pct"] is None or not routed:
        return 1.0, 1.0
    # A saving of s percent is a spend of (100 - s) percent of the baseline.
    low, high = (base * (1 - savings[name] / 100) / routed for name in ("high_pct", "low_pct"))
    return min(low, 1.0), max(high, 1.0)


def _spread(table: pa.Table, usd: Floats) -> float:
    units = pc.coalesce(table["session_id"], table["request_id"]).combine_chunks().dictionary_encode()
    of = units.indices.to_numpy()
    y: Floats = np.asarray(np.bincount(of, usd), np.float64)
    n: Floats = np.bincount(of).astype(np.float64)
    arm = Moments.of(y, n, np.zeros_like(y))
    return float(np.sqrt(difference(arm, arm).variance / 2 * len(usd)))


def _features(table: pa.Table) -> tuple[Feature, ...]:
    columns = features_of(table, "routed_")
    return tuple(_feature(name, values) for name, values in columns.items())


def features_of(table: pa.Table, prefix: str = "") -> dict[str, pa.ChunkedArray]:
    """What is watched of requests, by name; `prefix` is that of decisions.parquet's routed arm."""
    columns = {"rule": table["rule"], "model": table[f"{prefix}model"]}
    if prefix:
        tokens = [pc.fill_null(table[f"{prefix}{bucket}"], 0.0) for bucket in INPUTS]
        total = tokens[0]
        for part in tokens[1:]:
            total = pc.add(total, part)
        columns["input tokens"] = total
    else:
        columns["input tokens"] = table["input_tokens"]
    return columns


def _feature(name: str, values: pa.ChunkedArray) -> Feature:
    held = values.drop_null()
    if pa.types.is_string(held.type):
        names = tuple(sorted(held.unique().to_pylist()))
        feature = Feature(name, names, np.zeros(0))
        length = len(names) + 1
    else:
        numbers = held.to_numpy().astype(float)
        edges = tuple(np.unique(np.quantile(numbers, np.arange(1, BINS) / BINS)).tolist()) if len(numbers) else ()
        feature, length = Feature(name, edges, np.zeros(0)), len(edges) + 1
    return Feature(name, feature.bins, np.bincount(feature.binned(held), minlength=length).astype(float))
