"""Refit to a user's own traffic: paired live answers move a pair's prediction, the prior holding where they are few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from simulator.counterfactual.kernel import Floats, Ints
from simulator.counterfactual.parameters import Live, Parameters
from simulator.counterfactual.predict import live_key, predict_output


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
    """Parameters whose predictions for the sampled pairs are shifted towards what the samples show.

    The shift is a normal posterior mean of the prior's log factor N(0, group_log_sd²) and the sample's log ratio of
    true to predicted totals, whose variance comes from the requests' residuals. Earlier live samples are replaced.
    """
    live = dict(params.live)
    plain = params.with_live({})
    for pair in pairs:
        told = predict_output(
            plain, pair.source, pair.target, pair.tasks, pair.source_tokens, pair.input_tokens, pair.cap
        )
        n, total, true = len(told.expected), float(told.expected.sum()), float(np.sum(pair.target_tokens))
        if n < 2 or total <= 0 or true <= 0:
            continue
        ratio = true / total
        residual = np.asarray(pair.target_tokens, float) - ratio * told.expected
        # Few answers show little of a long tail: the model's own per-request sd bounds the observed one from below.
        noise = max(float((residual**2).sum()), float((ratio * told.request_sd**2).sum()) if n < 30 else 0.0)
        sampling = noise / true**2 * n / (n - 1)
        prior = told.group_log_sd**2
        weight = prior / (prior + sampling) if prior + sampling else 0.0
        left = float(np.sqrt(weight * sampling))
        live[live_key(pair.source, pair.target)] = Live(float(weight * np.log(ratio)), left, n)
    return params.with_live(live)
