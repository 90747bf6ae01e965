"""What a pass over a log sums: facts of the log, its bill, and the comparisons; partial results merge exactly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.arms import Arm, Batch
from simulator.counts import Array
from simulator.fallbacks import Fallback, FallbackSums
from simulator.fold import Comparison
from simulator.merge import merge_fields
from simulator.models import NO_MODEL, ModelIndex
from simulator.money import exact_sum
from simulator.pairs import Pair, Spread
from simulator.reconcile import Reconciliation

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
    compared_pico: int = 0  # the same, with the prompt cache that was simulated for the logged arm, if any
    models: Counter[str | None] = field(default_factory=Counter)  # as-logged picodollars by model
    unknown_models: Counter[str] = field(default_factory=Counter)  # requests by logged name
    passed_through: Counter[str] = field(default_factory=Counter)  # requests by call type
    session_keys: Array = field(default_factory=lambda: np.zeros(0, np.uint64))  # distinct, sorted
    formats: list[str] = field(default_factory=list)
    digest: str = ""

    @classmethod
    def of(cls, batch: Batch, logged: Arm, keys: Array, index: ModelIndex) -> LogFacts:
        """The facts of one batch that no arm but the log's own has a part in; `keys` are of `bootstrap.row_keys`."""
        self, requests = cls(), batch.requests
        self.rows = requests.num_rows
        arrived = requests["arrived_at"].cast(pa.int64())
        self.untimed = arrived.null_count
        ends = pc.min_max(arrived).as_py()
        self.first_us, self.last_us = ends["min"], ends["max"]
        self.counted = int(batch.logged.all_known.sum())
        self.logged_pico = exact_sum(logged.total[logged.priced])
        for code in np.unique(logged.model[logged.priced]).tolist():
            self.models[index.name(code)] += exact_sum(logged.total[logged.priced & (logged.model == code)])
        unknown = requests["model"].filter(pa.array((batch.source == NO_MODEL) & ~batch.passes))
        for counted in unknown.value_counts().to_pylist():
            self.unknown_models[counted["values"] or NO_NAME] += counted["counts"]
        for counted in requests["call_type"].filter(pa.array(batch.passes)).value_counts().to_pylist():
            self.passed_through[counted["values"]] += counted["counts"]
        with_session = requests["session_id"].is_valid().to_numpy(zero_copy_only=False)
        self.session_keys = np.unique(keys[with_session])
        return self

    def decided(self, logged: Arm, arms: list[Arm]) -> None:
        """Set what depends on the arms."""
        self.priced = int(np.all([logged.priced, *(arm.priced for arm in arms)], axis=0).sum())
        self.undecided = int((arms[-1].rule == -1).sum())

    def merge(self, more: LogFacts) -> None:
        """Add another part of the log."""
        merge_fields(self, more, but=("first_us", "last_us", "session_keys", "formats", "digest"))
        known = [us for us in (self.first_us, more.first_us) if us is not None]
        self.first_us = min(known, default=None)
        known = [us for us in (self.last_us, more.last_us) if us is not None]
        self.last_us = max(known, default=None)
        new = more.session_keys[~_among(more.session_keys, self.session_keys)]
        self.session_keys = np.concatenate([self.session_keys, new])
        self.session_keys.sort(kind="stable")  # two sorted runs, which it merges

    @property
    def sessions(self) -> int | None:
        """How many sessions the log names; None where it names none."""
        return len(self.session_keys) or None


def _among(keys: Array, held: Array) -> Array:
    """Bool per key: it is one of those held, which are sorted."""
    at = np.searchsorted(held, keys)
    found = at < len(held)
    found[found] = held[at[found]] == keys[found]
    return np.asarray(found)


@dataclass
class Partial:
    """The sums of one part of a log under some scenarios; picklable, and the same for any order of merging.

    `comparisons` holds, per scenario, the one against the first scenario and the one against the log.
    """

    comparisons: list[tuple[Comparison, Comparison]]
    facts: LogFacts = field(default_factory=LogFacts)
    reconciliation: Reconciliation = field(default_factory=Reconciliation)
    spreads: dict[Pair, Spread] = field(default_factory=dict)
    slow_rules: Counter[str] = field(default_factory=Counter)  # seconds in callable conditions, by rule
    fallbacks: dict[int, dict[Fallback, FallbackSums]] = field(default_factory=dict)  # by scenario
    state: Counter[tuple[int, str]] = field(default_factory=Counter)  # see `Kernel._sums`, by scenario and name

    @classmethod
    def of(cls, scenarios: int) -> Partial:
        """Nothing summed yet."""
        return cls([(Comparison(), Comparison()) for _ in range(scenarios)])

    def merge(self, more: Partial) -> None:
        """Add another part; it must not be used afterwards."""
        merge_fields(self, more, but=("comparisons", "spreads"))
        for own, others in zip(self.comparisons, more.comparisons, strict=True):
            for comparison, other in zip(own, others, strict=True):
                merge_fields(comparison, other)
        for pair, spread in more.spreads.items():
            self.spreads[pair] = self.spreads.get(pair, spread).widest(spread)
