"""The charts of a savings report: each takes a summary, draws on the axes it is given and returns them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from pricing.formatting import adding_up, aligned, usd
from reports.bars import Bar, Row, draw_rows, height_of, rows_that_fit, say_nothing, title
from reports.days import day_chart
from reports.headline import headline
from reports.ledger import STEPS
from reports.sheets import expected_names, keeps_words, slice_names
from reports.style import PALETTE, new_axes
from reports.summary import (
    Part,
    Summarised,
    Summary,
    amount,
    as_compared,
    before_and_after,
    before_arm,
    before_words,
    headline_savings,
    model_parts,
    moving,
    rule_parts,
    summary_of,
)
from reports.words import between, short_usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "cost_chart",
    "day_chart",
    "expected_chart",
    "model_chart",
    "quality_chart",
    "rule_chart",
    "saving_chart",
    "sensitivity_chart",
    "waterfall_chart",
]

MOST_ROWS = 9
DOLLARS = "US dollars"
VERDICTS = {"as good": "saves", "worse": "adds"}  # other verdicts are grey

Item = TypeVar("Item")


def cost_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """Spend as logged, with the baseline and with routing, USD; the whisker is the interval of the saving."""
    summary = summary_of(result)
    ax = ax if ax is not None else new_axes(height_of(len(spend_arms(summary)) + 1))
    arms, (_, routed) = spend_arms(summary), before_and_after(summary["compared"])
    *spent, routed = alike_money([*(money for _, money, _ in arms), routed])
    arms = [(name, money, colour) for (name, _, colour), money in zip(arms, spent, strict=True)]
    if routed is None and all(money is None for _, money, _ in arms):
        say_nothing(ax, "No spend to show: none of it could be priced.")
        return ax
    low, high = routed_interval(summary)
    level = f" ({headline_savings(summary)['level'] * 100:g}% interval)" if low is not None else ""
    rows = [Row(name, (spend(money, colour),)) for name, money, colour in arms]
    bar = Bar(0.0, None if routed is None else float(routed), PALETTE["routed"], usd(routed) + level, low, high)
    rows.append(Row(f"With routing: {summary['routed']['name']}", (bar,)))
    draw_rows(ax, rows, DOLLARS, short_usd)
    title(ax, headline(summary).verdict)
    return ax


def spend_arms(summary: Summary) -> list[tuple[str, Decimal | None, str]]:
    """What routing stands beside: each arm's name, its spend in USD and its colour."""
    spent, before = amount(summary["as_logged"]["usd"]), amount(summary["compared"]["before_usd"])
    arms = [("Spent, as logged", spent, "logged")]
    baseline = f"Baseline: {summary['baseline']['name']}"
    if summary["headline"] == "baseline":
        return [*arms, (baseline, before, "baseline")]
    if usd(before) != usd(spent):
        arms.append((f"As logged, {as_compared(summary)}", before, "logged"))
    return [*arms, (f"{baseline} (hypothetical)", amount(summary["baseline"]["usd"]), "baseline")]


def rule_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """Spend by rule and the model it chose, before (see `before_arm`) and with routing, USD."""
    return two_bars(summary_of(result), rule_parts(summary_of(result)), "Spend by rule and model", ax)


def model_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """Spend by model, before (see `before_arm`) and with routing, USD."""
    return two_bars(summary_of(result), model_parts(summary_of(result)), "Spend by model, before and after", ax)


def two_bars(summary: Summary, parts: list[Part], heading: str, ax: "Axes | None") -> "Axes":
    """Two bars a part; the first row that is drawn names the arms, so that no legend is needed."""
    ax = ax if ax is not None else new_axes(height_of(min(len(parts), MOST_ROWS), 2))
    if not parts:
        say_nothing(ax, "No spend to show: no request could be compared.")
        return ax
    arm, rows = before_arm(summary), []
    shown, left = largest(parts, min(MOST_ROWS, rows_that_fit(ax, 2)))
    money = iter(alike_money([side for part in shown for side in (part.before, part.after)]))
    for at, part in enumerate(shown):
        names = (f" {before_words(summary)}", " with routing") if at == 0 else ("", "")
        rows.append(Row(part.label, (spend(next(money), arm, names[0]), spend(next(money), "routed", names[1]))))
    draw_rows(ax, rows, DOLLARS, short_usd)
    title(ax, heading + left)
    return ax


def saving_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """What each rule and the model it chose saves, and where it raises the bill, USD; the largest of either first."""
    moved = moving(summary_of(result))
    ax = ax if ax is not None else new_axes(height_of(min(len(moved), MOST_ROWS)))
    if not moved:
        say_nothing(ax, "No rule saves or adds anything.")
        return ax
    shown, left = largest(moved, min(MOST_ROWS, rows_that_fit(ax)))
    rows = []
    shown = sorted(shown, key=lambda part: -(part.saving or 0))
    for part, money in zip(shown, alike_money([part.saving for part in shown]), strict=True):
        saved = money or Decimal(0)
        colour = PALETTE["saves" if saved >= 0 else "adds"]
        rows.append(Row(part.label, (Bar(0.0, float(saved), colour, step_text(saved)),)))
    draw_rows(ax, rows, "saving, US dollars; below 0 routing costs more", short_usd)
    title(ax, "What each rule saves or adds" + left)
    return ax


def waterfall_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """How the spend before becomes the routed one, step by step, USD; the steps add up exactly."""
    summary = summary_of(result)
    ax = ax if ax is not None else new_axes(height_of(len(STEPS) + 2))
    before, routed = before_and_after(summary["compared"])
    money = (amount(summary["compared"]["waterfall"][key]) for key, _ in STEPS)
    before, routed, *each = adding_up(before, routed, *money)
    steps = [(name, saved) for (_, name), saved in zip(STEPS, each, strict=True)]
    if before is None or routed is None or any(saved is None for _, saved in steps):
        say_nothing(ax, "The steps are unknown: not all of the spend could be priced.")
        return ax
    arm = before_arm(summary)
    first = "As logged" if arm == "logged" else f"Baseline: {summary['baseline']['name']}"
    rows, at = [Row(first, (spend(before, arm),))], before
    for name, saved in steps:
        saved = saved or Decimal(0)
        colour = PALETTE["saves" if saved >= 0 else "adds"]
        rows.append(Row(name, (Bar(float(at), float(at - saved), colour, step_text(saved)),)))
        at -= saved
    rows.append(Row(f"With routing: {summary['routed']['name']}", (spend(routed, "routed"),)))
    draw_rows(ax, rows, DOLLARS, short_usd)
    title(ax, f"From the spend {before_words(summary)} to the routed one")
    return ax


def sensitivity_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """The interval of the saving when one source of doubt acts alone, percent of the spend before: a tornado.

    The line down is the saving itself.
    """
    summary = summary_of(result)
    listed = summary["compared"]["sensitivity"]
    known = [row for row in listed if row["low_pct"] is not None and row["high_pct"] is not None]
    ax = ax if ax is not None else new_axes(height_of(min(len(known), MOST_ROWS)))
    if not known:
        say_nothing(ax, "No sources of uncertainty were measured.")
        return ax
    shown, left = largest(known, min(MOST_ROWS, rows_that_fit(ax)))
    rows = []
    for row in shown:
        low, high = row["low_pct"], row["high_pct"]
        rows.append(Row(row["source"], (Bar(low, high, PALETTE["routed"], between(low, high)),)))
    # A range is read by its ends, not by its distance from zero.
    axis = f"saving, % of the spend {before_words(summary)}"
    saved = headline_savings(summary)["pct"]
    draw_rows(ax, rows, axis, lambda value: f"{value:g}%", from_zero=False, mark=saved)
    title(ax, "Range of the saving, one source of doubt at a time" + left)
    return ax


def quality_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """How much better or worse the routed answers were, by slice of the traffic, with the bounds, points of 100.

    The line down is the margin: as good means surely to the right of it.
    """
    found = summary_of(result)["quality"]["slices"]
    ranges = [
        (name, each["low_pct"], each["high_pct"], each["verdict"])
        for name, each in zip(slice_names(found), found, strict=True)
        if each["low_pct"] is not None and each["high_pct"] is not None
    ]
    margin = found[0]["margin_pct"] if found else 0.0
    return differences(ranges, margin, "Quality of the routed answers", "No answers were compared.", ax)


def expected_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """How much better or worse the routed answers are expected to be, without any call, as `quality_chart` draws it."""
    summary = summary_of(result)
    predicted = summary["quality"].get("predicted")
    margin = 100 * predicted["margin"] if predicted else 0.0
    heading, nothing = "Quality expected of the routed answers", "No quality is known offline."
    return differences(expected_ranges(summary), margin, heading, nothing, ax)


def expected_ranges(summary: Summary) -> list[tuple[str, float, float, str]]:
    """The slices of the traffic that move and of which something is expected: see `differences`."""
    slices = (summary["quality"].get("predicted") or {"slices": []})["slices"]
    return [
        (name, 100 * each["low"], 100 * each["high"], keeps_words(each["keeps"]))
        for name, each in zip(expected_names(slices), slices, strict=True)
        if each["low"] is not None and each["high"] is not None and each["basis"] != "same model"
    ]


def differences(
    ranges: Sequence[tuple[str, float, float, str]], margin: float, heading: str, nothing: str, ax: "Axes | None"
) -> "Axes":
    """Ranges of a difference in quality, each with its name and verdict, and the margin as a line down."""
    ax = ax if ax is not None else new_axes(height_of(min(len(ranges), MOST_ROWS)))
    if not ranges:
        say_nothing(ax, nothing)
        return ax
    shown, left = largest(ranges, min(MOST_ROWS, rows_that_fit(ax)))
    rows = [
        Row(name, (Bar(low, high, PALETTE[VERDICTS.get(verdict, "baseline")], verdict),))
        for name, low, high, verdict in shown
    ]
    axis = "difference in quality, points of 100; below 0 is worse"
    draw_rows(ax, rows, axis, lambda value: f"{value:g}", mark=-margin)
    title(ax, heading + left)
    return ax


def largest(items: Sequence[Item], keep: int) -> tuple[Sequence[Item], str]:
    """The first `keep` of some items, and what a title says of the others."""
    return (items, "") if len(items) <= keep else (items[:keep], f" (largest {keep} of {len(items):,})")


def alike_money(figures: Sequence[Decimal | None]) -> list[Decimal | None]:
    """Money of one chart, in one number of decimals."""
    return [money for (money,) in aligned([[money] for money in figures])]


def spend(money: Decimal | None, arm: str, name: str = "") -> Bar:
    """A bar of spend from 0 in the colour of its arm."""
    said = "$0" if money == 0 else usd(money)
    return Bar(0.0, None if money is None else float(money), PALETTE[arm], said + name)


def step_text(saved: Decimal) -> str:
    """A step of the waterfall in words."""
    if saved == 0:
        return "no change"
    return f"saves {usd(saved)}" if saved > 0 else f"adds {usd(saved).removeprefix('-')}"


def routed_interval(summary: Summary) -> tuple[float | None, float | None]:
    """The routed spend that the interval of the saving implies, USD; null where there is no interval."""
    savings, before = headline_savings(summary), amount(summary["compared"]["before_usd"])
    if before is None or savings["low_pct"] is None or savings["high_pct"] is None:
        return None, None
    return float(before) * (1 - savings["high_pct"] / 100), float(before) * (1 - savings["low_pct"] / 100)
