"""The replay of one batch: a pure function from prepared columns to a partial result that merges exactly.

    decide    `scenario.router.route_batch`: rules over arrival columns                     → Decisions
    serve     `arms.serve`: the rule's model, or the first of its fallbacks that can         → Choice
    use       `arms.use`: tokens as logged, or rebased to the model that serves              → Use
    charge    `arms.charged`: exact money per bucket                                         → Arm
    fold      `fold.compared`: comparisons, bootstrap sums; facts of the log                   → Partial

A kernel is made for one partition of a log and sees its batches in order, so what keeps state has its place between two
steps, with the partition's state held by the kernel: what amends decisions (budgets, rate limits, outages) between
`serve` and `use`; what changes cost alone (the prompt cache of an arm) between `use` and `charge`. An engine makes
kernels, hands them batches and merges what they give; `replay` is one over a single partition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from router import Decisions, LLMRouter, Router
from simulator.arms import Arm, Batch, Choice, Use, charged, folded_cost, logged_arm, serve, use
from simulator.bill.plausible import Doubt
from simulator.bill.reconcile import Reconciliation
from simulator.counterfactual import Parameters
from simulator.counts import Array, Counts
from simulator.decisions import decision_rows
from simulator.models import NO_MODEL, ModelIndex
from simulator.money import Int64s, exact_sum
from simulator.scenario import Scenario
from simulator.state.changes import LOGGED, Change, Changes
from simulator.state.unsimulated import ALONE_KEPT, BEFORE_KEPT, ROUTED_KEPT, ROUTED_LOST, effects
from simulator.sums.cached import cached_by_rule
from simulator.sums.facts import LogFacts, Partial, Sums
from simulator.sums.fallbacks import fallbacks
from simulator.sums.fold import Slices, comparable, compared
from simulator.sums.unnamed import unnamed_tokens
from simulator.usage.observed import Observed
from simulator.usage.outputs import Outputs
from simulator.usage.own_counts import own_pairs
from simulator.usage.pairs import Pairs


@dataclass(frozen=True)
class Plan:
    """All that a kernel needs besides its batches; can be pickled where the routers can.

    Args:
        scenarios: the baseline, then the candidates.
        seed: of the bootstrap.
        observed: what the whole log shows of its models' answers, for the predictions.
        doubts: what of the log's counts cannot be true.
        write: whether the rows of decisions.parquet are wanted.
    """

    scenarios: tuple[Scenario, ...]
    seed: int
    observed: Observed = field(default_factory=Observed)
    doubts: tuple[Doubt, ...] = ()
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
        decisions: its rows of decisions.parquet, by scenario number; `encoded` where a worker made them.
    """

    partial: Partial
    decisions: Mapping[int, pa.Table | bytes]


class Kernel:
    """Replays the batches of one partition.

    Args:
        plan: scenarios, seed, observations.
        index: codes of model names, those that the batches use.
        changes: what state changes in the arms of the whole log, which this kernel then sees from its first row on.
        pairs: codes of pairs of models, shared with kernels whose arms are compared with this one's.
    """

    def __init__(
        self, plan: Plan, index: ModelIndex, changes: Changes | None = None, pairs: Pairs | None = None
    ) -> None:
        self._plan, self._index, self._pairs = plan, index, Pairs() if pairs is None else pairs
        self._changes, self._row = changes, 0
        said = [scenario.assumptions for scenario in plan.scenarios]
        loaded = {each.calibration: Parameters.load(each.calibration) for each in said}
        self.outputs = [Outputs(each, plan.observed, loaded[each.calibration], index) for each in said]

    def __call__(self, batch: Batch) -> Replayed:
        """Replay the batch that follows in the log."""
        changes = {} if self._changes is None else self._changes.at(self._row, batch.requests.num_rows)
        self._row += batch.requests.num_rows
        return self.replay(batch, changes)

    def replay(self, batch: Batch, changes: Mapping[int, Change]) -> Replayed:
        """Replay one batch; `changes` is what state changes in its arms, by scenario number."""
        scenarios = self._plan.scenarios
        decided = [decide(batch, scenario.router) for scenario in scenarios]
        logged = self.logged(batch, changes.get(LOGGED))
        arms = [
            self.arm(batch, number, self.choice(batch, number, each), changes.get(number))
            for number, each in enumerate(decided)
        ]
        rows = {
            number: decision_rows(batch.requests, self._index, logged, arms[0], arms[number], scenarios[number])
            for number in self._plan.written
        }
        every = {LOGGED: logged} | dict(enumerate(arms))
        saved = self.cache_saves(batch, every, changes)
        replayed = Replayed(self._partial(self.charged(batch, every, saved), decided), rows)
        for number, change in changes.items():
            replayed.partial.state.update(self.state_sums(batch, number, every[number], change, saved.get(number)))
        return replayed

    def logged(self, batch: Batch, change: Change | None = None) -> Arm:
        """The arm that happened."""
        first, counts = self._plan.scenarios[0], batch.logged
        if change is not None:
            none = np.zeros(len(counts.milli))
            counts = change.use(Use(counts, none, none)).counts
        arm = logged_arm(batch, self._index, first.book, first.as_of, counts)
        return replace(arm, pair=own_pairs(batch.logged, batch.source, self._index, self._pairs))

    def choice(self, batch: Batch, number: int, decisions: Decisions) -> Choice:
        """Who serves each request in one scenario."""
        return serve(batch, self._plan.scenarios[number], decisions, self._index)

    def arm(
        self, batch: Batch, number: int, choice: Choice, change: Change | None = None, used: Use | None = None
    ) -> Arm:
        """What the models of a choice use and cost in one scenario; the arm that happened for LOGGED.

        `used` is what they use, where that is known.
        """
        if number == LOGGED:
            return self.logged(batch, change)
        scenario, tier = self._plan.scenarios[number], None
        if change is not None:
            choice, tier = change.choice(choice), change.tiers(batch.tier)
        if used is None:
            used = use(batch, choice, self._index, self.outputs[number], self._pairs)
        if change is None:
            return charged(batch, scenario, choice, used, self._index)
        return change.bill(charged(batch, scenario, choice, change.use(used), self._index, tier))

    def cache_saves(self, batch: Batch, arms: Mapping[int, Arm], changes: Mapping[int, Change]) -> dict[int, Int64s]:
        """Picodollars per request that caches save in each arm where they are simulated; 0 where that is not known."""
        found = {}
        for number, change in changes.items():
            if change.read is None:
                continue
            arm, scenario = arms[number], self._plan.scenarios[max(number, 0)]
            folded = Use(arm.counts.folded(), arm.pair, arm.request_sd)
            choice, tier = Choice(arm.rule, arm.model, arm.feasible), change.tiers(batch.tier)
            without = charged(batch, scenario, choice, folded, self._index, tier)
            saved = without.total - without.overhead - (arm.total - arm.overhead - arm.retry)
            found[number] = np.where(arm.priced & without.priced & ~batch.passes, saved, 0)
        return found

    def state_sums(
        self, batch: Batch, number: int, arm: Arm, change: Change, saved: Int64s | None
    ) -> Counter[tuple[int, str]]:
        """What state saved or cost in one arm of a batch: picodollars and requests; `saved` is the cache's part."""
        sums: Counter[tuple[int, str]] = Counter()
        chat = arm.priced & ~batch.passes
        answered = chat & arm.feasible if number != LOGGED else chat & ~batch.failed
        sums[number, "paid"] = exact_sum(arm.total[chat])
        sums[number, "answered"] = int(answered.sum())
        used = Use(arm.counts, arm.pair, arm.request_sd)
        choice = Choice(arm.rule, arm.model, arm.feasible)
        scenario = self._plan.scenarios[max(number, 0)]
        if saved is not None and change.read is not None:
            sums[number, "cache"] = exact_sum(saved)
            sums[number, "simulated cache"] = exact_sum(saved[change.read >= 0])
        if change.waits is not None:
            without = charged(batch, scenario, choice, used, self._index)
            dearer = without.total - without.overhead - (arm.total - arm.overhead - arm.retry)
            sums[number, "tier"] = exact_sum(dearer[chat & without.priced & change.waits])
            sums[number, "waits"] = int((change.waits & chat).sum())
        return sums

    def sums(self, number: int, of: Charged) -> Sums:
        """What one scenario's arm comes to."""
        batch, by, scenario = of.batch, of.by, self._plan.scenarios[number]
        logged, baseline, routed, saved = of.arms[LOGGED], of.arms[0], of.arms[number], of.saved
        found = compared(by, logged, baseline, routed, of.folded.at(scenario))
        if batch.logged.cached and scenario.state.caches is None:
            rows, several = comparable(by, logged, baseline, routed), len(scenario.router.rules) > 1
            kept, lost = self._caches(batch, number, routed)
            before = None if baseline is routed else self._caches(batch, 0, baseline)[0]
            for one, mine, theirs in zip(found, rows, (kept if before is None else before, None), strict=True):
                one.caches[BEFORE_KEPT] = 0 if theirs is None else exact_sum(theirs[mine])
                one.caches[ROUTED_KEPT if several else ALONE_KEPT] = exact_sum(kept[mine])
                one.caches[ROUTED_LOST] = exact_sum(lost[mine]) if several else 0
        if saved:
            masks = comparable(by, logged, baseline, routed)
            for one, base, other, mine in zip(found, (0, LOGGED), (baseline, logged), masks, strict=True):
                if saved.keys() >= {base, number}:
                    one.cached = cached_by_rule(other, routed, (saved[base], saved[number]), mine, self._index)
        if (batch.source == NO_MODEL).any():  # nothing else could be compared with the log
            arms = {"logged": logged, "baseline": baseline, "routed": routed}
            found[0].unnamed = unnamed_tokens(batch, arms, comparable(by, logged, baseline, routed)[0])
        met = self._pairs.met(logged.pair) + self._pairs.met(routed.pair)
        return Sums(found, fallbacks(batch, routed, scenario, self._index), met)

    def _caches(self, batch: Batch, number: int, arm: Arm) -> tuple[Array, Array]:
        """By how much caches that were not simulated could make one arm cheaper, and dearer: see `effects`."""
        choice = Choice(arm.rule, arm.model, arm.feasible)

        def charge(counts: Counts) -> tuple[Array, Array]:
            used = Use(counts, arm.pair, arm.request_sd)
            billed = charged(batch, self._plan.scenarios[number], choice, used, self._index)
            return billed.total, billed.priced

        stays = batch.passes | self._index.same(batch.source, arm.model)
        return effects(charge, arm.counts, batch.logged, arm.model, stays, self._index)

    def charged(self, batch: Batch, arms: Mapping[int, Arm], saved: Mapping[int, Int64s]) -> Charged:
        """A batch with its arms, ready to be summed."""
        by = Slices.of(batch, self._index, self._pairs)
        return Charged(batch, arms, saved, by, Folded(batch, self._index))

    def _partial(self, of: Charged, decided: list[Decisions]) -> Partial:
        """The sums of one batch under its arms."""
        batch, first, logged = of.batch, self._plan.scenarios[0], of.arms[LOGGED]
        numbers = range(len(self._plan.scenarios))
        sums = [self.sums(number, of) for number in numbers]
        # What was logged stays what it was, whatever cache its arm is compared with.
        observed = logged if self._changes is None else self.logged(batch)
        facts = LogFacts.of(batch, observed, self._index, self._plan.doubts)
        facts.decided(observed, [of.arms[number] for number in numbers])
        facts.compared_pico = exact_sum(logged.total[logged.priced])
        bill = Reconciliation.of(batch, self._index, first.book)
        slow: Counter[str] = Counter()
        for decisions in decided:
            slow.update(decisions.seconds)
        return Partial(sums, facts, bill, slow)


@dataclass(frozen=True)
class Charged:
    """A batch with its arms charged, and what their sums go by.

    Args:
        batch: the requests.
        arms: by scenario number, and the one that happened by LOGGED.
        saved: by caches that are simulated, see `Kernel.cache_saves`.
        by: what the sums are sliced by.
        folded: what the arms would cost without cache.
    """

    batch: Batch
    arms: Mapping[int, Arm]
    saved: Mapping[int, Int64s]
    by: Slices
    folded: Folded


class Folded:
    """What the arms of a batch would cost without cache at each other's models, each worked out once."""

    def __init__(self, batch: Batch, index: ModelIndex) -> None:
        self._batch, self._index = batch, index
        self._held: dict[Any, tuple[Arm, Arm, tuple[Array, Array]]] = {}

    def at(self, scenario: Scenario) -> Callable[[Arm, Arm], tuple[Array, Array]]:
        """At the prices of a scenario: one arm's tokens at another's models."""

        def cost(tokens: Arm, prices: Arm) -> tuple[Array, Array]:
            key = id(tokens.counts), id(prices.model), id(scenario.book), scenario.as_of
            if key not in self._held:  # the arms are kept, too, so that no other takes their ids
                found = folded_cost(self._batch, tokens.counts, prices.model, self._index, scenario)
                self._held[key] = tokens, prices, found
            return self._held[key][2]

        return cost


def decide(batch: Batch, router: Router) -> Decisions:
    """What a router decides of a batch; rules share what they derive from it."""
    if isinstance(router, LLMRouter) and type(router).route_batch is LLMRouter.route_batch:
        return router.route_features(router.features(batch.requests, batch.kept))
    return router.route_batch(batch.requests)
