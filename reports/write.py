"""The report in all its forms, as files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from problems import BackrouteError
from reports.figures import CHARTS, figure_of, svg_of
from reports.html import html_report
from reports.style import WIDTH_IN, style
from reports.summary import Summarised, Summary, summary_of
from reports.words import counted

# Twice the 96 dots an inch of a screen, sharp on a slide.
DPI = 192


def write_report(result: Summarised, out_dir: str | Path) -> list[Path]:
    """Write `report.html` and the charts of `write_charts` into a folder, made if it is not there.

    Returns:
        The files written, the page first.

    Raises:
        BackrouteError: the folder cannot be written, or `result` is no summary.
    """
    return [write_page(summary_of(result), Path(out_dir)), *write_charts(result, out_dir)]


def write_page(summary: Summary, folder: Path) -> Path:
    """Write `report.html`."""
    page = folder / "report.html"
    with written_to(folder):
        page.write_bytes(html_report(summary).encode())
    return page


def write_forms(summary: Summary, folder: Path, forms: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Write a replay's folder in some forms: html, charts, pdf, md, csv, parquet, focus.

    Returns:
        The files written, and what there is to note.

    Raises:
        BackrouteError: a form that cannot be made here, or a folder that cannot be written.
    """
    from reports.exports import write_tables
    from reports.focus import write_focus
    from reports.markdown import markdown_report
    from reports.pdf import write_pdf

    summary = summary_of(summary)
    written: list[Path] = []
    notes: list[str] = []
    for form in forms:
        if form == "html":
            written.append(write_page(summary, folder))
        elif form == "charts":
            written += write_charts(summary, folder)
        elif form == "pdf":
            written.append(write_pdf(write_page(summary, folder), folder / "report.pdf"))
        elif form == "md":
            with written_to(folder):
                (folder / "report.md").write_text(markdown_report(summary), "utf-8")
            written.append(folder / "report.md")
        elif form == "focus":
            files, untimed = write_focus(summary, folder)
            written += files
            if untimed:
                notes.append(f"left out of focus-1.2/: {counted(untimed, 'request')} without a time")
        elif form in ("csv", "parquet"):
            written += write_tables(summary, folder, form)  # type: ignore[arg-type]
    return written, notes


def write_charts(result: Summarised, out_dir: str | Path) -> list[Path]:
    """Write every chart into `out_dir/charts`, as PNG for slides and as SVG; returns the files written.

    A chart that has nothing to draw is left out.
    """
    summary = summary_of(result)
    charts, written = Path(out_dir) / "charts", []
    for chart in CHARTS.values():
        with written_to(charts), style():
            figure = figure_of(chart, summary, WIDTH_IN)
            if not figure.axes[0].axison:
                continue
            image, drawing = charts / f"{chart.name}.png", charts / f"{chart.name}.svg"
            figure.savefig(image, dpi=DPI)
            drawing.write_bytes(svg_of(figure).encode())
        written += [image, drawing]
    return written


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """Make the folder if it is not there; what cannot be written is the user's to mend."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise BackrouteError(
            str(error.filename or folder),
            f"cannot be written ({error.strerror})",
            effect="the report is not complete",
            fix="Choose another output folder",
        ) from error
