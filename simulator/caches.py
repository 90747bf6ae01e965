"""What a summary says of prompt caches: that they were simulated, or by how much they could change the saving."""

from __future__ import annotations

from typing import Any

from simulator.money import Scale, dollars
from simulator.result import Run
from simulator.state.changes import LOGGED
from simulator.state.unsimulated import SavingRange, saving_range
from simulator.sums.fold import Comparison

SIMULATED = "prompt caches, simulated"
LEFT_OUT = "prompt caches, not simulated"
TERMS = "the log's prompts and times; simulator/state/data/prompt-caches.yaml"

Row = tuple[str, str, str, int]


def simulated(run: Run) -> bool:
    """Whether a run's prompt caches were."""
    return run.changes is not None and "cache" in run.changes.said[0]


def left_out(run: Run, against: Comparison) -> SavingRange | None:
    """The saving's range by caches that were not simulated; None where nothing was left out.

    Args:
        run: the run.
        against: the comparison.
    """
    if simulated(run) or not any(against.caches.values()):
        return None
    return saving_range(against.total.baseline, against.total.routed, against.caches)


def why_left_out(run: Run) -> str:
    """Why no cache was simulated though the log shows cached input, in words."""
    shown = run.cached_input
    if not run.by_log:
        return "as asked"
    return shown.obstacle or f"only {shown.pct:.2g}% of the log's input went through them"


def caches_said(run: Run, against: Comparison, scale: Scale) -> dict[str, Any]:
    """The summary's `caches_left_out`, where the log shows cached input and none was simulated."""
    held = left_out(run, against)
    if held is None:
        return {}
    return {
        "caches_left_out": {
            "why": why_left_out(run),
            "overstated_usd": dollars(scale(held.overstated)),
            "understated_usd": dollars(scale(held.understated)),
            "low_pct": held.least.pct,
            "high_pct": held.most.pct,
        }
    }


def cache_range(run: Run, against: Comparison) -> list[tuple[str, float, float]]:
    """Source and the saving in percent, least and greatest, where caches were left out: a row of `sensitivity`."""
    held = left_out(run, against)
    if held is None or held.least.pct is None or held.most.pct is None:
        return []
    return [(LEFT_OUT, held.least.pct, held.most.pct)]


def cache_assumption(run: Run, number: int, against: Comparison) -> list[Row]:
    """Name, value, source and picodollars of what is supposed of caches; nothing where the log shows none.

    Args:
        run: the run.
        number: the scenario's.
        against: the comparison.
    """
    if simulated(run):
        assert run.changes is not None
        base = 0 if against is run.comparisons[number][0] else LOGGED
        rates = [
            f"{each['provider']} {each['hit_rate']:.2g}"
            for each in run.changes.said[number]["cache"]["calibration"]
            if each["source"] == "the log"
        ]
        why = f"{run.cached_input.pct:.0f}% of the log's input went through them" if run.by_log else "as asked"
        known = f"; hit rates from the log: {', '.join(rates)}" if rates else ""
        money = max(abs(run.totals.state[arm, "simulated cache"]) for arm in (base, number))
        return [(SIMULATED, f"in every arm alike, {why}{known}", TERMS, money)] if money else []
    held = left_out(run, against)
    if held is None:
        return []
    value = "what stays on its model keeps its cached input, what moves has none"
    return [(LEFT_OUT, f"{value} ({why_left_out(run)})", "the log", max(held.overstated, held.understated))]
