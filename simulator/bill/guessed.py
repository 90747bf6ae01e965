"""Counts that were never counted: a constant times the words or characters, or one figure for every text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.counts import Array

FEWEST = 8  # texts of different lengths; with fewer a constant may fit by chance
TELLING = 10  # tokens: below, rounding lets almost any constant through
NEARLY_ALL = 0.9
MANY = 0.7
SPREAD = 2.0  # texts of one stated count, the long over the short, before it cannot be theirs
# What a guess does with fractions, and where in [tokens + low, tokens + high] the product then lay.
ROUNDINGS = {"rounded down": (0.0, 1.0), "rounded": (-0.5, 0.5), "rounded up": (-1.0, 0.0)}


@dataclass(frozen=True)
class Guess:
    """How counts came about: bool per row that it fits, the constant, what it multiplies, and the rounding."""

    fit: Array
    constant: float | None
    unit: str
    rounding: str


def guessed_constant(stated: Array, units: Mapping[str, Array], counted: Array) -> Guess | None:
    """The constant that makes nearly all counts out of a unit; None where there is none.

    Args:
        stated: tokens per row.
        units: words or characters per row, by name.
        counted: tokens per row of the text itself, by the model's tokenizer or a near one.

    A tokenizer's count per word differs from text to text by far more than rounding can hide, so that one constant for
    eight texts of different lengths is none of its.
    """
    found = []
    for unit, sizes in units.items():
        telling = (stated >= TELLING) & (sizes > 0)
        if len(np.unique(sizes[telling])) < FEWEST:
            continue
        size, tokens = sizes[telling].astype(float), stated[telling]
        for rounding, (low, high) in ROUNDINGS.items():
            bottom, top, inside = _most_common((tokens + low) / size, (tokens + high) / size)
            if inside < NEARLY_ALL * len(size):
                continue
            # Of short or uniform texts a tokenizer's counts follow a constant, too, and prove nothing.
            own = np.rint(counted[telling])
            if _most_common((own + low) / size, (own + high) / size)[2] > MANY * len(size):
                continue
            constant = _roundest(bottom, top)
            fit = (constant * sizes >= stated + low - 1e-9) & (constant * sizes <= stated + high + 1e-9) & (sizes > 0)
            if len(np.unique(sizes[fit & telling])) >= FEWEST:
                found.append(Guess(fit, constant, unit, rounding))
    return max(found, key=lambda guess: (int(guess.fit.sum()), -len(str(guess.constant))), default=None)


def same_count(stated: Array, counted: Array) -> Guess | None:
    """One count beside texts of very different lengths; None where counts differ or the texts are alike."""
    if len(stated) < FEWEST:
        return None
    values, times = np.unique(stated, return_counts=True)
    common = values[times.argmax()]
    fit = (stated == common) & (common > 0)
    if fit.sum() < NEARLY_ALL * len(stated):
        return None
    short, long = np.quantile(counted[fit], [0.1, 0.9])
    return Guess(fit, float(common), "", "") if long >= SPREAD * max(short, 1.0) else None


def _most_common(bottoms: Array, tops: Array) -> tuple[float, float, int]:
    """The stretch that lies in most of some intervals, and in how many."""
    edges = np.concatenate([bottoms, tops])
    step = np.concatenate([np.ones(len(bottoms), int), -np.ones(len(tops), int)])
    order = np.lexsort((-step, edges))  # an interval that begins where another ends shares a point with it
    depth = np.cumsum(step[order])
    deepest = int(depth.argmax())
    return float(edges[order][deepest]), float(edges[order][deepest + 1]), int(depth[deepest])


def _roundest(bottom: float, top: float) -> float:
    """The number of fewest decimals in a stretch."""
    middle = (bottom + top) / 2
    for places in range(7):
        rounded = round(middle, places)
        if bottom <= rounded <= top:
            return rounded
    return middle
