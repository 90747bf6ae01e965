"""The monitor's page, and its words for the terminal: live calls against the forecast."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from reports.html import page
from reports.sheets import Sheet

BY_MIX = "Mix against the forecast (PSI: from 0.1 moved, from 0.25 shifted)"


def verdict(report: Mapping[str, Any]) -> str:
    """The answer in one line."""
    alarms, spend = report["alarms"], report["spend"]
    if alarms:
        return f"{len(alarms)} alarm{'s' if len(alarms) > 1 else ''}: {alarms[0]['said']}"
    if spend["within"] is None:
        return "No priced call yet"
    within = "within" if spend["within"] else "outside"
    return f"No alarm: {report['calls']:,} calls, spend {within} its forecast"


def monitor_sheets(report: Mapping[str, Any]) -> list[Sheet]:
    """The tables of the page."""
    spend, outcomes = report["spend"], report["outcomes"]
    alarms = [(each["what"], each["said"], _call(each)) for each in report["alarms"]]
    facts = [
        ("Spend", Decimal(spend["usd"])),
        ("Forecast for these calls, low", _money(spend["low_usd"])),
        ("Forecast for these calls, high", _money(spend["high_usd"])),
        ("Per answered call", _money(spend["usd_per_success"])),
        ("Forecast per call", _money(spend["forecast_usd_per_request"])),
        ("Calls without a price", spend["unpriced_calls"]),
        ("Errors", outcomes["errors_pct"]),
        ("Calls that passed a model over", outcomes["fallbacks_pct"]),
        *(
            (f"Latency {name}, ms", None if value is None else round(value))
            for name, value in report["latency_ms"].items()
        ),
        ("Recorded costs off the price book", report["recorded"]["drift_pct"]),
    ]
    days = [
        (
            row["day"],
            row["requests"],
            Decimal(row["usd"]),
            _money(row["low_usd"]),
            _money(row["high_usd"]),
            _yes(row["within"]),
        )
        for row in report["days"]
    ]
    mix = [(row["feature"], f"{row['psi']:.3f}", f"{row['by_chance']:.3f}", row["said"]) for row in report["mix"]]
    evidence = [(name, f"{max(value, 0.0):.2f}") for name, value in report["evidence"].items()]
    sheets = [
        Sheet("Alarms", ("What", "Says", "At"), alarms),
        Sheet("Figures", ("", "Live"), facts),
        Sheet(
            "Days: spend against the forecast for as many calls",
            ("Day", "Calls", "Spend", "Low", "High", "Within"),
            days,
        ),
        Sheet(BY_MIX, ("Feature", "PSI", "By chance", ""), mix),
        Sheet("Evidence of a change (logarithm; an alarm at 1)", ("Of", "Evidence"), evidence),
    ]
    return [sheet for sheet in sheets if sheet.rows]


def monitor_page(report: Mapping[str, Any]) -> str:
    """One page that loads nothing."""
    return page("monitor.html.j2", verdict=verdict(report), report=report, sheets=monitor_sheets(report))


def write_monitor_page(report: Mapping[str, Any], path: Path) -> None:
    """Write the page."""
    path.write_bytes(monitor_page(report).encode())


def _money(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:.6f}")


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _yes(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "no"


def _call(alarm: Mapping[str, Any]) -> str:
    return "-" if alarm["call"] is None else f"call {alarm['call']:,}"
