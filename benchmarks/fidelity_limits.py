"""What no prediction could beat on the cells of `benchmarks.fidelity`, and how sure the comparison with copying is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm, t

if TYPE_CHECKING:
    from benchmarks.fidelity_cells import Cell

DRAWS = 2_000
POINT = 0.01  # of relative error: the bar for "worse than copying"
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Limits:
    """Mean relative errors, of copying and of oracles that were told more than any predictor can know, and intervals.

    Args:
        per_pair: one ratio a pair, chosen with every task of the pair in sight.
        per_pair_and_kind: one ratio a pair and kind, chosen likewise.
        ideal: the expected error of who knows each pair's true mean log ratio and nothing of the task at hand.
        spread: sd of a pair's log ratio from task to task, pooled over pairs.
        ratio, ratio_low, ratio_high: ours over copying's, 90% by resampling kinds of task.
        difference_sd: median over pairs of the standard error of (ours - copying's), tasks of a kind taken together.
        pairs, worse, surely_worse: pairs; those worse by a point; those whose 90% interval is worse by a point.
        kinds_for_a_point: kinds of task at which the median pair's standard error would be a point over 1.645.
    """

    copying: float
    own: float
    per_pair: float
    per_pair_and_kind: float
    ideal: float
    spread: float
    ratio: float
    ratio_low: float
    ratio_high: float
    difference_sd: float
    pairs: int
    worse: int
    surely_worse: int
    kinds_for_a_point: float


def limits(cells: list[Cell], seed: int = 0) -> Limits:
    """Limits of some cells, at least two kinds of task."""
    table = pd.DataFrame(
        [(f"{c.source} {c.target}", c.kind, c.true / c.copying, c.error("model"), c.error("copying")) for c in cells],
        columns=["pair", "kind", "ratio", "own", "copying"],
    )
    spread = _spread(table)
    differences = table.assign(d=table["own"] - table["copying"]).groupby(["pair", "kind"])["d"].mean().unstack("pair")
    count, sd = differences.count(), differences.std()
    mean = table.groupby("pair")[["own", "copying"]].mean().pipe(lambda m: m["own"] - m["copying"])
    enough = count > 1
    error: pd.Series[float] = (sd / np.sqrt(count))[enough]
    surely = mean[enough] - t.ppf(0.95, count[enough] - 1) * error > POINT
    low, high = _ratio_interval(table, seed)
    return Limits(
        copying=float(table["copying"].mean()),
        own=float(table["own"].mean()),
        per_pair=_oracle(table, ["pair"]),
        per_pair_and_kind=_oracle(table, ["pair", "kind"]),
        ideal=ideal_error(spread),
        spread=spread,
        ratio=float(table["own"].mean() / table["copying"].mean()),
        ratio_low=low,
        ratio_high=high,
        difference_sd=float(error.median()),
        pairs=len(mean),
        worse=int((mean > POINT).sum()),
        surely_worse=int(surely.sum()),
        kinds_for_a_point=float((1.645 * sd[enough].median() / POINT) ** 2),
    )


def ideal_error(spread: float) -> float:
    """Mean relative error of the best single ratio where true log ratios are normal with this sd around a known mean.

    E|r / T - 1| is least at the median of T weighed by 1 / T, which is exp(mean - spread^2) for a log-normal T; the
    parts above and below it then leave Phi(spread) - Phi(-spread).
    """
    return float(2 * norm.cdf(spread) - 1)


def _oracle(table: pd.DataFrame, by: list[str]) -> float:
    """Mean error of one ratio a group; the best is one of the group's own ratios, the error being linear between."""
    total = 0.0
    for _, group in table.groupby(by):
        true = group["ratio"].to_numpy()
        total += float(np.abs(true[:, None] / true[None] - 1).sum(axis=1).min())
    return total / len(table)


def _spread(table: pd.DataFrame) -> float:
    """Pooled over pairs, each task as it weighs in the errors."""
    logs = np.log(table["ratio"])
    away = logs - logs.groupby(table["pair"]).transform("mean")
    return float(np.sqrt((away**2).sum() / (len(logs) - table["pair"].nunique())))


def _ratio_interval(table: pd.DataFrame, seed: int) -> tuple[float, float]:
    """90% of ours over copying's when kinds of task are drawn again: the models stay the same, the tasks do not."""
    sums = table.groupby("kind")[["own", "copying"]].sum().to_numpy()
    draw = np.random.default_rng(seed).integers(0, len(sums), (DRAWS, len(sums)))
    drawn = sums[draw].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.05, 0.95])
    return float(low), float(high)


def print_limits(title: str, found: Limits, say: Callable[[str], None] = print) -> None:
    """Each bar, what was reached, what an oracle reaches, and why."""
    of = found.copying
    say(f"\n{title}: limits (mean relative error of tokens, and as a part of copying's)")
    for name, error in (
        ("copying", of),
        ("this model, expected total", found.own),
        ("the bar, half of copying's", of / 2),
        ("who knows each pair's true mean ratio, not the task's", found.ideal),
        ("best ratio a pair, told every answer", found.per_pair),
        ("best ratio a pair and kind, told every answer", found.per_pair_and_kind),
    ):
        say(f"  {name:56s}{error:7.3f}{error / of:7.2f}")
    say(f"  a pair's log ratio moves by {found.spread:.2f} (sd) from one task to the next")
    say(f"  of copying's error: {found.ratio:.2f}; 90% over kinds [{found.ratio_low:.2f}, {found.ratio_high:.2f}]")
    say(
        f"  worse than copying by over a point: {found.worse} of {found.pairs} pairs, {found.surely_worse} beyond doubt"
        f" (90%); a pair's difference has a standard error of {100 * found.difference_sd:.0f} points (median),"
        f" and a point would take {found.kinds_for_a_point:,.0f} kinds of task to see"
    )
