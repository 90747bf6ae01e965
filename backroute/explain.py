"""`backroute explain`: one request of a replay, down to the arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from backroute.options import PRICES, emit

COUNTED = {
    "provider": "counted by the provider",
    "tokenizer": "counted by a tokenizer",
    "estimated": "predicted or estimated, at least in part",
}


@click.command("explain", epilog="Example: backroute explain out/ --request req-000042")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--request", "request_id", required=True, help="Its request_id, or the first characters of it.")
@PRICES
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", help="How to print. [table]")
def command(folder: Path, request_id: str, overlay: tuple[Path, ...], shape: str) -> None:
    """Say of one request in FOLDER which rule fired and why, and show what each arm was charged, bucket by bucket."""
    from backroute.report import read_summary
    from pricing import PriceBook
    from router import load_rules
    from simulator.explain import explain

    summary = read_summary(folder)
    found = explain(folder, request_id, PriceBook.load(overlay), str(summary["manifest"]["prices_as_of"]))  # type: ignore[index]
    if shape == "json":
        emit([found.as_dict()], "json")
        return
    router = load_rules(folder / "rules.yaml")
    rule = next((rule for rule in router.rules if rule.name == found.rule), None)
    click.echo(f"request   {found.request_id}")
    click.echo(f"arrived   {found.arrived_at or 'time not stated'}")
    click.echo(f"rule      {found.rule or 'none could be decided: the log holds no text'}")
    if rule is not None:
        click.echo(f"because   {'nothing before it matched' if rule.condition is None else rule.condition}")
        click.echo(f"reason    {rule.reason or '-'}")
    for arm in found.arms:
        click.echo("")
        title = (
            f"{arm.name}: {arm.model or 'no known model'}, ${arm.usd}"
            if arm.usd
            else f"{arm.name}: {arm.model}, unpriced"
        )
        rows: list[dict[str, Any]] = [line.as_dict() for line in arm.lines]
        if arm.provenance:
            title += f"; tokens {COUNTED[arm.provenance]}"
        emit(rows, "table", title=title) if rows else click.echo(f"{title}\nno tokens")
        if arm.note:
            click.echo(arm.note)
