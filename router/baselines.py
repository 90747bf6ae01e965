"""Policies to stand beside a rule set: one model for everything, a seeded lottery, the cheapest at arrival."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pricing import PriceBook
from problems import BackrouteError
from router.features import Features
from router.rules import Decisions, RoutingRule, split_target


class AlwaysUse:
    """Every request to one model, given as "provider/model"."""

    def __init__(self, model: str) -> None:
        provider, name = split_target(model, "AlwaysUse")
        self.name = f"always {model}"
        self.rules: tuple[RoutingRule, ...] = (RoutingRule("always", None, provider, name),)

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        """The one model for each request."""
        return Decisions(np.zeros(requests.num_rows, np.int32))

    def digest(self) -> str:
        """See `Router.digest`."""
        return hashlib.sha256(self.name.encode()).hexdigest()


class Random:
    """Each request to one of some models by lot, drawn from its id and a seed, so that order and batches do not matter.

    Args:
        shares: probability per "provider/model"; normalised to one.
        seed: another seed, another lottery.

    Raises:
        BackrouteError: a share below zero or no share above it, or a name that is not provider/model.
    """

    def __init__(self, shares: Mapping[str, float], *, seed: int = 0) -> None:
        total = math.fsum(shares.values())
        if not 0 < total < math.inf or min(shares.values()) < 0:
            what = f"shares must be 0 or more, and not all 0 ({dict(shares)!r})"
            raise BackrouteError("Random", what, fix="for example {'openai/gpt-4o': 1}")
        self.name = "random " + ", ".join(f"{share / total:.0%} {model}" for model, share in shares.items())
        self.rules: tuple[RoutingRule, ...] = tuple(
            RoutingRule(f"random {model}", None, *split_target(model, "Random")) for model in shares
        )
        self._edges = np.cumsum([share / total for share in shares.values()])[:-1]
        self._seed = seed

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        """One draw per request."""
        ids = np.asarray(requests["request_id"].to_pylist(), dtype=object)
        return Decisions(np.searchsorted(self._edges, uniform(ids, self._seed), side="right").astype(np.int32))

    def digest(self) -> str:
        """See `Router.digest`."""
        targets = [rule.target for rule in self.rules]
        return hashlib.sha256(f"{targets} {self._edges.tolist()} {self._seed}".encode()).hexdigest()


class Cheapest:
    """Each request to the model it looks cheapest on when it arrives: see `estimated_cost_usd`.

    Requests whose text is unknown are undecided.

    Args:
        models: "provider/model" names; the earlier one wins a tie.
        book: prices; the bundled ones when left out.

    Raises:
        BackrouteError: no model, or a name that is not provider/model.
    """

    def __init__(self, models: Sequence[str], *, book: PriceBook | None = None) -> None:
        if not models:
            raise BackrouteError("Cheapest", "no models to choose from", fix="for example ['openai/gpt-4o-mini']")
        self.name = "cheapest of " + ", ".join(models)
        self.rules: tuple[RoutingRule, ...] = tuple(
            RoutingRule(f"cheapest {model}", None, *split_target(model, "Cheapest")) for model in models
        )
        self._book = book

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        """The model of least estimated cost for each request."""
        first = Features.of_batch(requests, self.rules[0].target, self._book)
        costs = np.stack(
            [first.usd_on(rule.target).fill_null(np.inf).to_numpy(zero_copy_only=False) for rule in self.rules]
        )
        undecided = np.isinf(costs).all(axis=0)
        return Decisions(np.where(undecided, -1, costs.argmin(axis=0)).astype(np.int32))

    def digest(self) -> str:
        """See `Router.digest`."""
        return hashlib.sha256(f"{self.name} {self._book.digest if self._book else ''}".encode()).hexdigest()


def uniform(keys: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A number in [0, 1) for each key (strings), the same wherever and in whatever order it is asked for."""
    import pandas as pd  # half a second to load, which `import router` need not take

    salt = hashlib.blake2b(str(seed).encode(), digest_size=8).hexdigest()
    hashed = pd.util.hash_array(keys, hash_key=salt)
    # A float holds 53 bits; more would round up to 1.
    return (np.asarray(hashed, np.uint64) >> np.uint64(11)) / np.float64(2**53)
