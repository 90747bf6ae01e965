"""`backroute tune`: the cheapest setting of a rule set that keeps a quality floor."""

from __future__ import annotations

from pathlib import Path

import click

from backroute.options import FORMAT, emit
from backroute.swept import GivenSweep, sweep_options


@click.command(
    "tune",
    epilog="Example: backroute tune june.jsonl --rules r.yaml --param code.task.code.at_least=0.3:0.9:0.1 "
    "--outcomes scores.csv --min-quality 0.9 -o tuned.yaml",
)
@sweep_options
@click.option("--min-quality", required=True, type=click.FloatRange(0, 1), help="The least mean score to keep.")
@click.option("--surely", is_flag=True, help="Choose by the interval's lower end, not by the mean.")
@click.option("-o", "out", type=click.Path(path_type=Path), help="Write the tuned rules here.")
@FORMAT
@click.pass_context
def command(
    ctx: click.Context,
    swept: GivenSweep,
    min_quality: float,
    surely: bool,
    out: Path | None,
    shape: str,
) -> None:
    """Choose on one half of LOG, sessions kept whole, the cheapest values that keep --min-quality; report on the other.

    Exits with 1 where the quality on the other half is below the floor.
    """
    from problems import BackrouteError
    from router import dump_rules
    from router.parameters import with_values
    from simulator.search.tune import tune

    found, router = swept.run()
    tuned = tune(found, min_quality, router.rules[-1].target, surely=surely)
    rows = []
    for name, sums in (
        ("chosen on, first half", tuned.chosen_on),
        ("reported on, second half", tuned.reported_on),
        (f"all to {router.rules[-1].target}, second half", tuned.last_model),
    ):
        low, high = sums.interval or (0.0, 0.0)
        row = {"": name, "requests": sums.requests, "usd": f"{sums.usd:,.4f}", "quality": f"{sums.quality or 0:.4f}"}
        rows.append(row | {"90% interval": f"{low:.4f} to {high:.4f}"})
    emit(rows, shape, title=f"{tuned.point.name}: the cheapest of {len(found.settings)} at {min_quality:g} or better")
    if out is not None:
        try:
            out.write_text(dump_rules(with_values(router, tuned.point.values)), "utf-8")
        except OSError as error:
            raise BackrouteError(str(out), f"cannot be written ({error.strerror})", fix="give another file") from error
        click.echo(f"wrote {out}", err=True)
    if not tuned.kept:
        click.echo(f"gate: on the second half the quality is below {min_quality:g}", err=True)
    ctx.exit(0 if tuned.kept else 1)
