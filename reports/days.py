"""Spend over time, both arms."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from reports.bars import frame, say_nothing, size_pt, title
from reports.style import PALETTE, SIZE_PT, new_axes, ticks_alike
from reports.summary import Summarised, amount, before_arm, summary_of
from reports.words import counted, short_usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT_IN = 3.6
# Room for the dollars left of the axes and the names right of them.
MONEY_IN, NAMES_IN = 0.9, 1.0
MARKED_DAYS = 45
# Beyond this many days a line of single days is all weekends; the mean of seven reads better.
MOST_DAYS = 120


def day_chart(result: Summarised, ax: "Axes | None" = None) -> "Axes":
    """Spend a day, before (baseline, or as logged where that is the headline) and with routing, USD.

    Requests without a time are left out, and counted in the title. A day without requests costs nothing. A log of many
    months is drawn as the mean of the last seven days.
    """
    from matplotlib.ticker import MaxNLocator

    summary = summary_of(result)
    ax = ax if ax is not None else new_axes(HEIGHT_IN, MONEY_IN, NAMES_IN)
    arm, listed = before_arm(summary), summary["compared"]["by_day"]
    lines = [
        ("as logged" if arm == "logged" else arm, arm, daily(listed, "before_usd")),
        ("with routing", "routed", daily(listed, "routed_usd")),
    ]
    lines = [line for line in lines if line[2]]
    smooth = any(len(points) > MOST_DAYS for _, _, points in lines)
    if smooth:
        lines = [(name, colour, smoothed(points)) for name, colour, points in lines]
    if not lines:
        say_nothing(ax, "No spend over time to show: no request has both a time and a price.")
        return ax
    width, height = size_pt(ax)
    ends = apart([line[2][-1][1] for line in lines], max(top(line[2]) for line in lines), height)
    for (name, colour, points), end in zip(lines, ends, strict=True):
        days, spent = [day for day, _ in points], [money for _, money in points]
        # The line before is the broader, so that it still shows where the two coincide.
        broad = 1.6 if colour == "routed" else 2.6
        mark = "o" if len(points) <= MARKED_DAYS else ""
        ax.plot(days, spent, color=PALETTE[colour], linewidth=broad, marker=mark, markersize=2 * broad, zorder=3)  # type: ignore[arg-type]
        ax.annotate(
            name, (1, end), xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points",
            va="center", fontsize=SIZE_PT, fontweight="bold",
            color=PALETTE["muted" if colour == "baseline" else colour], annotation_clip=False, parse_math=False,
        )  # fmt: skip
    first, last = lines[0][2][0][0], lines[0][2][-1][0]
    pad = timedelta(days=max(1, (last - first).days * 0.02))
    ax.set_xlim(first - pad, last + pad)  # type: ignore[arg-type]
    ax.set_ylim(0, max(top(line[2]) for line in lines) * 1.08 or 1)
    frame(ax, "day, UTC")
    date_ticks(ax, [day for day, _ in lines[0][2]], most=max(2, int(width / 72)))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    ax.yaxis.set_major_formatter(ticks_alike(short_usd))
    ax.tick_params(axis="x", pad=8)
    ax.tick_params(axis="y", length=0, labelsize=SIZE_PT, labelcolor=PALETTE["muted"])
    ax.set_ylabel(
        "US dollars per day" + (", mean of 7 days" if smooth else ""), fontsize=SIZE_PT, color=PALETTE["muted"]
    )
    ax.grid(visible=False, axis="x")
    ax.grid(axis="y", color=PALETTE["grid"], linewidth=0.7)
    undated = sum(row["requests"] for row in listed if row["day"] is None)
    title(ax, "Spend per day" + (f" ({counted(undated, 'request')} without a time left out)" if undated else ""))
    return ax


def date_ticks(ax: "Axes", days: list[date], most: int) -> None:
    """Every day where there is room for all of them, else some spread evenly from the first to the last."""
    number = min(most, len(days))
    shown = [days[round(at * (len(days) - 1) / max(number - 1, 1))] for at in range(number)]
    ax.set_xticks(shown, [str(day) for day in shown])  # type: ignore[arg-type]


def daily(rows: list[dict[str, str | None]], column: str) -> list[tuple[date, float]]:
    """Day and USD in order of time, from the rows that have both, with days between them that had no requests at 0."""
    spent: dict[date, float] = {}
    for row in rows:
        money = amount(row[column])
        if row["day"] is not None and money is not None:
            spent[date.fromisoformat(row["day"])] = float(money)
    listed = {date.fromisoformat(row["day"]) for row in rows if row["day"] is not None}
    if not spent:
        return []
    first, last = min(spent), max(spent)
    between = (first + timedelta(days=step) for step in range((last - first).days + 1))
    # A day that is listed without a price stays a gap; one that is not listed had no requests.
    return [(day, spent.get(day, 0.0)) for day in between if day in spent or day not in listed]


def smoothed(points: list[tuple[date, float]]) -> list[tuple[date, float]]:
    """The mean of each point and the six before it, from the seventh on."""
    spent = [money for _, money in points]
    return [(day, sum(spent[at - 6 : at + 1]) / 7) for at, (day, _) in enumerate(points) if at >= 6]


def top(points: list[tuple[date, float]]) -> float:
    """The highest spend of a line, USD."""
    return max(money for _, money in points)


def apart(ends: list[float], highest: float, height: float) -> list[float]:
    """Where the names of two lines stand, moved apart where they would overlap; `height` in points."""
    room = (highest or 1) * 1.08 * 1.4 * SIZE_PT / height
    if len(ends) < 2 or abs(ends[0] - ends[1]) >= room:
        return ends
    middle = max(sum(ends) / 2, room / 2)
    up = 1 if ends[0] >= ends[1] else -1
    return [middle + up * room / 2, middle - up * room / 2]
