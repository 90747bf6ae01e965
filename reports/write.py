"""The report and its charts as files."""

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
    page = folder(out_dir) / "report.html"
    page.write_bytes(html_report(summary).encode("utf-8", "replace"))
    return [page, *write_charts(summary, page.parent)]


def write_charts(result: Summarised, out_dir: str | Path) -> list[Path]:
    """Write every chart into `out_dir/charts`, as PNG for slides and as SVG; returns the files written."""
    summary = summary_of(result)
    charts, written = folder(Path(out_dir) / "charts"), []
    for chart in CHARTS:
        with style():
            figure = figure_of(chart, summary, WIDTH_IN)
            image, drawing = charts / f"{chart.name}.png", charts / f"{chart.name}.svg"
            figure.savefig(image, dpi=DPI)
            drawing.write_bytes(svg_of(figure).encode("utf-8", "replace"))
        written += [image, drawing]
    return written


def folder(path: str | Path) -> Path:
    """The folder, made if it is not there."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackrouteError(
            str(path),
            f"no folder can be made here ({error.strerror})",
            effect="the report was not written",
            fix="Choose another output folder",
        ) from error
    return Path(path)
