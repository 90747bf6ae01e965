"""Output tokens on another model, under the assumption a scenario makes: fitted, copied, or a ratio of one's own."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from simulator.counterfactual import Parameters, TaskModel, fit_task
from simulator.counts import Array
from simulator.models import ModelIndex
from simulator.scenario import Assumptions
from simulator.usage.observed import Observed

# Copying output tokens onto another model misses a task's total by .23 in the median, .38 at 75% and .58 at 90%, over
# 7 models both ways and 8 tasks (ZeroEval and AlpacaEval lengths); a log-normal of this spread does so.
COPY_LOG_SD = 0.34
# A user's own ratio is taken at its word but for this much.
OWN_RATIO_LOG_SD = 0.05

COPIED = "copied from the log"
OWN_RATIO = "a ratio of your own"
UNKNOWN_MODEL = "unknown/unknown"


@dataclass(frozen=True)
class Guess:
    """Expected output of some requests: tokens, one request's sd, the log sd of a factor common to all, its source."""

    tokens: Array
    request_sd: Array
    log_sd: float
    note: str


class Outputs:
    """Predicts visible output tokens, all in o200k_base's units.

    Args:
        said: the scenario's assumption.
        observed: samples of the log, which place each task among the public ones; empty unless `said` is fitted.
        parameters: of the counterfactual model.
        index: the run's model names.
    """

    def __init__(self, said: Assumptions, observed: Observed, parameters: Parameters, index: ModelIndex) -> None:
        self.parameters = parameters
        self._said = said
        self._observed = observed
        self._index = index
        self._fitted: dict[tuple[str | None, str, int], TaskModel] = observed.fitted(parameters)

    def key(self, target: str) -> Hashable:
        """All that a prediction for a target depends on besides the request; equal only while both are kept."""
        ratio = self._said.output_ratio.get(target)
        return ratio, self._said.output if ratio is None else None, id(self.parameters), self._observed.token

    def predict(self, source: int, target: int, task: int, text: Array, prompt: Array, cap: Array) -> Guess:
        """Expected output of one pair's requests of one task.

        Args:
            source, target: codes of the models, -1 for a logged model that nobody knows.
            task: code of the task class, -1 where unlabelled.
            text, prompt: float64 tokens of the logged answer and prompt; cap: NaN where there is none.
        """
        nothing = np.zeros(len(text))
        ratio = self._said.output_ratio.get(self._index.names[target])
        if ratio is not None:
            return Guess(text * ratio, nothing, OWN_RATIO_LOG_SD, OWN_RATIO)
        if self._said.output == "as_logged":
            return Guess(text, nothing, COPY_LOG_SD, COPIED)
        if not self._observed.seen(self._index.name(source), task):  # no answer to learn from, and so none to predict
            return Guess(text, nothing, 0.0, COPIED)
        fitted = self._task(source, target, task)
        expected, request_sd = fitted.rows(text, prompt, cap)
        return Guess(expected, request_sd, fitted.log_sd, fitted.note)

    def _task(self, source: int, target: int, task: int) -> TaskModel:
        logged = self._index.name(source)
        key = (logged, self._index.names[target], task)
        if key not in self._fitted:
            names = logged or UNKNOWN_MODEL, self._index.names[target]
            self._fitted[key] = fit_task(self.parameters, *names, task, *self._observed.rows(logged, task))
        return self._fitted[key]
