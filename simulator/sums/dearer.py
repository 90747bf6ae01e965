"""The requests that routing made dearer: how many, by how much, and the worst of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from simulator.counts import Array
from simulator.models import ModelIndex
from simulator.money import exact_sum

COSTLIEST = 10  # requests listed


class Dear(NamedTuple):
    """One request dearer after than before; picodollars. `rule` is a number of the scenario's rules."""

    request_id: str
    rule: int
    before_model: str | None
    routed_model: str | None
    before: int
    routed: int


class Charged(Protocol):
    """An arm, as far as it takes to say what is dearer: see `Arm`."""

    @property
    def rule(self) -> Array:
        """Numbers of rules."""

    @property
    def model(self) -> Array:
        """Codes of models."""

    @property
    def total(self) -> Array:
        """Picodollars."""


@dataclass
class Dearer:
    """Of all requests compared, those that cost more routed; picodollars."""

    requests: int = 0
    extra: int = 0
    costliest: list[Dear] = field(default_factory=list)

    def add(self, ids: pa.Array, baseline: Charged, routed: Charged, rows: Array, index: ModelIndex) -> None:
        """Add the rows of a mask."""
        extra = routed.total - baseline.total
        dear = np.flatnonzero(rows & (extra > 0))
        self.requests += len(dear)
        self.extra += exact_sum(extra[dear])
        if len(dear) > COSTLIEST:  # all that tie with the last stay, for their ids decide
            dear = dear[extra[dear] >= np.partition(extra[dear], -COSTLIEST)[-COSTLIEST]]
        self._keep(
            [
                Dear(
                    ids[row].as_py(),
                    int(routed.rule[row]),
                    index.name(int(baseline.model[row])),
                    index.name(int(routed.model[row])),
                    int(baseline.total[row]),
                    int(routed.total[row]),
                )
                for row in dear.tolist()
            ]
        )

    def merge(self, more: Dearer) -> None:
        """Add another part of the log."""
        self.requests += more.requests
        self.extra += more.extra
        self._keep(more.costliest)

    def _keep(self, rows: list[Dear]) -> None:
        self.costliest = sorted(
            [*self.costliest, *rows], key=lambda row: (row.before - row.routed, row.request_id, row.rule)
        )[:COSTLIEST]
