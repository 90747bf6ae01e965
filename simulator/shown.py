"""How results show themselves in a notebook: a small table, and nothing that needs a chart."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from typing import Any

MOST_RULES = 8


def result_html(summary: dict[str, Any]) -> str:
    """A replay in its headline's own comparison: the answer, and the rules that make it."""
    shown, coverage = summary["compared"], summary["coverage"]
    savings = summary["savings" if summary["headline"] == "baseline" else "savings_vs_as_logged"]
    before = "as logged" if shown["against"] == "as_logged" else f"all on {shown['name']}"
    cost, routed, saved = adding_up(shown["before_usd"], shown["routed_usd"], savings["usd"])
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
    rules = [
        (f"{row['rule']} → {row['model']}", f"{row['requests']:,}", money(row["before_usd"]), money(row["routed_usd"]))
        for row in shown["by_rule"][:MOST_RULES]
    ]
    more = len(shown["by_rule"]) - MOST_RULES
    note = f"<p>and {more} more; savings_table() has all</p>" if more > 0 else ""
    return table((), answer) + table(("Rule", "Requests", "Before", "Routed"), rules) + note


def saving_html(
    usd: Decimal, pct: float | None, low: float | None, high: float | None, level: float, hypothetical: bool
) -> str:
    """A saving with its interval."""
    said = saving(money(str(usd)), pct, low, high, level)
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


def saving(usd: str, pct: float | None, low: float | None, high: float | None, level: float) -> str:
    """Dollars, percent and interval in words."""
    said = usd if pct is None else f"{usd}, {percent(pct)}"
    return said if low is None or high is None else f"{said} ({level:.0%} interval {percent(low)} to {percent(high)})"


def adding_up(before: str | None, routed: str | None, saved: str | None) -> list[str]:
    """Three sums in the decimals it takes for the last to be the difference of the others as they are shown."""
    if before is None or routed is None or saved is None:
        return [money(before), money(routed), money(saved)]
    sums = [Decimal(before), Decimal(routed), Decimal(saved)]
    least = max(2, *(1 - each.adjusted() for each in sums if each))
    places = next(
        (each for each in range(least, 12) if not round(sums[0], each) - round(sums[1], each) - round(sums[2], each)),
        12,
    )
    return [f"{'-' if each < 0 else ''}${abs(each):,.{places}f}" for each in sums]


def money(usd: str | None) -> str:
    """Dollars, in cents or in three digits below a dollar."""
    if usd is None:
        return "unknown"
    amount = Decimal(usd)
    sign, size = "-" if amount < 0 else "", abs(amount)
    return f"{sign}${size:,.2f}" if size >= 1 or not size else f"{sign}${float(size):.3g}"


def percent(value: float | None) -> str:
    """A percentage with one decimal."""
    return "unknown" if value is None else f"{value:.1f}%"
