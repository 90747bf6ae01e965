"""Policies to stand beside a rule set: one model for everything, or a seeded lottery between several."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from problems import BackrouteError
from router.rules import Decisions, RoutingRule


class AlwaysUse:
    """Every request to one model, given as "provider/model"."""

    def __init__(self, model: str) -> None:
        provider, slash, name = model.partition("/")
        if not slash or not name:
            raise BackrouteError("AlwaysUse", f"not provider/model ({model!r})", fix="for example openai/gpt-4o")
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
    """

    def __init__(self, shares: dict[str, float], *, seed: int = 0) -> None:
        total = sum(shares.values())
        if not shares or total <= 0 or min(shares.values()) < 0:
            raise BackrouteError("Random", f"shares must be positive ({shares!r})", fix="for example {'openai/gpt-4o': 1}")
        self.name = "random " + ", ".join(f"{share / total:.0%} {model}" for model, share in shares.items())
        self.rules = tuple(
            RoutingRule(f"random {model}", None, *model.partition("/")[::2]) for model in shares
        )
        self._edges = np.cumsum([share / total for share in shares.values()])[:-1]
        self._seed = seed

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        """One draw per request."""
        ids = np.asarray(requests["request_id"].to_pylist(), dtype=object)
        return Decisions(np.searchsorted(self._edges, uniform(ids, self._seed), side="right").astype(np.int32))

    def digest(self) -> str:
        """See `Router.digest`."""
        return hashlib.sha256(f"{self.name} {self._edges.tolist()} {self._seed}".encode()).hexdigest()


def uniform(keys: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A number in [0, 1) for each key (strings), the same wherever and in whatever order it is asked for."""
    salt = hashlib.blake2b(str(seed).encode(), digest_size=8).hexdigest()
    hashed = pd.util.hash_array(keys, hash_key=salt)
    return np.asarray(hashed, np.uint64) / np.float64(2**64)
