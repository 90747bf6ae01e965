"""`backroute monitor`: live calls against a replay's forecast, once or as the log grows."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from backroute.options import PRICES, emit

if TYPE_CHECKING:
    from pricing import PriceBook
    from quality.monitor import Watch
    from router import LLMRouter


@click.command("monitor", epilog="Example: backroute monitor decisions.jsonl --against out/")
@click.argument("log", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--against", required=True, type=click.Path(path_type=Path), help="The folder of the replay.")
@click.option("--follow", is_flag=True, help="Go on as the log grows or is rotated, until an alarm.")
@click.option("--every", default=5.0, type=click.FloatRange(0.1), help="Seconds between looks. [5]")
@click.option("--tolerance", default=0.10, type=click.FloatRange(0, 10), help="What is no rise, of the forecast. [0.1]")
@click.option("--max-errors", default=0.02, type=click.FloatRange(0.0001, 1), help="Share of calls. [0.02]")
@click.option("--max-fallbacks", default=0.05, type=click.FloatRange(0.0001, 1), help="Share of calls. [0.05]")
@click.option("--patience", default=365.0, type=click.FloatRange(1), help="Days between false alarms, at least. [365]")
@click.option("--page", type=click.Path(path_type=Path), help="Write an HTML page here.")
@click.option("--metrics", type=click.Path(path_type=Path), help="Write Prometheus gauges here (a textfile).")
@PRICES
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", help="How to print. [table]")
@click.pass_context
def command(
    ctx: click.Context,
    log: Path,
    against: Path,
    follow: bool,
    every: float,
    tolerance: float,
    max_errors: float,
    max_fallbacks: float,
    patience: float,
    page: Path | None,
    metrics: Path | None,
    overlay: tuple[Path, ...],
    shape: str,
) -> None:
    """Compare the calls in LOG, JSON lines, with what the replay in --against forecast.

    Exits with 1 on an alarm: the cost of a request, failures or the mix rose above what the forecast allows, a price
    changed, recorded costs are off the book, a model ends within 30 days.
    """
    from pricing import PriceBook
    from quality.live_calls import lines_of
    from quality.monitor import Forecast, Limits, Watch
    from router import load_rules

    book = PriceBook.load(overlay)
    rules = against / "rules.yaml"
    router = load_rules(rules, book=book) if rules.exists() else None
    watch = Watch(Forecast.read(against), Limits(tolerance, max_errors, max_fallbacks, patience))
    looks: Iterator[Iterable[bytes]] = _growing(log, every) if follow else iter([lines_of(log)])
    report: dict[str, Any] = {}
    for lines in looks:
        report = _look(watch, lines, book, router)
        _write(report, page, metrics)
        if follow and not report["alarms"]:
            click.echo(f"{report['calls']:,} calls, ${report['spend']['usd']}, no alarm", err=True)
        elif follow:
            break
    if shape == "json":
        click.echo(json.dumps(report, indent=2))
    else:
        _show(report)
    ctx.exit(1 if report["alarms"] else 0)


def _look(watch: Watch, lines: Iterable[bytes], book: PriceBook, router: LLMRouter | None) -> dict[str, Any]:
    from problems import ProblemLog
    from quality.live_calls import live_calls
    from quality.monitor import report_of

    problems = ProblemLog()
    watch.see(live_calls(lines, book, router=router, problems=problems))
    if problems.set_aside:
        click.echo(f"note: {problems.set_aside:,} lines set aside; `backroute inspect` says why", err=True)
    return report_of(watch, book)


def _growing(log: Path, every: float) -> Iterator[list[bytes]]:
    """The whole lines that are new at each look, also after the log was rotated away or cut."""
    first = True
    while True:
        with log.open("rb") as file:
            for lines in _until_replaced(log, file, every):
                if lines or first:
                    yield lines
                first = False
        click.echo(f"note: {log} was rotated or cut; going on at its new beginning", err=True)


def _until_replaced(log: Path, file: BinaryIO, every: float) -> Iterator[list[bytes]]:
    """The new lines of one file at each look, until another one has its name; a line half written waits for its end."""
    torn, replaced = b"", False
    while not replaced:
        replaced = _replaced(log, file)  # asked before the last read, so that nothing is left behind
        *lines, torn = (torn + file.read()).split(b"\n")
        yield [line for line in (*lines, torn if replaced else b"") if line]
        if not replaced:
            time.sleep(every)


def _replaced(log: Path, file: BinaryIO) -> bool:
    try:
        now = log.stat()
    except OSError:
        return False  # the old one is gone, and the new one has not come
    return not os.path.samestat(now, os.fstat(file.fileno())) or now.st_size < file.tell()


def _write(report: dict[str, Any], page: Path | None, metrics: Path | None) -> None:
    from problems import BackrouteError

    if page is not None:
        from reports.monitored import write_monitor_page

        try:
            write_monitor_page(report, page)
        except OSError as error:
            raise BackrouteError("--page", f"cannot be written ({error.strerror})", fix="give another file") from error
    if metrics is not None:
        from quality.monitor.metrics import write_metrics

        write_metrics(report, metrics)


def _show(report: dict[str, Any]) -> None:
    from reports.monitored import monitor_sheets, verdict
    from reports.sheets import said

    click.echo(verdict(report))
    for alarm in report["alarms"]:
        at = "" if alarm["call"] is None else f", at call {alarm['call']:,} ({(alarm['at'] or '?')[:16]})"
        click.echo(f"ALARM: {alarm['said']}{at}")
    for sheet in monitor_sheets(report):
        if sheet.caption == "Alarms":
            continue
        # A column without a head has spaces for one, as many as keep it apart from the others.
        names = [name or " " * number for number, name in enumerate(sheet.columns, 1)]
        rows = [dict(zip(names, (said(cell) for cell in row), strict=True)) for row in sheet.rows]
        click.echo(f"\n{sheet.caption}")
        emit(rows, "table", columns=names)
