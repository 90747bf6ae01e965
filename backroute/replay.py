"""`backroute replay`: the main job, from a log to a savings report."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from backroute.options import (
    AS_OF,
    INFER_SESSIONS,
    INVOICE,
    MAX_DRIFT,
    PRICES,
    RECOUNT,
    console,
    log_options,
)


@click.command(
    "replay",
    epilog="Example: backroute replay june.jsonl --rules rules.yaml --baseline openai/gpt-4o --out out/",
)
@log_options
@click.option("--rules", required=True, help="A rules file, or a bundled set: starter, case, current.")
@click.option("--baseline", default="openai/gpt-4o", help="The model to compare with. [openai/gpt-4o]")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the report and its data.")
@AS_OF
@PRICES
@click.option("--seed", default=0, help="Of the interval's draws. [0]")
@click.option("--sample-rate", default=1.0, help="The share of the traffic the log holds; scales dollars. [1]")
@click.option("--min-savings", type=float, help="Exit with 1 unless the saving's lower end reaches this many percent.")
@click.option(
    "--allow-incomplete", is_flag=True, help="Accept requests left out of the comparison without exit code 3."
)
@INVOICE
@MAX_DRIFT
@RECOUNT
@INFER_SESSIONS
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", help="How to print. [table]")
@click.pass_context
def command(
    ctx: click.Context,
    log: tuple[Path, ...],
    timezone: str,
    log_format: str | None,
    start: str | None,
    mapping: Path | None,
    rules: str,
    baseline: str,
    out: Path,
    prices_as_of: str,
    overlay: tuple[Path, ...],
    seed: int,
    sample_rate: float,
    min_savings: float | None,
    allow_incomplete: bool,
    invoice_usd: float | None,
    max_drift_pct: float | None,
    recount: bool,
    infer_sessions: bool,
    shape: str,
) -> None:
    """Replay LOG through routing rules: what you would have paid, and how sure that is.

    Needs no key, no network and no server. Writes report.html, charts/, summary.json, decisions.parquet,
    problems.jsonl, rules.yaml and manifest.json into the --out folder.
    """
    from backroute.bill import drift_exit, invoice_line
    from backroute.logs import open_log, say_amended
    from backroute.run import gates, replay_to
    from pricing import PriceBook
    from reports import print_report
    from simulator.reconcile import against_invoice

    started = time.perf_counter()
    source = open_log(
        log,
        log_format=log_format,
        timezone=timezone,
        start=start,
        mapping=mapping,
        book=PriceBook.load(overlay),
        infer_sessions=infer_sessions,
        recount=recount,
    )
    result = replay_to(
        source,
        rules=rules,
        baseline=baseline,
        out=out,
        as_of=prices_as_of,
        overlay=overlay,
        seed=seed,
        sample_rate=sample_rate,
    )
    summary = result.summary
    if shape == "json":
        click.echo(json.dumps(summary, indent=2))
    else:
        print_report(summary, console())
    say_amended(source)
    bill = result.run.reconciliation
    check = None if invoice_usd is None else against_invoice(bill, invoice_usd, sample_rate)
    if check is not None:
        click.echo(invoice_line(check), err=True)
    took = time.perf_counter() - started
    console(stderr=True).print(f"{summary['log']['rows']:,} requests in {took:.1f} s. Open {out / 'report.html'}")
    failed = gates(summary, min_savings=min_savings, allow_incomplete=allow_incomplete)
    ctx.exit(drift_exit(bill, check, max_drift_pct) or failed)
