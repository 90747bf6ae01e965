"""How alike two models' answer lengths are expected to be: the covariance behind the hierarchical model.

The log of a model's mean answer length on a task is

    level of the task + model effect + model slope x (level - centre) + model x kind of task + model x task

where each effect of the model has beside it one that its family shares. Slope and effect may go together (`lean`): a
model that writes more may write more still where answers are long. A kind is a regime of tasks; within one, tasks are
alike, and a task of a kind never seen draws the effects of kind anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

CENTRE = 5.7  # log tokens, near the middle of the tasks' levels; only a reference point, since slopes lean on effects
REACH = 0.5  # log tokens that a slope is trusted beyond the levels that were seen
NEW = -1  # a task, or a kind, that was never seen


@dataclass(frozen=True)
class Scales:
    """Standard deviations of the effects, in log tokens; a lean is the part of a slope that goes with the effect."""

    model: float = 0.15
    model_lean: float = 0.0
    model_slope: float = 0.1
    model_kind: float = 0.12
    model_task: float = 0.06
    family: float = 0.15
    family_lean: float = 0.0
    family_slope: float = 0.1
    family_kind: float = 0.12
    family_task: float = 0.06

    def coefficients(self) -> Floats:
        """What `parts` are to be multiplied with; (2, 5), models and families."""
        return np.array([_coefficients(*side) for side in self._sides()])

    def slopes_of_coefficients(self) -> Floats:
        """Derivatives of `coefficients` by the scales, in field order; (10, 2, 5)."""
        found = np.zeros((10, 2, 5))
        for i, (effect, lean, slope, kind, task) in enumerate(self._sides()):
            found[5 * i : 5 * i + 5, i] = [
                [2 * effect, lean, 0, 0, 0],
                [0, effect, 2 * lean, 0, 0],
                [0, 0, 2 * slope, 0, 0],
                [0, 0, 0, 2 * kind, 0],
                [0, 0, 0, 0, 2 * task],
            ]
        return found

    def _sides(self) -> Floats:
        sides: Floats = np.array(list(asdict(self).values()), float).reshape(2, 5)
        return sides

    @classmethod
    def of(cls, values: Floats) -> Scales:
        """Scales of their values in field order."""
        return cls(**{f.name: float(value) for f, value in zip(fields(cls), values, strict=True)})

    def between_tasks(self, same_model: bool, same_family: bool) -> float:
        """The part of the variance of two models' log ratio that every kind of task and every task draws anew."""
        own = 0.0 if same_model else self.model_kind**2 + self.model_task**2
        shared = 0.0 if same_family else self.family_kind**2 + self.family_task**2
        return 2 * (own + shared)


def _coefficients(effect: float, lean: float, slope: float, kind: float, task: float) -> list[float]:
    return [effect**2, effect * lean, lean**2 + slope**2, kind**2, task**2]


@dataclass(frozen=True)
class Points:
    """(model, task) points, one entry each.

    Args:
        model, family: int codes, equal where the model or family is the same.
        task, kind: int codes; `NEW` is like nothing but itself, and like itself only among points of one model.
        level: the task's level, log tokens.
    """

    model: Ints
    family: Ints
    task: Ints
    kind: Ints
    level: Floats

    def take(self, which: Ints) -> Points:
        """Some of them."""
        return Points(*(getattr(self, f.name)[which] for f in fields(self)))


def parts(left: Points, right: Points, span: tuple[float, float]) -> Floats:
    """What the variances multiply: who shares what, (2, 5, left, right), for models and for families.

    Args:
        span: lowest and highest level seen; slopes stop growing `REACH` beyond them.
    """
    a, b = (_slope(points.level, span) for points in (left, right))
    task = (left.task[:, None] == right.task[None]) & (left.task[:, None] != NEW)
    kind = (left.kind[:, None] == right.kind[None]) & (left.kind[:, None] != NEW)
    shared = np.stack([np.ones(task.shape), a[:, None] + b[None], a[:, None] * b[None], kind, task])
    model, family = left.model[:, None] == right.model[None], left.family[:, None] == right.family[None]
    found: Floats = np.stack([model * shared, family * shared])
    return found


def covariance(scales: Scales, left: Points, right: Points, span: tuple[float, float]) -> Floats:
    """The prior covariance of the models' deviations from the tasks' levels, (left, right)."""
    total: Floats = np.einsum("ij,ijkl->kl", scales.coefficients(), parts(left, right, span))
    return total


def new_task_covariance(
    scales: Scales, level: Floats, same_model: bool, same_family: bool, span: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Prior variance of one model, and covariance of two, on one new task at each of `level` (log tokens)."""
    x = _slope(level, span)
    own, shared = scales.coefficients() @ np.stack([np.ones_like(x), 2 * x, x**2, np.ones_like(x), np.ones_like(x)])
    return own + shared, same_model * own + same_family * shared


def _slope(level: Floats, span: tuple[float, float]) -> Floats:
    """How far a level is from the centre, as far as slopes are trusted."""
    found: Floats = np.clip(level, span[0] - REACH, span[1] + REACH) - CENTRE
    return found
