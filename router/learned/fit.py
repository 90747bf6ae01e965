"""Fits linear models over counted terms: regularised logistic regression, calibrated on groups left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from router.learned.linear import Array, LinearModel, Link
from router.learned.text import LONGEST_TERM, terms

LEAST_DOCUMENTS = 2  # a term of a single text says more about that text than about its class
MOST_TERMS = 10_000
ITERATIONS = 100
MOST_FOLDS = 10  # groups are left out in so many parts at most, each group whole
# Below this a change of the loss does not move a weight by a step of its file.
TOLERANCE = 1e-7


class Fits:
    """Counts the fits of a training, and tells who listens how many are done, of how many."""

    def __init__(self, told: Callable[[int, int], None] | None, of: int) -> None:
        self._told, self._of, self._done = told, of, 0

    def one(self) -> None:
        """One more is done."""
        self._done += 1
        if self._told is not None:
            self._told(self._done, self._of)


class Corpus:
    """Texts counted once, to fit to any part of them.

    Args:
        texts: what to learn from. Their terms and how many texts hold each are taken from all of them; a fit that must
            know nothing of some texts needs a corpus without them.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.vocabulary, self.idf = _vocabulary(texts)
        self.design = self.matrix(texts)

    def matrix(self, texts: Sequence[str]) -> Any:
        """Any texts by the corpus's terms as a sparse matrix, each row of length 1."""
        return _design(self._model((), "softmax", np.zeros((len(self.vocabulary), 0)), np.zeros(0)), texts)

    def fit(
        self,
        truth: Array,
        outputs: Sequence[str],
        link: Link,
        *,
        strength: float,
        weight: Array | None = None,
    ) -> LinearModel:
        """A model of all the texts, before calibration.

        Args:
            truth: float64 (texts, outputs), 0 to 1; NaN where unknown. With "softmax", rows add up to 1.
            outputs: their names.
            link: see `LinearModel`.
            strength: of the data against the penalty: 1/2 |weights|^2 + strength x summed log loss.
            weight: float64 per text, with mean 1; all alike when left out.
        """
        heavy = np.ones(len(self.texts)) if weight is None else weight
        weights, bias = minimise(self.design, truth, link, strength, heavy)
        return self._model(outputs, link, weights, bias)

    def left_out_logits(
        self,
        truth: Array,
        link: Link,
        groups: Sequence[str],
        *,
        strength: float,
        weight: Array | None = None,
        fits: Fits | None = None,
    ) -> Array:
        """Logits of every text by weights that saw none of its group; arguments as for `fit`.

        Args:
            groups: one name a text: its source, domain or session.
            fits: counts the fits, one for each part left out.
        """
        heavy = np.ones(len(self.texts)) if weight is None else weight
        return left_out_logits(self.design, truth, link, groups, strength, heavy, fits)

    def _model(self, outputs: Sequence[str], link: Link, weights: Array, bias: Array) -> LinearModel:
        unit = max(float(np.abs(weights).max(initial=0.0)) / 32_000, 1e-12)
        steps, ones = np.rint(weights / unit).astype(np.int64), np.ones(len(outputs))
        return LinearModel(tuple(outputs), link, self.vocabulary, self.idf, steps, unit, bias.round(9), ones, ones * 0)


def left_out_logits(
    design: Any,
    truth: Array,
    link: Link,
    groups: Sequence[str],
    strength: float,
    weight: Array,
    fits: Fits | None = None,
) -> Array:
    """Logits of every row of a sparse matrix by weights that saw none of its group; see `Corpus`."""
    fold = folds(groups)
    logits = np.zeros(truth.shape)
    for number in range(int(fold.max()) + 1):
        held = fold == number
        weights, bias = minimise(design[~held], truth[~held], link, strength, weight[~held])
        logits[held] = design[held] @ weights + bias
        if fits is not None:
            fits.one()
    return logits


def folds(groups: Sequence[str]) -> Array:
    """A fold's number per text; groups stay whole, and go, the largest first, to the fold with the fewest texts."""
    sizes = sorted(Counter(groups).items(), key=lambda held: (-held[1], held[0]))
    filled = [0] * min(len(sizes), MOST_FOLDS)
    fold_of = {}
    for group, size in sizes:
        fold_of[group] = min(range(len(filled)), key=filled.__getitem__)
        filled[fold_of[group]] += size
    return np.array([fold_of[group] for group in groups], np.int64)


def calibration(logits: Array, truth: Array, link: str, weight: Array) -> tuple[Array, Array]:
    """Slope and offset per output that make left-out logits probabilities: Platt 1999; Guo et al. 2017 for softmax.

    With "softmax" one temperature serves all outputs, and there is no offset.
    """
    from scipy.optimize import minimize

    outputs = logits.shape[1]
    if link == "softmax":

        def loss(log_slope: Array) -> float:
            return _loss(logits * math.exp(float(log_slope[0])), truth, link, weight)

        log_slope = minimize(loss, np.zeros(1), method="Nelder-Mead").x
        return np.full(outputs, round(math.exp(float(log_slope[0])), 9)), np.zeros(outputs)
    slope, offset = np.ones(outputs), np.zeros(outputs)
    for each in range(outputs):
        known = ~np.isnan(truth[:, each])
        one, wanted, heavy = logits[known, each : each + 1], truth[known, each : each + 1], weight[known]

        line = minimize(_line_loss, np.array([1.0, 0.0]), (one, wanted, heavy), method="Nelder-Mead").x
        # A score that ranks the wrong way round on groups left out carries nothing: all get the mean.
        slope[each], offset[each] = np.round(line, 9)
        if slope[each] <= 0:
            mean = float(np.average(wanted[:, 0], weights=heavy).clip(1e-6, 1 - 1e-6))
            slope[each], offset[each] = 0.0, round(math.log(mean / (1 - mean)), 9)
    return slope, offset


def _vocabulary(texts: Sequence[str]) -> tuple[tuple[str, ...], Array]:
    seen = Counter(term for text in texts for term in set(terms(text)))
    held = [(-count, term) for term, count in seen.items() if count >= LEAST_DOCUMENTS and len(term) <= LONGEST_TERM]
    kept = sorted(term for _, term in sorted(held)[:MOST_TERMS])
    idf = [round(1000 * (1 + math.log((1 + len(texts)) / (1 + seen[term])))) for term in kept]
    return tuple(kept), np.array(idf, np.int64)


def _design(model: LinearModel, texts: Sequence[str]) -> Any:
    """Texts by terms as a sparse matrix, each row of length 1."""
    from scipy import sparse

    row, term, value = model.counted(texts)
    found = sparse.csr_matrix((value / 1e6, (row, term)), shape=(len(texts), len(model.vocabulary)))
    norm = np.sqrt(np.asarray(found.multiply(found).sum(axis=1))).ravel()
    return sparse.diags(1 / np.maximum(norm, 1e-9)) @ found


def minimise(design: Any, truth: Array, link: Link, strength: float, weight: Array) -> tuple[Array, Array]:
    """Weights (columns, outputs) and biases of a regularised logistic regression; see `Corpus.fit`."""
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    terms_count, outputs = design.shape[1], truth.shape[1]
    known = ~np.isnan(truth)
    wanted, heavy = np.where(known, truth, 0.0), np.where(known, weight[:, None], 0.0)
    transposed = design.T.tocsr()

    def both(flat: Array) -> tuple[float, Array]:
        weights, bias = flat[:-outputs].reshape(terms_count, outputs), flat[-outputs:]
        logits = design @ weights + bias
        if link == "softmax":
            logits = logits - logits.max(axis=1, keepdims=True)
            log_sum = np.log(np.exp(logits).sum(axis=1, keepdims=True))
            told = np.exp(logits - log_sum)
            loss = float((heavy * wanted * (log_sum - logits)).sum())
        else:
            told = 1 / (1 + np.exp(-logits.clip(-500, 500)))
            loss = float((heavy * (np.logaddexp(0, logits) - wanted * logits)).sum())
        slope = heavy * (told - wanted)
        by_weight = weights + strength * (transposed @ slope)
        flat_slope = np.concatenate([by_weight.ravel(), strength * slope.sum(axis=0)])
        return 0.5 * float((weights**2).sum()) + strength * loss, flat_slope

    start = np.zeros((terms_count + 1) * outputs)
    options = {"maxiter": ITERATIONS, "ftol": TOLERANCE}
    # Its vectors are short: on cores that others use too, threads wait for each other 50 times as long as they work.
    with threadpool_limits(1, "blas"):
        found: Array = minimize(both, start, jac=True, method="L-BFGS-B", options=options).x  # type: ignore[call-overload]
    return found[:-outputs].reshape(terms_count, outputs), found[-outputs:]


def _line_loss(line: Array, logits: Array, truth: Array, weight: Array) -> float:
    return _loss(logits * line[0] + line[1], truth, "sigmoid", weight)


def _loss(logits: Array, truth: Array, link: str, weight: Array) -> float:
    if link == "softmax":
        top = logits.max(axis=1, keepdims=True)
        log_sum = top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        return float((weight[:, None] * truth * (log_sum - logits)).sum())
    return float((weight[:, None] * (np.logaddexp(0, logits) - truth * logits)).sum())
