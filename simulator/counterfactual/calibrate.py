"""Refit to a user's own traffic: paired live answers move a pair's prediction, the prior holding where they are few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from simulator.counterfactual.kernel import Floats, Ints
from simulator.counterfactual.parameters import Live, Parameters
from simulator.counterfactual.predict import live_key, pair_of, predict_output

FEW = 30  # paired answers
OUTLYING = 20.0  # squared residuals, of their median; a normal one is beyond it once in 300
SLOPE_SD = 0.3  # of a pair's slope between one user's traffic and the public tasks: a stated prior


@dataclass(frozen=True)
class PairedSample:
    """Both models' answers to the same requests of a user's traffic, tokens per request; shapes as `predict_output`."""

    source: str
    target: str
    source_tokens: Floats
    target_tokens: Floats
    input_tokens: Floats
    tasks: Ints | None = None
    cap: Floats | None = None


def calibrate(params: Parameters, pairs: Iterable[PairedSample]) -> Parameters:
    """Parameters refitted to the sampled pairs, as far as the samples outweigh the prior.

    Slope: of log target on log source length, a normal posterior mean around the packaged slope. Level: the log of true
    totals over those of that slope has the variance of the requests' residuals; its prior is the packaged prediction
    and its group_log_sd. Samples of fewer than `FEW` pairs change nothing; earlier ones of the same pair are replaced.
    """
    live = dict(params.live)
    plain = params.with_live({})
    for pair in pairs:
        true = np.asarray(pair.target_tokens, float)
        n = len(true)
        if n < FEW or not true.sum() > 0:
            continue
        key = live_key(pair.source, pair.target)
        arrays = (pair.tasks, pair.source_tokens, pair.input_tokens, pair.cap)
        prior = predict_output(plain, pair.source, pair.target, *arrays)
        slope = _slope(pair_of(plain, pair.source, pair.target).slope, pair.source_tokens, true)
        line = plain.with_live({key: Live(0.0, slope, 0.0, 0)})
        shape = predict_output(line, pair.source, pair.target, *arrays).expected
        ratio = true.sum() / shape.sum()
        residual = (true - ratio * shape) ** 2
        sampling = float(residual.sum()) * n / (n - 1) / float(true.sum()) ** 2
        # One runaway answer makes a sample's spread, but no reason to go back to a prior that the rest contradicts.
        usual = np.minimum(residual, (OUTLYING * np.median(residual)))
        variance, seen = prior.group_log_sd**2, float(usual.sum()) * n / (n - 1) / float(true.sum()) ** 2
        weight = variance / (variance + seen) if variance + seen else 0.0
        centre = float(np.log(prior.expected.sum() / shape.sum()))
        intercept = centre + weight * (float(np.log(ratio)) - centre)
        live[key] = Live(intercept, slope, float(np.sqrt(weight * sampling)), n)
    return params.with_live(live)


def _slope(usual: float, source: Floats, target: Floats) -> float:
    x, y = np.log(np.maximum(source, 1.0)), np.log(np.maximum(target, 1.0))
    x, y = x - x.mean(), y - y.mean()
    squares = float(x @ x)
    if not squares:
        return usual
    found = float(x @ y) / squares
    variance = float(((y - found * x) ** 2).mean()) / squares
    return found + variance / (variance + SLOPE_SD**2) * (usual - found)
