"""What a saving rests on besides tokens and prices, where state is simulated: assumed cache hits, escalation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.state.cascades import Cascade
from simulator.state.changes import Changes
from simulator.state.settings import State

Row = tuple[str, str, str, int]
HITS = "cache hits, where not known from the log"
# Of the prefixes that the simulation found alive, recorded calls read 0.68 at providers that cache by themselves, 0.92
# at Anthropic's: docs/state.md, Against recorded counts.
MOST_LOST = 0.32


def state_assumptions(
    changes: Changes, sums: Counter[tuple[int, str]], number: int, arms: Sequence[int], state: State
) -> list[Row]:
    """Name, value, source and picodollars of each assumption; nothing where what is simulated is known from the log.

    Args:
        changes: of the run.
        sums: `Partial.state`.
        number: the scenario's.
        arms: the two that are compared.
        state: the scenario's.
    """
    said, rows = changes.said[number], []
    if "cache" in said:
        rows.append(_hits(said["cache"], sums, arms))
    if state.cascade is not None and "cascade" in said:
        rows.append(_escalation(said["cascade"], state.cascade))
    return [row for row in rows if row[3] > 0]


def state_ranges(
    changes: Changes, sums: Counter[tuple[int, str]], number: int, arms: Sequence[int], totals: tuple[int, int]
) -> list[tuple[str, float, float]]:
    """Source and the saving in percent, low and high, from none of what is assumed to all of it.

    An escalation has no such row: its `break_even_pct` says more.

    Args:
        changes, sums, number: see `state_assumptions`.
        arms: the two that are compared.
        totals: their picodollars.
    """
    said = changes.said[number].get("cache")
    if said is None or not totals[0]:
        return []
    rests = _assumed_hits(said, sums)
    without = [total + rests[arm] for total, arm in zip(totals, arms, strict=True)]
    if without == list(totals) or without[0] <= 0:
        return []
    low, high = sorted(100.0 * (base - routed) / base for base, routed in (totals, without))
    return [(HITS, low, high)]


def unsure_hits(changes: Changes | None, sums: Counter[tuple[int, str]], number: int, base: int) -> tuple[int, int]:
    """Picodollars that caches saved in two arms at hit rates that neither the log nor the user tells."""
    said = None if changes is None else changes.said[number].get("cache")
    if said is None:
        return 0, 0
    rests = _assumed_hits(said, sums, "unsure_read_tokens")
    return rests[base], rests[number]


def _assumed_hits(
    said: Mapping[str, Any], sums: Counter[tuple[int, str]], reads: str = "assumed_read_tokens"
) -> dict[int, int]:
    """Picodollars that caches of assumed hit rates saved, by arm.

    The kernel sums what caches saved over all providers; it is shared out by the tokens read.
    """
    return {
        arm["number"]: sums[arm["number"], "cache"] * arm[reads] // max(1, arm["read_tokens"]) for arm in said["arms"]
    }


def _hits(said: Mapping[str, Any], sums: Counter[tuple[int, str]], arms: Sequence[int]) -> Row:
    rates = ", ".join(f"{provider} {rate:g}" for provider, rate in said["assumed_hit_rates"].items())
    rests = _assumed_hits(said, sums)
    source = "hit_rate of the state settings; 1 where it is left out and the log records no reads"
    return HITS, f"share of live prefixes read: {rates}", source, max(abs(rests[arm]) for arm in arms)


def _escalation(said: Mapping[str, Any], cascade: Cascade) -> Row:
    how, source = "as given", "escalate_pct of the state settings"
    if cascade.score is not None:
        how, source = f"those with a {cascade.score} below {cascade.below:g}", f"{cascade.score} in the log's meta"
    elif cascade.correct is not None:
        check = f"{cascade.catches_pct:g}% of wrong and {cascade.false_alarm_pct:g}% of right answers"
        how, source = f"the check sends on {check}", f"{cascade.correct} in the log's meta; the state settings"
    value = f"{said['escalated_pct']:.1f}% of {said['requests']:,} requests: {how}"
    return "how often the cascade escalates", value, source, said["kept_pico"]
