"""What a routed spend is worth beside simpler policies: the best single model, a lottery of equal spend, hindsight."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from problems import BackrouteError
from router import Random
from simulator.money import exact_sum
from simulator.result import ReplayResult


def routed_usd(result: ReplayResult) -> Decimal:
    """What a result's arm cost over the requests compared, in USD."""
    return Decimal(result.summary["routed"]["usd"])


def best_single(results: Sequence[ReplayResult]) -> ReplayResult:
    """The cheapest of some results of one run, usually `AlwaysUse` each: the best single model on cost alone.

    Raises:
        BackrouteError: none was given.
    """
    if not results:
        raise BackrouteError("best_single", "no results to choose from", fix="replay each model with AlwaysUse first")
    return min(results, key=routed_usd)


def equal_spend(routed: ReplayResult, cheap: ReplayResult, dear: ReplayResult, *, seed: int = 0) -> Random:
    """The lottery between two single models that is expected to cost what the routed arm costs.

    The dear model's share is (routed - cheap) / (dear - cheap): a router worth its name must do better than chance at
    the same price.

    Raises:
        BackrouteError: the routed spend lies outside what the two models cost.
    """
    spent, low, high = (routed_usd(result) for result in (routed, cheap, dear))
    if not low <= spent <= high or low == high:
        what = f"${spent} does not lie between the two models' ${low} and ${high}"
        raise BackrouteError("equal_spend", what, fix="choose a cheaper and a dearer model")
    share = float((spent - low) / (high - low))
    cheap_model, dear_model = (result.scenario.router.rules[0].target for result in (cheap, dear))
    return Random({dear_model: share, cheap_model: 1 - share}, seed=seed)


def hindsight_usd(results: Sequence[ReplayResult]) -> Decimal:
    """What the log would have cost with each request on the cheapest of some arms, as known afterwards.

    Over requests that every arm can serve and price.

    Raises:
        BackrouteError: fewer than one result besides the baseline, whose arm has no file of its own.
    """
    if not results or any(result.number == 0 for result in results):
        raise BackrouteError("hindsight_usd", "give candidates, not the baseline", fix="replay(log, base, a, b, ...)")
    frames = [result.requests()[["routed_usd_pico", "routed_feasible"]] for result in results]
    usable = np.all([frame["routed_feasible"] & frame["routed_usd_pico"].notna() for frame in frames], axis=0)
    each = np.stack([frame.loc[usable, "routed_usd_pico"].astype("int64").to_numpy() for frame in frames])
    return Decimal(exact_sum(each.min(axis=0))).scaleb(-12)
