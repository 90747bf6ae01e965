"""How results show themselves in a notebook: a small table, and nothing that needs a chart."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from typing import Any

from pricing.formatting import adding_up, aligned, percent, usd

MOST_RULES = 8


def result_html(summary: dict[str, Any]) -> str:
    """A replay in its headline's own comparison: the answer, and the rules that make it."""
    shown, coverage = summary["compared"], summary["coverage"]
    savings = summary["savings" if summary["headline"] == "baseline" else "savings_vs_as_logged"]
    before = "as logged" if shown["against"] == "as_logged" else f"all on {shown['name']}"
    cost, routed, saved = map(usd, adding_up(*map(amount, (shown["before_usd"], shown["routed_usd"], savings["usd"]))))
    answer = [
        (f"Before, {before}", cost),
        (f"With {summary['routed']['name']}", routed),
        ("Saving", saving(saved, savings["pct"], savings["low_pct"], savings["high_pct"], savings["level"])),
        ("Compared", f"{percent(coverage['requests_pct'])} of {summary['log']['rows']:,} requests"),
        ("Quality", "checked" if summary["quality"]["checked"] else "not checked"),
    ]
    if aside := summary["log"]["set_aside"]:
        kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in aside.items())
        answer.append(("Set aside", f"{summary['log']['problems']:,} rows: {kinds}; log.problems has them"))
    for doubt in summary["log"]["doubts"]:
        answer.append(("Counts in doubt", f"{doubt['model']}, {doubt['side']}: {doubt['words']} ({doubt['extent']})"))
    rows = shown["by_rule"][:MOST_RULES]
    sums = aligned([[amount(row[f"{name}_usd"]) for name in ("before", "routed", "saving")] for row in rows])
    rules = [
        (f"{row['rule']} → {row['model']}", f"{row['requests']:,}", *map(usd, sides))
        for row, sides in zip(rows, sums, strict=True)
    ]
    more = len(shown["by_rule"]) - MOST_RULES
    note = f"<p>and {more} more; savings_table() has all</p>" if more > 0 else ""
    return table((), answer) + table(("Rule", "Requests", "Before", "Routed", "Saving"), rules) + note


def saving_html(
    saved: Decimal, pct: float | None, low: float | None, high: float | None, level: float, hypothetical: bool
) -> str:
    """A saving with its interval."""
    said = saving(usd(saved), pct, low, high, level)
    note = [("", "hypothetical: most of the money went to other models; see savings_against_log()")]
    return table((), [("Saving", said), *(note if hypothetical else [])])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names its rows; all text is escaped."""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f'<tr><th style="text-align:left">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table>{f'<thead><tr>{names}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def saving(money: str, pct: float | None, low: float | None, high: float | None, level: float) -> str:
    """Dollars, percent and interval in words."""
    said = money if pct is None else f"{money}, {percent(pct)}"
    return said if low is None or high is None else f"{said} ({level:.0%} interval {percent(low)} to {percent(high)})"


def amount(text: str | None) -> Decimal | None:
    """Money of a summary, USD; null stays null."""
    return None if text is None else Decimal(text)
