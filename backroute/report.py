"""`backroute report`: a replay's folder as a page, PDF, Markdown, charts, tables or FOCUS."""

from __future__ import annotations

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
    from simulator.summary_file import read_summary

    summary = read_summary(folder)
    written, notes = write_forms(summary, folder, forms or ("html", "charts"))
    print_report(summary, console())
    for note in notes:
        click.echo(f"note: {note}", err=True)
    names = [str(path.relative_to(folder)) for path in written]
    click.echo(f"Wrote {', '.join(names[:4])}{' ...' if len(names) > 4 else ''} to {folder}", err=True)
