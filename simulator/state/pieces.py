"""What state needs of one part of a log, gathered in whatever process holds it; pieces join in the log's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulator.arms import Batch, serve, use
from simulator.counterfactual import Parameters
from simulator.counts import INPUTS, Array
from simulator.kernel import decide
from simulator.models import Codes, ModelIndex
from simulator.scenario import Scenario
from simulator.state.candidates import Candidates
from simulator.state.columns import LogColumns
from simulator.state.prefixes import Nodes
from simulator.state.settings import State
from simulator.usage.observed import Observed
from simulator.usage.outputs import Outputs
from simulator.usage.pairs import Pairs


@dataclass
class Piece:
    """One part of a log as state sees it; picklable.

    Args:
        columns: of its requests.
        nodes: its prompts' prefixes, where some arm has a prompt cache.
        candidates: by scenario, what each request would use and cost on every model in play: `Candidates.tables`.
        proposed: by scenario, the columns of `amend.Proposed`.
        names: the models that the codes in it stand for.
    """

    columns: LogColumns
    nodes: Nodes | None
    candidates: list[tuple[Array, ...] | None]
    proposed: list[tuple[Array, ...]]
    names: list[str]

    @property
    def rows(self) -> int:
        """Requests."""
        return len(self.columns.model[0])

    def recode(self, index: ModelIndex) -> None:
        """Make its codes those of another index."""
        if self.names is index.names:
            return
        codes = codes_of(self.names, index)
        self.columns.model = [codes[model] for model in self.columns.model]
        self.proposed = [(rule, codes[model], *others) for rule, model, *others in self.proposed]
        self.names = index.names


class Gather:
    """Makes pieces of batches.

    Args:
        scenarios: the baseline first.
        observed: the log's own answers.
        index: codes of model names, those that the batches use.
    """

    def __init__(self, scenarios: Sequence[Scenario], observed: Observed, index: ModelIndex) -> None:
        self._scenarios, self._index = scenarios, index
        self._candidates = [candidates_of(scenario) for scenario in scenarios]
        self._wanted = _wanted([scenario.state for scenario in scenarios])
        self._cached = any(scenario.state.caches for scenario in scenarios)
        said = [scenario.assumptions for scenario in scenarios]
        self._outputs = [Outputs(each, observed, Parameters.load(each.calibration), index) for each in said]

    def __call__(self, batch: Batch) -> Piece:
        """What state needs of a batch."""
        columns, index = LogColumns(self._wanted), self._index
        columns.add(batch)
        nodes = prefixes(batch) if self._cached else None
        proposed, tables = list[tuple[Array, ...]](), list[tuple[Array, ...] | None]()
        for scenario, candidates, outputs in zip(self._scenarios, self._candidates, self._outputs, strict=True):
            choice = serve(batch, scenario, decide(batch, scenario.router), index)
            used = use(batch, choice, index, outputs, Pairs())
            output_milli = used.counts.milli[:, INPUTS:].sum(axis=1)
            proposed.append((choice.rule, choice.model, choice.feasible, used.counts.input_milli, output_milli))
            if candidates is None:
                tables.append(None)
            else:
                tables.append(candidates.tables(batch, scenario, choice.rule, index, outputs))
        return Piece(columns, nodes, tables, proposed, index.names)


def prefixes(batch: Batch, first_row: int = 0) -> Nodes:
    """The prefixes of a batch's prompts, which are kept with it; see `Nodes.of`."""

    def make() -> pa.ListArray:
        inputs = np.where(batch.passes, 0, batch.logged.input_milli)
        return Nodes.of(batch.requests, inputs).lists(batch.requests.num_rows)

    return Nodes.of_lists(batch.kept(("prefixes",), make), first_row)


def candidates_of(scenario: Scenario) -> Candidates | None:
    """The models in play where state may amend a scenario's decisions."""
    state = scenario.state
    return Candidates.of(scenario) if state.guards or state.retries or state.cascade else None


def codes_of(names: Sequence[str], index: ModelIndex) -> Codes:
    """The codes that an index has for the codes of others, -1 for -1."""
    return np.array([*map(index.code, names), -1], np.int32)


def _wanted(states: Sequence[State]) -> tuple[str, ...]:
    """The keys of meta that some setting asks for."""
    found: list[str] = []
    for state in states:
        found += [budget.by for budget in state.guards.budgets if budget.by not in ("all", "user")]
        if state.tiers is not None:
            found.append(state.tiers.meta)
        if state.cascade is not None:
            found += [key for key in (state.cascade.score, state.cascade.correct) if key]
    return tuple(dict.fromkeys(found))
