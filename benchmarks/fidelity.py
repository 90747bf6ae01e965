"""How well output tokens and cost are predicted on tasks and models never seen: `python -m benchmarks.fidelity`.

Truth is the recorded answers counted with o200k, at list prices; tokenizer error is tested elsewhere. Each task is left
out in turn, everything refitted on the rest, scales included; then each of the six models is left out whole.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import predicted_quality
from simulator.counterfactual import TASKS, PairedSample, Parameters, calibrate, predict_output
from simulator.counterfactual.fit import fit
from simulator.counterfactual.kernel import Scales
from simulator.counterfactual.outcomes import CAP, read_outcomes, tasks_of
from simulator.counterfactual.predict import ENOUGH_TASKS

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "outcomes"
Z90 = 1.6449
# USD per million tokens, input and output: list prices as genai-prices 0.2.3 gives them.
PRICES = {
    "gpt-4o-2024-05-13": (2.50, 10.00),  # the price of gpt-4o since 2024-08; the snapshot's own was 5.00 and 15.00
    "gpt-4o-mini-2024-07-18": (0.15, 0.60),
    "Meta-Llama-3.1-8B-Instruct": (0.05, 0.08),
    "Meta-Llama-3.1-70B-Instruct": (0.59, 0.79),
    "claude-3-5-sonnet-20240620": (3.00, 15.00),
    "claude-3-haiku-20240307": (0.25, 1.25),
}
SIX = tuple(PRICES)
# The seven models that FACTS.md section 6 quotes baselines for, as far as its figures can be reproduced here.
SEVEN = (*SIX[:5], "claude-3-opus-20240229", "Mixtral-8x7B-Instruct-v0.1")
SAMPLES, REPEATS = 200, 100  # a single runaway answer of 1,319 needs many draws to be met as often as it should
QUICK_REPEATS = 10
WAYS = ("model", "copying", "pooled", "geometric", "loglog")


@dataclass(frozen=True)
class Cell:
    """One pair on one left-out task: totals of tokens by each way, the model's interval, and what stood behind it."""

    source: str
    target: str
    task: str
    rows: int
    prompt_tokens: float
    true: float
    model: float
    copying: float
    pooled: float
    geometric: float
    loglog: float
    low: float
    high: float
    independent: int
    level: str

    def error(self, way: str) -> float:
        """Relative error of the total tokens."""
        return abs(float(getattr(self, way)) / self.true - 1)

    def cost(self, tokens: float) -> float:
        """USD at the target's list prices, prompt included."""
        price_in, price_out = PRICES[self.target]
        return (self.prompt_tokens * price_in + tokens * price_out) / 1e6

    def cost_error(self, way: str) -> float:
        """Relative error of the cost."""
        return abs(self.cost(getattr(self, way)) / self.cost(self.true) - 1)

    @property
    def covered(self) -> bool:
        """Whether the 90% interval holds the truth."""
        return self.low <= self.true <= self.high


def predicted(
    params: Parameters, source: str, target: str, pair: pd.DataFrame, label: str | None
) -> tuple[float, float, float, str]:
    """Total, low, high at 90% and level for a pair's shared prompts (columns: both models, prompt)."""
    labels = None if label is None else np.full(len(pair), TASKS.index(label))
    cap = np.full(len(pair), CAP)
    told = predict_output(params, source, target, labels, pair[source].to_numpy(), pair["prompt"].to_numpy(), cap)
    total = float(told.expected.sum())
    sd = float(np.hypot(told.group_log_sd, np.sqrt((told.request_sd**2).sum()) / total))
    middle = total * float(np.exp(-(sd**2) / 2))
    return total, middle * float(np.exp(-Z90 * sd)), middle * float(np.exp(Z90 * sd)), told.level


def simple_ways(held: pd.DataFrame, rest: list[pd.DataFrame], source: str, target: str) -> dict[str, float]:
    """The field's ways, from the pair's shared answers on the tasks that remain; NaN where there are none."""
    total = float(held[source].sum())
    found = {"copying": total, "pooled": np.nan, "geometric": np.nan, "loglog": np.nan}
    if rest:
        sums = np.array([[task[source].sum(), task[target].sum()] for task in rest])
        found["pooled"] = total * float(sums[:, 1].sum() / sums[:, 0].sum())
        found["geometric"] = total * float(np.exp(np.log(sums[:, 1] / sums[:, 0]).mean()))
        every = np.log(pd.concat(rest)[[source, target]].to_numpy())
        slope, base = np.polyfit(every[:, 0], every[:, 1], 1)
        smear = float(np.exp(every[:, 1] - base - slope * every[:, 0]).mean())
        found["loglog"] = smear * float(np.exp(base + slope * np.log(held[source].to_numpy())).sum())
    return found


class Answers:
    """Each task as prompts by models, with the prompts' tokens."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.labels = {task.name: task.label for task in tasks_of(frame)}
        self.tables = {}
        for name, group in frame.groupby("task", sort=True):
            table = group.pivot(index="id", columns="model", values="tokens").astype(float)
            prompt = group.drop_duplicates("id").set_index("id")["prompt_tokens"]
            self.tables[str(name)] = table.assign(prompt=prompt.loc[table.index].astype(float))

    def models(self, task: str) -> list[str]:
        """The models that answered a task."""
        return [str(column) for column in self.tables[task].columns if column != "prompt"]

    def pair(self, task: str, source: str, target: str) -> pd.DataFrame | None:
        """Prompts that both answered; None where either never met the task."""
        table = self.tables[task]
        if source not in table or target not in table:
            return None
        return table[[source, target, "prompt"]].dropna()

    def cell(self, params: Parameters, source: str, target: str, task: str, label: str | None = None) -> Cell | None:
        """Predict one cell and set it beside the truth and the simple ways."""
        held = self.pair(task, source, target)
        if held is None or held.empty:
            return None
        others = [pair for name in self.tables if name != task if (pair := self.pair(name, source, target)) is not None]
        total, low, high, level = predicted(params, source, target, held, label)
        return Cell(
            source=source,
            target=target,
            task=task,
            rows=len(held),
            prompt_tokens=float(held["prompt"].sum()),
            true=float(held[target].sum()),
            model=total,
            low=low,
            high=high,
            independent=params.support(source, target).independent,
            level=level,
            **simple_ways(held, others, source, target),
        )


def leave_tasks_out(
    answers: Answers, scales: Scales | None, labelled: bool
) -> tuple[list[Cell], list[Cell], dict[str, Parameters]]:
    """Every pair on every task, predicted by a fit that never saw it; the six again with its label known; the fits."""
    cells: list[Cell] = []
    told: list[Cell] = []
    fits = {}
    for task in answers.tables:
        params = fit(answers.frame[answers.frame["task"] != task], "cross-validation", {}, scales)
        fits[task] = params
        for source, target in itertools.permutations(answers.models(task), 2):
            if (cell := answers.cell(params, source, target, task)) is not None:
                cells.append(cell)
            if labelled and {source, target} <= set(SIX):
                known = answers.cell(params, source, target, task, answers.labels[task])
                told += [known] if known else []
    return cells, told, fits


def leave_models_out(answers: Answers, scales: Scales) -> list[Cell]:
    """The six models' pairs with one of them never seen, on every task; the scales are those of the whole data."""
    cells = []
    for unseen in SIX:
        params = fit(answers.frame[answers.frame["model"] != unseen], "cross-validation", {}, scales)
        for task, (source, target) in itertools.product(answers.tables, itertools.permutations(SIX, 2)):
            if unseen in (source, target) and (cell := answers.cell(params, source, target, task)) is not None:
                cells.append(cell)
    return cells


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
        f"{'error':>7s}{'copy':>7s}{'pool':>7s}{'geo':>7s}{'loglog':>7s}"
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
        paid, said = (
            sum(c.cost(tokens) for c, tokens in zip(held, column, strict=True))
            for column in (
                [c.true for c in held],
                [c.model for c in held],
            )
        )
        width = float(np.mean([(c.high - c.low) / c.model for c in held]))
        print(
            f"{source:28s}{target:28s}{true:10.0f}{told:10.0f}{paid:9.4f}{said:9.4f}{mean['model']:8.2f}"
            f"{np.mean([c.cost_error('model') for c in held]):6.2f}{mean['copying']:9.2f}{mean['geometric']:6.2f}"
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
    answers = Answers(read_outcomes(asked.data))
    cells, told, fits = leave_tasks_out(answers, packaged if asked.quick else None, labelled=True)
    six = [cell for cell in cells if cell.source in SIX and cell.target in SIX]
    seven = [cell for cell in cells if cell.source in SEVEN and cell.target in SEVEN]
    shared = [cell for cell in cells if cell.independent]
    apart = [cell for cell in cells if not cell.independent]
    print_cells(six)
    print_pairs("Each task left out", six)
    unseen = leave_models_out(answers, packaged)
    print_pairs("Each model left out whole", unseen)
    repeats = QUICK_REPEATS if asked.quick else REPEATS
    tuned = after_calibration(answers, fits, repeats)
    summaries = {
        "six models, task left out": summarise("The six models, each task left out", six, costs=True),
        "six models, labelled": summarise("The same with the task's class known", told, costs=True),
        "seven models": summarise("The seven models of the quoted baselines", seven),
        "all pairs": summarise("All pairs that share another task, each task left out", shared),
        "pairs that share none": summarise("Pairs that share no other task, each task left out", apart),
        "unseen model": summarise("The six models, each model left out whole", unseen, costs=True),
    }
    print(f"\nAfter {SAMPLES} paired samples, {repeats} draws a pair: rms error of the rest against the sampling limit")
    print(tuned.round(3).to_string(index=False))
    print(f"median {tuned['times_limit'].median():.2f} times the limit, worst {tuned['times_limit'].max():.2f}")
    predicted_quality.report()
    if asked.json:
        told_json = {"summaries": summaries, "cells": [asdict(c) for c in cells], "after": tuned.to_dict("records")}
        asked.json.write_text(json.dumps(told_json, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
