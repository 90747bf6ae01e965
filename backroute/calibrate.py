"""`backroute calibrate`: refit the token prediction to paired live answers of your own traffic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backroute.options import FORMAT, emit

if TYPE_CHECKING:
    from simulator.counterfactual import Prediction

Z90 = 1.645


@click.command("calibrate", epilog="Example: backroute calibrate out/ -o own.json")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "out", required=True, type=click.Path(path_type=Path), help="The parameter file to write.")
@click.option(
    "--from",
    "start",
    default=None,
    type=click.Path(path_type=Path),
    help="Parameters to start from, as an earlier calibration wrote them. [the packaged ones]",
)
@FORMAT
def command(folder: Path, out: Path, start: Path | None, shape: str) -> None:
    """Refit how another model's answer lengths are predicted, from FOLDER's pairs.parquet, which `verify` wrote.

    Prints for each pair of models how far off one standard deviation of its total was before and is now, and by how
    much the interval of that total narrowed. Then:
    backroute replay LOG --rules R --out DIR --calibration own.json
    """
    from problems import BackrouteError
    from quality import paired_samples
    from simulator.counterfactual import FEW, Parameters, calibrate, predict_output

    pairs = folder / "pairs.parquet"
    if not pairs.exists():
        raise BackrouteError(str(folder), "no pairs.parquet in it", fix="`backroute verify` writes one")
    before = Parameters.load(start)
    samples = paired_samples(pairs)
    after = calibrate(before, samples)
    try:
        after.save(out)
    except OSError as error:
        raise BackrouteError(str(out), f"cannot be written ({error.strerror})", fix="give another file") from error
    rows = []
    for sample in samples:
        arrays = (sample.tasks, sample.source_tokens, sample.input_tokens, sample.cap)
        held, told = (predict_output(params, sample.source, sample.target, *arrays) for params in (before, after))
        few = len(sample.target_tokens) < FEW
        rows.append(
            {
                "from": sample.source,
                "to": sample.target,
                "pairs": len(sample.target_tokens),
                "before": f"{held.group_log_sd:.0%}",
                "now": f"{told.group_log_sd:.0%}",
                "interval": f"too few pairs: {FEW} are needed" if few else _narrowed(held, told),
            }
        )
    emit(
        rows,
        shape,
        title="One standard deviation of a pair's output tokens",
        columns=["from", "to", "pairs", "before", "now", "interval"],
    )
    click.echo(f"Wrote {out}: use it with --calibration", err=True)


def _narrowed(before: Prediction, now: Prediction) -> str:
    """By how much the 90% interval of a pair's total narrowed, both as shares of the total expected."""
    held, told = (2 * math.sinh(Z90 * each.group_log_sd) for each in (before, now))
    return "as wide as before" if not held else f"{abs(1 - told / held):.0%} {'narrower' if told <= held else 'wider'}"
