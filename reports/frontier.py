"""Cost against quality: each policy a point, and the frontier that no other policy beats on both."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from reports.bars import CHARACTER_EM, frame, say_nothing, size_pt, title
from reports.style import PALETTE, SIZE_PT, new_axes, ticks_alike
from reports.words import printable, short_usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT_IN = 4.2
LEFT_IN, RIGHT_IN = 0.9, 0.4
LINE = 1.3  # of two names above each other, as a part of their size
GAP_PT = 7.0
FAR_APART = 20  # costs further apart than this need an axis of ratios
NAMED = 14  # points beyond these are drawn without their names

Points = Mapping[str, tuple[float, float]]


def frontier(points: Points) -> list[str]:
    """The names of the points that no other beats: none is both as cheap and better, or as good and cheaper."""
    best: list[str] = []
    for name, (_, quality) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if not best or quality > points[best[-1]][1]:
            best.append(name)
    return best


def frontier_chart(
    points: Points,
    ax: "Axes | None" = None,
    *,
    quality: str = "quality, % of answers right",
    own: Iterable[str] = (),
    limits: Iterable[str] = (),
) -> "Axes":
    """Draw policies by their cost and quality, the frontier as a line; costs far apart are drawn by their ratio.

    Args:
        points: (USD, quality) by the policy's name.
        ax: axes to draw on; a new figure's when left out.
        quality: what the height means, with its unit.
        own: names drawn in the colour of routing, the others in grey.
        limits: names that no policy can reach, hindsight for example: drawn hollow, and not part of the frontier.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    ax = ax if ax is not None else new_axes(HEIGHT_IN, LEFT_IN, RIGHT_IN)
    if not points:
        say_nothing(ax, "No policies to compare.")
        return ax
    mine, beyond = set(own), set(limits)
    best = frontier({name: point for name, point in points.items() if name not in beyond})
    line = [points[name] for name in best]
    ax.plot(*zip(*line, strict=True), color=PALETTE["saves"], linewidth=1.6, zorder=2)
    for name, (usd, height) in points.items():
        colour = PALETTE["routed" if name in mine else "baseline"]
        hollow = {"markerfacecolor": "none", "markeredgecolor": colour} if name in beyond else {}
        ax.plot([usd], [height], "o", color=colour, markersize=7, zorder=3, **hollow)  # type: ignore[arg-type]
    costs = [usd for usd, _ in points.values()]
    wide = min(costs) > 0 and max(costs) > FAR_APART * min(costs)
    ax.set_xscale("log" if wide else "linear")
    ax.margins(x=0.12, y=0.12)
    frame(ax, "US dollars" + (", each step the same ratio" if wide else ""))
    ax.xaxis.set_major_formatter(ticks_alike(short_usd))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)) if wide else MaxNLocator(nbins=6))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6))
    ax.tick_params(axis="x", which="minor", length=0)
    ax.tick_params(axis="y", length=0, labelsize=SIZE_PT, labelcolor=PALETTE["muted"])
    ax.set_ylabel(quality, fontsize=SIZE_PT, color=PALETTE["muted"], parse_math=False)
    ax.grid(axis="y", color=PALETTE["grid"], linewidth=0.7)
    name_points(ax, points, best)
    title(ax, "Cost against quality; no policy beats those on the line on both")
    return ax


def name_points(ax: "Axes", points: Points, best: list[str]) -> None:
    """Each point's name beside it, towards the middle, moved up where two would overlap."""
    width, height = size_pt(ax)
    placed: list[tuple[float, float, float]] = []
    named = sorted((name for name in points if len(points) <= NAMED or name in best), key=lambda name: points[name][1])
    for name in named:
        across, up = ax.transAxes.inverted().transform(ax.transData.transform(points[name])) * (width, height)
        way, room = (1 if across < width / 2 else -1), len(name) * SIZE_PT * CHARACTER_EM
        start = across + GAP_PT * way - (room if way < 0 else 0)
        while any(abs(up - y) < LINE * SIZE_PT and start < right and left < start + room for y, left, right in placed):
            up += 1.0
        placed.append((up, start, start + room))
        ax.text(
            (across + GAP_PT * way) / width, up / height, printable(name), transform=ax.transAxes,
            ha="left" if way > 0 else "right", va="center", fontsize=SIZE_PT, color=PALETTE["ink"], parse_math=False,
        )  # fmt: skip
