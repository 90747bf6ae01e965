"""The report and its charts as files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from problems import BackrouteError
from reports.figures import CHARTS, figure_of, svg_of
from reports.html import html_report
from reports.style import WIDTH_IN, style
from reports.summary import Summarised, summary_of

# Twice the 96 dots an inch of a screen, sharp on a slide.
DPI = 192


def write_report(result: Summarised, out_dir: str | Path) -> list[Path]:
    """Write `report.html` and the charts of `write_charts` into a folder, made if it is not there.

    Returns:
        The files written, the page first.

    Raises:
        BackrouteError: the folder cannot be written, or `result` is no summary.
    """
    summary = summary_of(result)
    page = Path(out_dir) / "report.html"
    with written_to(page.parent):
        page.write_bytes(html_report(summary).encode())
    return [page, *write_charts(summary, out_dir)]


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
