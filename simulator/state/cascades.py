"""Cascades: a cheap model answers first, a check decides, and a strong one answers again where it must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from router.baselines import uniform
from simulator.counts import Array
from simulator.money import exact_sum

THRESHOLDS = 11  # points of a sweep: the scores' own quantiles, so that each moves a tenth of the requests
_LOTTERY = 77  # apart from the draws of retries


@dataclass(frozen=True)
class Cascade:
    """The cheap model is asked before the rule's own, which answers again where the check says so.

    Exactly one of `escalate_pct`, `score` and `correct` says how often that is.

    Args:
        first: the cheap model, "provider/model".
        rules: the rules it is put before; all where empty.
        check_usd: what one check costs.
        escalate_pct: percent of requests escalated.
        score: the key of `meta` that holds the check's score of the cheap answer: a log-probability, a verifier's mark,
            or the probability of being right that a quality model predicts. A request without one escalates.
        below: scores below it escalate.
        correct: the key of `meta` that says whether the cheap model's answer is right, from outcomes.
        catches_pct: percent of wrong answers that the check finds.
        false_alarm_pct: percent of right answers that it sends on all the same.
    """

    first: str
    rules: tuple[str, ...] = ()
    check_usd: float = 0.0
    escalate_pct: float | None = None
    score: str | None = None
    below: float = 0.5
    correct: str | None = None
    catches_pct: float = 100.0
    false_alarm_pct: float = 0.0


def escalates(cascade: Cascade, said: Sequence[Any], ids: Array, seed: int) -> Array:
    """Bool per request: the strong model answers as well.

    Args:
        cascade: see `Cascade`.
        said: what meta holds under `score` or `correct`, None where it holds nothing.
        ids: request ids, an object array of strings; arms and batches share their draws.
        seed: of the draws.
    """
    if cascade.score is not None:
        return scores(said) < cascade.below
    return np.asarray(uniform(ids, seed * 10_007 + _LOTTERY) < _chances(cascade, said))


def scores(said: Sequence[Any]) -> Array:
    """Float64 scores; minus infinity where there is none, so that such requests escalate at any threshold."""
    return np.array([float(x) if isinstance(x, int | float) else -np.inf for x in said], np.float64)


def _chances(cascade: Cascade, said: Sequence[Any]) -> Array:
    if cascade.correct is None:
        return np.full(len(said), (cascade.escalate_pct or 0.0) / 100)
    right = np.array([bool(x) for x in said], bool)
    known = np.array([x is not None for x in said], bool)
    chance = np.where(right, cascade.false_alarm_pct, cascade.catches_pct) / 100
    return np.where(known, chance, 1.0)


def sweep(score: Array, first: Array, strong: Array, check: int) -> list[dict[str, float | int]]:
    """What each threshold would cost.

    Args:
        score: float64 per request; below the threshold it escalates.
        first, strong: int64 picodollars of the two models' answers.
        check: picodollars of one check.

    Returns:
        By threshold: requests escalated and picodollars in all, from none escalated to all.
    """
    finite = score[np.isfinite(score)]
    points = np.unique(np.quantile(finite, np.linspace(0, 1, THRESHOLDS))) if len(finite) else np.zeros(0)
    always = exact_sum(first) + check * len(score)
    found = []
    for threshold in [*points.tolist(), np.inf]:
        up = score < threshold
        found.append({"below": threshold, "escalated": int(up.sum()), "pico": always + exact_sum(strong[up])})
    return found


def break_even(first: Array, strong: Array, check: int) -> float | None:
    """The percent of requests that may escalate before the cascade costs more than asking the strong model at once."""
    dear = exact_sum(strong)
    return None if not dear else 100.0 * (1 - (exact_sum(first) + check * len(first)) / dear)
