"""The replay of one batch: a pure function from prepared columns to a partial result that merges exactly.

    decide    `scenario.router.route_batch`: rules over arrival columns                     → Decisions
    serve     `arms.serve`: the rule's model, or the first of its fallbacks that can         → Choice
    use       `arms.use`: tokens as logged, or rebased to the model that serves              → Use
    charge    `arms.charged`: exact money per bucket                                         → Arm
    fold      `Kernel.fold`: facts of the log, comparisons, bootstrap sums                   → Partial

A kernel is made for one partition of a log and sees its batches in order, so what keeps state has its place between two
steps, with the partition's state held by the kernel: what amends decisions (budgets, rate limits, outages) between
`serve` and `use`; what changes cost alone (the prompt cache of an arm) between `use` and `charge`. An engine makes
kernels, hands them batches and merges what they give; `replay` is one over a single partition.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from router import AlwaysUse, Decisions, LLMRouter, Router
from simulator.arms import (
    AS_LOGGED,
    Arm,
    Batch,
    Choice,
    Use,
    charged,
    folded_cost,
    logged_arm,
    logged_pairs,
    serve,
    served_as,
    use,
)
from simulator.bootstrap import bucket_of, row_keys
from simulator.counterfactual import Parameters
from simulator.counts import Array
from simulator.decisions import decision_rows
from simulator.facts import LogFacts, Partial
from simulator.fallbacks import Fallback, FallbackSums, fallbacks
from simulator.fold import NO_DAY, Comparison, Slices
from simulator.gathered import gathered_arm, gathered_folded, logged_once, prices_key
from simulator.models import Codes, ModelIndex
from simulator.money import exact_sum
from simulator.observed import Observed
from simulator.outputs import Outputs
from simulator.pairs import Pairs
from simulator.reconcile import Reconciliation
from simulator.scenario import Scenario
from simulator.state.changes import LOGGED, Change, Changes

Sums = TypeVar("Sums")

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Plan:
    """All that a kernel needs besides its batches; can be pickled where the routers can.

    Args:
        scenarios: the baseline, then the candidates.
        seed: of the bootstrap.
        observed: what the whole log shows of its models' answers, for the predictions.
        write: whether the rows of decisions.parquet are wanted.
    """

    scenarios: tuple[Scenario, ...]
    seed: int
    observed: Observed = field(default_factory=Observed)
    write: bool = True

    @property
    def written(self) -> list[int]:
        """The scenarios with decisions of their own to write: the candidates, or the baseline where it is alone."""
        if not self.write:
            return []
        return list(range(1, len(self.scenarios))) or [0]


@dataclass(frozen=True)
class Replayed:
    """What a batch came to.

    Args:
        partial: its sums.
        decisions: its rows of decisions.parquet, by scenario number.
    """

    partial: Partial
    decisions: Mapping[int, pa.Table]


class Kernel:
    """Replays the batches of one partition.

    Args:
        plan: scenarios, seed, observations.
        index: codes of model names, those that the batches use.
        changes: what state changes in the arms of the whole log, which this kernel then sees from its first row on.
    """

    def __init__(self, plan: Plan, index: ModelIndex, changes: Changes | None = None) -> None:
        self._plan, self._index, self._pairs = plan, index, Pairs()
        self._changes, self._row = changes, 0
        said = [scenario.assumptions for scenario in plan.scenarios]
        loaded = {each.calibration: Parameters.load(each.calibration) for each in said}
        self._outputs = [Outputs(each, plan.observed, loaded[each.calibration], index) for each in said]

    def __call__(self, batch: Batch) -> Replayed:
        """Replay one batch."""
        scenarios = self._plan.scenarios
        changes = {} if self._changes is None else self._changes.at(self._row, batch.requests.num_rows)
        self._row += batch.requests.num_rows
        decided = [_decide(batch, scenario.router) for scenario in scenarios]
        logged = self._logged(batch, changes.get(LOGGED))
        logged = replace(logged, pair=logged_pairs(batch, self._index, self._pairs))
        arms = [self._arm(batch, number, decisions, changes.get(number)) for number, decisions in enumerate(decided)]
        rows = {
            number: decision_rows(batch.requests, self._index, logged, arms[0], arms[number], scenarios[number])
            for number in self._plan.written
        }
        replayed = Replayed(self.fold(batch, logged, arms, decided), rows)
        for number, change in changes.items():
            arm = logged if number == LOGGED else arms[number]
            replayed.partial.state.update(self._sums(batch, number, arm, change))
        return replayed

    def _logged(self, batch: Batch, change: Change | None) -> Arm:
        first = self._plan.scenarios[0]
        if change is None:
            return logged_once(batch, self._index, first.book, first.as_of)
        none = np.zeros(len(batch.logged.milli))
        counts = change.use(Use(batch.logged, none, none)).counts
        return logged_arm(batch, self._index, first.book, first.as_of, counts)

    def _arm(self, batch: Batch, number: int, decisions: Decisions, change: Change | None) -> Arm:
        scenario = self._plan.scenarios[number]
        choice = serve(batch, scenario, decisions, self._index)
        if change is None:
            return gathered_arm(batch, scenario, choice, self._index, self._outputs[number], self._pairs)
        choice = change.choice(choice)
        usage = change.use(use(batch, choice, self._index, self._outputs[number], self._pairs))
        return change.bill(charged(batch, scenario, choice, usage, self._index, change.tiers(batch.tier)))

    def _sums(self, batch: Batch, number: int, arm: Arm, change: Change) -> Counter[tuple[int, str]]:
        """What state saved or cost in one arm of a batch: picodollars and requests."""
        sums: Counter[tuple[int, str]] = Counter()
        chat = arm.priced & ~batch.passes
        answered = chat & arm.feasible if number != LOGGED else chat & ~batch.failed
        sums[number, "paid"] = exact_sum(arm.total[chat])
        sums[number, "answered"] = int(answered.sum())
        used = Use(arm.counts, arm.pair, arm.request_sd)
        choice = Choice(arm.rule, arm.model, arm.feasible)
        scenario, tier = self._plan.scenarios[max(number, 0)], change.tiers(batch.tier)
        own = arm.total - arm.overhead - arm.retry
        if change.read is not None:
            folded = Use(arm.counts.folded(), arm.pair, arm.request_sd)
            without = charged(batch, scenario, choice, folded, self._index, tier)
            sums[number, "cache"] = exact_sum((without.total - without.overhead - own)[chat & without.priced])
        if change.waits is not None:
            without = charged(batch, scenario, choice, used, self._index)
            dearer = without.total - without.overhead - own
            sums[number, "tier"] = exact_sum(dearer[chat & without.priced & change.waits])
            sums[number, "waits"] = int((change.waits & chat).sum())
        return sums

    def fold(self, batch: Batch, logged: Arm, arms: list[Arm], decided: list[Decisions]) -> Partial:
        """The sums of one batch under its arms."""
        scenarios, requests, first = self._plan.scenarios, batch.requests, self._plan.scenarios[0]
        partial = Partial.of(len(scenarios))
        keys, buckets, days = batch.kept(("slices",), lambda: _slices(requests))
        named = requests["model"].is_valid().to_numpy(zero_copy_only=False)
        by = Slices(
            requests["request_id"], days, buckets, named, batch.task, batch.score, self._index, self._pairs.pairs
        )
        # What was logged stays what it was, whatever cache its arm is compared with.
        observed = logged if self._changes is None else self._logged(batch, None)
        paid = prices_key(first.book, first.as_of)
        partial.facts = _kept_sums(batch, ("facts", paid), lambda: LogFacts.of(batch, observed, keys, self._index))
        partial.facts.decided(observed, arms)
        partial.facts.compared_pico = exact_sum(logged.total[logged.priced])
        book = (first.book.digest, first.book.date)
        partial.reconciliation = _kept_sums(
            batch, ("bill", book), lambda: Reconciliation.of(batch, self._index, first.book)
        )
        for decisions in decided:
            partial.slow_rules.update(decisions.seconds)
        sides = [_Side(logged, LOGGED), *(_Side(arm, number) for number, arm in enumerate(arms))]

        def sums(number: int) -> tuple[Comparison, Comparison, dict[Fallback, FallbackSums]]:
            found = []
            for base in (sides[1], sides[0]):
                comparison, steps = Comparison(), self._waterfall(batch, base, sides[number + 1], number)
                comparison.add(by, logged, base.arm, arms[number], steps)
                found.append(comparison)
            return found[0], found[1], fallbacks(batch, arms[number], scenarios[number], self._index)

        for number in range(len(scenarios)):
            found = sums(number) if number or not (same := self._unchanging) else _kept_sums(
                batch, ("baseline", *same), lambda: sums(0)
            )  # fmt: skip
            partial.comparisons[number], partial.fallbacks[number] = found[:2], found[2]
        partial.spreads = dict(self._pairs.spreads)
        return partial

    @cached_property
    def _unchanging(self) -> tuple[Hashable, ...]:
        """All that the baseline's own sums depend on, where that is one model; nothing where they could change."""
        first = self._plan.scenarios[0]
        if self._changes is not None or type(first.router) is not AlwaysUse:
            return ()
        model = first.router.rules[0].target
        able = first.book.capabilities(first.book.require(model, first.name))
        return model, able, self._outputs[0].key, prices_key(first.book, first.as_of)

    def _waterfall(
        self, batch: Batch, base: _Side, routed: _Side, number: int
    ) -> tuple[Array, Array, Array, Array, Array]:
        """Token, price, cache, overhead and retry effects per request, by CONTRACTS; they add up exactly."""
        own_base, ok_base = self._folded(batch, base, base, number)
        swapped, ok_swap = self._folded(batch, routed, base, number)
        own_routed, ok_routed = self._folded(batch, routed, routed, number)
        ok = ok_base & ok_swap & ok_routed
        token = np.where(ok, own_base - swapped, 0)
        price = np.where(ok, swapped - own_routed, 0)
        overhead, retry = base.arm.overhead - routed.arm.overhead, base.arm.retry - routed.arm.retry
        cache = base.arm.total - routed.arm.total - token - price - overhead - retry
        return token, price, cache, overhead, retry

    def _folded(self, batch: Batch, tokens: _Side, prices: _Side, number: int) -> tuple[Array, Array]:
        """`folded_cost` of one arm's tokens at another's models, at the prices of a scenario."""
        scenario = self._plan.scenarios[number]
        if self._changes is not None:  # tokens that state changed are this replay's alone
            return folded_cost(batch, tokens.arm, prices.arm.model, self._index, scenario)
        outputs = self._outputs[max(tokens.number, 0)]
        return gathered_folded(batch, tokens.models(batch), prices.models(batch), self._index, scenario, outputs)


@dataclass(frozen=True)
class _Side:
    """An arm and its scenario's number, LOGGED for the log's own."""

    arm: Arm
    number: int

    def models(self, batch: Batch) -> Codes:
        logged = np.full(len(self.arm.model), AS_LOGGED, np.int32)
        return logged if self.number == LOGGED else served_as(batch, self.arm.model)


def _decide(batch: Batch, router: Router) -> Decisions:
    if isinstance(router, LLMRouter) and type(router).route_batch is LLMRouter.route_batch:
        return router.route_features(router.features(batch.requests, batch.kept))
    return router.route_batch(batch.requests)


def _kept_sums(batch: Batch, key: tuple[Hashable, ...], make: Callable[[], Sums]) -> Sums:
    """Sums that were made before, as a copy that merging may change."""
    return pickle.loads(batch.kept(key, lambda: pickle.dumps(make())))  # type: ignore[no-any-return]


def _slices(requests: pa.RecordBatch) -> tuple[Array, Array, Array]:
    """Bootstrap keys and buckets, and days."""
    keys = row_keys(requests["session_id"], requests["request_id"])
    return keys, bucket_of(keys), _days(requests["arrived_at"])


def _days(arrived: pa.Array) -> Array:
    micros = pc.fill_null(arrived.cast(pa.int64()), 0).to_numpy()
    return np.where(arrived.is_valid().to_numpy(zero_copy_only=False), micros // DAY_US, NO_DAY)
