"""How every chart looks: one light theme, colours that colour-blind readers tell apart, files equal byte for byte."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reports.words import alike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import Formatter

# Hues are Okabe and Ito's (jfly.uni-koeln.de/color, 2008); the greys stay 3:1 on white.
PALETTE = {
    "ink": "#1f2933",
    "muted": "#52606d",
    "grid": "#dde2e8",
    "logged": "#6b5b73",
    "baseline": "#8693a1",
    "routed": "#0072b2",
    "saves": "#009e73",
    "adds": "#d55e00",
}
WIDTH_IN = 8.0
SIZE_PT = 9.0
# Room beside the axes for half a tick's label.
LEFT_IN, RIGHT_IN = 0.2, 0.3

RC: dict[Any, Any] = {
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "axes.edgecolor": PALETTE["grid"],
    "axes.labelcolor": PALETTE["muted"],
    "axes.unicode_minus": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": SIZE_PT,
    "text.color": PALETTE["ink"],
    "text.parse_math": False,
    "xtick.color": PALETTE["muted"],
    "ytick.color": PALETTE["muted"],
    "svg.fonttype": "none",
    "svg.hashsalt": "backroute",
}


def ticks_alike(words: "Callable[[float], str]") -> "Formatter":
    """A formatter of an axis' ticks, with as many decimals in each; `words` says one of them."""
    from matplotlib.ticker import FuncFormatter

    class Alike(FuncFormatter):
        def format_ticks(self, values: Any) -> list[str]:
            return alike(super().format_ticks(values))

    return Alike(lambda value, _: words(value))


@contextmanager
def style() -> Iterator[None]:
    """Draw and save within this, and leave matplotlib's own settings as they were."""
    import warnings

    import matplotlib

    interactive = matplotlib.is_interactive()
    try:
        with warnings.catch_warnings(), matplotlib.rc_context(RC):
            # A name in a script this font lacks still reads in the table and, as text, in the SVG.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            try:
                yield
            finally:
                interactive = matplotlib.is_interactive()
    finally:
        # A notebook's backend, loaded by the first figure, turns it on: turned off again, no later chart would show.
        matplotlib.interactive(interactive)


def new_axes(height: float, left: float = LEFT_IN, right: float = RIGHT_IN) -> "Axes":
    """Axes of a new pyplot figure, `height` inches high: the caller's to show and to close."""
    import matplotlib.pyplot as plt

    with style():
        figure = plt.figure(figsize=(WIDTH_IN, height))
        return figure.add_axes(margins(WIDTH_IN, height, left, right))


def margins(
    width: float, height: float, left: float = LEFT_IN, right: float = RIGHT_IN
) -> tuple[float, float, float, float]:
    """Where axes lie in a figure of this many inches: left, bottom, width and height, as fractions."""
    bottom, top = 0.5, 0.45
    return left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height
