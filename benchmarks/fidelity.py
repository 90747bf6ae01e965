"""How well output tokens and cost are predicted on tasks and models never seen: `python -m benchmarks.fidelity`.

Truth is the recorded answers counted with o200k, at list prices, or a benchmark's published mean length; tokenizer
error is tested elsewhere. Each task is left out in turn, everything refitted on the rest, scales included; then each
kind of task with all its tasks; then each of the six models. Beside the errors stand their limits.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import predicted_quality
from benchmarks.fidelity_cells import (
    DATA,
    SEVEN,
    SIX,
    WAYS,
    Answers,
    Cell,
    leave_kinds_out,
    leave_models_out,
    leave_tasks_out,
    predicted,
)
from benchmarks.fidelity_limits import limits, print_limits
from simulator.counterfactual import PairedSample, Parameters, calibrate
from simulator.counterfactual.outcomes import CAP, read_outcomes, read_published
from simulator.counterfactual.predict import ENOUGH_TASKS

SAMPLES, REPEATS = 200, 100  # a single runaway answer of 1,319 needs many draws to be met as often as it should
QUICK_REPEATS = 10


def after_calibration(answers: Answers, fits: dict[str, Parameters], repeats: int) -> pd.DataFrame:
    """Error on the rest of a left-out task once 200 of its prompts were answered by both, against the sampling limit.

    The limit is the sd of the regression estimate of the rest's total: sqrt(residual variance x (1/n + 1/m)) / mean.
    """
    draw, rows = np.random.default_rng(0), []
    for task, (source, target) in itertools.product(("gsm", "math-l5"), itertools.permutations(SIX, 2)):
        pair = answers.pair(task, source, target)
        if pair is None:
            continue
        errors, before = [], abs(predicted(fits[task], source, target, pair, None)[0] / pair[target].sum() - 1)
        for _ in range(repeats):
            chosen = draw.permutation(len(pair)) < SAMPLES
            live, rest = pair[chosen], pair[~chosen]
            sample = PairedSample(
                source,
                target,
                live[source].to_numpy(),
                live[target].to_numpy(),
                live["prompt"].to_numpy(),
                cap=np.full(SAMPLES, CAP),
            )
            tuned = calibrate(fits[task], [sample])
            errors.append(predicted(tuned, source, target, rest, None)[0] / rest[target].sum() - 1)
        x, y = pair[source].to_numpy(), pair[target].to_numpy()
        residual = y - np.polyval(np.polyfit(x, y, 1), x)
        limit = float(residual.std() / y.mean() * np.sqrt(1 / SAMPLES + 1 / (len(pair) - SAMPLES)))
        rows.append((task, source, target, before, float(np.sqrt(np.mean(np.square(errors)))), limit))
    table = pd.DataFrame(rows, columns=["task", "source", "target", "before", "after", "limit"])
    return table.assign(times_limit=table["after"] / table["limit"])


def quantiles(errors: list[float]) -> str:
    """Median, 75%, 90% and worst; NaN where a way has nothing to go by."""
    kept = [error for error in errors if np.isfinite(error)] or [float("nan")]
    return " ".join(f"{value:6.3f}" for value in np.quantile(kept, [0.5, 0.75, 0.9, 1.0]))


def summarise(title: str, cells: list[Cell], costs: bool = False) -> dict[str, Any]:
    """Print and return errors by way, coverage clustered by task, mean width and the comparison with copying."""
    print(f"\n{title}: {len(cells):,} cells (absolute error: median, 75%, 90%, worst)")
    for way in WAYS:
        line = f"  {way:10s} tokens {quantiles([cell.error(way) for cell in cells])}"
        print(line + (f"   cost {quantiles([cell.cost_error(way) for cell in cells])}" if costs else ""))
    by_task = pd.DataFrame([(c.task, c.covered) for c in cells], columns=["task", "covered"])
    shares = by_task.groupby("task")["covered"].mean()
    spread = float(shares.std() / np.sqrt(len(shares))) if len(shares) > 1 else float("nan")
    width = float(np.mean([(cell.high - cell.low) / cell.model for cell in cells]))
    own, copied = (float(np.mean([cell.error(way) for cell in cells])) for way in ("model", "copying"))
    pairs = pd.DataFrame([(c.source, c.target, c.error("model") - c.error("copying")) for c in cells])
    worse = pairs.groupby([0, 1])[2].mean()
    coverage = float(by_task["covered"].mean())
    print(f"  90% interval covers {coverage:.1%} of cells; by task {shares.mean():.1%} ± {spread:.1%} (standard error)")
    print("   ", ", ".join(f"{task} {share:.0%}" for task, share in shares.items()))
    print(f"  mean width of the interval {width:.2f} of the prediction; mean error {own / copied:.2f} of copying's")
    print(f"  pairs worse than copying by over a point: {int((worse > 0.01).sum())} of {len(worse)}")
    return {
        "cells": len(cells),
        "errors": {way: [float(v) for v in quantiles([c.error(way) for c in cells]).split()] for way in WAYS},
        "coverage": coverage,
        "width": width,
        "of_copying": own / copied,
        "pairs_worse_than_copying": int((worse > 0.01).sum()),
        "pairs": len(worse),
    }


def print_cells(cells: list[Cell]) -> None:
    """One line a cell for the six models."""
    print(
        f"{'source':28s}{'target':28s}{'task':13s}{'true':>9s}{'model':>9s}{'low':>9s}{'high':>9s} in"
        f"{'error':>7s}{'middle':>7s}{'copy':>7s}{'pool':>7s}{'geo':>7s}{'loglog':>7s}"
        f"{'true $':>9s}{'model $':>9s}{'error':>7s} tasks"
    )
    for c in sorted(cells, key=lambda c: (c.source, c.target, c.task)):
        ways = "".join(f"{c.error(way):7.2f}" for way in WAYS)
        print(
            f"{c.source:28s}{c.target:28s}{c.task:13s}{c.true:9.0f}{c.model:9.0f}{c.low:9.0f}{c.high:9.0f}"
            f" {'y' if c.covered else 'N'} {ways}"
            f"{c.cost(c.true):9.4f}{c.cost(c.model):9.4f}{c.cost_error('model'):7.2f}{c.independent:6d}"
        )


def print_pairs(title: str, cells: list[Cell]) -> None:
    """One line a pair: its cells' totals, mean errors by way, cells covered, and the fewest independent tasks."""
    print(
        f"\n{title}, by pair: totals over the tasks left out, mean absolute error of a task, and what stands behind it"
    )
    print(
        f"{'source':28s}{'target':28s}{'true tok':>10s}{'model tok':>10s}{'true $':>9s}{'model $':>9s}{'tokens':>8s}"
        f"{'cost':>6s}{'copying':>9s}{'geo':>6s}{'covered':>9s}{'width':>7s} independent tasks"
    )
    for (source, target), group in itertools.groupby(
        sorted(cells, key=lambda c: (c.source, c.target)), key=lambda c: (c.source, c.target)
    ):
        held = list(group)
        mean = {way: float(np.mean([c.error(way) for c in held])) for way in WAYS}
        true, told = (sum(c.true for c in held), sum(c.model for c in held))
        priced = [c for c in held if np.isfinite(c.prompt_tokens)]
        paid, said = (sum(c.cost(getattr(c, way)) for c in priced) for way in ("true", "model"))
        width = float(np.mean([(c.high - c.low) / c.model for c in held]))
        print(
            f"{source:28s}{target:28s}{true:10.0f}{told:10.0f}{paid:9.4f}{said:9.4f}{mean['model']:8.2f}"
            f"{np.mean([c.cost_error('model') for c in priced]):6.2f}{mean['copying']:9.2f}{mean['geometric']:6.2f}"
            f"{sum(c.covered for c in held):6d}/{len(held)}{width:7.2f} {behind(held)}"
        )


def behind(cells: list[Cell]) -> str:
    """How many independent tasks stand behind some cells' intervals, and what fewer than five do to them."""
    least, most = (pick(c.independent for c in cells) for pick in (min, max))
    said = f"{least}" if least == most else f"{least} to {most}"
    return f"{said}: widened by the general prior" if least < ENOUGH_TASKS else said


def main(arguments: list[str] | None = None) -> int:
    """Run the whole benchmark and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path, help="write every cell and summary here as well")
    parser.add_argument(
        "--quick", action="store_true", help="the packaged scales in every fold and ten draws a pair: less strict"
    )
    asked = parser.parse_args(arguments)
    if not asked.data.is_dir():
        print(f"{asked.data}: no public outcomes here; name their folder with --data")
        return 3
    packaged = Parameters.load().scales
    answers = Answers(read_outcomes(asked.data), read_published())
    cells, told, fits = leave_tasks_out(answers, packaged if asked.quick else None, labelled=True)
    of_six = [cell for cell in cells if cell.source in SIX and cell.target in SIX]
    six = [cell for cell in of_six if np.isfinite(cell.prompt_tokens)]
    seven = [cell for cell in cells if cell.source in SEVEN and cell.target in SEVEN]
    kinds = leave_kinds_out(answers, packaged if asked.quick else None)
    shared = [cell for cell in cells if cell.independent]
    apart = [cell for cell in cells if not cell.independent]
    print_cells(of_six)
    print_pairs("Each task left out", of_six)
    unseen = leave_models_out(answers, packaged)
    print_pairs("Each model left out whole", unseen)
    repeats = QUICK_REPEATS if asked.quick else REPEATS
    tuned = after_calibration(answers, fits, repeats)
    summaries = {
        "six models, recorded tasks": summarise("The six models, each recorded task left out", six, costs=True),
        "six models, task left out": summarise("The six models, each of all tasks left out", of_six),
        "six models, kind left out": summarise("The six models, each kind of task left out whole", kinds),
        "six models, labelled": summarise("The same with the task's class known", told, costs=True),
        "seven models": summarise("The seven models of the quoted baselines", seven),
        "all pairs": summarise("All pairs that share another task, each task left out", shared),
        "pairs that share none": summarise("Pairs that share no other task, each task left out", apart),
        "unseen model": summarise("The six models, each model left out whole", unseen, costs=True),
    }
    print(f"\nAfter {SAMPLES} paired samples, {repeats} draws a pair: rms error of the rest against the sampling limit")
    print(tuned.round(3).to_string(index=False))
    print(f"median {tuned['times_limit'].median():.2f} times the limit, worst {tuned['times_limit'].max():.2f}")
    bounds = {name: limits(list(held)) for name, held in (("recorded tasks", six), ("all tasks", of_six))}
    for name, found in bounds.items():
        print_limits(f"The six models, {name}", found)
    predicted_quality.report()
    if asked.json:
        told_json = {
            "summaries": summaries,
            "limits": {name: asdict(found) for name, found in bounds.items()},
            "cells": [asdict(c) for c in cells],
            "after": tuned.to_dict("records"),
        }
        asked.json.write_text(json.dumps(told_json, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
