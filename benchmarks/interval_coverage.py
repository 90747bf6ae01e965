"""Does resampling buckets of sessions cover like resampling sessions? Simulated logs whose true saving is known.

    .venv/bin/python -m benchmarks.interval_coverage [--logs 400]

Each log draws sessions from one population (log-normal costs, requests a session geometric, a share of the requests
routed to a model at a tenth of the price), and each method gives a 90% interval of the saving in percent. Printed: how
often it holds the population's saving, and its mean width. `docs/decisions/bootstrap-buckets.md` has the table.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from simulator.sums.bootstrap import BUCKETS, REPLICATES, bucket_of, weights

Array = np.ndarray[Any, np.dtype[Any]]
SHAPES = {"even": (0.5, 0.6), "heavy": (1.5, 0.6), "very heavy, few routed": (2.0, 0.05)}


def sessions(rng: np.random.Generator, n: int, sigma: float, share: float) -> tuple[Array, Array]:
    """Cost before and after of each session."""
    lengths = rng.geometric(0.4, n)
    owner = np.repeat(np.arange(n), lengths)
    cost = rng.lognormal(0, sigma, n)[owner] * rng.lognormal(0, 0.5, len(owner))
    routed = np.where(rng.random(len(owner)) < share, 0.1, 1.0) * cost
    return np.bincount(owner, cost, n), np.bincount(owner, routed, n)


def ends(base: Array, routed: Array, drawn: Array) -> tuple[float, float]:
    """The 90% interval of the saving, percent."""
    before, after = base @ drawn, routed @ drawn
    low, high = np.quantile(100 * (before - after) / before, [0.05, 0.95])
    return float(low), float(high)


def main() -> None:
    """Simulate, print a row per population and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=400)
    logs = parser.parse_args().logs
    print("population | sessions | covers, by session | by bucket | width, by session | by bucket")
    buckets = np.arange(BUCKETS, dtype=np.uint64)
    for name, (sigma, share) in SHAPES.items():
        true = 100 * 0.9 * share
        for n in (50, 1_000, 20_000):
            rng = np.random.default_rng([n, len(name)])
            held: list[list[tuple[float, float]]] = [[], []]
            for log in range(logs if n < 20_000 else logs // 4):
                base, routed = sessions(rng, n, sigma, share)
                keys = rng.integers(0, 2**64, n, dtype=np.uint64)
                held[0].append(ends(base, routed, weights(keys, log).astype(np.float64)))
                at = bucket_of(keys)
                before, after = (np.bincount(at, arm, BUCKETS) for arm in (base, routed))
                held[1].append(ends(before, after, weights(buckets, log, REPLICATES).astype(np.float64)))
            covers = [np.mean([low <= true <= high for low, high in each]) for each in held]
            widths = [np.mean([high - low for low, high in each]) for each in held]
            print(
                f"{name} | {n:,} | {covers[0]:.1%} | {covers[1]:.1%} | {widths[0]:.2f} | {widths[1]:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
