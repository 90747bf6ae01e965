"""The headline's own comparison in every breakdown: what reports draw, each part with what it saves."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from problems.problem import masked
from simulator.arms import PASSED_THROUGH
from simulator.caches import cache_range
from simulator.days import DAY_US, day_name
from simulator.money import Scale, dollars
from simulator.result import Run
from simulator.state.assumed import state_ranges
from simulator.state.changes import LOGGED
from simulator.sums.cached import CacheTally
from simulator.sums.facts import NO_NAME
from simulator.sums.fold import Comparison
from simulator.sums.interval import Interval


def compared(run: Run, number: int, comparison: Comparison, found: Interval, against: str) -> dict[str, Any]:
    """`summary.json`'s `compared`: one comparison, `against` "baseline" or "as_logged", in all its parts."""
    scale = Scale(run.sample_rate)
    total = comparison.total
    return {
        "against": against,
        "name": run.scenarios[0].name if against == "baseline" else "as logged",
        "requests": total.requests,
        "before_usd": dollars(scale(total.baseline)),
        "routed_usd": dollars(scale(total.routed)),
        "before_usd_per_30d": per_30d(run, scale(total.baseline)),
        "routed_usd_per_30d": per_30d(run, scale(total.routed)),
        "waterfall": waterfall(comparison, scale),
        "by_rule": by_rule(run, number, comparison, scale),
        "by_model": _by_model(run, comparison, scale),
        "by_day": _by_day(comparison, scale),
        "sensitivity": sensitivity(run, number, comparison, found),
        "dearer": _dearer(run, number, comparison),
    }


def days(run: Run) -> float | None:
    """How long the log is."""
    first, last = run.facts.first_us, run.facts.last_us
    return None if first is None or last is None or first == last else (last - first) / DAY_US


def per_30d(run: Run, pico: int) -> str | None:
    """A sum scaled from the log's days to thirty; None for less than a day, which holds no night and no weekend."""
    span = days(run)
    return dollars(round(Fraction(pico * 30) / Fraction(span))) if span and span >= 1 else None


def waterfall(comparison: Comparison, scale: Scale) -> dict[str, str]:
    """The steps of CONTRACTS' waterfall; they add up to the saving exactly."""
    steps = {f"{name}_usd": scale(pico) for name, pico in comparison.waterfall.items()}
    saving = scale(comparison.total.baseline) - scale(comparison.total.routed)
    # Scaling rounds each step; the price step, the largest, takes what the rounding leaves, so that all add up.
    steps["price_usd"] += saving - sum(steps.values())
    return {name: dollars(pico) for name, pico in steps.items()}


def sensitivity(run: Run, number: int, comparison: Comparison, found: Interval) -> list[dict[str, Any]]:
    """The interval under each source of doubt alone, and the range of what is supposed of state; widest first."""
    rows = [*found.alone, *cache_range(run, comparison)]
    if run.changes is not None:
        base = 0 if comparison is run.comparisons[number][0] else LOGGED
        totals = comparison.total.baseline, comparison.total.routed
        ranges = state_ranges(run.changes, run.totals.state, number, (base, number), totals)
        rows += [row for row in ranges if row[0] not in found.includes]
    rows.sort(key=lambda row: row[1] - row[2])
    return [{"source": name, "low_pct": low, "high_pct": high} for name, low, high in rows]


def by_rule(run: Run, number: int, comparison: Comparison, scale: Scale) -> list[dict[str, Any]]:
    """A row per rule and the model it chose, most money before first."""
    rules = run.scenarios[number].router.rules
    slices = sorted(comparison.by_rule.items(), key=lambda item: (-item[1].baseline, item[0][0], item[0][1] or ""))
    return [
        {
            "rule": PASSED_THROUGH if rule == -2 else rules[rule].name,
            "model": model,
            "requests": tally.requests,
            "requests_pct": 100.0 * tally.requests / comparison.total.requests,
            "before_usd": dollars(scale(tally.baseline)),
            "routed_usd": dollars(scale(tally.routed)),
            "saving_usd": dollars(scale(tally.baseline) - scale(tally.routed)),
            **_by_caches(comparison.cached.get((rule, model)), scale),
        }
        for (rule, model), tally in slices
    ]


def _by_caches(held: CacheTally | None, scale: Scale) -> dict[str, Any]:
    """What simulated caches change for a rule's requests; nothing where none are simulated."""
    if held is None:
        return {}
    return {
        "cache_usd": dollars(scale(held.saved_routed) - scale(held.saved_before)),
        "before_read_pct": 100.0 * held.read_before / held.input_before if held.input_before else None,
        "routed_read_pct": 100.0 * held.read_routed / held.input_routed if held.input_routed else None,
    }


def _by_model(run: Run, comparison: Comparison, scale: Scale) -> list[dict[str, Any]]:
    before, after = comparison.model_usd["baseline"], comparison.model_usd["routed"]
    counts = comparison.model_requests
    names = sorted({*before, *after}, key=lambda name: (-(before[name] + after[name]), name or ""))
    rows = [
        {
            "model": name,
            "before_requests": counts["baseline"][name],
            "before_usd": dollars(scale(before[name])),
            "routed_requests": counts["routed"][name],
            "routed_usd": dollars(scale(after[name])),
        }
        for name in names
    ]
    # What was left out for want of a price is listed, with its spend unknown.
    rows += [
        {"model": masked(name), "before_requests": count, "before_usd": None, "routed_requests": 0, "routed_usd": "0"}
        for name, count in sorted(run.facts.unknown_models.items())
        if name != NO_NAME
    ]
    return rows


def _by_day(comparison: Comparison, scale: Scale) -> list[dict[str, Any]]:
    slices = sorted(comparison.by_day.items(), key=lambda item: (item[0] is None, item[0]))
    return [
        {
            "day": day_name(day),
            "requests": tally.requests,
            "before_usd": dollars(scale(tally.baseline)),
            "routed_usd": dollars(scale(tally.routed)),
            "saving_usd": dollars(scale(tally.baseline) - scale(tally.routed)),
        }
        for day, tally in slices
    ]


def _dearer(run: Run, number: int, comparison: Comparison) -> dict[str, Any]:
    """The requests that routing made dearer: how many, by how much, and the worst of them with their rules."""
    rules, held = run.scenarios[number].router.rules, comparison.dearer
    return {
        "requests": held.requests,
        "extra_usd": dollars(Scale(run.sample_rate)(held.extra)),
        "costliest": [
            {
                "request_id": row.request_id,
                "rule": (PASSED_THROUGH if row.rule == -2 else rules[row.rule].name) if number else None,
                "before_model": row.before_model,
                "routed_model": row.routed_model,
                "before_usd": dollars(row.before),
                "routed_usd": dollars(row.routed),
                "extra_usd": dollars(row.routed - row.before),
            }
            for row in held.costliest
        ],
    }


def feasibility(run: Run, number: int, scale: Scale) -> list[dict[str, Any]]:
    """Requests that a rule's own model cannot serve, the commonest first."""
    found = run.totals.scenarios[number].fallbacks
    return [
        {
            "rule": key.rule,
            "model": key.model,
            "obstacle": key.obstacle,
            "served_by": key.served_by,
            "requests": sums.requests,
            "usd": dollars(scale(sums.pico)),
            "usd_if_it_could": dollars(scale(sums.meant_pico)),
        }
        for key, sums in sorted(found.items(), key=lambda each: (-each[1].requests, each[0][:3]))
    ]
