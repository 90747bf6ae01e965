"""`backroute replay`: the main job, from a log to a savings report."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from backroute.logs import GivenLog, log_options, say_amended
from backroute.options import (
    AS_OF,
    INFER_SESSIONS,
    INVOICE,
    MAX_DRIFT,
    NO_CACHE,
    OUTPUT_TOKENS,
    PRICES,
    RECOUNT,
    STATE,
    console,
)

if TYPE_CHECKING:
    from pricing import PriceBook


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
@OUTPUT_TOKENS
@click.option(
    "--calibration",
    default=None,
    type=click.Path(path_type=Path),
    help="Parameters of the prediction that `calibrate` refitted to your traffic.",
)
@click.option(
    "--output-ratio",
    "ratios",
    multiple=True,
    metavar="MODEL=RATIO",
    help="Your own ratio of a model's output tokens to the logged ones; may be given again.",
)
@click.option("--seed", default=0, help="Of the interval's draws. [0]")
@click.option("--sample-rate", default=1.0, help="The share of the traffic the log holds; scales dollars. [1]")
@click.option("--min-savings", type=float, help="Exit with 1 unless the saving's lower end reaches this many percent.")
@click.option(
    "--allow-incomplete",
    is_flag=True,
    help="Exit with 0 even where a file breaks off, or under 95% of rows are read, or of requests or spend compared.",
)
@STATE
@INVOICE
@MAX_DRIFT
@RECOUNT
@INFER_SESSIONS
@NO_CACHE
@click.option("--engine", type=click.Choice(["local", "dask"]), default="local", help="Where it runs. [local]")
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Processes, this one among them. [1]")
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster that sees the log and --out.")
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", help="How to print. [table]")
@click.pass_context
def command(
    ctx: click.Context,
    log: GivenLog,
    rules: str,
    baseline: str,
    out: Path,
    prices_as_of: str,
    overlay: tuple[Path, ...],
    output_tokens: Literal["fitted", "as_logged"],
    calibration: Path | None,
    ratios: tuple[str, ...],
    seed: int,
    sample_rate: float,
    min_savings: float | None,
    allow_incomplete: bool,
    state: Path | None,
    invoice_usd: float | None,
    max_drift_pct: float | None,
    engine: str,
    workers: int,
    scheduler: str | None,
    shape: str,
) -> None:
    """Replay LOG through routing rules: what you would have paid, and how sure that is.

    Needs no key, no network and no server. Writes report.html, charts/, summary.json, decisions.parquet,
    problems.jsonl, rules.yaml and manifest.json into the --out folder.
    """
    from backroute.bill import drift_exit, invoice_line
    from backroute.progress import watched
    from backroute.run import gates, replay_to
    from pricing import PriceBook
    from reports import print_report
    from reports.words import counted
    from simulator import Assumptions
    from simulator.bill.reconcile import against_invoice
    from simulator.state.settings import load_state

    started = time.perf_counter()
    book = PriceBook.load(overlay)
    source = log.open(book)
    # Other processes read for themselves, unseen from here.
    with watched(source, [Path(path) for path in log.paths]) if engine == "local" and workers == 1 else nullcontext():
        result = replay_to(
            source,
            rules=rules,
            baseline=baseline,
            out=out,
            as_of=prices_as_of,
            overlay=overlay,
            assumptions=Assumptions(output_tokens, _ratios(ratios, book), calibration),
            state=None if state is None else load_state(state),
            seed=seed,
            sample_rate=sample_rate,
            engine=engine,
            workers=workers,
            scheduler=scheduler,
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
    click.echo(f"{counted(summary['log']['rows'], 'request')} in {took:.1f} s. Open {out / 'report.html'}", err=True)
    failed = gates(summary, min_savings=min_savings, allow_incomplete=allow_incomplete)
    ctx.exit(drift_exit(bill, check, max_drift_pct) or failed)


def _ratios(said: tuple[str, ...], book: PriceBook) -> dict[str, float]:
    """MODEL=RATIO options as ratios by canonical name."""
    from problems import BackrouteError

    ratios = {}
    for each in said:
        name, _, text = each.rpartition("=")
        try:
            ratio = float(text)
        except ValueError:
            ratio = 0.0
        if not name or not 0 < ratio < 1000:
            what = f"not MODEL=RATIO ({each!r})"
            raise BackrouteError("--output-ratio", what, fix="for example openai/gpt-4o-mini=0.95")
        ratios[book.require(name, "--output-ratio")] = ratio
    return ratios
