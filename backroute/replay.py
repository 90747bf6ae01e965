"""`backroute replay`: the main job, from a log to a savings report."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from backroute.options import AS_OF, PRICES, console, log_options


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
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", help="How to print. [table]")
@click.pass_context
def command(
    ctx: click.Context,
    log: tuple[Path, ...],
    timezone: str,
    log_format: str | None,
    rules: str,
    baseline: str,
    out: Path,
    prices_as_of: str,
    overlay: tuple[Path, ...],
    seed: int,
    sample_rate: float,
    min_savings: float | None,
    allow_incomplete: bool,
    shape: str,
) -> None:
    """Replay LOG through routing rules: what you would have paid, and how sure that is.

    Needs no key, no network and no server. Writes report.html, charts/, summary.json, decisions.parquet,
    problems.jsonl, rules.yaml and manifest.json into the --out folder.
    """
    from backroute.run import gates, run_replay
    from reports import print_report
    from workloads import read_log

    started = time.perf_counter()
    summary = run_replay(
        read_log([str(path) for path in log], log_format=log_format, timezone=timezone),
        rules=rules,
        baseline=baseline,
        out=out,
        as_of=prices_as_of,
        overlay=overlay,
        seed=seed,
        sample_rate=sample_rate,
    )
    if shape == "json":
        click.echo(json.dumps(summary, indent=2))
    else:
        print_report(summary, console())
    took = time.perf_counter() - started
    console(stderr=True).print(f"{summary['log']['rows']:,} requests in {took:.1f} s. Open {out / 'report.html'}")
    ctx.exit(gates(summary, min_savings=min_savings, allow_incomplete=allow_incomplete))
