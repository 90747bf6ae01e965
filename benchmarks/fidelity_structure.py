"""Need the model's structure be chosen, and would more kinds of task help? `python -m benchmarks.fidelity_structure`.

Structures with less in them are compared with the whole one without seeing the kind of task that is judged: within each
kind left out, every other kind is left out too, and the structure with the least mean error there is taken.
"""

from __future__ import annotations

import argparse
import itertools
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.fidelity_cells import DATA, SIX, Answers
from simulator.counterfactual import Parameters
from simulator.counterfactual.kernel import Scales
from simulator.counterfactual.outcomes import read_outcomes, read_published

STRUCTURES = {
    "whole": (),
    "without slopes": ("model_lean", "model_slope", "family_lean", "family_slope"),
    "without kinds": ("model_kind", "family_kind"),
    "without families": ("family", "family_lean", "family_slope", "family_kind", "family_task"),
}
SUBSETS = 2  # of the kinds trained on, drawn for each number of them


class Left:
    """Mean errors of the six models' pairs on a kind of task, by fits that never saw some kinds."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.kinds = tuple(dict.fromkeys(answers.kinds.values()))
        self.with_answers = {answers.kinds[str(task)] for task in answers.frame["task"].unique()}
        self.error = cache(self._error)

    def _tasks(self, kinds: frozenset[str]) -> list[str]:
        return [task for task, kind in self.answers.kinds.items() if kind in kinds]

    def errors(self, params: Parameters, kind: str) -> list[float]:
        """Relative errors of every pair and task of a kind."""
        found = []
        for task, (source, target) in itertools.product(self._tasks(frozenset([kind])), itertools.permutations(SIX, 2)):
            cell = self.answers.cell(params, source, target, task)
            found += [cell.error("model")] if cell else []
        return found

    def _error(self, structure: str, kind: str, unseen: frozenset[str]) -> float:
        return float(np.mean(self.errors(self._fit(structure, unseen), kind)))

    @cache  # noqa: B019 (one object a run)
    def _fit(self, structure: str, unseen: frozenset[str]) -> Parameters:
        return self.answers.fit(self._tasks(unseen), without=STRUCTURES[structure])


def select(left: Left) -> None:
    """Print each structure's error by kind left out, and that of the structure chosen without seeing the kind."""
    print("\nMean error by kind of task left out, and the structure that the other kinds would choose")
    print(f"{'kind':12s}" + "".join(f"{name:>18s}" for name in STRUCTURES) + "   chosen")
    chosen_errors, whole_errors = [], []
    for kind in left.kinds:
        inner = {
            name: np.mean([left.error(name, other, frozenset([kind, other])) for other in left.kinds if other != kind])
            for name in STRUCTURES
        }
        chosen = min(inner, key=lambda name: inner[name])
        outer = {name: left.error(name, kind, frozenset([kind])) for name in STRUCTURES}
        chosen_errors.append(outer[chosen])
        whole_errors.append(outer["whole"])
        print(f"{kind:12s}" + "".join(f"{outer[name]:18.3f}" for name in STRUCTURES) + f"   {chosen}", flush=True)
    print(
        f"mean over kinds: chosen within {np.mean(chosen_errors):.3f}, the whole structure {np.mean(whole_errors):.3f}"
    )


def learning_curve(left: Left, scales: Scales) -> None:
    """Print the mean error on a kind never seen by how many kinds were, and what the curve says of more."""
    draw = np.random.default_rng(0)
    print("\nMean error on a kind never seen, by how many kinds were")
    most = len(left.kinds) - 1
    curve = []
    for count in range(1, most + 1):
        errors: list[float] = []
        for kind in left.kinds:
            others = [other for other in left.kinds if other != kind]
            # Spread within tasks is read from single answers, so at least one kind must have them.
            subsets = [s for s in itertools.combinations(others, count) if left.with_answers & set(s)]
            for at in draw.permutation(len(subsets))[:SUBSETS]:
                unseen = frozenset(left.kinds) - frozenset(subsets[at])
                errors += left.errors(left.answers.fit(left._tasks(unseen), scales), kind)
        curve.append(float(np.mean(errors)))
        print(f"  {count} kinds: {curve[-1]:.3f}", flush=True)
    counts = np.arange(1, most + 1)
    slope, floor = np.polyfit(1 / counts, curve, 1)
    said = ", ".join(f"{n}: {floor + slope / n:.3f}" for n in (10, 20, 50))
    print(f"  as {floor:.3f} + {slope:.3f} / kinds, with {said}")


def main(arguments: list[str] | None = None) -> int:
    """Run both and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity_structure", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    asked = parser.parse_args(arguments)
    if not asked.data.is_dir():
        print(f"{asked.data}: no public outcomes here; name their folder with --data")
        return 3
    left = Left(Answers(read_outcomes(asked.data), read_published()))
    learning_curve(left, Parameters.load().scales)
    select(left)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
