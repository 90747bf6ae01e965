"""The labelled prompts beside the project, by source, and which of them a model may learn from."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from router.semantic.tasks import utterances

PROMPTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "prompts" / "labelled_prompts.jsonl.gz"
PERMITTED = {"MIT", "Apache-2.0", "CC-BY-3.0", "CC-BY-4.0"}
MOST_A_SOURCE = 400  # to learn from: more of one source teaches its manner, not its task
TEST_A_SOURCE = 150
OWN_FOLDS = 5
# The same questions by another name, so that leaving one out leaves all of them out.
FAMILIES = {
    "llmrouter/gsm8k": "gsm8k",
    "llmrouter/agentverse-mgsm": "gsm8k",
    "gsm8k_test": "gsm8k",
    "llmrouter/human_eval": "humaneval",
    "clinc150_test": "clinc150",
    "clinc150_oos_test": "clinc150",
}


@dataclass(frozen=True)
class Example:
    """One labelled text: the source it is reported under, and the family it is left out with."""

    text: str
    task: str
    source: str
    family: str
    permitted: bool


def read_prompts(path: Path = PROMPTS) -> dict[str, list[Example]]:
    """Labelled prompts by source, each source in an order drawn once from a fixed seed."""
    found: dict[str, list[Example]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["task_class"] is None:
                continue
            source = f"llmrouter/{row['label_raw']}" if row["source"] == "llmrouter_query_test" else row["source"]
            family = FAMILIES.get(source, source)
            permitted = row["licence"] in PERMITTED
            found[source].append(Example(row["prompt"], row["task_class"], source, family, permitted))
    rng = np.random.default_rng(0)
    return {source: [rows[at] for at in rng.permutation(len(rows))] for source, rows in sorted(found.items())}


def own() -> list[Example]:
    """The utterances written for this project, in folds, so that some can be left out."""
    return [
        Example(text, task, f"own {number % OWN_FOLDS}", f"own {number % OWN_FOLDS}", True)
        for number, (text, task) in enumerate(utterances())
    ]


def learnable(prompts: dict[str, list[Example]], without: str | None = None) -> list[Example]:
    """What the shipped model learns from, less one family."""
    public = [
        each for rows in prompts.values() for each in rows[:MOST_A_SOURCE] if each.permitted and each.family != without
    ]
    return public + own()


def columns(examples: Sequence[Example]) -> tuple[list[str], list[str], list[str]]:
    """Texts, tasks and families."""
    return [e.text for e in examples], [e.task for e in examples], [e.family for e in examples]
