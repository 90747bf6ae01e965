"""Which requests to ask again, in which order, what that costs and what it can show: all before any money is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from quality.population import Population
from quality.stats import chance, draws_to_settle

Array = np.ndarray[Any, np.dtype[Any]]

# The share of requests on which one model is right and the other wrong, before anything is known. On ZeroEval's GSM8K
# gpt-4o-mini differs from gpt-4o on 4%, llama-3.1-70b on 5%, llama-3.1-8b on 14%; on level-5 maths 24% to 44%.
DISCORDANT = 0.10
POWER = 0.8
MOST_DRAWS = 10_000
BANDS = 3


@dataclass(frozen=True)
class Needs:
    """What one slice needs, if the two models are in truth equally good and differ on DISCORDANT of the requests.

    Args:
        draws: how many of the plan's fall in it.
        needed: draws in it for a pass with 80% power; None: over 10,000.
        power: the chance that the planned draws pass it.
    """

    draws: int
    needed: int | None
    power: float


@dataclass(frozen=True)
class Plan:
    """A sequence of draws, with replacement: one drawn again costs nothing again.

    Args:
        population: what is drawn from.
        draws: int, into the population's entries, in order; the first n do not depend on how many follow.
        overall_weight: float64 per population entry, the draw's weight over all the traffic that moved.
        slice_weight: float64 per population entry, within its slice.
        needs: one per slice of the population.
        overall: the same over all slices; every pair counts.
        cost_pico: what the calls are expected to cost, judges left out.
    """

    population: Population
    draws: Array
    overall_weight: Array
    slice_weight: Array
    needs: tuple[Needs, ...]
    overall: Needs
    cost_pico: int

    @property
    def rows(self) -> list[int]:
        """The distinct rows drawn, in order of their first draw."""
        return list(dict.fromkeys(self.population.row[self.draws].tolist()))

    def reach(self, which: int | None) -> float:
        """The largest weight in a slice, or over all traffic for None."""
        if which is None:
            return float(self.overall_weight.max())
        return float(self.slice_weight[self.population.slice == which].max())


def make_plan(population: Population, sample: int, *, margin: float, level: float, seed: int) -> Plan:
    """Draw a sample stratified by slice and cost.

    Half of the draws follow the traffic, so that no request counts more than twice overall; half go where an answer
    most narrows the interval of the saving: a stratum's size times the root mean square of its requests' costs, as
    Neyman would allot them.
    """
    stratum = _strata(population)
    sizes = np.bincount(stratum).astype(np.float64)
    money = np.sqrt(np.bincount(stratum, population.cost**2) * sizes)
    traffic = sizes / sizes.sum()
    towards = money / money.sum() if money.sum() else traffic
    odds = (traffic + towards) / 2
    places, members = (np.random.default_rng([seed, stream]).random(sample) for stream in (1, 2))
    chosen = np.minimum(np.searchsorted(odds.cumsum(), places, side="right"), len(odds) - 1)
    by_stratum = np.argsort(stratum, kind="stable")
    starts = np.concatenate([[0], sizes.cumsum()[:-1]]).astype(np.int64)
    draws = by_stratum[starts[chosen] + (members * sizes[chosen]).astype(np.int64)]
    overall = (traffic / odds)[stratum]
    slice_weight = np.empty(len(stratum))
    odds_each = (odds / sizes)[stratum]
    for which in range(len(population.slices)):
        mine = population.slice == which
        if mine.any():
            slice_weight[mine] = odds_each[mine].sum() / mine.sum() / odds_each[mine]
    counts = np.bincount(population.slice[draws], minlength=len(population.slices))
    tested = max(1, len(np.unique(population.slice)))
    needs = []
    for which in range(len(population.slices)):
        mine = population.slice == which
        weights = slice_weight[mine], odds_each[mine]
        needs.append(_needs(*weights, int(counts[which]), margin, level / tested, seed))
    first = np.unique(draws)
    return Plan(
        population, draws, overall, slice_weight, tuple(needs), _needs(overall, odds_each, sample, margin, level, seed),
        int(population.cost[first].sum()),
    )  # fmt: skip


def _needs(weight: Array, odds: Array, draws: int, margin: float, level: float, seed: int) -> Needs:
    if not len(weight):
        return Needs(0, None, 0.0)
    rng = np.random.default_rng([seed, 3])
    drawn = rng.choice(weight, 4_000, p=odds / odds.sum())
    equal = drawn * rng.choice([-1.0, 0.0, 1.0], 4_000, p=[DISCORDANT / 2, 1 - DISCORDANT, DISCORDANT / 2])
    equal -= equal.mean()
    reach = max(float(weight.max()), float(abs(equal).max()))
    needed = draws_to_settle(equal, -margin, reach, level, share=POWER, most=MOST_DRAWS, seed=seed)
    return Needs(
        draws, needed, chance(equal, min(draws, MOST_DRAWS), -margin, reach, level, seed=seed) if draws else 0.0
    )


def _strata(population: Population) -> Array:
    """Slices, each cut into bands that hold a third of its cost each: the dear few stand apart from the many."""
    stratum = np.zeros(len(population.row), np.int64)
    for which in range(len(population.slices)):
        mine = np.flatnonzero(population.slice == which)
        if not len(mine):
            continue
        order = mine[np.argsort(population.cost[mine], kind="stable")]
        running = population.cost[order].cumsum()
        share = running / running[-1] if running[-1] else np.linspace(0, 1, len(order))
        stratum[order] = which * BANDS + np.minimum((share * BANDS).astype(np.int64), BANDS - 1)
    return np.asarray(np.unique(stratum, return_inverse=True)[1])
