"""Is the routed answer as good? Per slice and overall, with "not enough evidence" as an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quality.pairs import Pair
from quality.plan import MOST_DRAWS, Plan
from quality.stats import bounds, draws_to_settle, log_evidence, rejected
from simulator.money import dollars

GOOD, WORSE, UNSURE = "as good", "worse", "not enough evidence"
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Finding:
    """What the pairs say about one slice, or about all traffic that moved.

    Args:
        pairs: pairs scored.
        worse_pct: the share of requests that the routed model answers worse, weighted to the traffic; those half worse
            (a judge's loss in one order and tie in the other) count half.
        better_pct: likewise better.
        difference_pct: the mean difference in score, routed minus baseline, in points of 100.
        low_pct: its lower bound, which fails with a probability of at most the level, however often one looks.
        high_pct: its upper bound, likewise.
        verdict: GOOD (worse by less than the margin), WORSE (by more) or UNSURE.
        further_pairs: how many more pairs settle it in half of simulated runs; None where settled, or beyond 10,000.
    """

    pairs: int
    worse_pct: float | None
    better_pct: float | None
    difference_pct: float | None
    low_pct: float | None
    high_pct: float | None
    verdict: str
    further_pairs: int | None


@dataclass(frozen=True)
class Bias:
    """How far a judge's mean difference lies above that of right answers: an interval, and the pairs it is from.

    Without right answers there is nothing to measure it by: zero width and no pairs.
    """

    low: float = 0.0
    high: float = 0.0
    pairs: int = 0
    agreement: float | None = None  # share of those pairs on which both say better, same or worse alike


@dataclass(frozen=True)
class Verdict:
    """The whole of it.

    Args:
        slices: one finding per slice of the population.
        overall: over all traffic that moved.
        verified_pico: the saving of the slices that passed, and of nothing else.
        bias: see `Bias`.
    """

    slices: tuple[Finding, ...]
    overall: Finding
    verified_pico: int
    bias: Bias


def settled(plan: Plan, pairs: Mapping[int, Pair], *, margin: float, level: float) -> bool:
    """Whether every slice and the whole are decided either way, so that no further call can be worth its price."""
    terms, tested = _terms(plan, pairs, margin, level), _tested(plan)
    for which in [*tested, None]:
        seen, reach = observed(plan, pairs, which), plan.reach(which)
        needed = -np.log(terms.level / (len(tested) if which is not None else 1))
        if max(_evidence(seen, terms.floor, reach), _evidence(-seen, -terms.ceiling, reach)) < needed:
            return False
    return True


def find(plan: Plan, pairs: Mapping[int, Pair], *, margin: float, level: float, seed: int) -> Verdict:
    """The verdict on the pairs so far.

    Each slice's claims hold together: the chance that any slice passes that is worse by more than the margin is at most
    `level`, whatever the number of slices and looks. Where a judge is measured against right answers, half of the level
    goes to its bias, and the bounds are widened by it.
    """
    terms, tested = _terms(plan, pairs, margin, level), _tested(plan)
    seen_of: dict[int | None, tuple[Array, float]] = {
        which: (observed(plan, pairs, which), plan.reach(which)) for which in [*tested, None]
    }
    for_it = {which: _evidence(seen, terms.floor, reach) for which, (seen, reach) in seen_of.items()}
    against = {which: _evidence(-seen, -terms.ceiling, reach) for which, (seen, reach) in seen_of.items()}
    good = rejected([for_it[which] for which in tested], terms.level)
    worse = rejected([against[which] for which in tested], terms.level)
    found = {
        which: _finding(plan, pairs, which, good[at], worse[at], terms, terms.level / len(tested), seed)
        for at, which in enumerate(tested)
    }
    passed, failed = (each[None] >= -np.log(terms.level) for each in (for_it, against))
    overall = _finding(plan, pairs, None, bool(passed), bool(failed), terms, terms.level, seed)
    nothing = Finding(0, None, None, None, None, None, UNSURE, None)
    slices = plan.population.slices
    verified = sum(slices[which].saving_pico for which, finding in found.items() if finding.verdict == GOOD)
    return Verdict(tuple(found.get(which, nothing) for which in range(len(slices))), overall, verified, terms.bias)


def summary_quality(plan: Plan, verdict: Verdict, margin: float) -> dict[str, Any]:
    """The `quality` object of summary.json."""
    rows = []
    for each, finding in zip(plan.population.slices, verdict.slices, strict=True):
        said = {name: round(value, 1) if isinstance(value, float) else value for name, value in asdict(finding).items()}
        rows.append(
            {
                **{"slice": each.name, "model": each.model, "against": each.against},
                **{"requests": each.requests, "requests_checkable": each.callable, "margin_pct": 100 * margin},
                **said,
                "saving_usd": dollars(each.saving_pico),
            }
        )
    return {"checked": True, "verified_savings_usd": dollars(verdict.verified_pico), "slices": rows}


def observed(
    plan: Plan, pairs: Mapping[int, Pair], which: int | None, value: Callable[[Pair], float | None] | None = None
) -> Array:
    """Weighted differences of a slice (None: of all), in the order of the draws, up to the first that may still come.

    Answers that came out of turn wait: those that come fast are not a fair sample.
    """
    population = plan.population
    weight = plan.overall_weight if which is None else plan.slice_weight
    seen = []
    for draw in plan.draws.tolist():
        if which is not None and population.slice[draw] != which:
            continue
        pair = pairs.get(int(population.row[draw]))
        if pair is None or not pair.done:
            break
        if pair.scores is not None:
            found = pair.scores.difference if value is None else value(pair)
            if found is not None:
                seen.append(weight[draw] * found)
    return np.array(seen, np.float64)


def _tested(plan: Plan) -> list[int]:
    """The slices that can be drawn from; fixed before the first call, so that the level is shared fairly."""
    return [int(which) for which in np.unique(plan.population.slice)]


@dataclass(frozen=True)
class _Terms:
    """What the differences are tested against, and at which level."""

    floor: float  # above it: as good
    ceiling: float  # below it: worse
    level: float
    bias: Bias


def _terms(plan: Plan, pairs: Mapping[int, Pair], margin: float, level: float) -> _Terms:
    bias = _bias(plan, pairs, level / 2)
    # A judge that flatters the routed model must show more; one that flatters the baseline proves less of a loss.
    floor, ceiling = -margin + max(bias.high, 0.0), -margin + min(bias.low, 0.0)
    return _Terms(floor, ceiling, level / 2 if bias.pairs else level, bias)


def _evidence(seen: Array, null: float, reach: float) -> float:
    return log_evidence(seen, null, reach) if abs(null) < reach else -np.inf


def _bias(plan: Plan, pairs: Mapping[int, Pair], level: float) -> Bias:
    def labelled(pair: Pair) -> float | None:
        scores = pair.scores
        return None if scores is None or scores.labelled is None else scores.difference - scores.labelled

    seen = observed(plan, pairs, None, labelled)
    if not len(seen):
        return Bias()
    # Two differences within [-1, 1] are at most 2 apart.
    low, high = bounds(seen, 2 * plan.reach(None), level)
    found = [p.scores for p in pairs.values() if p.scores is not None and p.scores.labelled is not None]
    alike = [np.sign(each.difference) == np.sign(each.labelled or 0.0) for each in found]
    return Bias(low, high, len(found), float(np.mean(alike)))


def _finding(
    plan: Plan,
    pairs: Mapping[int, Pair],
    which: int | None,
    good: bool,
    worse: bool,
    terms: _Terms,
    shared: float,
    seed: int,
) -> Finding:
    """`shared` is the level of this one test, of which several share `terms.level`."""
    seen, reach = observed(plan, pairs, which), plan.reach(which)
    mine = {int(plan.population.row[d]) for d in plan.draws if which is None or plan.population.slice[d] == which}
    scored = sum(1 for row in mine if (pair := pairs.get(row)) is not None and pair.scores is not None)
    if not len(seen):
        return Finding(scored, None, None, None, None, None, UNSURE, None)
    low, high = bounds(seen, reach, terms.level)
    verdict = GOOD if good else WORSE if worse else UNSURE
    further = None
    if verdict == UNSURE and abs(terms.floor) < reach:
        # Two answers more, one each way: a few that all agree do not prove that none differ.
        drawn = np.concatenate([seen, [-1.0, 1.0]])
        further = draws_to_settle(
            drawn, terms.floor, reach, shared, share=0.5, most=MOST_DRAWS, seed=seed, held=seen, either=True
        )
    return Finding(
        scored,
        100 * float(np.maximum(-seen, 0.0).mean()),
        100 * float(np.maximum(seen, 0.0).mean()),
        100 * float(seen.mean()),
        100 * max(low - max(terms.bias.high, 0.0), -1.0),
        100 * min(high - min(terms.bias.low, 0.0), 1.0),
        verdict,
        further,
    )
