"""`backroute report`: the page and the charts, from a replay's folder."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("report", epilog="Example: backroute report out/")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write report.html and charts/ again from FOLDER's summary.json, and print the savings."""
    from backroute.options import console
    from reports import print_report, write_report

    summary = read_summary(folder)
    written = write_report(summary, folder)
    print_report(summary, console())
    console(stderr=True).print(f"Wrote {len(written)} files. Open {folder / 'report.html'}")


def read_summary(folder: Path) -> dict[str, object]:
    """The summary of a replay's folder.

    Raises:
        BackrouteError: there is none, or it is not one.
    """
    from problems import BackrouteError

    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BackrouteError(str(folder), "no summary.json in it", fix="give the --out folder of a replay") from error
    except (OSError, ValueError) as error:
        raise BackrouteError(str(path), f"cannot be read ({error})", fix="replay the log again") from error
    if not isinstance(summary, dict):
        raise BackrouteError(str(path), "not a summary", fix="replay the log again")
    return summary
