"""What state has to say in summary.json: its counts beside the money that the kernel summed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from simulator.money import Scale, dollars
from simulator.state.changes import LOGGED, Changes
from simulator.state.settings import State

PARTS = ("cache", "guards", "retries", "cascade", "tiers", "latency")


def state_said(
    changes: Changes, sums: Counter[tuple[int, str]], number: int, names: Mapping[int, str], state: State, scale: Scale
) -> dict[str, Any]:
    """The optional parts of one scenario's summary; only those that were simulated.

    Args:
        changes: of the run.
        sums: `Partial.state`.
        number: the scenario's; its baseline is 0.
        names: of the arms by number.
        state: the scenario's.
        scale: from a sampled log to the whole.
    """
    said = {name: _dollars(part, scale) for name, part in changes.said[number].items()}
    both = [0, number] if number else [0]
    if "cache" in said:
        for arm in said["cache"]["arms"]:
            arm["saved_usd"] = dollars(scale(sums[arm.pop("number"), "cache"]))
            del arm["unsure_read_tokens"]
    if "retries" in said:
        own, base = said["retries"], said["retries"].get("baseline")
        for part, arm in ((own, number), (base, 0)):
            if part is not None:
                answered = sums[arm, "answered"]
                part["answered"] = answered
                part["usd_per_answer"] = dollars(round(sums[arm, "paid"] / answered)) if answered else None
    if state.tiers is not None:
        said["tiers"] = {
            "tier": state.tiers.to,
            "arms": [
                {"arm": names[arm], "requests": sums[arm, "waits"], "saved_usd": dollars(scale(sums[arm, "tier"]))}
                for arm in both
            ],
        }
    return {name: said[name] for name in PARTS if name in said}


def arm_names(scenarios: tuple[Any, ...]) -> dict[int, str]:
    """The names of all arms by number."""
    return {LOGGED: "logged"} | {number: scenario.name for number, scenario in enumerate(scenarios)}


def _dollars(part: Any, scale: Scale) -> Any:
    """Every figure in picodollars as dollars of the whole traffic, its key renamed."""
    if isinstance(part, list):
        return [_dollars(each, scale) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        name.replace("_pico", "_usd") if name.endswith("_pico") else "usd" if name == "pico" else name: dollars(
            scale(v)
        )
        if name.endswith("pico")
        else _dollars(v, scale)
        for name, v in part.items()
    }
