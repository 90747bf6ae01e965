"""A watch as Prometheus gauges, in the text format that node_exporter's textfile collector takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from problems import BackrouteError

FIGURES = {
    "calls": ("calls", "Live calls seen."),
    "spend_usd": ("spend.usd", "Spend at the price book's prices."),
    "spend_low_usd": ("spend.low_usd", "Lower end of what these calls were forecast to cost."),
    "spend_high_usd": ("spend.high_usd", "Upper end of it."),
    "usd_per_success": ("spend.usd_per_success", "Spend per answered call."),
    "unpriced_calls": ("spend.unpriced_calls", "Calls whose cost is unknown."),
    "errors_pct": ("outcomes.errors_pct", "Calls that failed, percent."),
    "fallbacks_pct": ("outcomes.fallbacks_pct", "Calls that passed a model over, percent."),
}


def write_metrics(report: Mapping[str, Any], path: Path) -> None:
    """Write the gauges of a report into a file, at once.

    Raises:
        BackrouteError: prometheus_client is not installed, or the file cannot be written.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
    except ImportError as error:
        fix = "pip install 'backroute[prometheus]'"
        raise BackrouteError("--metrics", "prometheus_client is not installed", fix=fix) from error
    registry = CollectorRegistry()
    for name, (where, said) in FIGURES.items():
        value = report
        for part in where.split("."):
            value = value[part]
        if value is not None:
            Gauge(f"backroute_monitor_{name}", said, registry=registry).set(float(value))  # type: ignore[arg-type]
    latency = Gauge("backroute_monitor_latency_ms", "Of answered calls.", ["quantile"], registry=registry)
    for name, value in report["latency_ms"].items():
        if value is not None:
            latency.labels(name).set(value)
    index = Gauge("backroute_monitor_psi", "Population stability index.", ["feature"], registry=registry)
    for row in report["mix"]:
        index.labels(row["feature"]).set(row["psi"])
    evidence = Gauge("backroute_monitor_evidence", "Of a change; 1 is an alarm.", ["what"], registry=registry)
    for name, value in report["evidence"].items():
        evidence.labels(name).set(max(value, 0.0))
    Gauge("backroute_monitor_alarms", "Alarms raised.", registry=registry).set(len(report["alarms"]))
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise BackrouteError("--metrics", f"cannot be written ({error.strerror})", fix="give another file") from error
