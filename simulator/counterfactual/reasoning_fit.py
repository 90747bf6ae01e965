"""Hidden reasoning tokens, as providers counted them in recorded responses: one wide prior per family."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from problems import BackrouteError
from simulator.counterfactual.kernel import Floats
from simulator.counterfactual.reasoning import family_of_reasoning

SOURCE = "recorded provider responses: pydantic-ai, simonw/llm, openinference (MIT, Apache-2.0)"
PRIOR_RECORDS = 5.0  # what the general prior is worth against a family's own records
SD_FLOOR = 1.0  # log; the recordings are mostly small tests, so no family is known better than a factor of e


def fit_reasoning(path: Path) -> dict[str, Any]:
    """Fit log(reasoning) = intercept of the family + slope x log(visible), on responses that report hidden tokens.

    A family's share counts its responses without any. Returns a plain table per family, and "*" for the general prior.

    Raises:
        BackrouteError: there is no such file.
    """
    if not path.is_file():
        raise BackrouteError(str(path), "no such file", effect="nothing was fitted", fix="name it with --responses")
    records: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for model, hidden, visible in _records(path):
        family = family_of_reasoning(model)
        if family:
            records[family].append((hidden, visible))
    thinking = {
        family: np.log(np.maximum([row for row in rows if row[0] > 0], 1.0)).reshape(-1, 2)
        for family, rows in records.items()
    }
    slope = _slope(list(thinking.values()))
    intercepts = {family: logs[:, 0] - slope * logs[:, 1] for family, logs in thinking.items()}
    every = np.concatenate([values for values in intercepts.values() if len(values)])
    centre = float(np.mean([values.mean() for values in intercepts.values() if len(values)]))
    within = float(np.sqrt(np.mean([values.var() for values in intercepts.values() if len(values) > 1])))
    table: dict[str, Any] = {
        "*": _row(
            slope, centre, max(float(np.std(every)), SD_FLOOR) * 1.5, 1.0, len(every), sum(map(len, records.values()))
        )
    }
    for family in sorted(records):
        own = intercepts[family]
        n = len(own)
        middle = (own.sum() + PRIOR_RECORDS * centre) / (n + PRIOR_RECORDS)
        squares = ((own - middle) ** 2).sum() + PRIOR_RECORDS * within**2
        sd = max(float(np.sqrt(squares / (n + PRIOR_RECORDS))), SD_FLOOR)
        share = (n + PRIOR_RECORDS) / (len(records[family]) + PRIOR_RECORDS)
        table[family] = _row(slope, float(middle), sd, float(share), n, len(records[family]))
    return table


def _row(slope: float, intercept: float, sd: float, share: float, thinking: int, responses: int) -> dict[str, Any]:
    return {
        "intercept": round(intercept, 4),
        "slope": round(slope, 4),
        "log_sd": round(sd, 4),
        "share": round(share, 4),
        "rows": thinking,
        "responses": responses,
        "source": SOURCE,
    }


def _slope(families: list[Floats]) -> float:
    """Least squares slope inside families: (log hidden, log visible) rows of each, centred on its own means."""
    centred = np.concatenate([logs - logs.mean(axis=0) for logs in families if len(logs)])
    return float(centred[:, 0] @ centred[:, 1] / (centred[:, 1] @ centred[:, 1]))


def _records(path: Path) -> Iterator[tuple[str, float, float]]:
    """(model, hidden, visible) of every response that says how many tokens were hidden, by its last usage."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            counted = [entry["usage"] for entry in row["usage"] or [] if isinstance(entry["usage"], Mapping)]
            if counted and (pair := _hidden(counted[-1])) is not None:
                yield str(row["model"]), *pair


def _hidden(usage: Mapping[str, Any]) -> tuple[float, float] | None:
    if "thoughtsTokenCount" in usage:
        # Gemini's candidates exclude the thoughts; a final event without candidates had no visible text.
        return float(usage["thoughtsTokenCount"]), float(usage.get("candidatesTokenCount") or 0)
    for details, total in (
        ("completion_tokens_details", "completion_tokens"),
        ("output_tokens_details", "output_tokens"),
    ):
        hidden = (usage.get(details) or {}).get("reasoning_tokens")
        if hidden is not None and usage.get(total) is not None:
            return float(hidden), max(float(usage[total]) - float(hidden), 0.0)
    return None
