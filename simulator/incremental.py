"""A log in memory replayed again: only requests that a change reaches are used, charged and added up anew.

All sums are whole numbers. So those of requests whose model, rule or price changed are taken out as they were and put
in as they are, and the result is a full replay's to the last digit. What cannot be taken out of a sum, the costliest of
the requests made dearer, is found again in the totals that are kept of every request.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from pricing import AsOf
from pricing.schedule import Schedule
from router import Decisions
from simulator.arms import Arm, Batch, Choice, Use, use
from simulator.bill.reconcile import OF_ITS_DAY, Reconciliation
from simulator.counts import Array
from simulator.done import Column, Done, Touched, alike
from simulator.kernel import Kernel, Plan, decide
from simulator.models import NO_MODEL, ModelIndex
from simulator.money import exact_sum
from simulator.scenario import Scenario
from simulator.state.again import CachesAgain
from simulator.state.amend import Proposed
from simulator.state.changes import LOGGED, Change, Changes
from simulator.stored.joined import JoinedInput, Rows, joined, part
from simulator.stored.words import Words
from simulator.sums.dearer import Dearer
from simulator.sums.facts import LogFacts, Partial, Sums
from simulator.sums.merge import merge
from simulator.usage.pairs import Pairs

CHUNK_ROWS = 2**16  # so that a chunk's columns stay near the processor
OTHER = -9  # in the place of a rule's number: no rule is the same


class Incremental:
    """Replays one log as often as wanted, each time from the last.

    Args:
        batches: the whole log, in its order; they become views of columns of all of it.
        index: codes of model names, those that the batches use.
    """

    def __init__(self, batches: list[Batch], index: ModelIndex) -> None:
        self._batches, self._index, self._pairs = batches, index, Pairs()
        self._counts, self._words = JoinedInput(batches), Words(batches)
        self._whole = joined(batches, self._counts)
        self._models = [name for code in np.unique(self._whole.source).tolist() if (name := index.name(code))]
        self._named = self._whole.requests["model"].is_valid().to_numpy(zero_copy_only=False)
        self._caches = CachesAgain(batches, index)
        self._last: Done | None = None
        self._billed: tuple[list[Hashable], LogFacts, Reconciliation, Array] | None = None

    def __call__(self, plan: Plan) -> tuple[Partial, Changes | None]:
        """The sums of the whole log under a plan, and what simulated prompt caches, its only state, change."""
        kernel, last, numbers = Kernel(plan, self._index, pairs=self._pairs), self._last, range(len(plan.scenarios))
        decided = [self._decided(scenario) for scenario in plan.scenarios]
        choices = {number: kernel.choice(self._whole, number, each) for number, each in enumerate(decided)}
        none = np.zeros(len(self._named), np.int32)
        choices[LOGGED] = Choice(none, self._whole.source, np.ones(len(none), bool))
        if last is not None and not alike(last.plan, plan):
            last = None
        inputs, changes = dict[int, Array](), None
        if plan.scenarios[0].state.caches is not None:
            inputs = {number: self._inputs(last, kernel, number, choices[number]) for number in numbers}
            proposed = [
                Proposed(choices[number].rule, choices[number].model, choices[number].feasible, inputs[number], none)
                for number in numbers
            ]
            changes = self._caches.changes(plan.scenarios, proposed)
        touched = Touched(~none.astype(bool), list(choices), [*numbers])
        if last is not None:
            touched = self._touched(last, plan, kernel, choices, changes)
        columns = {
            number: Column.of(choice, last.columns[number] if last else None, changes=number in touched.arms)
            for number, choice in choices.items()
        }
        sums, state = self._replaced(last, plan, kernel, columns, touched, changes)
        facts, bill, priced = self._facts(plan, kernel)
        priced = np.logical_and.reduce([priced, *(columns[number].priced for number in numbers)])
        undecided, logged = int((columns[numbers[-1]].rule == -1).sum()), columns[LOGGED]
        compared = exact_sum(logged.total[logged.priced])
        facts = replace(facts, priced=int(priced.sum()), undecided=undecided, compared_pico=compared)
        self._last = Done(plan, kernel, columns, sums, inputs, changes, state)
        self._counts.ahead = True
        slow: Counter[str] = Counter()
        for decisions in decided:
            slow.update(decisions.seconds)
        # A copy, for the caller to add to.
        return pickle.loads(pickle.dumps(Partial(sums, facts, bill, slow, state))), changes

    def _decided(self, scenario: Scenario) -> Decisions:
        self._words.ask(scenario.router)
        parts = [decide(batch, scenario.router) for batch in self._batches]
        seconds: Counter[str] = Counter()
        for each in parts:
            seconds.update(each.seconds)
        return Decisions(np.concatenate([each.chosen for each in parts]), seconds)

    def _inputs(self, last: Done | None, kernel: Kernel, number: int, choice: Choice) -> Array:
        """Int64 thousandths of input tokens of the models that serve, which are as they were where those are."""
        rows, found = np.ones(len(choice.model), bool), np.zeros(len(choice.model), np.int64)
        if last is not None:
            rows, found = last.columns[number].model != choice.model, last.input_milli[number].copy()
        for at in _chunks(rows):
            some, batch = Choice(choice.rule[at], choice.model[at], choice.feasible[at]), part(self._whole, at)
            found[at] = use(batch, some, self._index, kernel.outputs[number], Pairs()).counts.input_milli
        return found

    def _touched(
        self, last: Done, plan: Plan, kernel: Kernel, choices: dict[int, Choice], changes: Changes | None
    ) -> Touched:
        """What a plan changes in the last replay."""
        source = self._whole.source
        none = np.zeros(len(source), bool)
        meant = [self._meant(plan.scenarios[number], choices[number]) for number in range(len(plan.scenarios))]
        repriced = [self._repriced(old, new) for old, new in zip(last.plan.scenarios, plan.scenarios, strict=True)]
        own = {LOGGED: none if repriced[0] is None else repriced[0][source + 1]}
        for number, dear in enumerate(repriced):
            before, now = last.columns[number], choices[number]
            rules = last.renumbered(plan, number)
            rule = np.full(len(last.plan.scenarios[number].router.rules) + 2, OTHER)
            rule[np.array([*rules]) + 2] = [*rules.values()]
            mine = (rule[before.rule + 2] != now.rule) | (before.model != now.model) | (before.feasible != now.feasible)
            if dear is not None:  # of its model, or of the one that its rule meant
                mine |= dear[now.model + 1] | dear[meant[number] + 1]
            assumed = self._reassumed(last, kernel, number)
            if assumed.any():
                mine |= assumed[now.model + 1] & ~self._index.same(source, now.model)
            if _overhead(last.plan.scenarios[number]) != _overhead(plan.scenarios[number]):
                mine = ~none
            if changes is not None and last.changes is not None:
                mine |= changes.arms[number].differs(last.changes.arms[number])
            own[number] = mine
        rows = {}
        for number, dear in enumerate(repriced):
            rows[number] = own[number] | own[0] | own[LOGGED]
            if dear is not None:  # the waterfall goes by the candidate's prices
                rows[number] |= dear[choices[0].model + 1] | dear[source + 1]
        arms, slots = ([number for number, each in held.items() if each.any()] for held in (own, rows))
        return Touched(np.logical_or.reduce(list(rows.values())), arms, slots)

    def _meant(self, scenario: Scenario, choice: Choice) -> Array:
        """The model of each request's rule, whether it serves it or not."""
        named = [self._index.code(scenario.book.resolve(rule.target)) for rule in scenario.router.rules]
        return np.asarray(np.array([NO_MODEL, NO_MODEL, *named])[choice.rule + 2])

    def _reassumed(self, last: Done, kernel: Kernel, number: int) -> Array:
        """Bool per model code plus one: what is assumed of its output in a scenario is not what it was."""
        then, said = last.kernel.outputs[number], kernel.outputs[number]
        return np.array([False, *(then.key(name) != said.key(name) for name in self._index.names)])

    def _repriced(self, old: Scenario, new: Scenario) -> Array | None:
        """Bool per model code plus one: its price is not what it was; None where all are."""
        if old.book is new.book and old.as_of == new.as_of:
            return None
        changed = [self._price(old, name) != self._price(new, name) for name in self._index.names]
        return np.array([False, *changed]) if any(changed) else None

    def _price(self, scenario: Scenario, model: str, as_of: AsOf | None = None) -> Hashable:
        tiers = (*self._whole.tiers[0], None)
        return Schedule.of(scenario.book, (model,), tiers, as_of or scenario.as_of).signature

    def _replaced(
        self,
        last: Done | None,
        plan: Plan,
        kernel: Kernel,
        columns: dict[int, Column],
        touched: Touched,
        changes: Changes | None,
    ) -> tuple[list[Sums], Counter[tuple[int, str]]]:
        """The last replay's sums, with what the touched requests came to replaced; keeps their totals in `columns`."""
        gone, more = ([Sums() for _ in plan.scenarios] for _ in range(2))
        # To take most of a log out and put it in again takes longer than to add all of it up.
        anew = last is None or 2 * int(touched.rows.sum()) > len(touched.rows)
        before = {} if last is None else last.state
        state = Counter({key: sum_ for key, sum_ in before.items() if not anew or key[0] not in touched.arms})
        for at in _chunks(np.ones_like(touched.rows) if anew else touched.rows):
            batch = part(self._whole, at)
            wanted = {LOGGED, 0, *touched.slots} if touched.slots else {}
            used = {number: self._used(kernel, batch, number, columns[number].at(at)) for number in wanted}
            now, then = _at(changes, wanted, at), _at(None if last is None else last.changes, wanted, at)
            arms = {
                number: kernel.arm(batch, number, columns[number].at(at), now.get(number), used[number])
                for number in wanted
            }
            for number, arm in arms.items():
                columns[number].put(at, arm)
            saved = kernel.cache_saves(batch, arms, now)
            for number in touched.arms if now else ():
                state.update(kernel.state_sums(batch, number, arms[number], now[number], saved[number]))
            charged = kernel.charged(batch, arms, saved)
            for number in touched.slots:
                merge(more[number], kernel.sums(number, charged))
            if last is None or anew:
                continue
            # Where nothing else is new, a rule may have another number.
            arms |= {number: replace(arms[number], rule=last.columns[number].rule[at]) for number in touched.slots}
            for number in touched.arms:
                model = arms[number].model
                arms[number] = self._before(last, kernel, batch, number, at, model, then.get(number), used[number])
            saved = last.kernel.cache_saves(batch, arms, then)
            for number in touched.arms if then else ():
                state.subtract(last.kernel.state_sums(batch, number, arms[number], then[number], saved[number]))
            charged = replace(charged, arms=arms, saved=saved)
            for number in touched.slots:
                merge(gone[number], last.kernel.sums(number, charged))
        if last is None:
            return more, state
        sums: list[Sums] = pickle.loads(pickle.dumps(last.sums))
        for number, held in enumerate(sums):
            rules = last.renumbered(plan, number)
            if anew and number in touched.slots:
                sums[number] = more[number]
                continue
            if number not in touched.slots and all(old == now for old, now in rules.items()):
                continue
            held.replace(gone[number], rules, more[number])
            for base, comparison in zip((0, LOGGED), held.comparisons, strict=True):
                comparison.dearer = self._dearer(columns, base, number)
        return sums, state

    def _used(self, kernel: Kernel, batch: Batch, number: int, choice: Choice) -> Use | None:
        """What the models of a choice use in a scenario."""
        if number == LOGGED:
            return None
        return use(batch, choice, self._index, kernel.outputs[number], self._pairs)

    def _before(
        self,
        last: Done,
        kernel: Kernel,
        batch: Batch,
        number: int,
        at: Rows,
        model: Array,
        change: Change | None,
        used: Use | None,
    ) -> Arm:
        """An arm of some requests in the last replay: what the same models used then is worked out once."""
        choice = last.columns[number].at(at)
        if not np.array_equal(choice.model, model) or self._reassumed(last, kernel, max(number, 0)).any():
            used = None
        return last.kernel.arm(batch, number, choice, change, used)

    def _dearer(self, columns: dict[int, Column], base: int, number: int) -> Dearer:
        before, routed, logged, found = columns[base], columns[number], columns[LOGGED], Dearer()
        rows = before.usable & routed.usable & (logged.priced | ~self._named)
        found.add(self._whole.requests["request_id"], before, routed, rows, self._index)
        return found

    def _facts(self, plan: Plan, kernel: Kernel) -> tuple[LogFacts, Reconciliation, Array]:
        """The log's own facts and bill, which change with the prices of its models alone, and who has a price."""
        first = plan.scenarios[0]
        key = [self._price(first, name, at) for name in self._models for at in (first.as_of, OF_ITS_DAY)]
        if self._billed is None or self._billed[0] != key:
            facts, bill, priced = LogFacts(), Reconciliation(), list[Array]()
            for at in _chunks(np.ones(len(self._named), bool)):
                batch = part(self._whole, at)
                logged = kernel.logged(batch)
                priced.append(logged.priced)
                merge(facts, LogFacts.of(batch, logged, self._index, plan.doubts))
                merge(bill, Reconciliation.of(batch, self._index, first.book))
            facts.session_keys.settle()  # once, and not in every copy
            self._billed = key, facts, bill, np.concatenate(priced)
        return self._billed[1:]


def _at(changes: Changes | None, numbers: Iterable[int], at: Rows) -> dict[int, Change]:
    """What caches change in some requests of some arms."""
    return {} if changes is None else {number: changes.arms[number].at(at) for number in numbers}


def _overhead(scenario: Scenario) -> int:
    return int(getattr(scenario.router, "overhead_pico", 0))


def _chunks(rows: Array) -> Iterator[Rows]:
    """The rows of a mask, some at a time."""
    if rows.all():
        yield from (slice(start, min(start + CHUNK_ROWS, len(rows))) for start in range(0, len(rows), CHUNK_ROWS))
        return
    at = np.flatnonzero(rows)
    yield from (at[start : start + CHUNK_ROWS] for start in range(0, len(at), CHUNK_ROWS))
