"""`backroute explain`: one request of a replay, down to the arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backroute.bill import wrapped
from backroute.options import PRICES, emit

if TYPE_CHECKING:
    from pricing import PriceBook
    from router import LLMRouter

COUNTED = {
    "provider": "counted by the provider",
    "tokenizer": "counted by a tokenizer",
    "estimated": "estimated, at least in part",
}
# How a replay's summary says where another model's output tokens come from, and the word for it here.
OUTPUTS = {"as logged, copied": "copied", "your own ratios": "by ratio"}


@click.command("explain", epilog="Example: backroute explain out/ --request req-000042")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--request", "request_id", required=True, help="Its request_id, or the first characters of it.")
@click.option(
    "--log",
    multiple=True,
    type=click.Path(),
    help="The log it replayed, to show what learned rules scored and the nearest examples.",
)
@PRICES
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", help="How to print. [table]")
def command(folder: Path, request_id: str, log: tuple[str, ...], overlay: tuple[Path, ...], shape: str) -> None:
    """Say of one request in FOLDER which rule fired and why, and show what each arm was charged, bucket by bucket."""
    from pricing import PriceBook
    from reports.headline import caches
    from router import load_rules
    from simulator.explain import AS_LOGGED, explain
    from simulator.summary_file import read_summary

    summary: Any = read_summary(folder)
    as_of = str(summary["manifest"]["prices_as_of"])
    found = explain(folder, request_id, PriceBook.load(overlay), as_of, _outputs(summary), summary.get("cache"))
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
    if words := caches(summary):
        click.echo(f"caches    {words}")
    if log:
        _scored(log, router, found.request_id, PriceBook.load(overlay))
    for arm in found.arms:
        click.echo("")
        title = (
            f"{arm.name}: {arm.model or 'no known model'}, ${arm.usd}"
            if arm.usd
            else f"{arm.name}: {arm.model}, unpriced"
        )
        rows: list[dict[str, Any]] = [line.as_dict() for line in arm.lines]
        changed = dict.fromkeys(f"{line.bucket} {line.counted}" for line in arm.lines if line.counted != AS_LOGGED)
        if changed:
            title += f"; {', '.join(changed)}"
        elif arm.provenance:
            title += f"; tokens {COUNTED[arm.provenance]}"
        emit(rows, "table", title=title) if rows else click.echo(f"{title}\nno tokens")
        for said in (*arm.why, arm.note):
            if said:
                click.echo("\n".join(wrapped(said, hanging="  ")))


def _outputs(summary: dict[str, Any]) -> str:
    said = [str(row["value"]) for row in summary["assumptions"] if row["name"].startswith("output tokens")]
    return next((word for value in said for begins, word in OUTPUTS.items() if value.startswith(begins)), "predicted")


def _scored(log: tuple[str, ...], router: LLMRouter, request_id: str, book: PriceBook) -> None:
    """What the rules' learned models say of the request, and what it is most like."""
    from backroute.logs import GivenLog
    from simulator.scored import scored_request

    found = scored_request(GivenLog(log).open(book), router, request_id)
    shown = None
    for score in found:
        click.echo(f"score     {score.words}: {score.value:.3f}, so {'true' if score.holds else 'false'}")
        for near in score.nearest if score.nearest != shown else []:  # one model's scores share their examples
            click.echo(f"  like    {near.similarity:.2f}  {near.said}: {near.text}")
        shown = score.nearest
    if not found:
        click.echo("score     the rules ask no learned model")
