"""What a pass over a log sums: facts of the log, its bill, and the comparisons; partial results merge exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.arms import Arm, Batch
from simulator.bill.doubted import Place, stated_spend
from simulator.bill.plausible import Doubt
from simulator.bill.reconcile import Reconciliation
from simulator.models import NO_MODEL, ModelIndex
from simulator.money import exact_sum, exact_sums
from simulator.sums.distinct import Distinct
from simulator.sums.fallbacks import Fallback, FallbackSums
from simulator.sums.fold import Comparison
from simulator.sums.merge import merge, merge_fields, take_out
from simulator.usage.pairs import Pair, Spread, widest

NO_NAME = "(no model)"


@dataclass
class LogFacts:
    """What the log held, summed over batches."""

    rows: int = 0
    first_us: int | None = None
    last_us: int | None = None
    untimed: int = 0
    priced: int = 0
    counted: int = 0
    undecided: int = 0
    logged_pico: int = 0
    unpriced: int = 0  # requests that it holds nothing of: no model is named, or it has no price
    doubted: Counter[Place] = field(default_factory=Counter)  # see `stated_spend`: picodollars by what is in doubt
    compared_pico: int = 0  # the same, with the prompt cache that was simulated for the logged arm, if any
    models: Counter[str | None] = field(default_factory=Counter)  # as-logged picodollars by model
    unknown_models: Counter[str] = field(default_factory=Counter)  # requests by logged name
    passed_through: Counter[str] = field(default_factory=Counter)  # requests by call type
    session_keys: Distinct = field(default_factory=Distinct)
    formats: list[str] = field(default_factory=list)
    digest: str = ""

    @classmethod
    def of(cls, batch: Batch, logged: Arm, index: ModelIndex, doubts: Sequence[Doubt]) -> LogFacts:
        """The facts of one batch that no arm but the log's own has a part in; `doubts` are the whole log's."""
        self, requests = cls(), batch.requests
        self.rows = requests.num_rows
        arrived = requests["arrived_at"].cast(pa.int64())
        self.untimed = arrived.null_count
        ends = pc.min_max(arrived).as_py()
        self.first_us, self.last_us = ends["min"], ends["max"]
        self.counted = int(batch.logged.all_known.sum())
        self.charge(logged, index)
        if doubts:
            self.doubted = stated_spend(batch, logged, doubts)
        unknown = requests["model"].filter(pa.array((batch.source == NO_MODEL) & ~batch.passes))
        for counted in unknown.value_counts().to_pylist():
            self.unknown_models[counted["values"] or NO_NAME] += counted["counts"]
        for counted in requests["call_type"].filter(pa.array(batch.passes)).value_counts().to_pylist():
            self.passed_through[counted["values"]] += counted["counts"]
        self.session_keys.add(batch.key[requests["session_id"].is_valid().to_numpy(zero_copy_only=False)])
        return self

    def charge(self, logged: Arm, index: ModelIndex) -> None:
        """Set what the batch cost as logged."""
        spent = np.where(logged.priced, logged.total, 0)
        self.logged_pico = exact_sum(spent)
        self.unpriced = len(spent) - int(np.count_nonzero(logged.priced))
        code = np.where(logged.priced, logged.model + 1, len(index.names) + 1)  # the last for what has no price
        requests = np.bincount(code, minlength=len(index.names) + 2)[:-1]
        sums = exact_sums(code, spent, len(index.names) + 2).tolist()
        self.models = Counter({index.name(at - 1): sums[at] for at in np.flatnonzero(requests).tolist()})

    def decided(self, logged: Arm, arms: list[Arm]) -> None:
        """Set what depends on the arms."""
        self.priced = int(np.logical_and.reduce([logged.priced, *(arm.priced for arm in arms)]).sum())
        self.undecided = int((arms[-1].rule == -1).sum())

    def merge(self, more: LogFacts) -> None:
        """Add another part of the log."""
        merge_fields(self, more, but=("first_us", "last_us", "formats", "digest"))
        known = [us for us in (self.first_us, more.first_us) if us is not None]
        self.first_us = min(known, default=None)
        known = [us for us in (self.last_us, more.last_us) if us is not None]
        self.last_us = max(known, default=None)

    @property
    def sessions(self) -> int | None:
        """How many sessions the log names; None where it names none."""
        return len(self.session_keys) or None


@dataclass
class Sums:
    """What one scenario's arm comes to over a part of a log.

    Args:
        comparisons: against the first scenario, and against the log.
        fallbacks: requests that a rule's own model cannot serve.
        met: requests by pair of models and spread, in this arm and the log's.
    """

    comparisons: tuple[Comparison, Comparison] = field(default_factory=lambda: (Comparison(), Comparison()))
    fallbacks: dict[Fallback, FallbackSums] = field(default_factory=dict)
    met: Counter[tuple[Pair, Spread]] = field(default_factory=Counter)

    def replace(self, gone: Sums, rules: Mapping[int, int], more: Sums) -> None:
        """Take a part out, call the rules that are left by other numbers, and add another part.

        `Comparison.dearer` has to be found anew afterwards.
        """
        take_out(self, gone)
        for comparison in self.comparisons:
            comparison.drop_empty()
            comparison.renumber(rules)
        self.fallbacks = {name: sums for name, sums in self.fallbacks.items() if sums.requests}
        self.met = +self.met
        merge(self, more)


@dataclass
class Partial:
    """The sums of one part of a log under some scenarios; picklable, and the same for any order of merging."""

    scenarios: list[Sums]
    facts: LogFacts = field(default_factory=LogFacts)
    reconciliation: Reconciliation = field(default_factory=Reconciliation)
    slow_rules: Counter[str] = field(default_factory=Counter)  # seconds in callable conditions, by rule
    state: Counter[tuple[int, str]] = field(default_factory=Counter)  # see `Kernel.state_sums`, by scenario and name

    @classmethod
    def of(cls, scenarios: int) -> Partial:
        """Nothing summed yet."""
        return cls([Sums() for _ in range(scenarios)])

    def merge(self, more: Partial) -> None:
        """Add another part; it must not be used afterwards."""
        merge_fields(self, more, but=("scenarios",))
        for own, others in zip(self.scenarios, more.scenarios, strict=True):
            merge(own, others)

    @property
    def spreads(self) -> dict[Pair, Spread]:
        """How unsure each pair of models is."""
        return widest(each for sums in self.scenarios for each in sums.met)
