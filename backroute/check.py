"""`backroute check`: rules that never fire or are shadowed; models unpriced, retired or superseded."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from backroute.bill import wrapped
from backroute.logs import GivenLog, optional_log_options, say_set_aside
from backroute.options import FORMAT, PRICES, emit


@click.command("check", epilog="Example: backroute check starter june.jsonl")
@click.argument("rules")
@optional_log_options
@click.option("--on", "day", default=None, metavar="DATE", help="Look at models and prices on this day. [the book's]")
@PRICES
@FORMAT
def command(rules: str, log: GivenLog, day: str | None, overlay: tuple[Path, ...], shape: str) -> None:
    """Look over RULES (a file, or a bundled set), and count on LOG what each rule matches and what it decides."""
    from pricing import PriceBook
    from problems import BackrouteError, ProblemLog
    from router import load_rules
    from simulator.check import check_rules

    if any(path.endswith((".yaml", ".yml")) for path in log.paths):
        what = f"a log is wanted where rules stand ({log.paths[0]})"
        raise BackrouteError("check", what, fix=f"give the rules first: `backroute check {log.paths[0]} {rules}`")
    book = PriceBook.load(overlay)
    try:
        on = date.fromisoformat(day) if day else book.date
    except ValueError as error:
        raise BackrouteError("--on", f"not a date ({day!r})", fix="for example 2026-01-31") from error
    problems = ProblemLog()
    checks = check_rules(load_rules(rules), book, log.open(book) if log.paths else None, on, problems)
    say_set_aside(problems)
    rows = [
        {
            "rule": each.rule,
            "model": each.model,
            "matched": each.matched,
            "fired": each.fired,
            "findings": "; ".join(each.findings) or "fine",
        }
        for each in checks
    ]
    columns = ["rule", "model", *(("matched", "fired") if log.paths else ()), "findings"]
    if shape != "table":
        emit([{name: row[name] for name in columns} for row in rows], shape)
        return
    if not log.paths:
        click.echo("No log given: rules and models only. Give one to count what each rule catches.", err=True)
    emit(rows, shape, columns=columns[:-1])
    click.echo("")
    for each in checks:
        for found in each.findings:
            click.echo("\n".join(wrapped(f"{each.rule}: {found}", hanging="  ")))
    if not any(each.findings for each in checks):
        click.echo("Nothing amiss.")
