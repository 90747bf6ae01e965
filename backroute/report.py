"""`backroute report`: a replay's folder as a page, PDF, Markdown, charts, tables or FOCUS."""

from __future__ import annotations

import json
from pathlib import Path

import click

FORMS = ("html", "charts", "pdf", "md", "csv", "parquet", "focus")


@click.command("report", epilog="Example: backroute report out/ --to pdf --to md")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "forms",
    multiple=True,
    type=click.Choice(FORMS),
    help="html, charts (PNG and SVG), pdf, md (for a pull request), csv, parquet, focus (FOCUS 1.2); may be given "
    "again. [html and charts]",
)
def command(folder: Path, forms: tuple[str, ...]) -> None:
    """Write the report of FOLDER's replay again, in any form, and print the savings.

    csv and parquet go to tables/, FOCUS to focus-1.2/. A PDF is printed by the Chromium, Chrome or Edge that is there.
    """
    from backroute.options import console
    from reports import print_report
    from reports.write import write_forms

    summary = read_summary(folder)
    written, notes = write_forms(summary, folder, forms or ("html", "charts"))
    print_report(summary, console())
    for note in notes:
        click.echo(f"note: {note}", err=True)
    names = [str(path.relative_to(folder)) for path in written]
    click.echo(f"Wrote {', '.join(names[:4])}{' ...' if len(names) > 4 else ''} to {folder}", err=True)


def read_summary(folder: Path) -> dict[str, object]:
    """The summary of a replay's folder.

    Raises:
        BackrouteError: there is none, or it is not one.
    """
    from problems import BackrouteError

    path = folder / "summary.json"
    if folder.is_file():
        fix = (
            "give the --out folder of a replay of it"
            if folder.name != path.name
            else f"give its folder, {folder.parent}"
        )
        raise BackrouteError(str(folder), "a file, where the folder of a result is wanted", fix=fix)
    if not folder.exists():
        raise BackrouteError(str(folder), "no such folder", fix="give the --out folder of a replay")
    try:
        summary = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BackrouteError(str(folder), "no summary.json in it", fix="give the --out folder of a replay") from error
    except (OSError, ValueError) as error:
        raise BackrouteError(str(path), f"cannot be read ({error})", fix="replay the log again") from error
    if not isinstance(summary, dict):
        raise BackrouteError(str(path), "not a summary", fix="replay the log again")
    return summary
