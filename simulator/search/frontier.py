"""Cost against quality: the convex hull, and the field's figures for a router, RouteLLM's and RouterBench's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.counts import Array


@dataclass(frozen=True)
class TwoModels:
    """RouteLLM's figures (arXiv 2406.18665, section 3) of one router between a weak and a strong model.

    Args:
        apgr: the mean performance gap recovered over all shares of strong calls; random mixing scores 0.5.
        cpt50, cpt80: the least share of strong calls that recovers 50% and 80% of the gap; None where none does.
    """

    apgr: float
    cpt50: float | None
    cpt80: float | None


def pgr(quality: float, weak: float, strong: float) -> float | None:
    """Performance gap recovered: 0 at the weak model's quality, 1 at the strong one's; None without a gap."""
    return None if strong == weak else (quality - weak) / (strong - weak)


def two_models(shares: Sequence[float] | Array, qualities: Sequence[float] | Array) -> TwoModels | None:
    """The figures of a curve.

    Args:
        shares: of calls to the strong model, from 0 to 1 inclusive, ascending.
        qualities: mean quality at each; the first is the weak model's, the last the strong one's.

    Returns:
        None where the strong model is not better: there is no gap to recover.

    Between two points the curve is straight: requests of one score are sent by lot.
    """
    share, quality = np.asarray(shares, np.float64), np.asarray(qualities, np.float64)
    if not quality[-1] > quality[0]:
        return None
    gap = (quality - quality[0]) / (quality[-1] - quality[0])
    area = float((np.diff(share) * (gap[1:] + gap[:-1]) / 2).sum())
    return TwoModels(area, _reached(share, gap, 0.5), _reached(share, gap, 0.8))


def score_curve(scores: Array, weak: Array, strong: Array) -> tuple[Array, Array]:
    """The curve of sending the requests with the highest scores to the strong model, for every threshold.

    Args:
        scores: float64 per request, higher where the strong model is more needed.
        weak, strong: float64, each model's quality on each request.

    Returns:
        Shares of strong calls and mean qualities; equal scores go together.
    """
    order = np.argsort(-scores, kind="stable")
    gained = np.concatenate([[0.0], np.cumsum((strong - weak)[order])])
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0) + 1
    taken = np.concatenate([[0], ends])
    return taken / len(scores), float(weak.mean()) + gained[taken] / len(scores)


def hull(points: Array) -> Array:
    """The non-decreasing convex hull of (cost, quality) points, by cost: RouterBench (arXiv 2403.12031), section 3.

    From the cheapest point upwards, every point that no mixture of others of the same mean cost beats.
    """
    ordered = points[np.lexsort((-points[:, 1], points[:, 0]))]
    kept: list[Array] = []
    for point in ordered:
        if kept and point[1] <= kept[-1][1]:
            continue
        while len(kept) > 1 and _left_of(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return np.array(kept)


def aiq(points: Array, low: float, high: float) -> float | None:
    """Average improvement in quality: the hull's mean height over costs from `low` to `high`.

    RouterBench, section 3. Below the hull's first cost its first quality is taken, beyond its last one its last. None
    where `high` is not above `low`.
    """
    if not high > low:
        return None
    line = hull(points)
    inside = line[(line[:, 0] > low) & (line[:, 0] < high), 0]
    at = np.concatenate([[low], inside, [high]])
    height = np.interp(at, line[:, 0], line[:, 1])
    return float((np.diff(at) * (height[1:] + height[:-1]) / 2).sum() / (high - low))


def _left_of(first: Array, middle: Array, last: Array) -> bool:
    """Whether the middle point lies on or below the line between the others."""
    slope = (middle[0] - first[0]) * (last[1] - first[1]) - (middle[1] - first[1]) * (last[0] - first[0])
    return bool(slope >= 0)


def _reached(share: Array, gap: Array, wanted: float) -> float | None:
    above = np.flatnonzero(gap >= wanted)
    if not len(above):
        return None
    at = int(above[0])
    if at == 0 or gap[at] == gap[at - 1]:
        return float(share[at])
    part = (wanted - gap[at - 1]) / (gap[at] - gap[at - 1])
    return float(share[at - 1] + part * (share[at] - share[at - 1]))
