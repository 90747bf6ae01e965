"""What a replay leaves behind: the run, its results, and the savings between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from problems import BackrouteError, ProblemLog
from router import Decisions
from simulator.arms import Arm, Batch
from simulator.fold import Comparison
from simulator.interval import LEVEL, Interval, interval
from simulator.models import NO_MODEL, ModelIndex
from simulator.money import Scale, exact_sum
from simulator.pairs import Pairs
from simulator.reconcile import Reconciliation
from simulator.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd


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
    models: Counter[int] = field(default_factory=Counter)  # as-logged picodollars by model code
    unknown_models: Counter[str] = field(default_factory=Counter)  # requests by logged name
    passed_through: Counter[str] = field(default_factory=Counter)  # requests by call type
    formats: list[str] = field(default_factory=list)
    digest: str = ""


@dataclass
class Run:
    """One pass over one log for some scenarios, and everything summed in it."""

    scenarios: tuple[Scenario, ...]
    seed: int
    sample_rate: float
    folder: Path
    index: ModelIndex
    pairs: Pairs = field(default_factory=Pairs)
    facts: LogFacts = field(default_factory=LogFacts)
    reconciliation: Reconciliation = field(default_factory=Reconciliation)
    problems: ProblemLog = field(default_factory=ProblemLog)
    # per scenario: against the first scenario, and against the log
    comparisons: list[tuple[Comparison, Comparison]] = field(default_factory=list)
    slow_rules: Counter[str] = field(default_factory=Counter)  # seconds in callable conditions, by rule
    session_keys: list[Any] = field(default_factory=list)

    def decisions_path(self, number: int) -> Path:
        """Where the decisions of one scenario lie; the baseline's share those of the first candidate."""
        return self.folder / ("decisions.parquet" if number <= 1 else f"decisions-{number}.parquet")

    def note(self, batch: Batch, logged: Arm, arms: list[Arm], keys: Any, decided: list[Decisions]) -> None:
        """Add one batch to the facts of the log."""
        facts, requests = self.facts, batch.requests
        facts.rows += requests.num_rows
        arrived = requests["arrived_at"].cast(pa.int64())
        facts.untimed += arrived.null_count
        ends = pc.min_max(arrived).as_py()
        if ends["min"] is not None:
            facts.first_us = min(ends["min"], facts.first_us if facts.first_us is not None else ends["min"])
            facts.last_us = max(ends["max"], facts.last_us if facts.last_us is not None else ends["max"])
        facts.counted += int(batch.logged.all_known.sum())
        facts.priced += int(np.all([logged.priced, *(arm.priced for arm in arms)], axis=0).sum())
        facts.undecided += int((arms[-1].rule == -1).sum())
        facts.logged_pico += exact_sum(logged.total[logged.priced])
        for code in np.unique(logged.model[logged.priced]).tolist():
            facts.models[code] += exact_sum(logged.total[logged.priced & (logged.model == code)])
        unknown = requests["model"].filter(pa.array((batch.source == NO_MODEL) & ~batch.passes))
        for counted in unknown.value_counts().to_pylist():
            facts.unknown_models[counted["values"] or NO_NAME] += counted["counts"]
        for counted in requests["call_type"].filter(pa.array(batch.passes)).value_counts().to_pylist():
            facts.passed_through[counted["values"]] += counted["counts"]
        for decisions in decided:
            self.slow_rules.update(decisions.seconds)
        with_session = requests["session_id"].is_valid().to_numpy(zero_copy_only=False)
        self.session_keys.append(np.unique(keys[with_session]))

    @cached_property
    def sessions(self) -> int | None:
        """How many sessions the log names; None where it names none."""
        keys = np.unique(np.concatenate(self.session_keys)) if self.session_keys else np.array([])
        return len(keys) or None


@dataclass(frozen=True)
class Savings:
    """A saving with what it rests on. Positive is cheaper; percentages are 0-100 of the arm it is measured against.

    Args:
        usd: dollars, exact.
        pct: percent; None where the other arm cost nothing.
        interval: see `Interval`.
        level: the interval's.
        comparison: the sums behind it.
        summary: the whole of summary.json, for reports and charts.
        hypothetical: measured against a model that the log hardly paid for, so that no invoice will show it.
    """

    usd: Decimal
    pct: float | None
    interval: Interval
    level: float
    comparison: Comparison
    summary: dict[str, Any]
    hypothetical: bool = False

    def __repr__(self) -> str:
        if self.pct is None or self.interval.low_pct is None:
            return f"Savings(${self.usd:,.2f})"
        low, high = self.interval.low_pct, self.interval.high_pct
        said = f"${self.usd:,.2f}, {self.pct:.1f}%, {self.level:.0%} interval {low:.1f}% to {high:.1f}%"
        return f"Savings({said}{', hypothetical: see savings_against_log()' if self.hypothetical else ''})"


class ReplayResult:
    """One scenario of a run."""

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number

    @property
    def scenario(self) -> Scenario:
        """The scenario replayed."""
        return self.run.scenarios[self.number]

    def requests(self) -> pd.DataFrame:
        """One row per request in decisions.parquet's columns: what each arm chose, used and cost."""
        frame: pd.DataFrame = pq.read_table(self.run.decisions_path(self.number)).to_pandas()
        if self.number:
            return frame
        routed = [name for name in frame.columns if name == "rule" or name.startswith("routed_")]
        return frame.drop(columns=routed)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The whole of summary.json; see simulator/summary.schema.json."""
        from simulator.summary import summarise

        return summarise(self.run, self.number)

    def savings_against(self, other: ReplayResult) -> Savings:
        """The saving against the replay's first scenario, its baseline.

        Raises:
            BackrouteError: `other` is not the baseline of the same replay.
        """
        if other.run is not self.run or other.number != 0:
            what = f"{self.scenario.name!r} was not replayed against {other.scenario.name!r}"
            raise BackrouteError(
                "savings_against", what, fix="replay(log, baseline, candidate) compares with the first"
            )
        return self._savings(0)

    def savings_against_log(self) -> Savings:
        """The saving against what the log says was called."""
        return self._savings(1)

    def _savings(self, which: int) -> Savings:
        comparison = self.run.comparisons[self.number][which]
        scale = Scale(self.run.sample_rate)
        pico = scale(comparison.total.baseline) - scale(comparison.total.routed)
        base = comparison.total.baseline
        pct = 100.0 * (base - comparison.total.routed) / base if base else None
        found = interval(comparison, self.run.pairs, self.run.seed)
        hypothetical = which == 0 and self.summary["headline"] == "as_logged"
        return Savings(Decimal(pico).scaleb(-12), pct, found, LEVEL, comparison, self.summary, hypothetical)

    def __repr__(self) -> str:
        return f"ReplayResult({self.scenario.name!r}, {self.run.facts.rows:,} requests)"
