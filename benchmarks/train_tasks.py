"""Trains the task model that comes with the package: `python -m benchmarks.train_tasks`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.task_data import columns, learnable, read_prompts
from router.semantic.minilm import train_embedded
from router.semantic.train import train_tasks

CORE = Path(__file__).resolve().parents[1] / "router" / "semantic" / "core.npz"
MINILM = CORE.with_name("minilm.npz")


def main() -> None:
    """`core` learns words; `minilm`, given as an argument, sentence embeddings (extra `embeddings`)."""
    if sys.argv[1:] == ["minilm"]:
        train_minilm()
    else:
        train_core()


def train_minilm() -> None:
    texts, tasks, families = columns(learnable(read_prompts()))
    model = train_embedded(texts, tasks, families)
    model.save(MINILM)
    print(f"{MINILM}: {MINILM.stat().st_size / 1024:.0f} kB, {model.digest[:12]}")


def train_core() -> None:
    texts, tasks, families = columns(learnable(read_prompts()))
    model = train_tasks(texts, tasks, families, balanced=True)
    model = replace(model, about=model.about | {"licence": "MIT", "card": "docs/task-model-card.md"})
    model.save(CORE)
    print(json.dumps(model.about, indent=2))
    print(f"{CORE}: {CORE.stat().st_size / 1024:.0f} kB, {len(model.vocabulary):,} terms, {model.digest[:12]}")


if __name__ == "__main__":
    main()
