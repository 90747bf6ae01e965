"""Refit the packaged parameters from the public outcomes: `python -m simulator.counterfactual.fit --data FOLDER`.

Deterministic: the scales maximise the marginal likelihood, with weak lognormal priors around `Scales()`'s values, since
a handful of tasks says little of some of them; the tasks' levels are their generalised least squares estimates.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from problems import BackrouteError
from simulator.counterfactual.kernel import Floats, Scales, covariance, parts
from simulator.counterfactual.names import family_of
from simulator.counterfactual.outcomes import (
    CAP,
    SOURCES,
    Published,
    capped,
    cells_of,
    read_outcomes,
    read_published,
    tasks_of,
    within_tasks,
)
from simulator.counterfactual.parameters import Cells, Parameters, Runaway, Task, points_of
from simulator.counterfactual.reasoning_fit import fit_reasoning

PRIOR_LOG_SD = 0.7  # of the lognormal priors on the scales
LEAN_SD = 0.3  # of the normal priors, around zero, on the leans
ROUNDS = 2  # of scales and levels in turn
RUNAWAY_SHAPE, RUNAWAY_SLOPE, RUNAWAY_LEVEL = 0.4, 2.0, 5.8  # a stated prior: three tasks cannot show these


def fit(
    frame: pd.DataFrame,
    published: tuple[Published, ...],
    fitted_on: str,
    reasoning: dict[str, Any],
    scales: Scales | None = None,
    without: tuple[str, ...] = (),
) -> Parameters:
    """Fit everything to a table of outcomes (see `read_outcomes`) and published means.

    Args:
        scales: kept as they are where given.
        without: names of scales held at zero, for structures with less in them.
    """
    models = tuple(sorted(set(frame["model"]).union(*(each.mean_tokens for each in published))))
    tasks = (*tasks_of(frame), *(each.task for each in published))
    cells = cells_of(frame, published, models, tasks)
    families = tuple(sorted({family for model in models if (family := family_of(model))}))
    found = scales or replace(Scales(), **dict.fromkeys(without, 0.0))
    for _ in range(ROUNDS):
        if scales is None:
            found = _best_scales(found, without, models, tasks, cells, families)
        cells = _levels(found, models, tasks, cells, families)
    within, prompt_slope = within_tasks(frame)
    return Parameters(
        fitted_on=fitted_on,
        sources=_sources(frame, published),
        models=models,
        tasks=tasks,
        scales=Scales.of(np.round(list(asdict(found).values()), 4)),
        cells=replace(
            cells, log_mean=cells.log_mean.round(4), variance=cells.variance.round(6), level=cells.level.round(4)
        ),
        runaway=_runaway(capped(frame), models),
        within=within,
        prompt_slope=prompt_slope,
        reasoning=reasoning,
    )


def _sources(frame: pd.DataFrame, published: tuple[Published, ...]) -> tuple[dict[str, Any], ...]:
    models = {str(name): group["model"] for name, group in frame.groupby("source")}
    return tuple(
        {**source, "rows": len(models[source["name"]]), "models": int(models[source["name"]].nunique())}
        for source in SOURCES
        if source["name"] in models
    ) + tuple(
        {
            "name": each.task.source,
            "file": "published.json",
            "task": each.task.name,
            "licence": each.licence,
            "url": each.url,
            "rows": each.prompts * len(each.mean_tokens),
            "models": len(each.mean_tokens),
        }
        for each in published
    )


def _design(cells: Cells) -> Floats:
    _, task = np.unique(cells.task, return_inverse=True)
    design: Floats = (task[:, None] == np.arange(task.max() + 1)[None]).astype(float)
    return design


def _best_scales(
    start: Scales,
    without: tuple[str, ...],
    models: tuple[str, ...],
    tasks: tuple[Task, ...],
    cells: Cells,
    families: tuple[str, ...],
) -> Scales:
    points = points_of(models, tasks, cells, families)
    shared = parts(points, points, (float(cells.level.min()), float(cells.level.max())))
    design, residual, noise = _design(cells), cells.log_mean - cells.level, np.diag(cells.variance)
    names = [f.name for f in fields(Scales)]
    signed = np.array([name.endswith("lean") for name in names])
    free = np.array([name not in without for name in names])
    usual = np.array([getattr(Scales(), name) for name in names])

    def values(x: Floats) -> Floats:
        found = np.zeros(len(names))
        found[free] = np.where(signed[free], x, np.exp(np.where(signed[free], 0.0, x)))
        return found

    def start_of(scales: Floats) -> Floats:
        found: Floats = np.where(signed, scales, np.log(np.where(signed, 1.0, np.maximum(scales, 1e-6))))[free]
        return found

    centre, prior_sd = start_of(usual), np.where(signed, LEAN_SD, PRIOR_LOG_SD)[free]

    def loss(x: Floats) -> tuple[float, Floats]:
        """Minus the restricted log likelihood, the tasks' own levels marginalised under flat priors; its gradient."""
        scales = Scales.of(values(x))
        factor = cho_factor(np.einsum("ij,ijkl->kl", scales.coefficients(), shared) + noise, lower=True)
        inverse = cho_solve(factor, np.eye(len(residual)))
        solved = inverse @ design
        gram = design.T @ solved
        projected = inverse - solved @ np.linalg.solve(gram, solved.T)
        weighed = projected @ residual
        determinant = 2 * np.log(np.diag(factor[0])).sum() + np.linalg.slogdet(gram)[1]
        away = (x - centre) / prior_sd
        by_part = 0.5 * np.einsum("kl,ijkl->ij", projected - np.outer(weighed, weighed), shared)
        by_scale = np.einsum("ij,sij->s", by_part, scales.slopes_of_coefficients())
        gradient = np.where(signed, by_scale, by_scale * values(x))[free] + away / prior_sd
        return float(0.5 * (residual @ weighed + determinant + (away**2).sum())), gradient

    own = np.array(list(asdict(start).values()), float)
    best = minimize(loss, start_of(own), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return Scales.of(values(best.x))


def _levels(
    scales: Scales, models: tuple[str, ...], tasks: tuple[Task, ...], cells: Cells, families: tuple[str, ...]
) -> Cells:
    design = _design(cells)
    for _ in range(3):
        points = points_of(models, tasks, cells, families)
        span = float(cells.level.min()), float(cells.level.max())
        prior = covariance(scales, points, points, span) + np.diag(cells.variance)
        solved = cho_solve(cho_factor(prior, lower=True), design)
        step = np.linalg.solve(design.T @ solved, solved.T @ (cells.log_mean - cells.level))
        # A part of each step: moving the levels moves the kernel they were found with.
        cells = replace(cells, level=cells.level + 0.7 * (design @ step))
    return cells


def _runaway(counts: pd.DataFrame, models: tuple[str, ...]) -> Runaway:
    """Posterior means of propensity and intensity in turn: each is Gamma given the other, the counts being Poisson."""
    rows, cut = counts["rows"].to_numpy(float), counts["cut"].to_numpy(float)
    model = counts["model"].map({name: i for i, name in enumerate(models)}).to_numpy()
    task, names = pd.factorize(counts["task"])
    # A floor of one event keeps a table without any runaway from calling them impossible.
    rate = max(float(cut.sum()), 1.0) / float(rows.sum())
    intensity, propensity = np.full(len(names), rate), np.ones(len(models))
    for _ in range(200):
        seen = np.bincount(model, cut, len(models))
        propensity = (RUNAWAY_SHAPE + seen) / (RUNAWAY_SHAPE + np.bincount(model, rows * intensity[task], len(models)))
        exposed = np.bincount(task, rows * propensity[model])
        intensity = (RUNAWAY_SHAPE + np.bincount(task, cut)) / (RUNAWAY_SHAPE / rate + exposed)
    named = {name: round(float(value), 4) for name, value in zip(models, propensity, strict=True)}
    behind = {name: int(value) for name, value in zip(models, np.bincount(model, cut, len(models)), strict=True)}
    return Runaway(round(rate, 6), RUNAWAY_LEVEL, RUNAWAY_SLOPE, RUNAWAY_SHAPE, CAP, named, behind)


def main(arguments: list[str] | None = None) -> int:
    """Refit and write the parameter file."""
    parser = argparse.ArgumentParser(prog="python -m simulator.counterfactual.fit", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public outcomes")
    parser.add_argument("--responses", type=Path, help="recorded provider responses (default: beside the outcomes)")
    parser.add_argument("--date", default="2026-11-26", help="written into the file as the day of the fit")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("parameters.json"))
    asked = parser.parse_args(arguments)
    responses = asked.responses or asked.data.parent / "provider_responses" / "responses.jsonl.gz"
    try:
        fit(read_outcomes(asked.data), read_published(), asked.date, fit_reasoning(responses)).save(asked.out)
    except BackrouteError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
