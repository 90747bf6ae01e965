"""Trains a quality model from what answers were worth: a score per model, and where a weaker model sufficed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from problems import BackrouteError
from router.learned.fit import Corpus, Fits, calibration, folds
from router.learned.linear import Array, LinearModel, linked

STRENGTHS = (0.03, 0.3, 3.0)  # tried on left-out groups; a prompt says little of an answer's worth
FEWEST = 30  # known truths of an output
BINS = 10


def train_quality(
    texts: Sequence[str],
    truths: Mapping[str, Array],
    groups: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> LinearModel:
    """A model of several outputs, each calibrated on groups left out whole.

    Args:
        texts: routing texts.
        truths: float64 per text and output, 0 to 1, NaN where unknown; see `suffices` for pairs.
        groups: what belongs together: the domain, the session. Never leave a text's twin in another group.
        progress: called as it goes on, with how many fits are done and how many there are.

    Raises:
        BackrouteError: a truth outside 0 to 1, too few of them, or a single group.
    """
    outputs = list(truths)
    truth = np.stack([np.asarray(truths[name], np.float64) for name in outputs], axis=1)
    _check(truth, outputs, groups)
    corpus, weight = Corpus(texts), np.ones(len(texts))
    fits = Fits(progress, len(STRENGTHS) * (int(folds(groups).max()) + 1) + 1)
    best: tuple[float, float, Array] | None = None
    for strength in STRENGTHS:
        logits = corpus.left_out_logits(truth, "sigmoid", groups, strength=strength, fits=fits)
        slope, offset = calibration(logits, truth, "sigmoid", weight)
        loss = brier(linked(logits * slope + offset, "sigmoid"), truth)
        if best is None or loss < best[0]:
            best = loss, strength, logits
    assert best is not None  # STRENGTHS is not empty
    _, strength, logits = best
    slope, offset = calibration(logits, truth, "sigmoid", weight)
    told = linked(logits * slope + offset, "sigmoid")
    about = {
        "kind": "quality",
        "groups": len(set(groups)),
        "strength": strength,
        "left_out": {name: judged(told[:, at], truth[:, at]) for at, name in enumerate(outputs)},
    }
    model = corpus.fit(truth, outputs, "sigmoid", strength=strength)
    fits.one()
    return replace(model, slope=slope, offset=offset, about=about)


def suffices(weak: Array, strong: Array) -> Array:
    """1 where the weaker model's score is at least the stronger one's, 0 where it is less, NaN where either lacks."""
    return np.where(np.isnan(weak) | np.isnan(strong), np.nan, (weak >= strong).astype(np.float64))


def brier(told: Array, truth: Array) -> float:
    """Mean squared distance of probabilities and truths where these are known: Brier 1950."""
    known = ~np.isnan(truth)
    return float(((told - truth)[known] ** 2).mean())


def judged(told: Array, truth: Array) -> dict[str, Any]:
    """How one output did: Brier score, that of always saying the mean, and the reliability curve in tenths."""
    known = ~np.isnan(truth)
    told, truth = told[known], truth[known]
    where = np.minimum((told * BINS).astype(int), BINS - 1)
    curve = [
        {
            "said": round(float(told[where == bin].mean()), 4),
            "was": round(float(truth[where == bin].mean()), 4),
            "texts": int((where == bin).sum()),
        }
        for bin in np.unique(where).tolist()
    ]
    return {
        "texts": len(truth),
        "mean": round(float(truth.mean()), 4),
        "brier": round(brier(told, truth), 4),
        "brier_of_the_mean": round(brier(np.full(len(truth), truth.mean()), truth), 4),
        "reliability": curve,
    }


def _check(truth: Array, outputs: Sequence[str], groups: Sequence[str]) -> None:
    if np.nanmin(truth, initial=0) < 0 or np.nanmax(truth, initial=1) > 1:
        what = f"scores from {np.nanmin(truth):g} to {np.nanmax(truth):g}"
        raise BackrouteError("training", what, fix="scale them to 0 (worst) to 1 (best)")
    for name, known in zip(outputs, (~np.isnan(truth)).sum(axis=0).tolist(), strict=True):
        if known < FEWEST:
            raise BackrouteError("training", f"only {known} outcomes of {name}", fix=f"it takes {FEWEST} at least")
    if len(set(groups)) < 2:
        what = "all texts belong to one group"
        raise BackrouteError("training", what, fix="give sessions or domains, so that some can be left out")
