"""Refit the packaged parameters from the public outcomes: `python -m simulator.counterfactual.fit --data FOLDER`.

Deterministic: the scales maximise the marginal likelihood, with weak lognormal priors around `Scales()`'s values, since
a handful of tasks says little of some of them; the cells' levels are their generalised least squares estimates.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from problems import BackrouteError
from simulator.counterfactual.kernel import Floats, Scales, covariance
from simulator.counterfactual.names import family_of
from simulator.counterfactual.outcomes import CAP, SOURCES, capped, cells_of, read_outcomes, tasks_of, within_tasks
from simulator.counterfactual.parameters import Cells, Parameters, Runaway, Task, points_of
from simulator.counterfactual.reasoning_fit import fit_reasoning

PRIOR_LOG_SD = 0.7  # of the lognormal priors on the scales
ROUNDS = 2  # of scales and levels in turn
RUNAWAY_SHAPE, RUNAWAY_SLOPE, RUNAWAY_LEVEL = 0.4, 2.0, 5.8  # a stated prior: three tasks cannot show these


def fit(frame: pd.DataFrame, fitted_on: str, reasoning: dict[str, Any], scales: Scales | None = None) -> Parameters:
    """Fit everything to a table of outcomes (see `read_outcomes`); `scales` that are given are kept as they are."""
    models = tuple(sorted(frame["model"].unique()))
    tasks = tasks_of(frame)
    cells = cells_of(frame, models, tasks)
    families = tuple(sorted({family for model in models if (family := family_of(model))}))
    found = scales or Scales()
    for _ in range(ROUNDS):
        if scales is None:
            found = _best_scales(found, models, tasks, cells, families)
        cells = _levels(found, models, tasks, cells, families)
    within, prompt_slope = within_tasks(frame)
    return Parameters(
        fitted_on=fitted_on,
        sources=_sources(frame),
        models=models,
        tasks=tasks,
        scales=Scales.of_logs(np.round(found.logs(), 4)),
        cells=replace(
            cells, log_mean=cells.log_mean.round(4), variance=cells.variance.round(6), level=cells.level.round(4)
        ),
        runaway=_runaway(capped(frame), models),
        within=within,
        prompt_slope=prompt_slope,
        reasoning=reasoning,
    )


def _sources(frame: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    models = {str(name): group["model"] for name, group in frame.groupby("source")}
    return tuple(
        {**source, "rows": len(models[source["name"]]), "models": int(models[source["name"]].nunique())}
        for source in SOURCES
        if source["name"] in models
    )


def _prior_and_design(
    scales: Scales, models: tuple[str, ...], tasks: tuple[Task, ...], cells: Cells, families: tuple[str, ...]
) -> tuple[Floats, Floats]:
    points = points_of(models, tasks, cells, families)
    span = float(cells.level.min()), float(cells.level.max())
    prior = covariance(scales, points, points, span)
    prior[np.diag_indices_from(prior)] += scales.residual**2 + cells.variance
    _, cell = np.unique(cells.task * 1_000 + cells.third, return_inverse=True)
    design = (cell[:, None] == np.arange(cell.max() + 1)[None]).astype(float)
    return prior, design


def _best_scales(
    start: Scales, models: tuple[str, ...], tasks: tuple[Task, ...], cells: Cells, families: tuple[str, ...]
) -> Scales:
    centre = Scales().logs()
    residual = cells.log_mean - cells.level

    def loss(logs: Floats) -> float:
        """Minus the restricted log likelihood, the cells' own levels marginalised under flat priors."""
        prior, design = _prior_and_design(Scales.of_logs(logs), models, tasks, cells, families)
        factor = cho_factor(prior, lower=True)
        solved, inner = cho_solve(factor, design), cho_solve(factor, residual)
        gram, moment = design.T @ solved, design.T @ inner
        fitness = residual @ inner - moment @ np.linalg.solve(gram, moment)
        determinant = 2 * np.log(np.diag(factor[0])).sum() + np.linalg.slogdet(gram)[1]
        penalty = (((logs - centre) / PRIOR_LOG_SD) ** 2).sum()
        return float(0.5 * (fitness + determinant + penalty))

    best = minimize(loss, start.logs(), method="L-BFGS-B", options={"maxiter": 25})
    return Scales.of_logs(best.x)


def _levels(
    scales: Scales, models: tuple[str, ...], tasks: tuple[Task, ...], cells: Cells, families: tuple[str, ...]
) -> Cells:
    for _ in range(3):
        prior, design = _prior_and_design(scales, models, tasks, cells, families)
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
    return Runaway(round(rate, 6), RUNAWAY_LEVEL, RUNAWAY_SLOPE, RUNAWAY_SHAPE, CAP, named)


def main(arguments: list[str] | None = None) -> int:
    """Refit and write the parameter file."""
    parser = argparse.ArgumentParser(prog="python -m simulator.counterfactual.fit", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public outcomes")
    parser.add_argument("--responses", type=Path, help="recorded provider responses (default: beside the outcomes)")
    parser.add_argument("--date", default="2026-11-23", help="written into the file as the day of the fit")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("parameters.json"))
    asked = parser.parse_args(arguments)
    responses = asked.responses or asked.data.parent / "provider_responses" / "responses.jsonl.gz"
    try:
        fit(read_outcomes(asked.data), asked.date, fit_reasoning(responses)).save(asked.out)
    except BackrouteError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
