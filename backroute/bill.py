"""How a log's bill and its doubtful counts are said to people: plain text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from problems.problem import masked

if TYPE_CHECKING:
    from simulator.bill.drift import Cause
    from simulator.bill.plausible import Doubt
    from simulator.bill.reconcile import InvoiceCheck, Reconciliation

WIDTH = 80
SHORTEST_NAME = 16
INVOICE_DRIFT_PCT = 5.0
MOST_DAYS = 10


def table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Lines of a table: the first column to the left and cut to what is left of 80, figures to the right and whole.

    A column that says nothing in any row ("" or "-") is left out.
    """
    names = [name for name in rows[0] if any(row[name] not in ("", "-") for row in rows)]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    first, *figures = names
    left = WIDTH - sum(widths[name] + 2 for name in figures)
    widths[first] = min(widths[first], max(SHORTEST_NAME, left))
    lines = [dict(zip(names, names, strict=True)), *rows]
    return [
        "  ".join([_cut(row[first], widths[first]), *(row[name].rjust(widths[name]) for name in figures)]).rstrip()
        for row in lines
    ]


def _cut(text: str, width: int) -> str:
    if len(text) > width:
        text = f"{text[: width - width // 2 - 1]}…{text[len(text) - width // 2 :]}"
    return text.ljust(width)


def usd(pico: int) -> str:
    """Dollars with six decimals below a hundred, and cents above."""
    amount = Decimal(pico).scaleb(-12)
    return f"${amount:,.2f}" if abs(amount) >= 100 else f"${amount:,.6f}"


def pct(value: float | None) -> str:
    """A drift in percent; "-" where there is none to speak of."""
    return "-" if value is None else f"{value:+,.2f}%"


def bill_lines(bill: Reconciliation, causes: Mapping[str, list[Cause]], check: InvoiceCheck | None) -> Iterator[str]:
    """Recorded against recomputed spend by model and day, why they differ with the arithmetic, and the invoice."""
    if check is not None:
        yield from wrapped(invoice_line(check))
    if not bill.models:
        if check is None:
            yield "The log records no costs, so there is no bill to reconcile."
        return
    yield "Recorded costs against the price of the day"
    slices = {name: each.sums for name, each in bill.models.items()}
    if len(slices) > 1:
        slices["all models"] = bill.total
    yield from table(
        [
            {
                "model": name,
                "compared": f"{sums.requests:,}",
                "agree": f"{sums.agreeing:,}",
                "recorded": usd(sums.recorded),
                "recomputed": usd(sums.recomputed),
                "drift": pct(sums.drift_pct),
            }
            for name, sums in slices.items()
        ]
    )
    drifting = {day: sums for day, sums in bill.days.items() if sums.agreeing < sums.requests}
    if drifting and len(bill.days) > 1:
        yield from _days(bill, drifting)
    for name, found in causes.items():
        for cause in found:
            yield from _cause(name, cause)


def invoice_line(check: InvoiceCheck) -> str:
    """An invoice beside what the log comes to."""
    unpriced = f"; {check.unpriced:,} requests have no price" if check.unpriced else ""
    return (
        f"invoice ${check.invoice_usd:,f}; the log comes to ${check.recomputed_usd:,.6f} at the price of the day: "
        f"{pct(check.drift_pct)}{unpriced}"
    )


def _days(bill: Reconciliation, drifting: Mapping[int | None, object]) -> Iterator[str]:
    from datetime import UTC, datetime

    furthest = sorted(drifting, key=lambda day: -abs(bill.days[day].recomputed - bill.days[day].recorded))[:MOST_DAYS]
    yield ""
    yield f"Days that drift: {len(drifting):,} of {len(bill.days):,}" + (
        f"; the {MOST_DAYS} furthest off" if len(drifting) > MOST_DAYS else ""
    )
    yield from table(
        [
            {
                "day": "no time" if day is None else f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}",
                "compared": f"{bill.days[day].requests:,}",
                "recorded": usd(bill.days[day].recorded),
                "recomputed": usd(bill.days[day].recomputed),
                "drift": pct(bill.days[day].drift_pct),
            }
            for day in sorted(furthest, key=lambda day: -1 if day is None else day)
        ]
    )


def _cause(name: str, cause: Cause) -> Iterator[str]:
    yield ""
    again = "no price" if cause.recomputed is None else usd(cause.recomputed)
    yield from wrapped(f"{name}: {cause.words}")
    yield from wrapped(
        f"{cause.rows:,} of {cause.looked_at:,} rows looked at; recorded {usd(cause.recorded)}, recomputed {again}",
        "  ",
    )
    for line in cause.example:
        yield from wrapped(line, "  ")
    if cause.fix:
        yield from wrapped(f"fix: {cause.fix}", "  ")


def doubt_lines(doubts: Sequence[Doubt]) -> Iterator[str]:
    """Counts that cannot be true, with their evidence."""
    yield "Counts that cannot be true (--recount counts their texts instead)"
    for doubt in doubts:
        source = f" ({doubt.provider})" if doubt.provider else ""
        yield from wrapped(f"{doubt.model}{source}, {doubt.side}: {doubt.words}")
        yield from wrapped(f"{doubt.extent}; for example {', '.join(doubt.requests)}", "  ")


def wrapped(text: str, indent: str = "", *, hanging: str | None = None) -> list[str]:
    """A text as lines of 80 columns; no word is broken, so a long path may stand out."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  " if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def drift_exit(bill: Reconciliation, check: InvoiceCheck | None, max_drift_pct: float | None) -> int:
    """The exit code of the bill's gate, 1 where it does not hold, and why on stderr.

    Without `--max-drift-pct` only an invoice is held to account, to within 5%.
    """
    from simulator.bill.reconcile import drift_gate

    if max_drift_pct is not None:
        said = drift_gate(bill, check, max_drift_pct)
    elif check is not None and abs(check.drift_pct) > INVOICE_DRIFT_PCT:
        said = [f"the log comes to {check.drift_pct:+.2f}% off the invoice, above {INVOICE_DRIFT_PCT:g}%"]
    else:
        said = []
    for line in said:
        click.echo(f"gate: {masked(line)}", err=True)
    return 1 if said else 0
