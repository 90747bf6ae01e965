"""Service tiers: which requests can wait for a cheaper one, and which models have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pricing import AsOf, PriceBook
from simulator.counts import Array
from simulator.models import NO_MODEL, Codes

DEFERRABLE = "deferrable"


@dataclass(frozen=True)
class Tiers:
    """Requests that can wait go to a cheaper tier of the model that serves them.

    Args:
        to: "batch", "flex", or another tier that the price book knows.
        meta: the key of `meta` under which a true value says that a request can wait.
        rules: names of rules of the routed arm whose requests can wait besides.
    """

    to: str = "batch"
    meta: str = DEFERRABLE
    rules: tuple[str, ...] = ()


def can_wait(said: Sequence[Any]) -> Array:
    """Bool per request: meta holds a true value under the tiers' key."""
    return np.array([bool(value) for value in said], bool)


def has_tier(model: Codes, names: Sequence[str], book: PriceBook, at: AsOf, tier: str) -> Array:
    """Bool per request: the price book has this tier for its model, on the date of the policy (the book's own, where
    each request has its own)."""
    day = book.date if at.moment is None else at.moment.date()
    sold = np.array([book.quote(name, day, tier) is not None for name in names] or [False])
    return np.asarray((model != NO_MODEL) & sold[np.maximum(model, 0)])
