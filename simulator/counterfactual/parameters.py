"""The fitted parameters: public measurements with their sources, the model's scales, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from problems import BackrouteError
from simulator.counterfactual.kernel import Floats, Ints, Points, Scales, covariance
from simulator.counterfactual.kinds import Kind, kinds_of
from simulator.counterfactual.names import Known, family_of, known
from simulator.counterfactual.parameter_file import check

SCHEMA = 2


@dataclass(frozen=True)
class Task:
    """A public task: its source, its class, the independent kind it belongs to, and its prompts' mean log tokens.

    `mean_log_prompt` is None where only mean lengths of answers were published.
    """

    name: str
    source: str
    label: str
    kind: str
    mean_log_prompt: float | None


@dataclass(frozen=True)
class Cells:
    """Mean answer lengths per model and task.

    Args:
        model, task: indices per cell.
        log_mean: log of the mean o200k tokens of the answers that did not run into the output cap.
        variance: sampling variance of `log_mean`.
        rows: answers behind it.
        level: the task's level, log tokens, shared by all models.
    """

    model: Ints
    task: Ints
    log_mean: Floats
    variance: Floats
    rows: Ints
    level: Floats


@dataclass(frozen=True)
class Runaway:
    """Answers that run into the output cap: a Gamma-Poisson model of a model's propensity times a task's intensity.

    Args:
        rate: share of capped answers of the average model on the average task, at level `at_level`.
        at_level: log tokens.
        level_slope: change of the log rate per unit of level.
        shape: Gamma shape of both effects; small is heavy-tailed.
        cap: tokens, the cap of the measured answers; assumed where a request states none.
        models: propensity per model, mean 1 a priori.
        cut: capped answers behind each.
    """

    rate: float
    at_level: float
    level_slope: float
    shape: float
    cap: float
    models: Mapping[str, float]
    cut: Mapping[str, int]

    def propensity(self, model: str | None) -> tuple[float, float]:
        """A model's posterior mean propensity and its relative variance; those of any model for None."""
        return self.models.get(model or "", 1.0), 1 / (self.shape + self.cut.get(model or "", 0))


@dataclass(frozen=True)
class Within:
    """Inside a task: `spread`, a model's log-length loading over the average one; `noise`, its noise over signal."""

    spread: float
    noise: float


@dataclass(frozen=True)
class Live:
    """What paired live samples say of one pair: log mean = intercept + slope x log source, the sd left, the pairs."""

    intercept: float
    slope: float
    log_sd: float
    pairs: int


@dataclass(frozen=True)
class Support:
    """What stands behind a pair: the tasks both models answered, how many are independent, answers, sources, date."""

    tasks: tuple[str, ...]
    independent: int
    rows: int
    sources: tuple[str, ...]
    fitted_on: str


@dataclass(frozen=True)
class Parameters:
    """Everything `predict_output` and `predict_reasoning` need; read from JSON and written back unchanged."""

    fitted_on: str
    sources: tuple[dict[str, Any], ...]
    models: tuple[str, ...]
    tasks: tuple[Task, ...]
    scales: Scales
    cells: Cells
    runaway: Runaway
    within: Mapping[str, Within]
    prompt_slope: float
    reasoning: Mapping[str, Mapping[str, Any]]
    live: Mapping[str, Live] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path | None = None) -> Parameters:
        """Read a parameter file, the packaged one by default.

        Raises:
            BackrouteError: the file cannot be read, is not JSON, or has another schema.
        """
        if path is None:
            return _packaged()  # its matrices are factored once a process
        try:
            raw = json.loads(Path(path).read_text("utf-8"))
            if raw["schema"] != SCHEMA:
                raise BackrouteError(
                    str(path),
                    f"parameter schema {raw['schema']!r} is not {SCHEMA}",
                    effect="nothing was predicted",
                    fix="refit the parameters with this version",
                )
            check(raw)
            found = cls.of_json(raw)
            _ = found.inverse  # of a covariance that is none there is none
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise BackrouteError(
                str(path),
                f"not a parameter file ({error!r})",
                effect="nothing was predicted",
                fix="name a file written by `backroute calibrate`, or none for the packaged one",
            ) from error
        return found

    @classmethod
    def of_json(cls, raw: Mapping[str, Any]) -> Parameters:
        """The inverse of `as_json`."""
        cells = raw["cells"]
        return cls(
            fitted_on=raw["fitted_on"],
            sources=tuple(raw["sources"]),
            models=tuple(raw["models"]),
            tasks=tuple(Task(**task) for task in raw["tasks"]),
            scales=Scales(**raw["scales"]),
            cells=Cells(
                model=np.array(cells["model"], np.int64),
                task=np.array(cells["task"], np.int64),
                log_mean=np.array(cells["log_mean"], float),
                variance=np.array(cells["variance"], float),
                rows=np.array(cells["rows"], np.int64),
                level=np.array(cells["level"], float),
            ),
            runaway=Runaway(**raw["runaway"]),
            within={name: Within(**value) for name, value in raw["within"].items()},
            prompt_slope=raw["prompt_slope"],
            reasoning=raw["reasoning"],
            live={name: Live(**value) for name, value in raw["live"].items()},
        )

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        cells = {name: value.tolist() for name, value in vars(self.cells).items()}
        return {
            "schema": SCHEMA,
            "fitted_on": self.fitted_on,
            "sources": list(self.sources),
            "models": list(self.models),
            "tasks": [asdict(task) for task in self.tasks],
            "scales": asdict(self.scales),
            "runaway": {**vars(self.runaway), "models": dict(self.runaway.models), "cut": dict(self.runaway.cut)},
            "within": {name: asdict(value) for name, value in self.within.items()},
            "prompt_slope": self.prompt_slope,
            "reasoning": dict(self.reasoning),
            "live": {name: asdict(value) for name, value in self.live.items()},
            "cells": cells,
        }

    def save(self, path: str | Path) -> None:
        """Write the parameters as JSON, one top-level entry a line."""
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in self.as_json().items())
        Path(path).write_text("{\n" + lines + "\n}\n", "utf-8")

    def with_live(self, live: Mapping[str, Live]) -> Parameters:
        """The same parameters with other live shifts; what is costly to derive is kept."""
        changed = replace(self, live=dict(live))
        derived = {name: value for name, value in vars(self).items() if name not in vars(changed)}
        vars(changed).update(derived)
        return changed

    def known(self, name: str) -> Known:
        """What the data holds of a canonical model name."""
        return known(name, self.models, self.families)

    @cached_property
    def pairs(self) -> dict[tuple[str, str], Any]:
        """What was worked out of pairs of models: see `predict.pair_of`."""
        return {}

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The families of the measured models."""
        return tuple(sorted({family for model in self.models if (family := family_of(model))}))

    def support(self, source: str, target: str) -> Support:
        """What stands behind the pair, by canonical names; empty where either model was never measured."""
        codes = [self.models.index(k.model) if (k := self.known(name)).model else -1 for name in (source, target)]
        rows = [np.bincount(self.cells.task, self.cells.rows * (self.cells.model == c), len(self.tasks)) for c in codes]
        both = np.minimum(*rows)
        shared = [task for task, n in zip(self.tasks, both, strict=True) if n]
        return Support(
            tasks=tuple(task.name for task in shared),
            independent=len({task.kind for task in shared}),
            rows=int(both.sum()),
            sources=tuple(sorted({task.source for task in shared})),
            fitted_on=self.fitted_on,
        )

    @cached_property
    def kind_of_task(self) -> Ints:
        """Each task's kind as a code, in the order in which the kinds come."""
        return kind_codes(self.tasks)

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """What a log's tasks may be, a new kind first."""
        return kinds_of(self)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Lowest and highest level of the cells, log tokens."""
        return float(self.cells.level.min()), float(self.cells.level.max())

    @cached_property
    def points(self) -> Points:
        """The cells as the kernel sees them. A model without a family is a family of its own."""
        return points_of(self.models, self.tasks, self.cells, self.families)

    @cached_property
    def inverse(self) -> Floats:
        """Of the cells' covariance, their own sampling variance included; (cells, cells)."""
        prior = covariance(self.scales, self.points, self.points, self.span)
        prior[np.diag_indices_from(prior)] += self.cells.variance
        root = np.linalg.inv(np.linalg.cholesky(prior))
        found: Floats = root.T @ root
        return found

    @cached_property
    def weights(self) -> Floats:
        """What a point's covariances with the cells are multiplied with to give its posterior mean deviation."""
        found: Floats = self.inverse @ (self.cells.log_mean - self.cells.level)
        return found


def points_of(models: tuple[str, ...], tasks: tuple[Task, ...], cells: Cells, families: tuple[str, ...]) -> Points:
    """Kernel points of the cells."""
    own = {model: len(families) + i for i, model in enumerate(models)}
    codes = [families.index(f) if (f := family_of(m)) in families else own[m] for m in models]
    kind = kind_codes(tasks)[cells.task]
    return Points(cells.model, np.array(codes, np.int64)[cells.model], cells.task, kind, cells.level)


def kind_codes(tasks: tuple[Task, ...]) -> Ints:
    """Codes of the tasks' kinds."""
    kinds = list(dict.fromkeys(task.kind for task in tasks))
    return np.array([kinds.index(task.kind) for task in tasks], np.int64)


@cache
def _packaged() -> Parameters:
    packaged = files("simulator.counterfactual").joinpath("parameters.json")
    return Parameters.of_json(json.loads(packaged.read_text("utf-8")))
