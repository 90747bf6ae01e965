"""The one shape most charts share: rows of bars, each row's name above it and each value at the end of its bar."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from reports.style import PALETTE, SIZE_PT, ticks_alike
from reports.words import printable, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Widths of the drawing font, as parts of its size: what a character takes on average, and a wide one.
CHARACTER_EM = 0.56
GAP_PT = 5.0
ROW_PT = {1: 31.0, 2: 43.0}


@dataclass(frozen=True, slots=True)
class Bar:
    """From `start` to `end` on the value axis, `text` at its far end; `low` and `high` draw a whisker.

    A null `end` draws no bar, only the text.
    """

    start: float
    end: float | None
    colour: str
    text: str
    low: float | None = None
    high: float | None = None

    @property
    def reach(self) -> float:
        """Where the text may begin."""
        return max(value for value in (self.start, self.end, self.high) if value is not None)

    @property
    def least(self) -> float:
        """The lowest value drawn."""
        return min(value for value in (self.start, self.end, self.low) if value is not None)


@dataclass(frozen=True, slots=True)
class Row:
    """A name and the bars beneath it."""

    label: str
    bars: tuple[Bar, ...]


def height_of(rows: int, bars: int = 1) -> float:
    """Inches a figure needs for this many rows of this many bars each, its margins included."""
    return 0.95 + max(rows, 2) * ROW_PT[bars] / 72


def rows_that_fit(ax: "Axes", bars: int = 1) -> int:
    """How many rows can be read on axes of this height."""
    return max(3, int(size_pt(ax)[1] / ROW_PT[bars] + 0.01))


def draw_rows(
    ax: "Axes",
    rows: Sequence[Row],
    axis: str,
    ticks: Callable[[float], str],
    *,
    from_zero: bool = True,
    mark: float | None = None,
) -> None:
    """Draw the rows from the top down; `axis` names the values and their unit, `ticks` formats them.

    `mark` is a value that a line goes down at.
    """
    from matplotlib.ticker import MaxNLocator

    width, _ = size_pt(ax)
    low, high = limits(rows, width, [*([0.0] if from_zero else []), *([] if mark is None else [mark])])
    ax.set_xlim(low, high)
    ax.set_ylim(max(len(rows), 2), 0)
    for at, row in enumerate(rows):
        name = fitted(printable(row.label), int(width / (SIZE_PT * CHARACTER_EM)))
        ax.text(low, at + 0.34, name, va="bottom", ha="left", fontsize=SIZE_PT, parse_math=False)
        thick = min(0.52 / len(row.bars), 0.36)
        for step, bar in enumerate(row.bars):
            draw_bar(ax, bar, at + 0.40 + thick * (step + 0.5), thick, GAP_PT * (high - low) / width)
    if low < 0 <= high:
        beside_bars(ax, 0.0, rows, PALETTE["grid"])
    if mark is not None:
        beside_bars(ax, mark, rows, PALETTE["ink"])
    ax.xaxis.set_major_locator(MaxNLocator(nbins=max(2, int(width / 75)), min_n_ticks=2))
    ax.xaxis.set_major_formatter(ticks_alike(ticks))
    ax.set_yticks([])
    frame(ax, axis)


def beside_bars(ax: "Axes", value: float, rows: Sequence[Row], colour: str) -> None:
    """A line down at a value, only beside the bars: across names and texts it would strike them through."""
    (low, high), width = ax.get_xlim(), size_pt(ax)[0]
    for at, row in enumerate(rows):
        ends = (bar.reach + text_pt(bar) * (high - low) / width for bar in row.bars)
        if not any(bar.reach < value < end for bar, end in zip(row.bars, ends, strict=True)):
            ax.plot([value, value], [at + 0.38, at + 0.98], color=colour, linewidth=1.2, zorder=4)


def text_pt(bar: Bar) -> float:
    """The width of a bar's text in points, and of the gaps around it."""
    return len(bar.text) * SIZE_PT * (CHARACTER_EM + 0.04) + 2 * GAP_PT


def fitted(name: str, characters: int) -> str:
    """A name cut to fit; of a rule and its model, the longer gives way to the shorter."""
    rule, arrow, model = name.partition(" → ")
    room = characters - len(arrow)
    if not arrow or len(rule) + len(model) <= room:
        return shortened(name, characters)
    kept = min(len(rule), max(room // 2, room - len(model)))
    return shortened(rule, kept) + arrow + shortened(model, room - kept)


def draw_bar(ax: "Axes", bar: Bar, y: float, thick: float, gap: float) -> None:
    """One bar centred on `y`, its whisker and its text; `gap` is in units of the value axis."""
    if bar.end is not None:
        start, end = sorted((bar.start, bar.end))
        ax.barh(y, end - start, left=start, height=thick * 0.86, color=bar.colour, linewidth=0, zorder=2)
    if bar.low is not None and bar.high is not None:
        cap = thick * 0.25
        ax.plot([bar.low, bar.high], [y, y], color=PALETTE["ink"], linewidth=1.2, zorder=3)
        for end in (bar.low, bar.high):
            ax.plot([end, end], [y - cap, y + cap], color=PALETTE["ink"], linewidth=1.2, zorder=3)
    text = printable(bar.text)
    ax.text(bar.reach + gap, y, text, va="center", ha="left", fontsize=SIZE_PT, color=PALETTE["ink"], parse_math=False)


def limits(rows: Sequence[Row], width: float, held: Sequence[float]) -> tuple[float, float]:
    """The value axis: all values and those to be `held`, to where every bar's text ends within `width` points."""
    bars = [bar for row in rows for bar in row.bars]
    low, high = min([*held, *(bar.least for bar in bars)]), max([*held, *(bar.reach for bar in bars)])
    if low == high:
        high = low + 1
    if low < 0 or 0 not in held:
        low -= (high - low) * 0.03
    for bar in bars:
        text = min(text_pt(bar), 0.75 * width)
        high = max(high, low + (bar.reach - low) * width / (width - text))
    return low, high


def frame(ax: "Axes", axis: str) -> None:
    """The value axis named; no box around, and no lines up from it, which would strike names and values through."""
    ax.set_xlabel(axis, fontsize=SIZE_PT, color=PALETTE["muted"], parse_math=False)
    ax.tick_params(axis="x", length=0, labelsize=SIZE_PT, labelcolor=PALETTE["muted"])
    for side in ax.spines.values():
        side.set_visible(False)


def title(ax: "Axes", text: str) -> None:
    """What the chart says, as one line over it."""
    fits = int(size_pt(ax)[0] / (SIZE_PT * 1.15 * (CHARACTER_EM + 0.04)))
    text = shortened(printable(text), fits)
    ax.set_title(text, loc="left", fontsize=SIZE_PT * 1.2, fontweight="bold", color=PALETTE["ink"], parse_math=False)


def say_nothing(ax: "Axes", text: str) -> None:
    """Axes with nothing to draw say why."""
    ax.set_axis_off()
    said = fill(text, int(size_pt(ax)[0] / (SIZE_PT * (CHARACTER_EM + 0.04))))
    ax.text(0.5, 0.5, said, transform=ax.transAxes, ha="center", va="center", color=PALETTE["muted"], fontsize=SIZE_PT)


def size_pt(ax: "Axes") -> tuple[float, float]:
    """Width and height of the axes in points."""
    figure, place = ax.get_figure(root=True), ax.get_position()
    if figure is None:
        return 400.0, 240.0
    return place.width * figure.get_figwidth() * 72, place.height * figure.get_figheight() * 72
