"""Every chart as a figure of its own, off the screen: for files, and inline in the page."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from reports.bars import height_of
from reports.charts import (
    MOST_ROWS,
    cost_chart,
    expected_chart,
    expected_ranges,
    model_chart,
    quality_chart,
    rule_chart,
    saving_chart,
    sensitivity_chart,
    spend_arms,
    waterfall_chart,
)
from reports.days import HEIGHT_IN, MONEY_IN, NAMES_IN, day_chart
from reports.ledger import STEPS
from reports.style import LEFT_IN, PALETTE, RIGHT_IN, margins, style
from reports.summary import Summary, moving

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Narrow enough that its 9-point text still reads when a phone of 360 px scales it down.
PAGE_WIDTH_IN = 4.3
PAGE_HEADROOM_IN = 0.35


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as a file: its name, how it is drawn, how many inches high it is, and room left and right of its axes."""

    name: str
    draw: Callable[[Summary, "Axes"], "Axes"]
    height: Callable[[Summary], float]
    left: float = LEFT_IN
    right: float = RIGHT_IN


def height_for(part: str, bars: int = 1) -> Callable[[Summary], float]:
    """How high a chart of one breakdown of `compared` is, inches."""
    return lambda summary: height_of(min(len(summary["compared"][part]), MOST_ROWS), bars)


CHARTS = {
    chart.name: chart
    for chart in (
        Chart("spend", cost_chart, lambda summary: height_of(len(spend_arms(summary)) + 1)),
        Chart("by-rule", rule_chart, height_for("by_rule", 2)),
        Chart("saving", saving_chart, lambda summary: height_of(min(len(moving(summary)), MOST_ROWS))),
        Chart("by-model", model_chart, height_for("by_model", 2)),
        Chart("waterfall", waterfall_chart, lambda _: height_of(len(STEPS) + 2)),
        Chart("by-day", day_chart, lambda _: HEIGHT_IN, left=MONEY_IN, right=NAMES_IN),
        Chart("sensitivity", sensitivity_chart, height_for("sensitivity")),
        Chart("quality-expected", expected_chart, lambda held: height_of(min(len(expected_ranges(held)), MOST_ROWS))),
        Chart("quality", quality_chart, lambda summary: height_of(min(len(summary["quality"]["slices"]), MOST_ROWS))),
    )
}


def figure_of(chart: Chart, summary: Summary, width: float) -> "Figure":
    """Draw a chart on a new figure that no window and no pyplot knows of; call it within `style()`."""
    from matplotlib.figure import Figure

    height = chart.height(summary)
    figure = Figure(figsize=(width, height))
    chart.draw(summary, figure.add_axes(margins(width, height, chart.left, chart.right)))
    return figure


def svg_of(figure: "Figure") -> str:
    """A figure as SVG text, the same bytes for the same figure; call it within `style()`."""
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return written.getvalue()


def inline_svg(chart: Chart, summary: Summary, label: str) -> str:
    """A chart as an SVG element for a page: untitled, its colours the page's own, its ids unlike any other chart's.

    `label` is its text alternative; it is escaped here. A chart with nothing to draw is the sentence that says so.
    """
    with style():
        figure = figure_of(chart, summary, PAGE_WIDTH_IN)
        figure.patch.set_visible(False)
        (ax,) = figure.axes
        if not ax.axison:
            return f"<p>{escape(' '.join(ax.texts[0].get_text().split()))}</p>"
        ax.set_title("", loc="left")
        height = figure.get_figheight() - PAGE_HEADROOM_IN
        svg = svg_of(figure)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{chart.name}-", svg)
    for name, colour in PALETTE.items():
        svg = svg.replace(f": {colour}", f": var(--{name})")
    top, points = 72 * PAGE_HEADROOM_IN, f"{72 * PAGE_WIDTH_IN:g}"
    opening = f'<svg viewBox="0 {top:g} {points} {72 * height:g}" role="img" aria-label="{escape(label)}">'
    return re.sub(r"<svg\b.*?>", lambda _: opening, svg, count=1, flags=re.DOTALL).strip()
