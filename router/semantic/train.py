"""Trains a task model from labelled texts, and says how it does on groups of texts it has not seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from problems import BackrouteError
from router.learned.fit import Corpus, Fits, calibration, folds
from router.learned.linear import Array, LinearModel, linked

STRENGTHS = (3.0, 10.0, 30.0)  # tried on left-out groups
FEWEST = 10  # examples of a class


def train_tasks(
    texts: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    balanced: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> LinearModel:
    """A calibrated model of the labels; penalty and calibration are chosen on groups left out whole.

    Args:
        texts: routing texts.
        labels: one class a text.
        groups: what belongs together: the source, the session, the user. Never leave a text's twin in another group.
        balanced: every class weighs the same, and every group within its class, as for public data whose mix is
            nobody's traffic. Otherwise texts weigh alike, so that scores suit the mix they come from.
        progress: called as it goes on, with how many fits are done and how many there are.

    Raises:
        BackrouteError: fewer than two classes, a class with too few examples, or a single group.
    """
    outputs = sorted(set(labels))
    _check(labels, outputs, groups)
    codes = {label: code for code, label in enumerate(outputs)}
    truth = np.eye(len(outputs))[[codes[label] for label in labels]]
    weight = balance(labels, groups) if balanced else np.ones(len(texts))
    corpus = Corpus(texts)
    fits = Fits(progress, len(STRENGTHS) * (int(folds(groups).max()) + 1) + 1)
    best: tuple[float, float, Array] | None = None
    for strength in STRENGTHS:
        logits = corpus.left_out_logits(truth, "softmax", groups, strength=strength, weight=weight, fits=fits)
        score = macro_f1(truth.argmax(axis=1), logits.argmax(axis=1))
        if best is None or score > best[0]:
            best = score, strength, logits
    assert best is not None  # STRENGTHS is not empty
    score, strength, logits = best
    slope, offset = calibration(logits, truth, "softmax", weight)
    model = corpus.fit(truth, outputs, "softmax", strength=strength, weight=weight)
    fits.one()
    told = linked(logits * slope + offset, "softmax")
    right = told.argmax(axis=1) == truth.argmax(axis=1)
    about = {
        "kind": "task",
        "examples": dict(sorted(Counter(labels).items())),
        "groups": len(set(groups)),
        "strength": strength,
        "left_out_macro_f1": round(score, 4),
        "left_out_accuracy": round(float(right.mean()), 4),
        "left_out_accuracy_at_half_coverage": round(float(right[surest_half(told)].mean()), 4),
    }
    return replace(model, slope=slope, offset=offset, about=about)


def macro_f1(truth: Array, told: Array) -> float:
    """The mean over the true classes of the F1 score, each class counting the same."""
    scores = []
    for each in np.unique(truth):
        hits = int(((truth == each) & (told == each)).sum())
        scores.append(2 * hits / (int((truth == each).sum()) + int((told == each).sum())))
    return float(np.mean(scores))


def surest_half(told: Array) -> Array:
    """The rows of the half with the highest top score; ties in row order."""
    return np.argsort(-told.max(axis=1), kind="stable")[: (len(told) + 1) // 2]


def balance(labels: Sequence[str], groups: Sequence[str]) -> Array:
    """A weight per text: every class the same, and every group within its class; the mean is 1."""
    cells = Counter(zip(labels, groups, strict=True))
    groups_of: dict[str, set[str]] = defaultdict(set)
    for label, group in cells:
        groups_of[label].add(group)
    share = [1 / (cells[label, group] * len(groups_of[label])) for label, group in zip(labels, groups, strict=True)]
    return np.array(share) * len(labels) / len(groups_of)


def _check(labels: Sequence[str], outputs: Sequence[str], groups: Sequence[str]) -> None:
    if len(outputs) < 2:
        if not labels:
            what, fix = (
                "no request has both a text and a `label`",
                "give each call the class its text is of, as `label`",
            )
            raise BackrouteError("training", what, fix=fix)
        what = f"every one of {len(labels):,} texts is labelled {labels[0]!r}"
        raise BackrouteError("training", what, fix="it takes two classes at least; label more requests")
    label, count = Counter(labels).most_common()[-1]
    if count < FEWEST:
        what = f"only {count} examples of {label!r}"
        raise BackrouteError("training", what, fix=f"label {FEWEST} of each class at least, or drop the class")
    if len(set(groups)) < 2:
        what = "all texts belong to one group"
        raise BackrouteError("training", what, fix="give sessions or sources, so that some can be left out")
