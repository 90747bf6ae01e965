"""`backroute compare`: two or more replays side by side."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from backroute.options import FORMAT


@click.command("compare", epilog="Example: backroute compare june-starter/ june-mine/ --chart compare.svg")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--chart", type=click.Path(path_type=Path), help="Also draw them, as .svg, .png or .pdf.")
@FORMAT
def command(folders: tuple[Path, ...], chart: Path | None, shape: str) -> None:
    """Put the replays in FOLDERS side by side: what each rule set would have cost, how sure that is, what it covers.

    Says so where the runs replay different logs or prices, and so do not compare.
    """
    from backroute.options import emit
    from problems import BackrouteError
    from reports.side_by_side import best, comparison_rows, doubts
    from simulator.summary_file import read_summary

    if len(folders) < 2:
        raise BackrouteError("compare", "one folder has nothing beside it", fix="give two or more --out folders")
    short = len({folder.name for folder in folders}) == len(folders)
    runs = {folder.name if short else str(folder): read_summary(folder) for folder in folders}
    rows = comparison_rows(runs)
    if shape != "table":
        emit(rows, shape)
    else:
        emit([_shown(row) for row in rows], "table")
        cheapest = best(runs)
        if cheapest is not None:
            click.echo(f"\n{cheapest} costs least.")
    for doubt in doubts(runs):
        click.echo(f"note: {doubt}", err=True)
    if chart is not None:
        _draw(runs, chart)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row for people, within 80 columns."""
    from pricing.formatting import percent, usd
    from reports.words import between, change

    money = {name: None if row[name] is None else Decimal(row[name]) for name in ("before_usd", "routed_usd")}
    return {
        "run": row["run"],
        "before": usd(money["before_usd"]),
        "routed": usd(money["routed_usd"]),
        "change": change(row["saving_pct"]),
        "interval": between(row["low_pct"], row["high_pct"]),
        "compared": percent(row["coverage_pct"]),
        "dearer": row["dearer_requests"],
    }


def _draw(runs: dict[str, Any], path: Path) -> None:
    """Save the chart in the form its name asks for."""
    from matplotlib.figure import Figure

    from problems import BackrouteError
    from reports.bars import height_of
    from reports.side_by_side import comparison_chart
    from reports.style import WIDTH_IN, margins, style

    if path.suffix not in (".svg", ".png", ".pdf"):
        raise BackrouteError("--chart", f"no such form of picture ({path.name})", fix="name it .svg, .png or .pdf")
    height = height_of(len(runs), 2)
    with style():
        figure = Figure(figsize=(WIDTH_IN, height))
        comparison_chart(runs, figure.add_axes(margins(WIDTH_IN, height)))
        try:
            figure.savefig(path, dpi=192)
        except OSError as error:
            raise BackrouteError(str(path), f"cannot be written ({error.strerror})") from error
    click.echo(f"Drew {path}", err=True)
