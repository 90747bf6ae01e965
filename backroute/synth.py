"""`backroute synth`: a synthetic log from a mix."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("synth", epilog="Example: backroute synth case-60-25-15 -n 100000 -o log.jsonl.gz")
@click.argument("mix")
@click.option("-n", "rows", default=10_000, type=click.IntRange(1), help="How many requests. [10000]")
@click.option("-o", "out", required=True, type=click.Path(path_type=Path), help="The file; .gz packs it.")
@click.option("--seed", default=7, help="The same seed gives the same file. [7]")
def command(mix: str, rows: int, out: Path, seed: int) -> None:
    """Write a log of made-up requests in the shares of MIX: a YAML file, or a bundled one."""
    from workloads.synth import load_mix, write_log

    loaded = load_mix(mix)
    write_log(loaded, rows, seed, out)
    click.echo(f"{rows:,} requests of {loaded.name!r}, seed {seed}: {out}", err=True)
