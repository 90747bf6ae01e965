"""What one group of answers shows by itself: its level, its spread, and how many ran into the output cap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.counterfactual.kernel import Floats

Bools = np.ndarray[Any, np.dtype[np.bool_]]

NEAR_CAP = 0.95  # o200k counts are not the model's own, so an answer this near its cap is taken as cut
LONG_CAP = 2_048.0  # tokens; an answer cut above this has run away, below it is only longer than allowed
FREAK = 3.0  # sds of the log length above its mean at which an answer is clipped
USUAL_SPREAD = 0.6  # sd of log length inside a public task, for groups too small to show their own
USUAL_WEIGHT = 5.0  # answers that `USUAL_SPREAD` is worth
LOG_ROOT_TAU = float(np.log(2 * np.pi) / 2)


@dataclass(frozen=True)
class Group:
    """One source model's answers on one task, as far as the log, or a sample of it, shows.

    Args:
        answers: how many.
        level: log of the mean length of the answers that did not run away.
        level_variance: its sampling variance.
        spread: sd of the log lengths.
        runaway: answers that ran into a long cap.
        prompt: mean log prompt tokens; NaN where unknown.
        usual: mean log length of the answers that did not run away; a runaway one is read as one of these.
        ceiling: log tokens; a freak answer is read as this long.
        uncut_mean, uncut_sd: of the log lengths had none been cut.
    """

    answers: int
    level: float
    level_variance: float
    spread: float
    runaway: int
    prompt: float
    usual: float
    ceiling: float
    uncut_mean: float
    uncut_sd: float

    def read(self, output_tokens: Floats, input_tokens: Floats, cap: Floats) -> tuple[Floats, Floats]:
        """Log length and log prompt of any answers of the group, row by row.

        A cut answer has what it would have reached filled in, a runaway one the group's mean; so has a prompt of
        unknown length. An answer of no tokens counts as one token; `cap` is NaN where there is none.
        """
        tokens = np.maximum(output_tokens, 1.0)
        cut, runaway = _cuts(tokens, cap)
        logs = np.log(tokens)
        if cut.any():
            logs = np.where(cut, _beyond(logs, self.uncut_mean, self.uncut_sd)[0], logs)
        known = np.isfinite(input_tokens) & (input_tokens > 0)
        usual_prompt = self.prompt if np.isfinite(self.prompt) else 0.0
        log_prompt = np.where(known, np.log(np.where(known, input_tokens, 1.0)), usual_prompt)
        return np.where(runaway, self.usual, np.minimum(logs, self.ceiling)), log_prompt


def observe(output_tokens: Floats, input_tokens: Floats, cap: Floats) -> Group:
    """Read a group off its counts, at least one; arrays as `Group.read`'s."""
    tokens = np.maximum(output_tokens, 1.0)
    cut, runaway = _cuts(tokens, cap)
    logs, uncut_mean, uncut_sd = _uncut(np.log(tokens), cut, runaway)
    seen = logs[~runaway]
    n = len(seen)
    squares = float(((seen - seen.mean()) ** 2).sum()) if n else 0.0
    spread = float(np.sqrt((squares + USUAL_WEIGHT * USUAL_SPREAD**2) / (max(n - 1, 0) + USUAL_WEIGHT)))
    if n:
        # One freak answer must not place the whole task.
        ceiling = float(seen.mean() + FREAK * spread)
        seen = np.minimum(seen, ceiling)
        usual, level = float(seen.mean()), float(np.log(np.exp(seen).mean()))
        # Few answers show little of a long tail, so the lognormal's variance bounds the observed one from below.
        relative = max(float(np.exp(seen).var() / np.exp(2 * level)), float(np.expm1(spread**2)))
        variance = relative / n
    else:
        level, variance = float(np.log(np.nanmean(cap))), 1.0
        usual = ceiling = level
    known = np.isfinite(input_tokens) & (input_tokens > 0)
    prompt = float(np.log(input_tokens[known]).mean()) if known.any() else float("nan")
    return Group(
        answers=len(tokens),
        level=level,
        level_variance=variance,
        spread=spread,
        runaway=int(runaway.sum()),
        prompt=prompt,
        usual=usual,
        ceiling=ceiling,
        uncut_mean=uncut_mean,
        uncut_sd=uncut_sd,
    )


def _cuts(tokens: Floats, cap: Floats) -> tuple[Bools, Bools]:
    """Answers cut at a short cap, and answers that ran away into a long one."""
    cut = np.isfinite(cap) & (tokens >= NEAR_CAP * np.nan_to_num(cap, nan=np.inf))
    runaway = cut & (cap >= LONG_CAP)
    return cut & ~runaway, runaway


def _uncut(logs: Floats, cut: Bools, aside: Bools) -> tuple[Floats, float, float]:
    """Log lengths with cut ones replaced by their expectation beyond the cut, their mean and sd: a Tobit fit by EM."""
    used = ~aside
    filled, extra = logs.copy(), np.zeros_like(logs)
    mean, sd = (float(logs[used].mean()) if used.any() else 0.0), USUAL_SPREAD
    for _ in range(30 if cut.any() else 0):
        mean = float(filled[used].mean())
        squares = ((filled[used] - mean) ** 2 + extra[used]).sum() + USUAL_WEIGHT * USUAL_SPREAD**2
        sd = float(np.sqrt(squares / (used.sum() + USUAL_WEIGHT)))
        filled[cut], extra[cut] = _beyond(logs[cut], mean, sd)
    return filled, mean, sd


def _beyond(logs: Floats, mean: float, sd: float) -> tuple[Floats, Floats]:
    """Expectation and variance of a normal beyond each of some points."""
    from scipy.special import log_ndtr  # 0.2 s to load, which logs without output caps need not take

    at = np.clip((logs - mean) / sd, -8.0, 8.0)
    hazard = np.exp(-(at**2) / 2 - LOG_ROOT_TAU - log_ndtr(-at))
    return mean + sd * hazard, sd**2 * (1 + at * hazard - hazard**2)
