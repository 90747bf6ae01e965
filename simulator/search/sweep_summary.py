"""A sweep as plain data: every point's cost and quality, the frontier, and the field's figures of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from router import LLMRouter
from simulator.counts import Array
from simulator.search.frontier import TwoModels, aiq, hull, pgr, two_models
from simulator.search.sweep import Point, Sums, Sweep
from simulator.sums.interval import LEVEL

SCHEMA = 1


def summarise_sweep(found: Sweep, router: LLMRouter) -> dict[str, Any]:
    """What sweep.json holds. Money is in decimal strings; a quality that is not known is null.

    `known_usd` and `quality` speak of the same requests, those whose quality is known under every rule's model.
    """
    settings = [_point(point) for point in found.settings]
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "rules": router.name,
        "rows": found.rows,
        "compared": found.compared,
        "caches_simulated": found.cached,
        "quality_known": found.settings[0].all.known,
        "level": LEVEL,
        "settings": settings,
        "single_models": [_point(point) for point in found.singles],
        "oracle": _point(found.oracle) if found.oracle else None,
        "frontier": None,
        "figures": None,
    }
    if found.has_quality:
        result["frontier"] = [{"usd": x, "quality": y} for x, y in hull(_xy(found.settings)).round(12).tolist()]
        result["figures"] = _figures(found, router, settings)
    return result


def _figures(found: Sweep, router: LLMRouter, settings: list[dict[str, Any]]) -> dict[str, Any]:
    every = np.concatenate([_xy(found.settings), _xy(found.singles)])
    low, high = float(every[:, 0].min()), float(every[:, 0].max())
    figures: dict[str, Any] = {
        "aiq": _rounded(aiq(_xy(found.settings), low, high)),
        "aiq_of_single_models": _rounded(aiq(_xy(found.singles), low, high)),
        "best_single_model": max(found.singles, key=lambda point: (point.all.quality or 0, -point.all.pico)).name,
        "apgr": None,
        "cpt50": None,
        "cpt80": None,
    }
    if len(found.singles) == 2:
        weak, strong = sorted(found.singles, key=lambda point: point.all.quality or 0)
        last_is_strong = router.rules[-1].target == strong.name
        curve = two_curve(found.settings, weak.all, strong.all, last_is_strong=last_is_strong)
        figures |= {"weak": weak.name, "strong": strong.name}
        if curve is not None:
            figures |= {name: _rounded(getattr(curve, name)) for name in ("apgr", "cpt50", "cpt80")}
        gap = weak.all.quality or 0.0, strong.all.quality or 0.0
        for point, said in zip(found.settings, settings, strict=True):
            said["pgr"] = _rounded(pgr(point.all.quality or 0.0, *gap))
            said["strong_share"] = _rounded(_share(point.all, last_is_strong))
    return figures


def two_curve(points: list[Point], weak: Sums, strong: Sums, *, last_is_strong: bool) -> TwoModels | None:
    """RouteLLM's figures of a sweep's points, the two models alone at the curve's ends."""
    inner = sorted((_share(point.all, last_is_strong), point.all.quality or 0.0) for point in points)
    shares = [0.0, *(share for share, _ in inner), 1.0]
    return two_models(shares, [weak.quality or 0.0, *(quality for _, quality in inner), strong.quality or 0.0])


def _share(sums: Sums, last_is_strong: bool) -> float:
    share = sums.to_last / sums.known if sums.known else 0.0
    return share if last_is_strong else 1 - share


def _xy(points: list[Point]) -> Array:
    return np.array([[point.all.known_usd, point.all.quality or 0.0] for point in points])


def _point(point: Point) -> dict[str, Any]:
    sums = point.all
    low, high = sums.interval or (None, None)
    return {
        "name": point.name,
        "values": dict(point.values),
        "usd": f"{sums.usd:f}",
        "known_usd": _rounded(sums.known_usd, 12) if sums.known else None,
        "quality": _rounded(sums.quality),
        "low": _rounded(low),
        "high": _rounded(high),
    }


def _rounded(value: float | None, digits: int = 6) -> float | None:
    return None if value is None else round(value, digits)
