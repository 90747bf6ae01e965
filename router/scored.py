"""Conditions on learned scores: `task("code") >= 0.6`, `weak_suffices(weak, strong, model=...) >= 0.7`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from problems import BackrouteError, nearest
from router.conditions import COMPARISONS, SYMBOLS, Asked, Condition, Yaml
from router.features import Features
from router.semantic.tasks import CORE, Scorer, task_model


class Score(Condition):
    """A learned score of the routing text against a threshold; undecidable where the log holds no text."""

    comparison: str
    threshold: float

    @property
    @abstractmethod
    def scorer(self) -> Scorer:
        """The model that scores."""

    @property
    @abstractmethod
    def output(self) -> str:
        """Which of its outputs is compared."""

    def score(self, features: Features) -> pa.DoubleArray:
        """Float64 per request; null where the log holds no text."""
        scorer = self.scorer
        column = features.scores(scorer)[:, scorer.outputs.index(self.output)]
        return pa.array(column, pa.float64(), mask=np.isnan(column))

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        return COMPARISONS[self.comparison](self.score(features), pa.scalar(self.threshold, pa.float64()))

    def asks(self) -> tuple[Asked, ...]:
        """See `Condition.asks`."""
        return (Asked(self.scorer.digest, self.scorer.seconds_a_text),)


@dataclass(frozen=True)
class TaskScore(Score):
    """The probability that the text is of a task class.

    Args:
        task: one of the model's classes.
        comparison: below, at_most, at_least or above.
        threshold: 0 to 1.
        model: "core", "minilm", or the path of a file that `backroute train --label task` wrote.

    Raises:
        BackrouteError: no such model or class, or a threshold that is no probability.
    """

    task: str
    comparison: str
    threshold: float
    model: str = CORE

    def __post_init__(self) -> None:
        object.__setattr__(self, "threshold", _probability(self.threshold, "task"))
        if not isinstance(self.model, str):
            raise BackrouteError("task", f"`model` is a text ({self.model!r})", fix="core, minilm, or a file's path")
        known = self.scorer.outputs
        if self.task not in known:
            fix = nearest(str(self.task), known) or f"the classes are {', '.join(known)}"
            raise BackrouteError("task", f"the task model {self.model!r} has no class {self.task!r}", fix=fix)

    @property
    def scorer(self) -> Scorer:
        """See `Score.scorer`."""
        return task_model(self.model)

    @property
    def output(self) -> str:
        """See `Score.output`."""
        return self.task

    def to_yaml(self) -> Yaml:
        """For example `{task: {code: {at_least: 0.6}}}`."""
        said: Yaml = {self.task: {self.comparison: self.threshold}}
        return {"task": said if self.model == CORE else said | {"model": self.model}}

    def __str__(self) -> str:
        by = "" if self.model == CORE else f", model={self.model!r}"
        return f"task({self.task!r}{by}) {SYMBOLS[self.comparison]} {self.threshold}"


@dataclass(frozen=True)
class WeakSuffices(Score):
    """The probability that the weaker model's answer is as good as the stronger one's.

    Args:
        weak, strong: "provider/model" names.
        comparison: below, at_most, at_least or above.
        threshold: 0 to 1.
        model: the path of a file that `backroute train --label quality` wrote for the pair.

    Raises:
        BackrouteError: no such file, a file of another pair, or a threshold that is no probability.
    """

    weak: str
    strong: str
    comparison: str
    threshold: float
    model: str

    def __post_init__(self) -> None:
        from router.learned.quality import pairs_of, quality_model

        object.__setattr__(self, "threshold", _probability(self.threshold, "weak_suffices"))
        if not isinstance(self.model, str) or not self.model:
            what = f"`weak_suffices` needs the `model` file it was learned into ({self.model!r})"
            fix = "train one: `backroute train LOG --label quality --outcomes FILE --pair WEAK STRONG -o own.npz`"
            raise BackrouteError("weak_suffices", what, fix=fix)
        known = quality_model(self.model).outputs
        if self.output not in known:
            pairs = ", ".join(pairs_of(known)) or "no pair at all"
            what = f"{self.model} was not trained for {self.output}"
            raise BackrouteError("weak_suffices", what, fix=f"it knows {pairs}; train it again with --pair")

    @property
    def scorer(self) -> Scorer:
        """See `Score.scorer`."""
        from router.learned.quality import quality_model

        return quality_model(self.model)

    @property
    def output(self) -> str:
        """See `Score.output`."""
        from router.learned.quality import pair_output

        return pair_output(self.weak, self.strong)

    def to_yaml(self) -> Yaml:
        """For example `{weak_suffices: {weak: a/b, strong: c/d, at_least: 0.7, model: own.npz}}`."""
        said = {"weak": self.weak, "strong": self.strong, self.comparison: self.threshold, "model": self.model}
        return {"weak_suffices": said}

    def __str__(self) -> str:
        said = f"weak_suffices({self.weak!r}, {self.strong!r}, model={self.model!r})"
        return f"{said} {SYMBOLS[self.comparison]} {self.threshold}"


@dataclass(frozen=True)
class TaskNumber:
    """A task's score, to be compared: `task("code") >= 0.6`."""

    task: str
    model: str = CORE

    def __lt__(self, threshold: float) -> Condition:
        return TaskScore(self.task, "below", threshold, self.model)

    def __le__(self, threshold: float) -> Condition:
        return TaskScore(self.task, "at_most", threshold, self.model)

    def __ge__(self, threshold: float) -> Condition:
        return TaskScore(self.task, "at_least", threshold, self.model)

    def __gt__(self, threshold: float) -> Condition:
        return TaskScore(self.task, "above", threshold, self.model)


@dataclass(frozen=True)
class PairNumber:
    """A pair's score, to be compared: `weak_suffices(weak, strong, model="own.npz") >= 0.7`."""

    weak: str
    strong: str
    model: str

    def __lt__(self, threshold: float) -> Condition:
        return WeakSuffices(self.weak, self.strong, "below", threshold, self.model)

    def __le__(self, threshold: float) -> Condition:
        return WeakSuffices(self.weak, self.strong, "at_most", threshold, self.model)

    def __ge__(self, threshold: float) -> Condition:
        return WeakSuffices(self.weak, self.strong, "at_least", threshold, self.model)

    def __gt__(self, threshold: float) -> Condition:
        return WeakSuffices(self.weak, self.strong, "above", threshold, self.model)


def task(name: str, *, model: str = CORE) -> TaskNumber:
    """The probability, 0 to 1, that the routing text is of a task: analytics, chat, code or reasoning."""
    return TaskNumber(name, model)


def weak_suffices(weak: str, strong: str, *, model: str) -> PairNumber:
    """The probability, 0 to 1, that the weaker model's answer will be as good as the stronger one's."""
    return PairNumber(weak, strong, model)


def _probability(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        fix = "write a number from 0 to 1, for example {at_least: 0.6}"
        raise BackrouteError(name, f"the threshold is no probability ({value!r})", fix=fix)
    return float(value)
