"""`backroute demo`: the published 60/25/15 case, end to end, from a bundled log."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import click

from backroute.options import console


@click.command("demo", epilog="Example: backroute demo --rules current --out demo-out")
@click.option("--rules", default="case", help="case, starter or current, or a file of your own. [case]")
@click.option("--out", default=Path("demo-out"), type=click.Path(path_type=Path), help="Folder to write. [demo-out]")
def command(rules: str, out: Path) -> None:
    """Replay the bundled log: 3,000 made-up requests of one month, 60% simple, 25% analytics, 15% code, on gpt-4o.

    Prints the savings, then what was claimed for the case and whether any traffic could bear it.
    """
    from backroute.run import run_replay
    from pricing import PriceBook
    from reports import print_report
    from simulator.audit import audit, list_prices
    from simulator.claim import CASE, load_claim
    from workloads import read_log

    with as_file(files("workloads") / "presets" / "case-60-25-15.jsonl.gz") as path:
        summary = run_replay(read_log(path), rules=rules, baseline="openai/gpt-4o", out=out)
    screen = console()
    screen.print(
        "A made-up log, labelled 60% simple, 25% analytics, 15% code. Rules see words and lengths, not labels.\n"
    )
    print_report(summary, screen)
    claim = load_claim(CASE)
    verdict = audit(claim, list_prices(PriceBook.load(), claim))
    screen.print(f"\n[bold]The published claim[/bold]: ${claim.baseline.usd:,} a month becomes ${claim.routed_usd:,}.")
    can = "Some traffic at list prices costs that" if verdict.possible else "No traffic at list prices can cost that"
    screen.print(f"{can}: `backroute audit --case` says why.")
    screen.print("\n[bold]Tokens[/bold]")
    for row in summary["by_model"]:
        screen.print(f"{row['model']}: {_counted(row['model'])}")
    click.echo(f"\nReport: {out / 'report.html'}   Charts: {out / 'charts'}")


def _counted(model: str) -> str:
    """Which tokenizer counts a model's tokens, and how surely."""
    from pricing import counting_rule

    rule = counting_rule(model)
    if rule.ratio is None:
        return f"counted exactly with {rule.tokenizer}"
    times = "" if rule.ratio == 1 else f"{rule.ratio:g} x "
    return f"estimated as {times}{rule.tokenizer}, give or take {rule.log_sd:.1%}"
