"""How good another model's answers would be: expected from public outcomes per task and from the log's own scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from scipy.special import expit, logit, ndtri, stdtrit

from simulator.counterfactual.kernel import Floats
from simulator.counterfactual.names import known

FEW = 30  # scored answers of one model on a slice, below which they are not relied on
ENOUGH_TASKS = 5  # independent tasks; with fewer the interval widens, as that of the tokens does
DRAWS = 4_000
LEVEL = 0.90

Basis = Literal["same model", "log", "log and public outcomes", "public outcomes", "unknown"]


@dataclass(frozen=True)
class Outcomes:
    """Public outcomes: how many answers of each model on each task, and how many of them were right.

    Args:
        fitted_on: the day the table was made.
        sources: name, file, licence, url, rows and models of each.
        tasks: name to class of task ("code", "reasoning").
        results: task to model to (answers, right ones).
        floor, per_logit: sd of a pair's log-odds difference between tasks of one class: hypot(floor, per_logit x mean).
        difficulty: sd of one model's log odds between tasks of a class.
    """

    fitted_on: str
    sources: tuple[Mapping[str, Any], ...]
    tasks: Mapping[str, str]
    results: Mapping[str, Mapping[str, tuple[int, int]]]
    floor: float
    per_logit: float
    difficulty: float

    @staticmethod
    @cache
    def load() -> Outcomes:
        """The packaged table."""
        raw = json.loads(files("simulator.counterfactual").joinpath("quality.json").read_text("utf-8"))
        raw.pop("schema")
        results = {task: {m: (n, right) for m, (n, right) in rows.items()} for task, rows in raw.pop("results").items()}
        return Outcomes(results=results, **{**raw, "sources": tuple(raw["sources"])})

    def of(self, name: str, label: str | None) -> dict[str, tuple[int, int]]:
        """Answers and right ones of a canonical model, by task of one class; empty where it was never measured."""
        held = {}
        for task, rows in self.results.items():
            model = known(name, rows, ()).model
            if model is not None and self.tasks[task] == label:
                held[task] = rows[model]
        return held


@dataclass(frozen=True)
class Scored:
    """The log's own scores of one model's answers on a slice: how many, and their mean, 0 to 1."""

    answers: int
    mean: float


@dataclass(frozen=True)
class Expected:
    """Expected scores, 0 to 1, of two models on one slice.

    Args:
        baseline, routed, difference: expected; None where nothing is known of it.
        low, high: central 90% of the difference, routed minus baseline.
        basis: what they rest on.
        tasks: names of the public tasks behind it.
    """

    baseline: float | None
    routed: float | None
    difference: float | None
    low: float | None
    high: float | None
    basis: Basis
    tasks: tuple[str, ...] = ()

    @classmethod
    def unknown(cls, baseline: float | None = None, routed: float | None = None) -> Expected:
        """Of a pair nothing is known of, but for what the log's scores say of either."""
        return cls(baseline, routed, None, None, None, "unknown")

    @classmethod
    def unmoved(cls, scored: Scored | None) -> Expected:
        """Of requests whose model stays."""
        seen = scored.mean if scored and scored.answers >= FEW else None
        return cls(seen, seen, 0.0, 0.0, 0.0, "same model")

    def keeps(self, margin: float) -> bool | None:
        """Whether the routed model is worse by less than `margin`; False: by more; None: the evidence says neither."""
        if self.low is None or self.high is None:
            return None
        return True if self.low >= -margin else False if self.high <= -margin else None


def expected_quality(
    outcomes: Outcomes,
    baseline: str,
    routed: str,
    label: str | None,
    of_baseline: Scored | None,
    of_routed: Scored | None,
) -> Expected:
    """What `routed` would score where `baseline` answers, both canonical names.

    The log's own scores come first: of both models, or of the baseline's alone, which places the slice's difficulty.
    The rest is the pair's difference in log odds on public tasks of the same class. Its spread between tasks is fitted
    on all pairs of models, and widened by Student's t where fewer than five tasks stand behind it. A pair or a class
    that no table holds stays unknown.
    """
    first, second = (scored if scored and scored.answers >= FEW else None for scored in (of_baseline, of_routed))
    draw = np.random.default_rng(0)
    if first and second:
        return _summed(_scored(draw, first), _scored(draw, second), "log", ())
    mine, other = outcomes.of(baseline, label), outcomes.of(routed, label)
    tasks = tuple(task for task in mine if task in other)
    if not tasks:
        return Expected.unknown(first.mean if first else None, second.mean if second else None)
    base, base_noise = _log_odds([mine[task] for task in tasks])
    there, there_noise = _log_odds([other[task] for task in tasks])
    moved, k = there - base, len(tasks)
    between = float(np.hypot(outcomes.floor, outcomes.per_logit * moved.mean())) * _widening(k)
    sd = float(np.sqrt(between**2 * (1 + 1 / k) + (base_noise + there_noise).sum() / k**2))
    shift = moved.mean() + sd * draw.standard_normal(DRAWS)
    if first:
        start, basis = _scored(draw, first), "log and public outcomes"
    else:
        spread = outcomes.difficulty * float(np.sqrt(1 + 1 / k))
        start, basis = expit(base.mean() + spread * draw.standard_normal(DRAWS)), "public outcomes"
    return _summed(start, expit(logit(start) + shift), basis, tasks)


def _summed(baseline: Floats, routed: Floats, basis: Any, tasks: tuple[str, ...]) -> Expected:
    low, high = np.quantile(routed - baseline, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    one, two = float(baseline.mean()), float(routed.mean())
    return Expected(one, two, two - one, float(low), float(high), basis, tasks)


def _scored(draw: np.random.Generator, scored: Scored) -> Floats:
    # No score between 0 and 1 varies more than a right-or-wrong one of the same mean.
    n, right = scored.answers + 2.0, scored.answers * scored.mean + 1.0
    drawn: Floats = draw.beta(right, n - right, DRAWS)
    return np.clip(drawn, 1e-6, 1 - 1e-6)


def _log_odds(counts: list[tuple[int, int]]) -> tuple[Floats, Floats]:
    """Log odds of a right answer per task, half an answer added to either side, and their sampling variances."""
    answers, right = np.array(counts, float).T
    yes, no = right + 0.5, answers - right + 0.5
    odds: Floats = np.log(yes / no)
    return odds, 1 / yes + 1 / no


def _widening(k: int) -> float:
    return 1.0 if k >= ENOUGH_TASKS else float(stdtrit(k + 1, (1 + LEVEL) / 2) / ndtri((1 + LEVEL) / 2))
