"""`backroute inspect`: what a log holds, before anything is replayed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backroute.logs import GivenLog, log_options, say_amended
from backroute.options import (
    AS_OF,
    FORMAT,
    INFER_SESSIONS,
    INVOICE,
    MAX_DRIFT,
    PRICES,
    RECOUNT,
    emit,
)
from problems.problem import masked

if TYPE_CHECKING:
    from simulator.bill.reconcile import InvoiceCheck
    from simulator.inspection import Inspection


@click.command("inspect", epilog="Example: backroute inspect june.jsonl.gz --invoice-usd 18204.11")
@log_options
@AS_OF
@PRICES
@INVOICE
@MAX_DRIFT
@RECOUNT
@INFER_SESSIONS
@FORMAT
@click.pass_context
def command(
    ctx: click.Context,
    log: GivenLog,
    prices_as_of: str,
    overlay: tuple[Path, ...],
    invoice_usd: float | None,
    max_drift_pct: float | None,
    shape: str,
) -> None:
    """Say what LOG holds: format and why, rows, models, dates, who counted its tokens, problems, and its bill.

    Recorded costs are compared with the price of the day, by row, model and day, and drift is explained where a known
    mistake fits the rows. Counts that do not fit their own texts are listed.
    """
    from backroute.bill import drift_exit
    from pricing import AsOf, PriceBook
    from simulator.bill.reconcile import against_invoice
    from simulator.inspection import inspect_log

    book = PriceBook.load(overlay)
    source = log.open(book)
    # What was paid is recomputed at each request's own date, unless another is asked for.
    as_of = AsOf.parse("request" if prices_as_of == "latest" else prices_as_of)
    seen = inspect_log(source, book, as_of)
    check = None if invoice_usd is None else against_invoice(seen.bill, invoice_usd)
    if shape == "json":
        click.echo(json.dumps(_without_keys(as_dict(seen, check)), indent=2))
    elif shape == "csv":
        emit([{**row, "causes": len(row["causes"])} for row in _without_keys(_models(seen))], "csv")
    else:
        for line in _lines(seen, check, str(as_of)):
            click.echo(masked(line))
    say_amended(source)
    broken = seen.problems.aside["broken_file"]
    if not seen.rows:
        click.echo("gate: nothing in the log can be replayed", err=True)
    elif broken:
        click.echo("gate: the log breaks off, and what follows there is missing; see the problems above", err=True)
    ctx.exit(drift_exit(seen.bill, check, max_drift_pct) or (0 if seen.rows and not broken else 3))


def as_dict(seen: Inspection, check: InvoiceCheck | None) -> dict[str, Any]:
    """Everything, for JSON: money as decimal strings, percentages 0-100, unknown null."""
    from simulator.days import day_name

    bill = seen.bill
    return {
        "rows": seen.rows,
        "set_aside": seen.problems.set_aside,
        "formats": [
            {"name": name, "rows": count, "recognised": seen.recognised.get(name)}
            for name, count in seen.formats.items()
        ],
        "first": seen.first.isoformat() if seen.first else None,
        "last": seen.last.isoformat() if seen.last else None,
        "untimed": seen.untimed,
        "without_text": seen.without_text,
        "sessions": seen.sessions or None,
        "statuses": dict(seen.statuses),
        "call_types": dict(seen.call_types),
        "labels": dict(seen.labels),
        "input_counted_by": dict(seen.input_counts),
        "output_counted_by": dict(seen.output_counts),
        "models": _models(seen),
        "bill": {
            "total": bill.total.as_dict(),
            "by_day": [
                {"day": day_name(day), **sums.as_dict()}
                for day, sums in sorted(bill.days.items(), key=lambda i: i[0] or -1)
            ],
            "furthest": [row.as_dict() for row in bill.furthest],
            "invoice": check.as_dict() if check else None,
        },
        "doubts": [doubt.as_dict() for doubt in seen.doubts],
        "suggested_prices": seen.suggested_prices,
        "problems": dict(seen.problems.counts),
    }


def _without_keys(held: Any) -> Any:
    """The same with what looks like a key masked: a log may hold one where a model or a label should stand."""
    if isinstance(held, str):
        return masked(held)
    if isinstance(held, dict):
        return {masked(str(name)): _without_keys(value) for name, value in held.items()}
    return [_without_keys(value) for value in held] if isinstance(held, list | tuple) else held


def _models(seen: Inspection) -> list[dict[str, Any]]:
    from simulator.money import dollars

    rows = []
    for name, held in sorted(seen.models.items(), key=lambda item: (-item[1].requests, item[0])):
        bill = seen.bill.models.get(name)
        rows.append(
            {
                "model": name,
                "priced_as": held.canonical,
                "requests": held.requests,
                "input_tokens": round(held.input_tokens),
                "output_tokens": round(held.output_tokens),
                "recomputed_usd": dollars(held.recomputed),
                "recorded_usd": dollars(bill.sums.recorded + bill.unpriced_recorded) if bill else None,
                "compared": bill.sums.requests if bill else 0,
                "drift_pct": bill.sums.drift_pct if bill else None,
                "unpriced": held.unpriced,
                "causes": [cause.as_dict() for cause in seen.causes.get(name, [])],
            }
        )
    return rows


def _lines(seen: Inspection, check: InvoiceCheck | None, as_of: str) -> Iterator[str]:
    from backroute.bill import bill_lines, doubt_lines, table, usd, wrapped

    for name, said in _facts(seen):
        yield from wrapped(f"{name:18} {said}", hanging=" " * 19)
    ranked = sorted(seen.models.items(), key=lambda item: (-item[1].requests, item[0]))
    if ranked:
        yield ""
        yield f"Models, at prices as of {'each request' if as_of == 'request' else as_of}"
        yield from table(
            [
                {
                    "model": name,
                    "calls": f"{held.requests:,}",
                    "tokens in": f"{round(held.input_tokens):,}",
                    "tokens out": f"{round(held.output_tokens):,}",
                    "usd": usd(held.recomputed) if held.unpriced < held.requests else "-",
                    "unpriced": f"{held.unpriced:,}" if held.unpriced else "-",
                }
                for name, held in ranked
            ]
        )
        for name, held in ranked:
            if held.canonical is None or held.canonical.partition("/")[2] not in (name, name.partition("/")[2]):
                yield f"{name} is {'in no price book' if held.canonical is None else f'priced as {held.canonical}'}"
        if any(held.canonical is None for _, held in ranked) and _estimated(seen):
            said = "without counts of their own the texts of a model in no price book are counted with"
            yield from wrapped(f"note: {said} openai/gpt-4o's tokenizer, the commonest")
    if seen.rows:
        yield ""
        yield from bill_lines(seen.bill, seen.causes, check)
    if seen.suggested_prices:
        yield ""
        yield "The log implies these prices. As a file for --prices:"
        yield ""
        yield seen.suggested_prices.rstrip()
    if seen.doubts:
        yield ""
        yield from doubt_lines(seen.doubts)
    if len(seen.problems):
        yield ""
        yield "Problems"
        for kind, count in seen.problems.counts.most_common():
            first = next((problem for problem in seen.problems.kept if problem.kind == kind), None)
            told = f"{count:7,} {kind.replace('_', ' ')}{f', first: {first}' if first else ''}"
            yield from wrapped(told, hanging=" " * 8)


def _estimated(seen: Inspection) -> bool:
    """Whether any count is of a text whose tokenizer nobody knows."""
    return bool(seen.input_counts.get("estimated") or seen.output_counts.get("estimated"))


def _facts(seen: Inspection) -> Iterator[tuple[str, str]]:
    from reports.words import counted

    yield "rows", f"{seen.rows:,}, and {seen.problems.set_aside:,} set aside"
    for name, count in seen.formats.items():
        yield "format", f"{name}: {counted(count, 'row')} ({seen.recognised[name]})"
    if not seen.rows:
        return
    yield "time", f"{seen.first:%Y-%m-%d %H:%M} to {seen.last:%Y-%m-%d %H:%M} UTC" if seen.first else "none stated"
    yield "sessions", f"{seen.sessions:,}" if seen.sessions else "none stated"
    yield "input counted by", _shares(seen.input_counts)
    yield "output counted by", _shares(seen.output_counts)
    yield "status", _shares(seen.statuses)
    yield "calls", _shares(seen.call_types)
    if seen.labels:
        yield "labels", _shares(seen.labels)
    if seen.untimed:
        yield "without a time", f"{seen.untimed:,}: they are priced at the book's date"
    if seen.without_text:
        yield "without text", f"{seen.without_text:,}: rules that look at the text cannot decide them"


def _shares(counts: dict[str, int]) -> str:
    whole = sum(counts.values()) or 1
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * count / whole:.4g}%" for name, count in ranked[:8])
