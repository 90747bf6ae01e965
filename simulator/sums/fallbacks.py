"""Requests that the model a rule names cannot serve: why not, who served them instead, and what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.arms import Arm, Batch, folded_cost, obstacles
from simulator.models import ModelIndex
from simulator.money import exact_sum
from simulator.scenario import Scenario


class Fallback(NamedTuple):
    """A rule, its model, what that model cannot do, and the one that served instead; None where none could."""

    rule: str
    model: str
    obstacle: str
    served_by: str | None


@dataclass
class FallbackSums:
    """Requests, what they cost, and what the same tokens would have at the price of the model meant, picodollars."""

    requests: int = 0
    pico: int = 0
    meant_pico: int = 0


def fallbacks(batch: Batch, arm: Arm, scenario: Scenario, index: ModelIndex) -> dict[Fallback, FallbackSums]:
    """The sums of one arm of a batch."""
    found: dict[Fallback, FallbackSums] = {}
    for number, rule in enumerate(scenario.router.rules):
        rows = arm.rule == number
        if not rows.any():
            continue
        name = scenario.book.require(rule.target, f"rule {rule.name!r}")
        for obstacle, stands in obstacles(batch, name, scenario.book).items():
            here = rows & stands
            if not here.any():
                continue
            rows = rows & ~here
            codes = np.full(len(here), index.code(name), np.int32)
            meant, priced = folded_cost(batch, arm.counts, codes, index, scenario)
            for code in np.unique(np.where(arm.feasible, arm.model, -1)[here]).tolist():
                part = here & (arm.feasible & (arm.model == code) if code >= 0 else ~arm.feasible)
                known = part & arm.priced & priced & arm.feasible
                sums = FallbackSums(int(part.sum()), exact_sum(arm.total[known]), exact_sum(meant[known]))
                found[Fallback(rule.name, name, obstacle, index.name(code))] = sums
    return found
