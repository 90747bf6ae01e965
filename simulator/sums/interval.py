"""How sure a saving is: sampling of sessions joined with the token error of every pair of models, in one simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulator.arms import NANO
from simulator.counts import Array
from simulator.state.assumed import HITS, MOST_LOST
from simulator.sums.bootstrap import BUCKETS, REPLICATES, weights
from simulator.sums.fold import SIDES, ArmSums, Comparison
from simulator.usage.pairs import SAME_MODEL, Pair, Spread

LEVEL = 0.90
DRAWS = 10  # token draws beside each bootstrap replicate
ONE_THREAD = 200_000  # multiplications, which OpenBLAS does not share out

SAMPLING = "which requests arrived (sessions resampled)"
REQUESTS = "answer lengths of single requests"
ESTIMATES = "estimated token counts"
SIDE_NAMES = ("input tokens on another model", "output tokens on another model", "hidden reasoning tokens")


@dataclass(frozen=True)
class Interval:
    """Where the saving lies.

    Args:
        low_pct, high_pct: the central `level` of the saving, in percent of the baseline.
        probability_positive: share of the simulation in which routing is cheaper.
        includes: the sources of uncertainty in it.
        alone: per source, the interval it would give on its own, widest first: (source, low_pct, high_pct).
    """

    low_pct: float | None
    high_pct: float | None
    probability_positive: float | None
    includes: tuple[str, ...]
    alone: tuple[tuple[str, float, float], ...]


def interval(
    comparison: Comparison, spreads: Mapping[Pair, Spread], seed: int, hits: tuple[int, int] = (0, 0)
) -> Interval:
    """Simulate the saving of a comparison.

    Every draw takes one bootstrap replicate and, per pair of models and side, one log-normal factor of mean one; the
    two arms share it where they share the pair. Single requests' lengths add a normal term. Of what assumed cache hits
    saved in the two arms, `hits` in picodollars, every draw loses one share for both, up to MOST_LOST.
    """
    present = {pair for sums in (comparison.baseline, comparison.routed) for pair in sums.by_pair}
    unsure = {
        _named(pair, side)
        for pair in present
        for side in range(SIDES)
        if _sds(spreads[pair])[side] > 0 and _has_money(comparison, pair, side)
    }
    named = [name for name in (*SIDE_NAMES, ESTIMATES) if name in unsure]
    sources = [SAMPLING, *named, *([REQUESTS] if comparison.noise else []), *([HITS] if any(hits) else [])]
    if not comparison.total.baseline:
        return Interval(None, None, None, tuple(sources), ())
    normals = {pair: _normals(seed, pair.seed) for pair in present}
    single = _normals(seed, -1)[0]
    lost = np.random.default_rng([seed, *HITS.encode()]).uniform(0, MOST_LOST, REPLICATES * DRAWS) / NANO
    # Floats are summed in one order, whatever the order in which the pairs were met.
    order = sorted(present, key=lambda pair: (pair != SAME_MODEL, str(tuple(pair))))

    arms = [_Drawn.of(sums, order, seed) for sums in (comparison.baseline, comparison.routed)]

    def simulate(only: str | None) -> tuple[Array, Array]:
        sampled = only in (None, SAMPLING)
        factors = {
            pair: _factors(normals[pair], spreads[pair], [only in (None, _named(pair, i)) for i in range(SIDES)])
            for pair in present
        }
        base, routed = (_totals(arm, factors, sampled=sampled) for arm in arms)
        if only in (None, REQUESTS):
            routed = routed + single * np.sqrt(comparison.noise)
        if only in (None, HITS):
            base, routed = (total + lost * saved for total, saved in zip((base, routed), hits, strict=True))
        return base, routed

    base, routed = simulate(None)
    low, high = _central(_percent(base, routed))
    alone = [(source, *_central(_percent(*simulate(source)))) for source in sources]
    alone.sort(key=lambda row: row[1] - row[2])
    return Interval(low, high, float(np.mean((base > routed)[base > 0])), tuple(sources), tuple(alone))


def _normals(seed: int, own: int) -> Array:
    return np.random.default_rng([seed, own + 1]).standard_normal((SIDES, REPLICATES * DRAWS))


def _sds(spread: Spread) -> tuple[float, float, float]:
    return spread.input, spread.output, spread.reasoning


def _named(pair: Pair, side: int) -> str:
    return SIDE_NAMES[side] if pair.moved else ESTIMATES


def _has_money(comparison: Comparison, pair: Pair, side: int) -> bool:
    arms = (comparison.baseline, comparison.routed)
    return any(sums.total(pair, side) for sums in arms)


def _factors(normals: Array, spread: Spread, active: Sequence[bool]) -> Array:
    sds = np.where(active, _sds(spread), 0.0)[:, None]
    # The arms hold expected costs, so the factors around them average one.
    return np.asarray(np.exp(normals * sds - sds**2 / 2))


@dataclass(frozen=True)
class _Drawn:
    """One arm's nanodollars by pair: of the log as it is (SIDES, 1), and of every draw (SIDES, REPLICATES * DRAWS)."""

    alone: dict[Pair, Array]
    sampled: dict[Pair, Array]

    @classmethod
    def of(cls, sums: ArmSums, order: Sequence[Pair], seed: int) -> _Drawn:
        held = [pair for pair in order if pair in sums.by_pair]
        alone = {pair: sums.by_pair[pair].sum(axis=1, keepdims=True) for pair in held}
        every = np.zeros((0, REPLICATES))
        if held:
            every = _times(np.concatenate([sums.by_pair[pair] for pair in held]).astype(np.float64), seed)
        repeated = np.repeat(every.reshape(len(held), SIDES, REPLICATES), DRAWS, axis=2)
        return cls(alone, dict(zip(held, repeated, strict=True)))


def _times(sums: Array, seed: int) -> Array:
    """Sums by bucket times the replicates' weights: of whole numbers, and so exact in any order.

    In parts so small that BLAS keeps to one thread: on a busy machine, waiting for a second one takes 0.3 s.
    """
    drawn, total = _bucket_weights(seed), np.zeros((len(sums), REPLICATES))
    step = max(1, ONE_THREAD // total.size)
    for start in range(0, BUCKETS, step):
        total += sums[:, start : start + step] @ drawn[start : start + step]
    return total


@lru_cache(maxsize=4)
def _bucket_weights(seed: int) -> Array:
    """Float64 (BUCKETS, REPLICATES)."""
    return weights(np.arange(BUCKETS, dtype=np.uint64), seed).astype(np.float64)


def _totals(arm: _Drawn, factors: dict[Pair, Array], *, sampled: bool) -> Array:
    total = np.zeros(REPLICATES * DRAWS)
    for pair, by_side in (arm.sampled if sampled else arm.alone).items():
        total += (by_side * factors[pair]).sum(axis=0)
    return total


def _percent(base: Array, routed: Array) -> Array:
    """Savings of the draws that hold any spend: of few requests some hold none, which is no saving of 0%."""
    some = base > 0
    return np.asarray((base - routed)[some] / base[some] * 100)


def _central(percent: Array) -> tuple[float, float]:
    low, high = np.quantile(percent, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
