"""The chart of a sweep: cost against quality, what mixing single models by lot would give, and the best in hindsight.

Draws `simulator.search.sweep_summary.summarise_sweep`'s dictionary, which `backroute sweep --out` writes as
sweep.json; it stands alone beside the savings report, whose charts draw summary.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.bars import title
from reports.figures import svg_of
from reports.style import PALETTE, SIZE_PT, new_axes, style, ticks_alike
from reports.words import printable, short_usd
from reports.write import DPI, written_to

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

HEIGHT_IN = 4.2
LEFT_IN = 0.8  # room for the quality's ticks and name


def sweep_chart(sweep: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Cost in US dollars against mean quality; without a known quality, cost by setting.

    Args:
        sweep: what `summarise_sweep` gave.
        ax: where to draw; new axes when left out.
    """
    ax = ax if ax is not None else new_axes(HEIGHT_IN, left=LEFT_IN)
    ax.grid(color=PALETTE["grid"], linewidth=0.6)
    ax.set_axisbelow(True)
    if sweep["quality_known"]:
        _against_quality(sweep, ax)
        ax.xaxis.set_major_formatter(ticks_alike(short_usd))
        ax.set_xlabel("US dollars")
        ax.set_ylabel("Mean quality")
        title(ax, f"What quality costs: {sweep['rules']}, {sweep['quality_known']:,} requests")
    else:
        costs = [float(point["usd"]) for point in sweep["settings"]]
        ax.plot(range(len(costs)), costs, marker="o", color=PALETTE["routed"], linewidth=1.2, markersize=4)
        # From the first point to the right and from the last to the left, a line apart: names are long.
        for at, side, above in ((0, "left", ""), (len(costs) - 1, "right", "\n"))[: len(costs)]:
            ax.text(at, -0.03, above + sweep["settings"][at]["name"], transform=ax.get_xaxis_transform(),
                    ha=side, va="top", color=PALETTE["muted"], fontsize=SIZE_PT)  # fmt: skip
        ax.set_xticks([])
        ax.set_ylabel("US dollars")
        ax.yaxis.set_major_formatter(ticks_alike(short_usd))
        title(ax, f"What each setting costs: {sweep['rules']}; no quality is known")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0, labelsize=SIZE_PT)
    return ax


def write_sweep(sweep: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write sweep.json and the chart as SVG and PNG; returns the files.

    Raises:
        BackrouteError: the folder cannot be written.
    """
    with written_to(folder), style():
        import matplotlib.pyplot as plt

        files = [folder / "sweep.json", folder / "sweep.svg", folder / "sweep.png"]
        files[0].write_text(json.dumps(sweep, indent=2) + "\n", "utf-8")
        axes = sweep_chart(sweep)
        figure = axes.get_figure(root=True)
        assert figure is not None  # new axes have one
        files[1].write_bytes(svg_of(figure).encode())
        figure.savefig(files[2], dpi=DPI)
        plt.close(figure)
    return files


def _against_quality(sweep: Mapping[str, Any], ax: Axes) -> None:
    from simulator.search.frontier import hull

    settings, singles = _xy(sweep["settings"]), _xy(sweep["single_models"])
    mixed, best = hull(singles), hull(settings)
    ax.plot(*mixed.T, color=PALETTE["baseline"], linestyle="--", linewidth=1.0, label="Single models mixed by lot")
    ax.plot(*best.T, color=PALETTE["routed"], linewidth=1.4, label="Convex hull of the settings")
    ax.scatter(settings[:, 0], settings[:, 1], s=18, color=PALETTE["routed"], zorder=3, label="A setting of the rules")
    alone: dict[str, Any] = {"s": 34, "marker": "s", "color": PALETTE["baseline"], "label": "One model for all"}
    ax.scatter(singles[:, 0], singles[:, 1], zorder=3, **alone)
    if sweep["oracle"]:
        x, y = _xy([sweep["oracle"]])[0]
        ax.scatter([x], [y], s=44, marker="*", color=PALETTE["saves"], zorder=3, label="Best in hindsight")
    for (x, y), name in zip(singles, (point["name"] for point in sweep["single_models"]), strict=True):
        right = x > sum(ax.get_xlim()) / 2
        ax.annotate(
            printable(name),
            (x, y),
            xytext=(-6, 7) if right else (6, -12),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=SIZE_PT,
            color=PALETTE["muted"],
        )
    ax.margins(0.08, 0.12)
    ax.legend(frameon=False, fontsize=SIZE_PT, loc="lower right")


def _xy(points: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    import numpy as np

    return np.array([[point["known_usd"], point["quality"]] for point in points], np.float64)
