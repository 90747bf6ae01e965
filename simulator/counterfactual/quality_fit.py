"""Collect the public outcomes that predicted quality rests on: `python -m simulator.counterfactual.quality_fit`."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from problems import BackrouteError
from simulator.counterfactual.outcomes import CAP, ONE_MODEL, ZEROEVAL

Results = dict[str, dict[str, tuple[int, int]]]

TASKS = {"gsm": "reasoning", "math-l5": "reasoning", "mmlu": "reasoning", "aider-polyglot": "code"}
MMLU = {"mixtral_8x7b_correct": "Mixtral-8x7B-Instruct-v0.1", "gpt_4_1106_correct": "gpt4_1106_preview"}
# The coding runs that name a model as logs do, without thinking budgets, several models at once or unstated snapshots.
AIDER = (
    "gpt-4o-mini-2024-07-18",
    "gpt-4o-2024-08-06",
    "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku-20241022",
    "o1-mini-2024-09-12",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
)
SOURCES = (
    {
        "name": ZEROEVAL,
        "file": "zeroeval_outcomes.csv.gz",
        "licence": "Apache-2.0",
        "url": "github.com/WildEval/ZeroEval",
    },
    {
        "name": "RouteLLM",
        "file": "routellm_mmlu.jsonl.gz",
        "licence": "Apache-2.0",
        "url": "github.com/lm-sys/RouteLLM",
    },
    {
        "name": "aider polyglot",
        "file": "aider_polyglot.yml",
        "licence": "Apache-2.0",
        "url": "github.com/Aider-AI/aider",
    },
)


def collect(folder: Path, date: str) -> dict[str, Any]:
    """The whole table, as `quality.json` holds it.

    Raises:
        BackrouteError: a file of the public outcomes is missing.
    """
    paths = [folder / source["file"] for source in SOURCES]
    for path in paths:
        if not path.is_file():
            fix = "name the folder of the public outcomes with --data"
            raise BackrouteError(str(path), "no such file", effect="nothing was collected", fix=fix)
    results: Results = {**_zeroeval(paths[0]), "mmlu": _mmlu(paths[1]), "aider-polyglot": _aider(paths[2])}
    found = (("gsm", "math-l5"), ("mmlu",), ("aider-polyglot",))
    floor, per_logit, difficulty = spreads(results["gsm"], results["math-l5"])
    return {
        "schema": 1,
        "fitted_on": date,
        "sources": [
            {**source, "rows": sum(n for task in tasks for n, _ in results[task].values())}
            for source, tasks in zip(SOURCES, found, strict=True)
        ],
        "tasks": TASKS,
        "floor": round(floor, 4),
        "per_logit": round(per_logit, 4),
        "difficulty": round(difficulty, 4),
        "results": results,
    }


def spreads(one: Mapping[str, tuple[int, int]], two: Mapping[str, tuple[int, int]]) -> tuple[float, float, float]:
    """How much the difference of two models, and one model's level, move between two tasks of a class, in log odds.

    Half the squared change of a pair's difference, less its sampling variance, is the variance of one task's; over all
    pairs it is fitted as a constant plus a share of the squared mean difference: near models stay near.

    Returns:
        The sd of a pair without any difference, its growth per logit of difference, and the sd of one model's level.
    """
    models = sorted(set(one) & set(two))
    counts = np.array([[one[m], two[m]] for m in models], float)
    yes, no = counts[:, :, 1] + 0.5, counts[:, :, 0] - counts[:, :, 1] + 0.5
    odds, noise = np.log(yes / no), (1 / yes + 1 / no).sum(axis=1)
    pairs = np.array(list(combinations(range(len(models)), 2)))
    moved = odds[pairs[:, 0]] - odds[pairs[:, 1]]
    half = ((moved[:, 0] - moved[:, 1]) ** 2 - noise[pairs].sum(axis=1)) / 2
    slope, constant = np.polyfit(moved.mean(axis=1) ** 2, half, 1)
    level = (odds[:, 0] - odds[:, 1]) / np.sqrt(2)
    return float(np.sqrt(max(constant, 0.0))), float(np.sqrt(max(slope, 0.0))), float(np.sqrt((level**2).mean()))


def _zeroeval(path: Path) -> Results:
    table = pd.read_csv(path, dtype={"id": str})
    table = table[table["max_tokens"] == CAP].assign(model=table["model"].replace(ONE_MODEL))
    # An answer from which none could be read, a runaway one for example, is not a right one.
    table = table.assign(correct=table["correct"].fillna(0)).drop_duplicates(["task", "id", "model"])
    held: Results = {}
    for (task, model), group in table.groupby(["task", "model"]):
        held.setdefault(str(task), {})[str(model)] = (len(group), int(group["correct"].sum()))
    return held


def _mmlu(path: Path) -> dict[str, tuple[int, int]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {model: (len(rows), sum(bool(row[column]) for row in rows)) for column, model in MMLU.items()}


def _aider(path: Path) -> dict[str, tuple[int, int]]:
    runs = yaml.safe_load(path.read_text("utf-8"))
    return {run["model"]: (run["test_cases"], run["pass_num_2"]) for run in runs if run["model"] in AIDER}


def main(arguments: list[str] | None = None) -> int:
    """Collect and write the table."""
    parser = argparse.ArgumentParser(prog="python -m simulator.counterfactual.quality_fit", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public outcomes")
    parser.add_argument("--date", default="2026-11-25", help="written into the file as the day of the fit")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("quality.json"))
    asked = parser.parse_args(arguments)
    try:
        table = collect(asked.data, asked.date)
    except BackrouteError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    asked.out.write_text("{\n" + lines + "\n}\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
