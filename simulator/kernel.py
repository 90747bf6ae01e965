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

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from router import Decisions
from simulator.arms import Arm, Batch, Choice, Use, charged, folded_cost, logged_arm, serve, use
from simulator.bootstrap import bucket_of, row_keys
from simulator.counterfactual import Parameters
from simulator.counts import Array
from simulator.decisions import decision_rows
from simulator.facts import Partial
from simulator.fallbacks import fallbacks
from simulator.fold import NO_DAY, Slices
from simulator.models import ModelIndex
from simulator.money import exact_sum
from simulator.observed import Observed
from simulator.outputs import Outputs
from simulator.own_counts import own_pairs
from simulator.pairs import Pairs
from simulator.scenario import Scenario
from simulator.state.changes import LOGGED, Change, Changes

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
        decided = [scenario.router.route_batch(batch.requests) for scenario in scenarios]
        logged = self._logged(batch, changes.get(LOGGED))
        logged = replace(logged, pair=own_pairs(batch.logged, batch.source, self._index, self._pairs))
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
        first, counts = self._plan.scenarios[0], batch.logged
        if change is not None:
            none = np.zeros(len(counts.milli))
            counts = change.use(Use(counts, none, none)).counts
        return logged_arm(batch, self._index, first.book, first.as_of, counts)

    def _arm(self, batch: Batch, number: int, decisions: Decisions, change: Change | None) -> Arm:
        scenario = self._plan.scenarios[number]
        choice = serve(batch, scenario, decisions, self._index)
        if change is None:
            usage = use(batch, choice, self._index, self._outputs[number], self._pairs)
            return charged(batch, scenario, choice, usage, self._index)
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
        scenarios, requests = self._plan.scenarios, batch.requests
        partial = Partial.of(len(scenarios))
        keys = row_keys(requests["session_id"], requests["request_id"])
        by = Slices(
            requests["request_id"],
            _days(requests["arrived_at"]),
            bucket_of(keys),
            requests["model"].is_valid().to_numpy(zero_copy_only=False),
            batch.task,
            batch.score,
            self._index,
            self._pairs.pairs,
        )
        # What was logged stays what it was, whatever cache its arm is compared with.
        observed = logged if self._changes is None else self._logged(batch, None)
        partial.facts.add(batch, observed, arms, keys, self._index)
        partial.facts.compared_pico = exact_sum(logged.total[logged.priced])
        partial.reconciliation.add(batch, self._index, scenarios[0].book)
        for number, (scenario, arm) in enumerate(zip(scenarios, arms, strict=True)):
            partial.fallbacks[number] = fallbacks(batch, arm, scenario, self._index)
        for decisions in decided:
            partial.slow_rules.update(decisions.seconds)
        for scenario, arm, (against_first, against_log) in zip(scenarios, arms, partial.comparisons, strict=True):
            for comparison, other in ((against_first, arms[0]), (against_log, logged)):
                steps = _waterfall(batch, other, arm, self._index, scenario)
                comparison.add(by, logged, other, arm, steps)
        partial.spreads = dict(self._pairs.spreads)
        return partial


def _waterfall(
    batch: Batch, base: Arm, routed: Arm, index: ModelIndex, scenario: Scenario
) -> tuple[Array, Array, Array, Array, Array]:
    """Token, price, cache, overhead and retry effects per request, as CONTRACTS defines them; they add up exactly."""
    own_base, ok_base = folded_cost(batch, base, base.model, index, scenario)
    swapped, ok_swap = folded_cost(batch, routed, base.model, index, scenario)
    own_routed, ok_routed = folded_cost(batch, routed, routed.model, index, scenario)
    ok = ok_base & ok_swap & ok_routed
    token = np.where(ok, own_base - swapped, 0)
    price = np.where(ok, swapped - own_routed, 0)
    overhead, retry = base.overhead - routed.overhead, base.retry - routed.retry
    cache = base.total - routed.total - token - price - overhead - retry
    return token, price, cache, overhead, retry


def _days(arrived: pa.Array) -> Array:
    micros = pc.fill_null(arrived.cast(pa.int64()), 0).to_numpy()
    return np.where(arrived.is_valid().to_numpy(zero_copy_only=False), micros // DAY_US, NO_DAY)
