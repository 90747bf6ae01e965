"""How well the quality of another model is predicted on a task never seen: `make bench-fidelity` prints it last.

Each of the two maths tasks is left out and predicted from the other, for every pair of models that answered both. The
spread between tasks is the packaged one, which these two tasks gave: with two, none is left to fit it on.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from simulator.counterfactual.quality import Outcomes, Scored, expected_quality
from simulator.predicted_quality import MARGIN

TASKS = ("gsm", "math-l5")


def report() -> None:
    """Print errors, coverage and verdicts, with and without the source's own scores."""
    outcomes = Outcomes.load()
    print(f"\nQuality, one maths task predicted from the other; verdicts at a margin of {MARGIN:.0%}")
    print(
        f"  {'left out':10s}{'scores in the log':>18s}{'pairs':>7s}{'error':>8s}{'no change':>11s}{'covers':>8s}"
        f"{'width':>7s}{'keeps':>7s}{'wrong':>7s}{'loses':>7s}{'wrong':>7s}{'unknown':>9s}"
    )
    for scored, held in itertools.product((True, False), TASKS):
        rest = [task for task in TASKS if task != held]
        known = replace(outcomes, results={task: outcomes.results[task] for task in rest})
        table = outcomes.results[held]
        models = sorted(set(table).intersection(*(outcomes.results[task] for task in rest)))
        true, found = [], []
        for source, target in itertools.permutations(models, 2):
            (n, right), (of, good) = table[source], table[target]
            seen = Scored(n, right / n) if scored else None
            true.append(good / of - right / n)
            found.append(expected_quality(known, source, target, outcomes.tasks[held], seen, None))
        truth = np.array(true)
        told = np.array([[each.difference, each.low, each.high] for each in found], float)
        keeps = [each.keeps(MARGIN) for each in found]
        good_ = np.array([verdict is True for verdict in keeps])
        bad = np.array([verdict is False for verdict in keeps])
        covered = ((told[:, 1] <= truth) & (truth <= told[:, 2])).mean()
        print(
            f"  {held:10s}{'yes' if scored else 'no':>18s}{len(truth):7d}{np.median(abs(truth - told[:, 0])):8.3f}"
            f"{np.median(abs(truth)):11.3f}{covered:8.1%}{(told[:, 2] - told[:, 1]).mean():7.2f}{good_.sum():7d}"
            f"{(good_ & (truth < -MARGIN)).sum():7d}{bad.sum():7d}{(bad & (truth > -MARGIN)).sum():7d}"
            f"{(~good_ & ~bad).sum():9d}"
        )


if __name__ == "__main__":
    report()
