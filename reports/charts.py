"""The charts of a savings report: each takes a summary, draws on the axes it is given and returns them."""

from decimal import Decimal
from typing import TYPE_CHECKING

from reports.bars import Bar, Row, draw_rows, height_of, rows_that_fit, say_nothing, title
from reports.days import day_chart
from reports.headline import headline
from reports.ledger import STEPS
from reports.style import PALETTE, new_axes
from reports.summary import (
    Part,
    Summarised,
    Summary,
    amount,
    before_arm,
    caught,
    folded,
    headline_savings,
    model_parts,
    rule_parts,
    summary_of,
)
from reports.words import between, counted, percent, short_usd, usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "caught_chart",
    "cost_chart",
    "day_chart",
    "model_chart",
    "rule_chart",
    "sensitivity_chart",
    "waterfall_chart",
]

MOST_ROWS = 9
DOLLARS = "US dollars"


def cost_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """Spend as logged, with the baseline and with routing, USD; the whisker is the interval of the saving."""
    summary = summary_of(result)
    ax = ax if ax is not None else new_axes(height_of(3))
    hypothetical = " (hypothetical)" if summary["headline"] == "as_logged" else ""
    low, high = routed_interval(summary)
    routed = amount(summary["routed"]["usd"])
    level = f" ({headline_savings(summary)['level'] * 100:g}% interval)" if low is not None else ""
    arms = [
        ("Spent, as logged", amount(summary["as_logged"]["usd"]), "logged"),
        (f"Baseline: {summary['baseline']['name']}{hypothetical}", amount(summary["baseline"]["usd"]), "baseline"),
    ]
    if routed is None and all(money is None for _, money, _ in arms):
        say_nothing(ax, "No spend to show: none of it could be priced.")
        return ax
    rows = [Row(name, (spend(money, colour),)) for name, money, colour in arms]
    bar = Bar(0.0, None if routed is None else float(routed), PALETTE["routed"], usd(routed) + level, low, high)
    rows.append(Row(f"With routing: {summary['routed']['name']}", (bar,)))
    draw_rows(ax, rows, DOLLARS, short_usd)
    title(ax, headline(summary).verdict)
    return ax


def rule_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """Spend by rule and the model it chose, baseline against routed, USD; the smallest add up to "other"."""
    summary = summary_of(result)
    hypothetical = ", hypothetical" if summary["headline"] == "as_logged" else ""
    return before_and_after(rule_parts(summary), f"baseline{hypothetical}", "baseline", "Spend by rule and model", ax)


def model_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """Spend by model before (baseline, or as logged where that is the headline) and with routing, USD."""
    summary = summary_of(result)
    arm = before_arm(summary)
    return before_and_after(
        model_parts(summary), "as logged" if arm == "logged" else arm, arm, "Spend by model, before and after", ax
    )


def before_and_after(parts: list[Part], before: str, arm: str, heading: str, ax: "Axes | None") -> "Axes":
    """Two bars a part; the first row that is drawn names the arms, so that no legend is needed."""
    ax = ax if ax is not None else new_axes(height_of(min(len(parts), MOST_ROWS), 2))
    if not parts:
        say_nothing(ax, "No spend to show: no request could be compared.")
        return ax
    rows = []
    for at, part in enumerate(folded(parts, min(MOST_ROWS, rows_that_fit(ax, 2)) - 1)):
        names = (f" {before}", " with routing") if at == 0 else ("", "")
        rows.append(Row(part.label, (spend(part.before, arm, names[0]), spend(part.after, "routed", names[1]))))
    draw_rows(ax, rows, DOLLARS, short_usd)
    title(ax, heading)
    return ax


def waterfall_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """How the baseline's spend becomes the routed one, step by step, USD; the steps add up exactly."""
    summary = summary_of(result)
    ax = ax if ax is not None else new_axes(height_of(len(STEPS) + 2))
    baseline, routed = amount(summary["baseline"]["usd"]), amount(summary["routed"]["usd"])
    steps = [(name, amount(summary["waterfall"][key])) for key, name in STEPS]
    if baseline is None or routed is None or any(saved is None for _, saved in steps):
        say_nothing(ax, "The steps are unknown: not all of the spend could be priced.")
        return ax
    rows, at = [Row(f"Baseline: {summary['baseline']['name']}", (spend(baseline, "baseline"),))], baseline
    for name, saved in steps:
        saved = saved or Decimal(0)
        colour = PALETTE["saves" if saved >= 0 else "adds"]
        rows.append(Row(name, (Bar(float(at), float(at - saved), colour, step_text(saved)),)))
        at -= saved
    rows.append(Row(f"With routing: {summary['routed']['name']}", (spend(routed, "routed"),)))
    draw_rows(ax, rows, DOLLARS, short_usd)
    title(ax, "From the baseline's spend to the routed one")
    return ax


def caught_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """Requests caught by each rule."""
    rules = caught(summary_of(result))
    ax = ax if ax is not None else new_axes(height_of(min(len(rules), MOST_ROWS)))
    requests = sum(number for _, number in rules)
    if not requests:
        say_nothing(ax, "No requests to show: no rule caught any that could be compared.")
        return ax
    parts = folded([Part(rule, number, None, None) for rule, number in rules], min(MOST_ROWS, rows_that_fit(ax)) - 1)
    rows = []
    for part in parts:
        text = f"{part.requests:,} ({percent(100 * part.requests / requests)})"
        rows.append(Row(part.label, (Bar(0.0, float(part.requests), PALETTE["routed"], text),)))
    draw_rows(ax, rows, "requests", short_count)
    title(ax, f"What each rule caught, of {counted(requests, 'request')}")
    return ax


def sensitivity_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """The interval of the saving when one source of uncertainty acts alone, percent of the baseline's spend."""
    summary = summary_of(result)
    known = [row for row in summary["sensitivity"] if row["low_pct"] is not None and row["high_pct"] is not None]
    ax = ax if ax is not None else new_axes(height_of(min(len(known), MOST_ROWS)))
    if not known:
        say_nothing(ax, "No sources of uncertainty were measured.")
        return ax
    rows = []
    for row in known[: min(MOST_ROWS, rows_that_fit(ax))]:
        low, high = row["low_pct"], row["high_pct"]
        rows.append(Row(row["source"], (Bar(low, high, PALETTE["routed"], between(low, high)),)))
    # A range is read by its ends, not by its distance from zero.
    hypothetical = "hypothetical " if summary["headline"] == "as_logged" else ""
    axis = f"saving, % of the {hypothetical}baseline's spend"
    draw_rows(ax, rows, axis, lambda value: f"{value:g}%", from_zero=False)
    title(ax, "Range of the saving, one source of doubt at a time")
    return ax


def spend(money: Decimal | None, arm: str, name: str = "") -> Bar:
    """A bar of spend from 0 in the colour of its arm."""
    return Bar(0.0, None if money is None else float(money), PALETTE[arm], usd(money) + name)


def step_text(saved: Decimal) -> str:
    """A step of the waterfall in words."""
    if saved == 0:
        return "no change"
    return f"saves {usd(saved)}" if saved > 0 else f"adds {usd(-saved)}"


def short_count(value: float) -> str:
    """Counts for the ticks of an axis: 400, 25k, 12M."""
    return short_usd(value).replace("$", "") if value == int(value) else ""


def routed_interval(summary: Summary) -> tuple[float | None, float | None]:
    """The routed spend that the interval of the saving implies, USD; null where there is no interval."""
    savings, routed = headline_savings(summary), amount(summary["routed"]["usd"])
    saved = amount(savings["usd"])
    if routed is None or saved is None or savings["low_pct"] is None or savings["high_pct"] is None:
        return None, None
    before = float(routed + saved)
    return before * (1 - savings["high_pct"] / 100), before * (1 - savings["low_pct"] / 100)
