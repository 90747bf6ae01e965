"""The public outcomes as one table: which model answered which prompt of which task with how many tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from problems import BackrouteError
from simulator.counterfactual.kernel import Floats
from simulator.counterfactual.parameters import Cells, Task, Within

CAP = 4_096.0  # tokens, the output cap of the recorded runs
CUT = 3_900  # o200k tokens from which an answer counts as cut at that cap, whatever its own tokenizer
THIRDS = 3
FEWEST = 8  # answers a cell needs

ZEROEVAL, ALPACA = "ZeroEval", "AlpacaEval"
SOURCES = (
    {
        "name": ZEROEVAL,
        "file": "zeroeval_outcomes.csv.gz",
        "licence": "Apache-2.0",
        "url": "github.com/WildEval/ZeroEval",
    },
    {
        "name": ALPACA,
        "file": "alpaca_eval_lengths.csv.gz",
        "licence": "Apache-2.0",
        "url": "github.com/tatsu-lab/alpaca_eval",
    },
)
NAMES = {
    "out_o200k": "tokens",
    "output_o200k": "tokens",
    "prompt_o200k": "prompt_tokens",
    "dataset": "task",
    "idx": "id",
}
CLASSES = {"gsm": "reasoning", "math-l5": "reasoning"}  # the rest of these two sources is chat
# One model under several names. Runs under another cap are left out, since their lengths are other lengths.
ONE_MODEL = {
    "Meta-Llama-3.1-8B-Instruct-Turbo": "Meta-Llama-3.1-8B-Instruct",
    "Meta-Llama-3.1-70B-Instruct-Turbo": "Meta-Llama-3.1-70B-Instruct",
    "Meta-Llama-3.1-405B-Instruct-Turbo": "Meta-Llama-3.1-405B-Instruct",
    "Meta-Llama-3.1-405B-Instruct@hyperbolic": "Meta-Llama-3.1-405B-Instruct",
    "gemma-2-27b-it@together": "gemma-2-27b-it",
}


def read_outcomes(folder: Path) -> pd.DataFrame:
    """Read both public tables: columns task, id, model, source, tokens (o200k, at least 1), prompt_tokens.

    Raises:
        BackrouteError: a table is missing.
    """
    tables = []
    for source in SOURCES:
        path = folder / source["file"]
        if not path.is_file():
            raise BackrouteError(
                str(path), "no such file", effect="nothing was fitted", fix="name the folder of the public outcomes"
            )
        # Some tasks number their prompts and some name them.
        table = pd.read_csv(path, dtype={"id": str, "idx": str}).rename(columns=NAMES).assign(source=source["name"])
        if "max_tokens" in table:
            table = table[table["max_tokens"] == CAP]
        tables.append(table[["task", "id", "model", "source", "tokens", "prompt_tokens"]])
    frame = pd.concat(tables, ignore_index=True)
    frame["model"] = frame["model"].replace(ONE_MODEL)
    frame["tokens"] = frame["tokens"].clip(lower=1)
    return frame.drop_duplicates(["task", "id", "model"], ignore_index=True)


def tasks_of(frame: pd.DataFrame) -> tuple[Task, ...]:
    """The tasks, by name. AlpacaEval's five sets are one kind: one instruction-following regime, so not independent."""
    prompts = frame.drop_duplicates(["task", "id"])
    return tuple(
        Task(
            name=str(name),
            source=str(group["source"].iloc[0]),
            label=CLASSES.get(str(name), "chat"),
            kind=str(name) if name in CLASSES else "chat",
            mean_log_prompt=round(float(np.log(group["prompt_tokens"]).mean()), 4),
        )
        for name, group in prompts.groupby("task", sort=True)
    )


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """Regular answers of one task, prompts by models, NaN where a model gave none, ran away or gave an empty one."""
    regular = frame[(frame["tokens"] < CUT) & (frame["tokens"] > 1)]
    return regular.pivot(index="id", columns="model", values="tokens")


def cells_of(frame: pd.DataFrame, models: tuple[str, ...], tasks: tuple[Task, ...]) -> Cells:
    """Mean lengths per model and third; `level` starts at a two-way additive fit and is refined by the fit."""
    rows: list[tuple[int, int, int, float, float, int]] = []
    for number, task in enumerate(tasks):
        table = wide(frame[frame["task"] == task.name])
        logs = np.log(table)
        # Centred per model, so that a model that skipped hard prompts does not make the others look harder.
        difficulty = (logs - logs.mean()).mean(axis=1)
        thirds = pd.qcut(difficulty.rank(method="first"), THIRDS, labels=False)
        for third in range(THIRDS):
            part, log_part = table[thirds == third], logs[thirds == third]
            for model in part.columns:
                n = int(part[model].count())
                variance = float(log_part[model].var()) if n >= FEWEST else 0.0
                if variance > 0:
                    mean = float(np.log(part[model].mean()))
                    rows.append((models.index(str(model)), number, third, mean, variance / n, n))
    model, task_code, third_code, mean_, variance_, n_ = (np.array(column) for column in zip(*rows, strict=True))
    cell = task_code * THIRDS + third_code
    effect, level = np.zeros(len(models)), np.zeros(int(cell.max()) + 1)
    for _ in range(50):
        level = np.bincount(cell, mean_ - effect[model], len(level)) / np.maximum(np.bincount(cell), 1)
        effect = np.bincount(model, mean_ - level[cell], len(models)) / np.maximum(
            np.bincount(model, minlength=len(models)), 1
        )
        effect -= effect.mean()
    return Cells(model, task_code, third_code, mean_, variance_, n_, level[cell])


def capped(frame: pd.DataFrame) -> pd.DataFrame:
    """Answers and cut answers per task and model: columns task, model, rows, cut."""
    counted = frame.assign(cut=frame["tokens"] >= CUT).groupby(["task", "model"])["cut"].agg(["size", "sum"])
    return counted.rename(columns={"size": "rows", "sum": "cut"}).reset_index()


def within_tasks(frame: pd.DataFrame) -> tuple[dict[str, Within], float]:
    """Each model's relative loading and noise inside tasks, and the slope on the prompt's log length beside it.

    Per task one factor stands for a prompt's difficulty (principal factors of the log lengths). Figures are geometric
    means over tasks, pulled towards the average model as if it were worth one more task.
    """
    loadings: dict[str, list[float]] = {}
    noises: dict[str, list[float]] = {}
    slopes: list[float] = []
    for _, group in frame.groupby("task", sort=True):
        logs: pd.DataFrame = wide(group).apply(np.log)
        logs = logs[[m for m in logs.columns if logs[m].count() > 0.9 * len(logs)]].dropna()
        loading, noise = _one_factor(logs.cov().to_numpy())
        scale = float(np.exp(np.log(loading).mean()))
        for model, value, sd in zip(logs.columns, loading, noise, strict=True):
            loadings.setdefault(str(model), []).append(float(np.log(value / scale)))
            noises.setdefault(str(model), []).append(float(np.log(sd**2 / value**2)))
        prompt = np.log(group.drop_duplicates("id").set_index("id")["prompt_tokens"]).loc[logs.index].to_numpy()
        slopes.append(_prompt_slope(logs.to_numpy(), prompt))
    middle = float(np.mean([value for values in noises.values() for value in values]))
    within = {
        model: Within(
            round(float(np.exp(sum(loadings[model]) / (len(loadings[model]) + 1))), 4),
            round(float(np.exp((sum(noises[model]) + middle) / (len(noises[model]) + 1))), 4),
        )
        for model in sorted(loadings)
    }
    return within, round(float(np.median(slopes)), 4)


def _one_factor(cov: Floats) -> tuple[Floats, Floats]:
    variance = np.diag(cov)
    loading = 0.8 * np.sqrt(variance)
    noise = variance - loading**2
    for _ in range(200):
        noise = np.maximum(variance - loading**2, 0.02 * variance)
        scale = 1 / np.sqrt(noise)
        values, vectors = np.linalg.eigh(cov * scale[:, None] * scale[None])
        loading = np.maximum(
            np.abs(vectors[:, -1]) * np.sqrt(max(values[-1] - 1, 0.0)) / scale, 0.1 * np.sqrt(variance)
        )
    return loading, np.sqrt(noise)


def _prompt_slope(logs: Floats, prompt: Floats) -> float:
    """Median over pairs of models of the slope on log prompt tokens beside the source's log length."""
    centred, aside = logs - logs.mean(axis=0), prompt - prompt.mean()
    variance, of_prompt = (centred**2).mean(axis=0), float((aside**2).mean())
    cross, with_prompt = centred.T @ centred / len(logs), centred.T @ aside / len(logs)
    free = variance * of_prompt - with_prompt**2
    slope = (with_prompt[None] * variance[:, None] - cross * with_prompt[:, None]) / free[:, None]
    return float(np.median(slope[~np.eye(len(variance), dtype=bool)]))
