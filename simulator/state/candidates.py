"""Every model a scenario's requests could come to, and what each would use and cost: what guards choose from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simulator.arms import Batch, Choice, can_serve, charged, use
from simulator.counts import INPUTS, Array
from simulator.models import ModelIndex
from simulator.scenario import Scenario
from simulator.usage.outputs import Outputs
from simulator.usage.pairs import Pairs


@dataclass
class Candidates:
    """The candidates of one scenario over the log, a list of parts until `joined`.

    `able`, `cost`, `input_cost`, `input_milli` and `output_milli` are (requests, models); see `fold.Proposal`.
    """

    models: tuple[str, ...]
    chains: Array  # int32 (rules, k): places in `models`, -1 where there is none further
    first: int = -1  # the cascade's cheap model, -1 where there is none
    able: Any = field(default_factory=list)
    cost: Any = field(default_factory=list)
    input_cost: Any = field(default_factory=list)
    input_milli: Any = field(default_factory=list)
    output_milli: Any = field(default_factory=list)

    @classmethod
    def of(cls, scenario: Scenario) -> Candidates:
        """The models in play: the rules' targets and fallbacks, and those that guards and cascades name.

        Raises:
            BackrouteError: the price book does not know one of them.
        """
        book, state = scenario.book, scenario.state
        own = [[book.require(name, f"rule {rule.name!r}") for name in (rule.target, *rule.fallback)]
               for rule in scenario.router.rules]  # fmt: skip
        named = [book.require(name, "state: guards") for name in state.guards.fallback]
        also = [book.require(name, "state: guards") for name in state.guards.named]
        if state.cascade is not None:
            also.append(book.require(state.cascade.first, "state: cascade"))
        models = tuple(dict.fromkeys([name for chain in own for name in chain] + named + also))
        tried = [list(dict.fromkeys(chain + named)) for chain in own]
        chains = np.full((len(own), max(map(len, tried))), -1, np.int32)
        for row, chain in enumerate(tried):
            chains[row, : len(chain)] = [models.index(name) for name in chain]
        first = -1 if state.cascade is None else models.index(also[-1])
        return cls(models, chains, first)

    def tables(
        self, batch: Batch, scenario: Scenario, rule: Array, index: ModelIndex, outputs: Outputs
    ) -> tuple[Array, ...]:
        """One batch used and charged on every model, to be added."""
        tables: list[list[Array]] = [[], [], [], [], []]
        for model in self.models:
            code = np.full(len(rule), index.code(model), np.int32)
            able = can_serve(batch, model, scenario.book) & ~batch.passes
            choice = Choice(rule, np.where(batch.passes, batch.source, code).astype(np.int32), able)
            used = use(batch, choice, index, outputs, Pairs())
            arm = charged(batch, scenario, choice, used, index)
            # A request is decided once, whoever answers it in the end.
            columns = (able & arm.priced, arm.total - arm.overhead, arm.pico[:, :INPUTS].sum(axis=1),
                       used.counts.input_milli, used.counts.milli[:, INPUTS:].sum(axis=1))  # fmt: skip
            for table, column in zip(tables, columns, strict=True):
                table.append(column)
        return tuple(np.stack(table, axis=1) for table in tables)

    def add(self, tables: tuple[Array, ...]) -> None:
        """Take what `tables` gave of the part of the log that follows."""
        parts = (self.able, self.cost, self.input_cost, self.input_milli, self.output_milli)
        for part, table in zip(parts, tables, strict=True):
            part.append(table)

    def join(self) -> None:
        """Make each table one array."""
        for name in ("able", "cost", "input_cost", "input_milli", "output_milli"):
            setattr(self, name, np.concatenate(getattr(self, name)))

    def cache_price(self, scenario: Scenario) -> Array:
        """A cached token's price as a share of an uncached one's, per model; 1 where there is no such price."""
        shares = []
        for model in self.models:
            quote = scenario.book.quote(model, scenario.book.date)
            rates = quote.usd_per_mtok if quote else {}
            read, plain = rates.get("cache_read"), rates.get("input_uncached")
            shares.append(float(read.base / plain.base) if read and plain and plain.base else 1.0)
        return np.array(shares)
