"""Betting on whether quality holds: evidence that may be looked at after every pair of answers.

Each observation is the difference in score of one request drawn at random, routed minus baseline, times the draw's
weight, so that its mean is the mean difference over the traffic. Someone who bets against "the mean is at most m" and
started with $1 holds more than $1/level at any time with a probability of at most `level` where that is true (Ville's
inequality; Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024). The wealth of a
fixed mixture of bets does not depend on the order in which answers came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

# Stakes as shares of the largest that cannot ruin: small ones for small differences seen often, large for few looks.
STAKES: Floats = np.geomspace(0.05, 0.95, 8)
_AT_ONCE, _LOOKS = 250, 25  # draws simulated in one go, and how often evidence is looked at among them


def log_evidence(seen: Floats, null: float, reach: float) -> float:
    """The natural log of the wealth of someone who bets that the mean is above `null`.

    Args:
        seen: weighted differences, each within [-reach, reach].
        null: the mean betted against, within (-reach, reach).
        reach: the largest weight.
    """
    return float(_mixed(log_wealth(seen, null, reach)))


def log_wealth(seen: Floats, null: float, reach: float) -> Floats:
    """The natural log of the wealth of each of STAKES; see `log_evidence`."""
    gains = (np.asarray(seen, np.float64) - null) / (reach + null)
    wealth: Floats = np.log1p(STAKES[:, None] * gains[None]).sum(axis=1)
    return wealth


def _mixed(wealth: Floats) -> Floats:
    most = wealth.max(axis=-1)
    mixed: Floats = most + np.log(np.exp(wealth - most[..., None]).mean(axis=-1))
    return mixed


def bounds(seen: Floats, reach: float, level: float) -> tuple[float, float]:
    """Lower and upper bound of the mean; each fails with a probability of at most `level`, however often one looks."""
    return _lower(seen, reach, level), -_lower(-np.asarray(seen), reach, level)


def _lower(seen: Floats, reach: float, level: float) -> float:
    low, high, needed = -reach, reach, -np.log(level)
    for _ in range(40):
        middle = (low + high) / 2
        # Evidence against a mean falls as the mean rises.
        if log_evidence(seen, middle, reach) >= needed:
            low = middle
        else:
            high = middle
    return low


def rejected(log_evidences: Sequence[float], level: float) -> list[bool]:
    """Which of several hypotheses fall, so that the chance that any true one does is at most `level`.

    Closed testing with averages of evidence, which needs no independence (Vovk and Wang, "E-values: calibration,
    combination and applications", 2021): each must stand together with the weakest k others, for every k.
    """
    found = []
    for mine in range(len(log_evidences)):
        others = sorted(value for at, value in enumerate(log_evidences) if at != mine)
        joined = np.logaddexp.accumulate(np.array([log_evidences[mine], *others], np.float64))
        means = joined - np.log(np.arange(1, len(joined) + 1))
        found.append(bool((means >= -np.log(level)).all()))
    return found


def draws_to_settle(
    drawn: Floats,
    null: float,
    reach: float,
    level: float,
    *,
    share: float,
    most: int,
    seed: int,
    held: Floats | None = None,
    either: bool = False,
) -> int | None:
    """How many more draws it takes for evidence of 1/level, by simulation.

    Args:
        drawn: what draws are simulated from, weighted differences.
        null, reach: as in `log_evidence`.
        level: the level of this one test; divided by the number of slices beforehand.
        share: of the simulated runs that must have settled by then: 0.8 is 80% power, 0.5 the median.
        most: where simulation stops.
        seed: of the simulation.
        held: observations there already are.
        either: whether evidence that the mean is below `null` settles it too.

    Returns:
        A number of draws; None: above `most`.
    """
    runs, needed = 100, -np.log(level)
    rng = np.random.default_rng(seed)
    before = np.zeros(0) if held is None else held
    sides = [(1.0, null)] + ([(-1.0, -null)] if either else [])
    wealth = [np.tile(log_wealth(sign * before, at, reach), (runs, 1)) for sign, at in sides]
    settled: list[int] = []
    for start in range(0, most, _AT_ONCE):
        drawn_now = rng.integers(len(drawn), size=(runs - len(settled), _AT_ONCE))
        done = np.zeros((len(drawn_now), _LOOKS), bool)
        for side, (sign, at) in enumerate(sides):
            path = _looks(wealth[side], sign * drawn, drawn_now, at, reach)
            done |= _mixed(path) >= needed
            wealth[side] = path[:, -1]
        ended = done.any(axis=1)
        settled += (start + (1 + done[ended].argmax(axis=1)) * (_AT_ONCE // _LOOKS)).tolist()
        wealth = [each[~ended] for each in wealth]
        if len(settled) >= share * runs:
            return sorted(settled)[int(np.ceil(share * runs)) - 1]
    return None


def chance(drawn: Floats, draws: int, null: float, reach: float, level: float, *, seed: int) -> float:
    """The power: the share of 400 simulated runs of this many draws whose evidence reaches 1/level along the way."""
    rng, runs = np.random.default_rng(seed), 400
    wealth, passed = np.zeros((runs, len(STAKES))), np.zeros(runs, bool)
    for start in range(0, draws, _AT_ONCE):
        drawn_now = rng.integers(len(drawn), size=(runs, min(_AT_ONCE, draws - start)))
        path = _looks(wealth, drawn, drawn_now, null, reach)
        passed |= (_mixed(path) >= -np.log(level)).any(axis=1)
        wealth = path[:, -1]
    return float(passed.mean())


def _looks(wealth: Floats, values: Floats, drawn_now: Ints, null: float, reach: float) -> Floats:
    """Log wealth (runs, looks, stakes) after every few of these draws, the last among them; a simulation need not look
    after each.
    """
    gains: Floats = np.log1p(STAKES[None] * ((values - null) / (reach + null))[:, None])
    every = max(1, _AT_ONCE // _LOOKS)
    path: Floats = np.empty((len(wealth), -(-drawn_now.shape[1] // every), len(STAKES)))
    for look in range(path.shape[1]):
        wealth = wealth + gains[drawn_now[:, look * every : (look + 1) * every]].sum(axis=1)
        path[:, look] = wealth
    return path
