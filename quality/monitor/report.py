"""A watch in figures, for the terminal, the page, programs and Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import norm

from pricing import PriceBook
from quality.monitor.forecast import Forecast, features_of
from quality.monitor.psi import psi
from quality.monitor.watch import Watch
from simulator.days import DAY_US, day_name
from simulator.money import PICO, dollars, exact_sum
from simulator.sums.interval import LEVEL

QUANTILES = (50, 90, 99)
RECORDED_OFF_PCT = 1.0  # recorded against recomputed cost: from here on somebody's price is another


def report_of(watch: Watch, book: PriceBook) -> dict[str, Any]:
    """Everything there is to say of a watch; money as decimal strings, absent is null.

    `alarms` are what makes `backroute monitor` exit with 1; all else is for the reader.
    """
    calls, forecast = watch.calls, watch.forecast
    times = calls["arrived_at"].drop_null()
    last = pc.max(times).as_py() if len(times) else datetime.now(UTC)
    prices = price_changes(forecast.prices, book, last)
    retiring = _retiring(calls, forecast, book, last.date(), watch.limits.retires_within)
    recorded = _recorded(calls)
    report = {
        "calls": calls.num_rows,
        "first": pc.min(times).as_py().isoformat() if len(times) else None,
        "last": last.isoformat() if len(times) else None,
        "spend": _spend(calls, forecast),
        "days": _days(calls, forecast),
        "mix": _mix(calls, forecast),
        "outcomes": _outcomes(calls),
        "latency_ms": _latency(calls),
        "recorded": recorded,
        "price_changes": prices,
        "retiring": retiring,
        "evidence": watch.detector.evidence(),
    }
    return report | {"alarms": _alarms(watch, prices, retiring, recorded)}


def _alarms(
    watch: Watch, prices: Sequence[dict[str, Any]], retiring: Sequence[dict[str, Any]], recorded: dict[str, Any]
) -> list[dict[str, Any]]:
    times = watch.calls["arrived_at"]
    found: list[dict[str, Any]] = []
    for family, at in watch.alarms.items():
        when = times[at - 1].as_py()
        said = f"{watch.cause(family)} rose above what the forecast allows"
        found.append({"what": family, "said": said, "call": at, "at": when.isoformat() if when else None})
    for change in prices:
        said = f"{change['model']} {change['bucket']}: ${change['was']} became {_usd(change['now'])} per million tokens"
        found.append({"what": "price", "said": said, "call": None, "at": None})
    for model in retiring:
        found.append(
            {"what": "retirement", "said": f"{model['model']} ends on {model['on']}", "call": None, "at": None}
        )
    if recorded["drift_pct"] is not None and abs(recorded["drift_pct"]) > RECORDED_OFF_PCT:
        said = f"costs recorded in the log are {recorded['drift_pct']:+.1f}% off the price book"
        found.append({"what": "recorded cost", "said": said, "call": None, "at": None})
    return found


def _usd(value: str | None) -> str:
    return "unpriced" if value is None else f"${value}"


def _spend(calls: pa.Table, forecast: Forecast) -> dict[str, Any]:
    priced = calls["usd_pico"].drop_null()
    total = exact_sum(priced.to_numpy()) if len(priced) else 0
    answered = pc.and_(pc.equal(calls["status"], "ok"), pc.is_valid(calls["usd_pico"]))
    ok = int(pc.sum(answered).as_py() or 0)
    return {
        "usd": dollars(total),
        "unpriced_calls": calls.num_rows - len(priced),
        "usd_per_success": total / PICO / ok if ok else None,
        "forecast_usd_per_request": forecast.usd,
        **dict(zip(("low_usd", "high_usd"), _interval(forecast, max(len(priced), 1)), strict=True)),
        "within": _within(total / PICO, forecast, len(priced)),
    }


def _interval(forecast: Forecast, requests: int) -> tuple[float, float]:
    """What so many requests should cost: the forecast's own interval joined with the chance of which requests came."""
    chance = float(norm.ppf((1 + LEVEL) / 2)) * forecast.spread / np.sqrt(requests)
    low = np.hypot(forecast.usd - forecast.low_usd, chance)
    high = np.hypot(forecast.high_usd - forecast.usd, chance)
    return max(0.0, (forecast.usd - low) * requests), float((forecast.usd + high) * requests)


def _within(usd: float, forecast: Forecast, requests: int) -> bool | None:
    if not requests:
        return None
    low, high = _interval(forecast, requests)
    return bool(low <= usd <= high)


def _days(calls: pa.Table, forecast: Forecast) -> list[dict[str, Any]]:
    timed = calls.filter(pc.and_(pc.is_valid(calls["arrived_at"]), pc.is_valid(calls["usd_pico"])))
    if not timed.num_rows:
        return []
    numbers = timed["arrived_at"].cast(pa.int64()).to_numpy() // DAY_US
    distinct, where = np.unique(numbers, return_inverse=True)
    rows = []
    for at, number in enumerate(distinct.tolist()):
        pico = timed["usd_pico"].to_numpy()[where == at]
        low, high = _interval(forecast, len(pico))
        total = exact_sum(pico)
        rows.append(
            {
                "day": day_name(number),
                "requests": len(pico),
                "usd": dollars(total),
                "low_usd": low,
                "high_usd": high,
                "within": _within(total / PICO, forecast, len(pico)),
            }
        )
    return rows


def _mix(calls: pa.Table, forecast: Forecast) -> list[dict[str, Any]]:
    columns, rows = features_of(calls), []
    for feature in forecast.features:
        binned = feature.binned(columns[feature.name])
        seen = np.bincount(binned[binned >= 0], minlength=len(feature.counts)).astype(float)
        found = psi(feature.counts, seen)
        rows.append({"feature": feature.name, "psi": found.value, "by_chance": found.by_chance, "said": found.said})
    return rows


def _outcomes(calls: pa.Table) -> dict[str, Any]:
    passed = calls["fallbacks"].drop_null()
    errors = int(pc.sum(pc.equal(calls["status"], "error")).as_py() or 0)
    return {
        "errors": errors,
        "errors_pct": 100 * errors / calls.num_rows if calls.num_rows else None,
        "fallbacks_pct": 100 * float(pc.mean(pc.greater(passed, 0)).as_py()) if len(passed) else None,
    }


def _latency(calls: pa.Table) -> dict[str, float | None]:
    known = calls["latency_ms"].filter(pc.equal(calls["status"], "ok")).drop_null().to_numpy()
    return {f"p{q}": float(np.quantile(known, q / 100)) if len(known) else None for q in QUANTILES}


def _recorded(calls: pa.Table) -> dict[str, Any]:
    both = calls.filter(pc.and_(pc.is_valid(calls["recorded_usd"]), pc.is_valid(calls["usd_pico"])))
    recorded = float(pc.sum(both["recorded_usd"]).as_py() or 0) if both.num_rows else 0.0
    computed = exact_sum(both["usd_pico"].to_numpy()) / PICO if both.num_rows else 0.0
    return {"calls": both.num_rows, "drift_pct": 100 * (recorded / computed - 1) if computed else None}


def price_changes(prices: Sequence[dict[str, Any]], book: PriceBook, at: datetime) -> list[dict[str, Any]]:
    """Prices of the forecast that are others now: {model, bucket, was, now, since}; now is null where there is none."""
    rows = []
    for row in prices:
        if " above " in row["bucket"]:
            continue
        quote = book.quote(row["model"], at)
        rate = quote.usd_per_mtok[row["bucket"]] if quote is not None else None
        now = None if rate is None else f"{rate.base.normalize():f}"
        if now != row["usd_per_mtok"]:
            since = quote.effective_from.isoformat() if quote is not None and quote.effective_from else None
            named = {name: row[name] for name in ("model", "bucket")}
            rows.append(named | {"was": row["usd_per_mtok"], "now": now, "since": since})
    return rows


def _retiring(calls: pa.Table, forecast: Forecast, book: PriceBook, today: date, within: int) -> list[dict[str, Any]]:
    models = {*forecast.models, *(name for name in calls["model"].unique().to_pylist() if name)}
    ends = {name: book.capabilities(name).retires_on for name in sorted(models)}
    soon = today + timedelta(days=within)
    return [{"model": name, "on": end.isoformat()} for name, end in ends.items() if end is not None and end <= soon]
