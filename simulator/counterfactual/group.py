"""What one group of answers shows by itself: its level, its spread, and how many ran into the output cap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from simulator.counterfactual.kernel import Floats

Bools = np.ndarray[Any, np.dtype[np.bool_]]

NEAR_CAP = 0.95  # o200k counts are not the model's own, so an answer this near its cap is taken as cut
LONG_CAP = 2_048.0  # tokens; an answer cut above this has run away, below it is only longer than allowed
FREAK = 3.0  # sds of the log length above its mean at which an answer is clipped
USUAL_SPREAD = 0.6  # sd of log length inside a public task, for groups too small to show their own
USUAL_WEIGHT = 5.0  # answers that `USUAL_SPREAD` is worth


@dataclass(frozen=True)
class Group:
    """One source model's answers on one task, as far as the log shows.

    Args:
        log_tokens: per answer, what a cut answer would have reached filled in, a runaway one at the group's mean.
        log_prompt: per answer, the group's mean where unknown.
        prompt: mean log prompt tokens; NaN where unknown.
        level: log of the mean length of the answers that did not run away.
        level_variance: its sampling variance.
        spread: sd of the log lengths.
        runaway: answers that ran into a long cap.
    """

    log_tokens: Floats
    log_prompt: Floats
    prompt: float
    level: float
    level_variance: float
    spread: float
    runaway: int


def observe(output_tokens: Floats, input_tokens: Floats, cap: Floats) -> Group:
    """Read a group off its counts. An answer of no tokens counts as one token; `cap` is NaN where there is none."""
    tokens = np.maximum(output_tokens, 1.0)
    cut = np.isfinite(cap) & (tokens >= NEAR_CAP * np.nan_to_num(cap, nan=np.inf))
    runaway = cut & (cap >= LONG_CAP)
    logs = _uncut(np.log(tokens), cut & ~runaway, runaway)
    seen = logs[~runaway]
    n = len(seen)
    squares = float(((seen - seen.mean()) ** 2).sum()) if n else 0.0
    spread = float(np.sqrt((squares + USUAL_WEIGHT * USUAL_SPREAD**2) / (max(n - 1, 0) + USUAL_WEIGHT)))
    if n:
        # One freak answer must not place the whole task.
        logs = np.minimum(logs, seen.mean() + FREAK * spread)
        seen = logs[~runaway]
        level = float(np.log(np.exp(seen).mean()))
        # Few answers show little of a long tail, so the lognormal's variance bounds the observed one from below.
        relative = max(float(np.exp(seen).var() / np.exp(2 * level)), float(np.expm1(spread**2)))
        variance = relative / n
    else:
        level, variance = float(np.log(np.nanmean(cap))), 1.0
    known = np.isfinite(input_tokens) & (input_tokens > 0)
    log_prompt = np.log(np.where(known, input_tokens, 1.0))
    prompt = float(log_prompt[known].mean()) if known.any() else float("nan")
    return Group(
        np.where(runaway, seen.mean() if n else level, logs),
        np.where(known, log_prompt, prompt if known.any() else 0.0),
        prompt,
        level,
        variance,
        spread,
        int(runaway.sum()),
    )


def _uncut(logs: Floats, cut: Bools, aside: Bools) -> Floats:
    """Log lengths with cut ones replaced by their expectation beyond the cut: EM for a censored normal (Tobit)."""
    if not cut.any():
        return logs
    used = ~aside
    filled, extra = logs.copy(), np.zeros_like(logs)
    for _ in range(30):
        mean = filled[used].mean()
        squares = ((filled[used] - mean) ** 2 + extra[used]).sum() + USUAL_WEIGHT * USUAL_SPREAD**2
        sd = np.sqrt(squares / (used.sum() + USUAL_WEIGHT))
        at = np.clip((logs[cut] - mean) / sd, -8.0, 8.0)
        hazard = np.exp(norm.logpdf(at) - norm.logsf(at))
        filled[cut] = mean + sd * hazard
        extra[cut] = sd**2 * (1 + at * hazard - hazard**2)
    return filled
