"""What a replay leaves behind: the run, its results, and the savings between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from problems import BackrouteError, ProblemLog
from simulator.bill.plausible import Doubt
from simulator.bill.reconcile import Reconciliation
from simulator.money import Scale
from simulator.scenario import Scenario
from simulator.shown import result_html, saving_html
from simulator.state.assumed import unsure_hits
from simulator.state.cached_input import CachedInput
from simulator.state.changes import LOGGED, Changes
from simulator.sums.facts import LogFacts, Partial
from simulator.sums.fold import Comparison
from simulator.sums.interval import LEVEL, Interval, interval
from simulator.usage.pairs import Pair, Spread

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Run:
    """One pass over one log for some scenarios, and everything summed in it; `changes` is what state changed.

    `cached_input` is what the log shows of prompt caches, `by_log` whether that decided if they are simulated.
    """

    scenarios: tuple[Scenario, ...]
    seed: int
    sample_rate: float
    folder: Path
    totals: Partial
    problems: ProblemLog = field(default_factory=ProblemLog)
    doubts: list[Doubt] = field(default_factory=list)  # counts of the log that cannot be true
    changes: Changes | None = None
    cached_input: CachedInput = field(default_factory=CachedInput)
    by_log: bool = False
    write_decisions: Callable[[], None] | None = None  # what is left to do before `decisions_path` can be read
    _intervals: dict[tuple[int, int], Interval] = field(default_factory=dict, repr=False)

    @property
    def facts(self) -> LogFacts:
        """What the log held."""
        return self.totals.facts

    @property
    def comparisons(self) -> list[tuple[Comparison, Comparison]]:
        """Per scenario: against the first scenario, and against the log."""
        return [sums.comparisons for sums in self.totals.scenarios]

    @property
    def reconciliation(self) -> Reconciliation:
        """Recorded against recomputed spend."""
        return self.totals.reconciliation

    @property
    def spreads(self) -> dict[Pair, Spread]:
        """How unsure each pair of models is."""
        return self.totals.spreads

    @property
    def slow_rules(self) -> Counter[str]:
        """Seconds in callable conditions, by rule."""
        return self.totals.slow_rules

    def interval(self, number: int, which: int) -> Interval:
        """The interval of one scenario's saving: 0 against the first scenario, 1 against the log."""
        if (number, which) not in self._intervals:
            hits = unsure_hits(self.changes, self.totals.state, number, LOGGED if which else 0)
            found = interval(self.comparisons[number][which], self.spreads, self.seed, hits)
            self._intervals[number, which] = found
        return self._intervals[number, which]

    def decisions_path(self, number: int) -> Path:
        """Where the decisions of one scenario lie; the baseline's share those of the first candidate."""
        return self.folder / ("decisions.parquet" if number <= 1 else f"decisions-{number}.parquet")


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

    def _repr_html_(self) -> str:
        low, high = self.interval.low_pct, self.interval.high_pct
        return saving_html(self.usd, self.pct, low, high, self.level, self.hypothetical)

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
        if self.run.write_decisions is not None:
            self.run.write_decisions()
            self.run.write_decisions = None
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
        found = self.run.interval(self.number, which)
        hypothetical = which == 0 and self.summary["headline"] == "as_logged"
        return Savings(Decimal(pico).scaleb(-12), pct, found, LEVEL, comparison, self.summary, hypothetical)

    def _repr_html_(self) -> str:
        return result_html(self.summary)

    def __repr__(self) -> str:
        return f"ReplayResult({self.scenario.name!r}, {self.run.facts.rows:,} requests)"
