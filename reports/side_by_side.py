"""Runs side by side: what each would have cost, how sure that is, and whether they may be compared at all."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pricing.formatting import usd
from reports.bars import Bar, Row, draw_rows, height_of, say_nothing, title
from reports.charts import alike_money, routed_interval
from reports.style import PALETTE, new_axes
from reports.summary import Summarised, Summary, amount, before_and_after, headline_savings, summary_of
from reports.words import short_usd

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLUMNS = (
    "run", "rules", "requests", "before_usd", "routed_usd", "saving_usd", "saving_pct", "low_pct", "high_pct",
    "probability_positive", "coverage_pct", "dearer_requests", "quality_checked", "verified_savings_usd",
)  # fmt: skip


SIMULATED = ("cache", "guards", "retries", "cascade", "tiers", "latency")


def comparison_rows(runs: Mapping[str, Summarised]) -> list[dict[str, Any]]:
    """One row a run, money as exact decimal strings, each in its headline's own comparison."""
    return [one_row(name, summary_of(run)) for name, run in runs.items()]


def one_row(name: str, summary: Summary) -> dict[str, Any]:
    """A run's row."""
    shown, savings, quality = summary["compared"], headline_savings(summary), summary["quality"]
    return {
        "run": name,
        "rules": summary["routed"]["name"],
        "requests": shown["requests"],
        "before_usd": shown["before_usd"],
        "routed_usd": shown["routed_usd"],
        "saving_usd": savings["usd"],
        "saving_pct": savings["pct"],
        "low_pct": savings["low_pct"],
        "high_pct": savings["high_pct"],
        "probability_positive": savings["probability_positive"],
        "coverage_pct": summary["coverage"]["requests_pct"],
        "dearer_requests": shown["dearer"]["requests"],
        "quality_checked": quality["checked"],
        "verified_savings_usd": quality["verified_savings_usd"],
    }


def comparison_table(runs: Mapping[str, Summarised]) -> "pd.DataFrame":
    """The rows as a table; dollars are float64 for display, the exact decimals are in the summaries."""
    import pandas as pd

    table = pd.DataFrame(comparison_rows(runs), columns=list(COLUMNS))
    for name in (column for column in COLUMNS if column.endswith("_usd")):
        table[name] = [float("nan") if value is None else float(value) for value in table[name]]
    return table


def comparison_chart(runs: Mapping[str, Summarised], ax: "Axes | None" = None) -> "Axes":
    """What each run would have cost with routing, with its interval, under what it is compared with, USD."""
    summaries = {name: summary_of(run) for name, run in runs.items()}
    ax = ax if ax is not None else new_axes(height_of(len(summaries), 2))
    rows = []
    spent = [before_and_after(summary["compared"]) for summary in summaries.values()]
    money = iter(alike_money([side for sides in spent for side in sides]))
    for at, (name, summary) in enumerate(summaries.items()):
        before, routed = next(money), next(money)
        if before is None or routed is None:
            continue
        low, high = routed_interval(summary)
        words = (" before", " with routing") if at == 0 else ("", "")
        bars = (
            Bar(0.0, float(before), PALETTE["baseline"], usd(before) + words[0]),
            Bar(0.0, float(routed), PALETTE["routed"], usd(routed) + words[1], low, high),
        )
        rows.append(Row(f"{name} → {summary['routed']['name']}", bars))
    if not rows:
        say_nothing(ax, "No spend to compare: none of it could be priced.")
        return ax
    draw_rows(ax, rows, "US dollars", short_usd)
    title(ax, "Runs side by side")
    return ax


def doubts(runs: Mapping[str, Summarised]) -> list[str]:
    """Why the runs may not be comparable: other requests, other prices, other arms; empty where nothing is amiss."""
    summaries = [summary_of(run) for run in runs.values()]
    said = []
    checks: dict[str, Callable[[Summary], object]] = {
        "they replay different logs": lambda each: each["manifest"]["digests"].get("log"),
        "they use different prices": lambda each: (
            each["manifest"]["prices_as_of"],
            each["manifest"]["digests"].get("prices"),
        ),
        "their headlines compare with different arms": lambda each: each["compared"]["name"],
        "they simulate different state (caches, guards, retries ...)": lambda each: tuple(
            part in each for part in SIMULATED
        ),
        "their logs are sampled at different rates": lambda each: each["log"]["sample_rate"],
    }
    for words, what in checks.items():
        if len({what(each) for each in summaries}) > 1:
            said.append(words)
    if not said and len({each["compared"]["requests"] for each in summaries}) > 1:
        said.append("not all of them can price and serve the same requests, so their totals cover different ones")
    return said


def best(runs: Mapping[str, Summarised]) -> str | None:
    """The run that would have cost least, or None where the runs do not compare or cost the same."""
    costs = {name: amount(summary_of(run)["compared"]["routed_usd"]) for name, run in runs.items()}
    known: dict[str, Decimal] = {name: cost for name, cost in costs.items() if cost is not None}
    if doubts(runs) or len(known) < len(runs) or len(set(known.values())) == 1:
        return None
    return min(known, key=lambda name: known[name])
