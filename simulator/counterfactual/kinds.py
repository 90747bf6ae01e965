"""Which kind of task a log's requests may be: the known kinds and a new one, weighed by level and prompt length.

A kind seen in one task shows nothing of how its tasks vary, so no traffic is taken for it. A kind whose prompts are
unknown cannot be recognised by them, so only a label leads to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.counterfactual.kernel import NEW, Floats

if TYPE_CHECKING:
    from simulator.counterfactual.parameters import Parameters

TASKS = ("chat", "analytics", "code", "reasoning")  # the codes of `tasks`; -1 is unlabelled
ENOUGH = 2  # tasks that a kind must show before traffic may be taken for it
NEW_KIND = 0.5  # the prior chance that traffic is of no kind that was measured; the known ones share the rest evenly
LEVEL_MEAN, LEVEL_SD = 5.6, 1.0  # log tokens of the answers of a kind never seen: a weak prior
PROMPT_MEAN, PROMPT_SD = 4.5, 1.5  # and of its prompts


@dataclass(frozen=True)
class Kind:
    """A kind of task, and what its tasks are like: normal in level and in mean log prompt, log tokens.

    Args:
        code: as in the kernel's points; `NEW` for a kind never seen.
        labels: the classes of its tasks; all for a new one.
        tasks: how many it showed.
        level_mean, level_sd, prompt_mean, prompt_sd: of one more task of the kind; prompts NaN where unknown.
    """

    code: int
    labels: frozenset[str]
    tasks: int
    level_mean: float
    level_sd: float
    prompt_mean: float
    prompt_sd: float

    def level_log_density(self, level: Floats) -> Floats:
        """Log density of a task's level a priori."""
        return _log_density(level, self.level_mean, self.level_sd)


def candidates(kinds: tuple[Kind, ...], prompt: float, label: int) -> list[tuple[Kind, float]]:
    """The kinds that a group may be of, each with the log of its prior chance times how well the prompts fit.

    Args:
        kinds: of `kinds_of`.
        prompt: mean log tokens of the group's prompts, NaN where unknown.
        label: a code into `TASKS`, or -1.
    """
    told = label >= 0
    shown = [k for k in kinds[1:] if k.tasks >= ENOUGH]
    known = [k for k in shown if (TASKS[label] in k.labels if told else np.isfinite(k.prompt_mean + prompt))]
    if not known:
        return [(kinds[0], 0.0)]
    even = np.log([NEW_KIND, *[(1 - NEW_KIND) / len(known)] * len(known)])
    # With a label, prompts count only where all candidates have some to compare.
    compare = np.isfinite(prompt + sum(k.prompt_mean for k in known))
    fits = [
        float(_log_density(np.array(prompt), k.prompt_mean, k.prompt_sd)) if compare else 0.0
        for k in (kinds[0], *known)
    ]
    return [(k, float(e) + f) for k, e, f in zip((kinds[0], *known), even, fits, strict=True)]


def kinds_of(params: Parameters) -> tuple[Kind, ...]:
    """The kinds behind some parameters, the new one first.

    Tasks of one kind spread alike in every kind: one sd of levels and one of prompts, pooled over the kinds.
    """
    codes = params.kind_of_task
    levels = np.array([params.cells.level[params.cells.task == i].mean() for i in range(len(codes))])
    prompts = np.array([np.nan if t.mean_log_prompt is None else t.mean_log_prompt for t in params.tasks])
    sides = [(levels, _pooled(levels, codes, LEVEL_SD)), (prompts, _pooled(prompts, codes, PROMPT_SD))]
    found = [Kind(NEW, frozenset(TASKS), 0, LEVEL_MEAN, LEVEL_SD, PROMPT_MEAN, PROMPT_SD)]
    for code in range(int(codes.max()) + 1):
        labels = frozenset(task.label for task, c in zip(params.tasks, codes, strict=True) if c == code)
        (level, level_sd), (prompt, prompt_sd) = (_of_kind(side[codes == code], sd) for side, sd in sides)
        found.append(Kind(code, labels, int((codes == code).sum()), level, level_sd, prompt, prompt_sd))
    return tuple(found)


def _log_density(at: Floats, mean: float, sd: float) -> Floats:
    """Of a normal, but for a constant."""
    found: Floats = -0.5 * ((at - mean) / sd) ** 2 - np.log(sd)
    return found


def _of_kind(values: Floats, sd: float) -> tuple[float, float]:
    """Mean and sd of the next task of a kind that showed some values (NaN where unknown)."""
    seen = values[np.isfinite(values)]
    return (float(seen.mean()), sd * float(np.sqrt(1 + 1 / len(seen)))) if len(seen) else (float("nan"), sd)


def _pooled(values: Floats, codes: np.ndarray[tuple[int], np.dtype[np.int64]], otherwise: float) -> float:
    """The sd within kinds; `otherwise` where no kind shows two tasks."""
    squares, degrees = 0.0, 0
    for code in np.unique(codes):
        seen = values[(codes == code) & np.isfinite(values)]
        if len(seen) > 1:
            squares, degrees = squares + float(((seen - seen.mean()) ** 2).sum()), degrees + len(seen) - 1
    return float(np.sqrt(squares / degrees)) if degrees else otherwise
