"""How long an arm's callers wait: percentiles, and requests that break a limit."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.counts import Array
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.state.columns import LogColumns
from simulator.state.latency import LatencyLimits, Paces, durations


def latencies(
    name: str,
    columns: LogColumns,
    model: Codes,
    output_milli: Array,
    wait_us: Array,
    served: Array,
    index: ModelIndex,
    paces: Paces,
    limits: LatencyLimits,
    seed: int,
) -> dict[str, Any]:
    """One arm's part of the summary's `latency`, over requests it serves.

    A call to the model the log called took as long as the log says; every other call what its model's pace expects,
    times a luck drawn from its request's id, which all arms share.
    """
    rows = served & ~columns.passes & (model != NO_MODEL)
    expected, log_sd = np.zeros(len(model), np.int64), np.zeros(len(model))
    for code in np.unique(model[rows]).tolist():
        here = rows & (model == code)
        pace = paces.of(index.names[code])
        expected[here], log_sd[here] = pace.expected_us(output_milli[here]), pace.log_sd
    took = durations(expected, log_sd, columns.names(), seed)
    recorded = index.same(columns.model, model) & np.isfinite(columns.latency_ms)
    took = np.where(recorded, np.rint(np.nan_to_num(columns.latency_ms) * 1000).astype(np.int64), took) + wait_us
    bound = np.where(columns.patience_us >= 0, columns.patience_us, np.iinfo(np.int64).max)
    if limits.limit_ms is not None:
        bound = np.minimum(bound, round(limits.limit_ms * 1000))
    held = took[rows]
    quantiles = np.quantile(held, [0.5, 0.95, 0.99]) / 1000 if len(held) else [None] * 3
    late = int((held > bound[rows]).sum())
    return {
        "arm": name,
        "requests": int(rows.sum()),
        "recorded": int((recorded & rows).sum()),
        **{f"p{p}_ms": q if q is None else round(float(q), 1) for p, q in zip((50, 95, 99), quantiles, strict=True)},
        "over_limit": late,
        "over_limit_pct": 100.0 * late / max(1, len(held)),
    }


def paces_said(models: Codes, index: ModelIndex, paces: Paces) -> list[dict[str, Any]]:
    """The paces of some models, and where they are from."""
    found = []
    for name in sorted(index.names[code] for code in np.unique(models[models != NO_MODEL]).tolist()):
        pace = paces.of(name)
        speed = round(1000 / pace.ms_per_token, 1) if pace.ms_per_token else None
        found.append({"model": name, "ttft_ms": round(pace.ttft_ms, 1), "tokens_per_s": speed, "source": pace.source})
    return found
