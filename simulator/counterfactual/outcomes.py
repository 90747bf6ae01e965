"""The public outcomes as one table: which model answered which prompt of which task with how many tokens.

Beside them `published.json`: mean lengths per model and task that benchmarks print, where answers are not at hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from problems import BackrouteError
from simulator.counterfactual.kernel import Floats
from simulator.counterfactual.parameters import Cells, Task, Within

CAP = 4_096.0  # tokens, the output cap of the recorded runs
CUT = 3_900  # o200k tokens from which an answer counts as cut at that cap, whatever its own tokenizer
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
ANSWER_SD = 0.75  # of the log of one answer's length on a task, where only means are published
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


@dataclass(frozen=True)
class Published:
    """A benchmark's mean answer lengths: where they stand, of how many prompts, and o200k tokens per model."""

    task: Task
    url: str
    licence: str
    prompts: int
    mean_tokens: dict[str, float]

    def relative_variance(self) -> float:
        """Sampling variance of the log of a mean, taking answers to be log-normal."""
        return float(np.expm1(ANSWER_SD**2)) / self.prompts


def read_published() -> tuple[Published, ...]:
    """The packaged table. Its units are turned into tokens at one rate a task, which no ratio of models feels."""
    raw = json.loads(files("simulator.counterfactual").joinpath("published.json").read_text("utf-8"))
    return tuple(
        Published(
            Task(each["task"], each["source"], each["label"], each["kind"], None),
            each["url"],
            each["licence"],
            each["prompts"],
            {model: length * each["tokens_per_unit"] for model, length in each["mean_lengths"].items()},
        )
        for each in raw
    )


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


def cells_of(
    frame: pd.DataFrame, published: tuple[Published, ...], models: tuple[str, ...], tasks: tuple[Task, ...]
) -> Cells:
    """Mean lengths per model and task; `level` starts at a two-way additive fit and is refined by the fit.

    Args:
        tasks: those of the frame, then those of `published`.
    """
    rows: list[tuple[int, int, float, float, int]] = []
    apart = len(tasks) - len(published)
    for number, task in enumerate(tasks[:apart]):
        table = wide(frame[frame["task"] == task.name])
        for model, answers in table.items():
            n, variance = int(answers.count()), float(np.log(answers).var())
            if n >= FEWEST and variance > 0:
                rows.append((models.index(str(model)), number, float(np.log(answers.mean())), variance / n, n))
    for number, each in enumerate(published, apart):
        variance = each.relative_variance()
        for name, tokens in sorted(each.mean_tokens.items()):
            rows.append((models.index(name), number, float(np.log(tokens)), variance, each.prompts))
    model_code, task_code, mean_, variance_, n_ = (np.array(column) for column in zip(*rows, strict=True))
    effect, level = np.zeros(len(models)), np.zeros(len(tasks))
    for _ in range(50):
        level = np.bincount(task_code, mean_ - effect[model_code], len(level)) / np.bincount(task_code)
        effect = np.bincount(model_code, mean_ - level[task_code], len(models)) / np.maximum(
            np.bincount(model_code, minlength=len(models)), 1
        )
        effect -= effect.mean()
    return Cells(model_code, task_code, mean_, variance_, n_, level[task_code])


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
