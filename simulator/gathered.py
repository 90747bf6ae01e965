"""An arm put together from what each model would use and cost, worked out once for all rules that choose it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pricing import AsOf, PriceBook, charge
from simulator.arms import (
    AS_LOGGED,
    Arm,
    Batch,
    Choice,
    distinct,
    logged_arm,
    money,
    served_as,
    tokens_on,
    use,
)
from simulator.counts import Array, Counts
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.money import grouped
from simulator.outputs import Outputs
from simulator.pairs import Pairs
from simulator.scenario import Scenario


@dataclass(frozen=True)
class Cost:
    """What a batch's requests cost, those that were asked for so far: see `Arm` for the columns."""

    done: Array
    pico: Array
    total: Array
    priced: Array

    @classmethod
    def none(cls, rows: int, buckets: int) -> Cost:
        """Nothing known yet."""
        return cls(np.zeros(rows, bool), np.zeros((rows, buckets), np.int64), np.zeros(rows, np.int64),
                   np.zeros(rows, bool))  # fmt: skip

    def put(self, rows: Array, pico: Array, total: Array, priced: Array) -> None:
        """Set some rows."""
        if self.pico.shape[1]:
            self.pico[rows] = pico
        self.total[rows], self.priced[rows], self.done[rows] = total, priced, True


def prices_key(book: PriceBook, as_of: AsOf) -> Hashable:
    """All of a price book and a date policy that a charge depends on."""
    return book.digest, book.date, as_of


def logged_once(batch: Batch, index: ModelIndex, book: PriceBook, as_of: AsOf) -> Arm:
    """`logged_arm`, made once."""
    return batch.kept(("logged", prices_key(book, as_of)), lambda: logged_arm(batch, index, book, as_of))


def gathered_arm(
    batch: Batch, scenario: Scenario, choice: Choice, index: ModelIndex, outputs: Outputs, pairs: Pairs
) -> Arm:
    """What `use` and `charged` make of a choice, from what is known of each of its models."""
    used = use(batch, choice, index, outputs, pairs)
    kinds, rows = served_as(batch, choice.model), len(choice.model)
    cost: Cost | Arm = Cost.none(rows, batch.logged.milli.shape[1])
    for model in distinct(kinds):
        if model == NO_MODEL:
            continue
        mine = kinds == model
        part: Cost | Arm
        if model == AS_LOGGED:
            part = logged_once(batch, index, scenario.book, scenario.as_of)
        else:
            part = _cost_on(batch, model, mine, scenario, index, outputs)
        if mine.all():
            cost = part
        else:
            assert isinstance(cost, Cost)
            cost.put(mine, part.pico[mine], part.total[mine], part.priced[mine])
    each = np.int64(getattr(scenario.router, "overhead_pico", 0))
    overhead = np.where(cost.priced & (choice.rule >= 0), each, 0)
    return Arm(choice.model, choice.rule, used.counts, cost.pico, cost.total + overhead, cost.priced, choice.feasible,
               used.pair, used.request_sd, overhead, np.zeros(rows, np.int64))  # fmt: skip


def _cost_on(batch: Batch, model: int, rows: Array, scenario: Scenario, index: ModelIndex, outputs: Outputs) -> Cost:
    counts = tokens_on(batch, model, rows, index, outputs).counts
    key = ("cost", model, outputs.key, prices_key(scenario.book, scenario.as_of))
    cost = batch.kept(key, lambda: Cost.none(*counts.milli.shape))
    missing = np.flatnonzero(rows & ~cost.done)
    if len(missing):
        at = pa.array(missing)
        names = index.column(np.full(len(missing), model, np.int32))
        charges = charge(
            scenario.book,
            names,
            _rows(counts, missing).table(),
            at=scenario.as_of,
            arrived_at=batch.requests["arrived_at"].take(at),
            tier=batch.tier.take(at),
        )
        cost.put(missing, *money(charges))
    return cost


def gathered_folded(
    batch: Batch, tokens: Codes, prices: Codes, index: ModelIndex, scenario: Scenario, outputs: Outputs
) -> tuple[Array, Array]:
    """What `folded_cost` gives for the tokens of an arm at the prices of another: (picodollars, priced).

    Args:
        batch: the requests.
        tokens, prices: int32 codes of models, AS_LOGGED for the logged tokens and the logged model.
        index, scenario: whose prices.
        outputs: of the arm whose tokens they are.
    """
    combined = (tokens.astype(np.int64) - AS_LOGGED) * (len(index.names) - AS_LOGGED) + (prices - AS_LOGGED)
    first, which = grouped(combined)
    rows = len(tokens)
    result = Cost.none(rows, 0)
    for at, row in enumerate(first.tolist()):
        model, price = int(tokens[row]), int(prices[row])
        if model == NO_MODEL:
            continue
        mine = which == at
        part = _folded_on(batch, model, price, mine, index, scenario, outputs)
        if len(first) == 1:
            return part.total, part.priced
        result.put(mine, result.pico, part.total[mine], part.priced[mine])
    return result.total, result.priced


def _folded_on(
    batch: Batch, model: int, price: int, rows: Array, index: ModelIndex, scenario: Scenario, outputs: Outputs
) -> Cost:
    counts, said = batch.logged, None
    if model != AS_LOGGED:
        counts, said = tokens_on(batch, model, rows, index, outputs).counts, outputs.key
    key = ("folded", model, price, said, prices_key(scenario.book, scenario.as_of))
    cost = batch.kept(key, lambda: Cost.none(len(rows), 0))
    missing = np.flatnonzero(rows & ~cost.done)
    if len(missing):
        codes = batch.source[missing] if price == AS_LOGGED else np.full(len(missing), price, np.int32)
        arrived = batch.requests["arrived_at"].take(pa.array(missing))
        usage = _rows(counts, missing).folded().table()
        charges = charge(scenario.book, index.column(codes), usage, at=scenario.as_of, arrived_at=arrived)
        cost.put(missing, *money(charges))
    return cost


def _rows(counts: Counts, rows: Array) -> Counts:
    return Counts(counts.milli[rows], counts.known[rows], counts.input_provenance[rows], counts.output_provenance[rows])
