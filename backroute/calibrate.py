"""`backroute calibrate`: refit the token prediction to paired live answers of your own traffic."""

from __future__ import annotations

from pathlib import Path

import click

from backroute.options import FORMAT, emit


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

    Prints for each pair of models how far off one standard deviation of its total was before and is now. Then:
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
                "now": f"{told.group_log_sd:.0%}" + (f", too few: {FEW} are needed" if few else ""),
            }
        )
    emit(
        rows,
        shape,
        title="One standard deviation of a pair's output tokens",
        columns=["from", "to", "pairs", "before", "now"],
    )
    click.echo(f"Wrote {out}: use it with --calibration", err=True)
