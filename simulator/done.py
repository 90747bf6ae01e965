"""A replay of a log in memory: what it rested on and came to, for the next one to start from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from simulator.arms import Arm, Choice
from simulator.counts import Array
from simulator.kernel import Kernel, Plan
from simulator.scenario import Scenario
from simulator.state.changes import Changes
from simulator.stored.joined import Rows
from simulator.sums.facts import Sums


@dataclass(frozen=True)
class Column:
    """One arm of a whole log: see `Arm`."""

    rule: Array
    model: Array
    feasible: Array
    total: Array
    priced: Array

    @classmethod
    def of(cls, choice: Choice, before: Column | None, *, changes: bool) -> Column:
        """Charged as before, if at all."""
        total, priced = (None, None) if before is None else (before.total, before.priced)
        if total is None or priced is None:
            total, priced = np.zeros(len(choice.rule), np.int64), np.zeros(len(choice.rule), bool)
        elif changes:
            total, priced = total.copy(), priced.copy()
        return cls(choice.rule, choice.model, choice.feasible, total, priced)

    @property
    def usable(self) -> Array:
        """See `Arm.usable`."""
        return np.asarray(self.priced & self.feasible)

    def at(self, rows: Rows) -> Choice:
        """Who serves some rows."""
        return Choice(self.rule[rows], self.model[rows], self.feasible[rows])

    def put(self, rows: Rows, arm: Arm) -> None:
        """Keep what some rows cost."""
        self.total[rows], self.priced[rows] = arm.total, arm.priced


@dataclass(frozen=True)
class Done:
    """A replay: what it rested on, and what it came to; `columns` by scenario, and LOGGED.

    Where prompt caches are simulated, `input_milli` is what the models of each scenario read, int64 thousandths of a
    token, and `changes` and `state` what the caches changed in each arm and what that came to.
    """

    plan: Plan
    kernel: Kernel
    columns: dict[int, Column]
    sums: list[Sums]
    input_milli: dict[int, Array]
    changes: Changes | None
    state: Counter[tuple[int, str]]

    def renumbered(self, plan: Plan, number: int) -> dict[int, int]:
        """By the numbers of one scenario's rules, and of none, those of the same rules in another plan.

        Two rules are the same where name, models, and what the models can do are.
        """
        old, new = (_rules(each.scenarios[number]) for each in (self.plan, plan))
        return {-2: -2, -1: -1} | {rule: new[said] for said, rule in old.items() if said in new}


@dataclass(frozen=True)
class Touched:
    """What a change reaches.

    Args:
        rows: bool, the requests whose sums may differ.
        arms: scenarios, and LOGGED, in which a request is served, used or charged otherwise.
        slots: scenarios whose sums may differ.
    """

    rows: Array
    arms: list[int]
    slots: list[int]


def alike(before: Plan, now: Plan) -> bool:
    """Whether one plan's replay can be made from another's."""
    states = [[scenario.state for scenario in plan.scenarios] for plan in (before, now)]
    return states[0] == states[1] and before.observed is now.observed


def _rules(scenario: Scenario) -> dict[Hashable, int]:
    """The numbers of a scenario's rules, by all that makes them what they are; none for two that are alike."""
    book, found = scenario.book, dict[Hashable, list[int]]()
    for number, rule in enumerate(scenario.router.rules):
        models = [book.resolve(name) for name in (rule.target, *rule.fallback)]
        able = tuple((name, name and book.capabilities(name)) for name in models)
        found.setdefault((rule.name, able), []).append(number)
    return {said: numbers[0] for said, numbers in found.items() if len(numbers) == 1}
