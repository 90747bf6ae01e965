"""How alike two models' answer lengths are expected to be: the covariance behind the hierarchical model.

The log of a model's mean answer length on a cell (a third of a task's prompts, by difficulty) is

    level of the cell + model effect + model slope x (level - centre) + model x kind of task + model x task + residual

where model effect, slope and kind each have a part shared by the model's family. The kind effect is smooth in the
cell's level and in its mean log prompt length, so tasks that look alike in a log lend each other more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

CENTRE = 5.7  # log tokens, near the middle of the cells' levels; only a reference point for the slopes
REACH = 0.5  # log tokens that a slope is trusted beyond the levels that were seen


@dataclass(frozen=True)
class Scales:
    """Standard deviations of the effects, in log tokens, and the two lengths (natural log units) of the kind effect."""

    model: float = 0.15
    model_slope: float = 0.15
    family: float = 0.2
    family_slope: float = 0.15
    kind: float = 0.17
    family_kind: float = 0.1
    task: float = 0.06
    residual: float = 0.06
    level_length: float = 0.7
    prompt_length: float = 0.7

    def logs(self) -> Floats:
        """The natural logs, in field order: the space in which they are fitted."""
        logs: Floats = np.log(np.array(list(asdict(self).values()), float))
        return logs

    @classmethod
    def of_logs(cls, logs: Floats) -> Scales:
        """The inverse of `logs`."""
        return cls(**{f.name: float(value) for f, value in zip(fields(cls), np.exp(logs), strict=True)})

    def between_tasks(self, same_model: bool, same_family: bool) -> float:
        """The part of the variance of two models' log ratio that every kind of task and every task draws anew."""
        own = 0.0 if same_model else self.kind**2 + self.task**2
        shared = 0.0 if same_family else self.family_kind**2
        return 2 * (own + shared + self.residual**2)


@dataclass(frozen=True)
class Points:
    """(model, cell) points, one entry each.

    Args:
        model, family, task: int codes, equal where the model, family or task is the same.
        level: the cell's level, log tokens.
        prompt: the task's mean log prompt tokens; NaN where unknown or unlike any task, which shares no kind effect.
    """

    model: Ints
    family: Ints
    task: Ints
    level: Floats
    prompt: Floats


def covariance(scales: Scales, left: Points, right: Points, span: tuple[float, float]) -> Floats:
    """The prior covariance of the models' deviations from the cells' levels, (left, right), residual left out.

    Args:
        span: lowest and highest level seen; slopes stop growing `REACH` beyond them.
    """
    model = left.model[:, None] == right.model[None]
    family = left.family[:, None] == right.family[None]
    task = left.task[:, None] == right.task[None]
    low, high = span[0] - REACH, span[1] + REACH
    slope = (np.clip(left.level, low, high) - CENTRE)[:, None] * (np.clip(right.level, low, high) - CENTRE)[None]
    level = (left.level[:, None] - right.level[None]) / scales.level_length
    prompt = (left.prompt[:, None] - right.prompt[None]) / scales.prompt_length
    alike = np.nan_to_num(np.exp(-0.5 * (level**2 + prompt**2)), nan=0.0)
    own = (
        scales.model**2
        + scales.model_slope**2 * slope
        + scales.kind**2 * alike
        + scales.task**2 * task.astype(np.float64)
    )
    shared = scales.family**2 + scales.family_slope**2 * slope + scales.family_kind**2 * alike
    total: Floats = model * own + family * shared
    return total


def new_task_covariance(
    scales: Scales, level: Floats, same_model: bool, same_family: bool, span: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Prior variance of one model, and covariance of two, on one new task at each of `level` (log tokens)."""
    slope = (np.clip(level, span[0] - REACH, span[1] + REACH) - CENTRE) ** 2
    own = scales.model**2 + scales.model_slope**2 * slope + scales.kind**2 + scales.task**2
    shared = scales.family**2 + scales.family_slope**2 * slope + scales.family_kind**2
    variance = own + shared + scales.residual**2
    return variance, same_model * own + same_family * shared
