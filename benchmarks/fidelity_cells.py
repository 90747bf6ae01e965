"""The cells of `benchmarks.fidelity`: one pair of models on one task that nothing was fitted to, beside the truth."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from simulator.counterfactual import TASKS, Parameters, predict_output
from simulator.counterfactual.fit import fit
from simulator.counterfactual.kernel import Scales
from simulator.counterfactual.outcomes import CAP, Published, tasks_of

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
# The seven models whose errors by the simple ways were known before this project: the bar of the simple ways.
SEVEN = (*SIX[:5], "claude-3-opus-20240229", "Mixtral-8x7B-Instruct-v0.1")
WAYS = ("model", "middle", "copying", "pooled", "geometric", "loglog")


@dataclass(frozen=True)
class Cell:
    """One pair on one left-out task: totals of tokens by each way, the model's interval, and what stood behind it.

    `model` is the expected total, as reports state it; `middle` is the middle of its distribution, which lies lower.
    """

    source: str
    target: str
    task: str
    kind: str
    rows: int
    prompt_tokens: float
    true: float
    model: float
    middle: float
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
        """USD at the target's list prices, prompt included; NaN where prompts are unknown."""
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
) -> tuple[float, float, float, float, str]:
    """Total, middle, low, high at 90% and level for a pair's shared prompts (columns: both models, prompt)."""
    labels = None if label is None else np.full(len(pair), TASKS.index(label))
    cap = np.full(len(pair), CAP)
    told = predict_output(params, source, target, labels, pair[source].to_numpy(), pair["prompt"].to_numpy(), cap)
    total = float(told.expected.sum())
    sd = float(np.hypot(told.group_log_sd, np.sqrt((told.request_sd**2).sum()) / total))
    middle = total * float(np.exp(-(sd**2) / 2))
    return total, middle, middle * float(np.exp(-Z90 * sd)), middle * float(np.exp(Z90 * sd)), told.level


def simple_ways(held: pd.DataFrame, rest: list[pd.DataFrame], source: str, target: str) -> dict[str, float]:
    """The field's ways, from the pair's shared answers on the tasks that remain; NaN where there are none."""
    total = float(held[source].sum())
    found = {"copying": total, "pooled": np.nan, "geometric": np.nan, "loglog": np.nan}
    if rest:
        sums = np.array([[task[source].sum(), task[target].sum()] for task in rest])
        found["pooled"] = total * float(sums[:, 1].sum() / sums[:, 0].sum())
        found["geometric"] = total * float(np.exp(np.log(sums[:, 1] / sums[:, 0]).mean()))
        every = np.log(pd.concat(rest)[[source, target]].to_numpy())
        if np.ptp(every[:, 0]) < 1e-9:  # a single published mean shows no slope
            return found
        slope, base = np.polyfit(every[:, 0], every[:, 1], 1)
        smear = float(np.exp(every[:, 1] - base - slope * every[:, 0]).mean())
        found["loglog"] = smear * float(np.exp(base + slope * np.log(held[source].to_numpy())).sum())
    return found


class Answers:
    """Each task as prompts by models, with the prompts' tokens; a published mean stands for each of its answers."""

    def __init__(self, frame: pd.DataFrame, published: tuple[Published, ...]) -> None:
        self.frame, self.published = frame, published
        tasks = (*tasks_of(frame), *(each.task for each in published))
        self.labels = {task.name: task.label for task in tasks}
        self.kinds = {task.name: task.kind for task in tasks}
        self.tables = {}
        for each in published:
            lengths = {model: np.full(each.prompts, tokens) for model, tokens in each.mean_tokens.items()}
            self.tables[each.task.name] = pd.DataFrame(lengths).assign(prompt=np.nan)
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
        return table[[source, target, "prompt"]].dropna(subset=[source, target])

    def fit(self, left_out: Collection[str], scales: Scales | None = None, without: tuple[str, ...] = ()) -> Parameters:
        """Parameters that never saw some tasks."""
        frame = self.frame[~self.frame["task"].isin(left_out)]
        published = tuple(each for each in self.published if each.task.name not in left_out)
        return fit(frame, published, "cross-validation", {}, scales, without)

    def cell(
        self,
        params: Parameters,
        source: str,
        target: str,
        task: str,
        label: str | None = None,
        left_out: Collection[str] = (),
    ) -> Cell | None:
        """Predict one cell and set it beside the truth and the simple ways; `left_out` are tasks none of them saw."""
        held = self.pair(task, source, target)
        if held is None or held.empty:
            return None
        names = [name for name in self.tables if name != task and name not in left_out]
        others = [pair for name in names if (pair := self.pair(name, source, target)) is not None]
        total, middle, low, high, level = predicted(params, source, target, held, label)
        return Cell(
            source=source,
            target=target,
            task=task,
            kind=self.kinds[task],
            rows=len(held),
            prompt_tokens=float(held["prompt"].sum(skipna=False)),
            true=float(held[target].sum()),
            model=total,
            middle=middle,
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
        params = answers.fit([task], scales)
        fits[task] = params
        for source, target in itertools.permutations(answers.models(task), 2):
            if (cell := answers.cell(params, source, target, task)) is not None:
                cells.append(cell)
            if labelled and {source, target} <= set(SIX) and answers.labels[task] in TASKS:
                known = answers.cell(params, source, target, task, answers.labels[task])
                told += [known] if known else []
    return cells, told, fits


def leave_kinds_out(answers: Answers, scales: Scales | None, models: Collection[str] = SIX) -> list[Cell]:
    """Some models' pairs on every task, predicted by a fit that never saw any task of its kind."""
    cells = []
    for kind in dict.fromkeys(answers.kinds.values()):
        alike = [task for task in answers.tables if answers.kinds[task] == kind]
        params = answers.fit(alike, scales)
        for task in alike:
            for source, target in itertools.permutations(models, 2):
                cell = answers.cell(params, source, target, task, left_out=alike)
                cells += [cell] if cell else []
    return cells


def leave_models_out(answers: Answers, scales: Scales) -> list[Cell]:
    """The six models' pairs with one of them never seen, on every task; the scales are those of the whole data."""
    cells = []
    for unseen in SIX:
        rest = tuple(
            replace(each, mean_tokens={name: value for name, value in each.mean_tokens.items() if name != unseen})
            for each in answers.published
        )
        params = fit(answers.frame[answers.frame["model"] != unseen], rest, "cross-validation", {}, scales)
        for task, (source, target) in itertools.product(answers.tables, itertools.permutations(SIX, 2)):
            if unseen in (source, target) and (cell := answers.cell(params, source, target, task)) is not None:
                cells.append(cell)
    return cells
