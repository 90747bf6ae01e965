"""What a log shows of prompt caches, and of each model's answers: a bounded sample, the same for any batch size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pricing import counting_rule
from simulator.counterfactual import TASKS
from simulator.counts import INPUTS, TEXT, THOUSAND, Array, Counts
from simulator.models import Codes, ModelIndex
from simulator.money import grouped
from simulator.state.cached_input import CachedInput
from simulator.sums.merge import merge_fields
from simulator.usage.inputs import AGAINST_O200K
from simulator.usage.sample import Sample

KEPT = 20_000  # rows per model and task: a mean length is then known within 1%

# Words that logs use for the classes of task the model knows.
ALIASES = {"simple": "chat", "conversation": "chat", "data": "analytics", "coding": "code", "math": "reasoning"}
UNLABELLED = -1


def task_codes(labels: pa.Array) -> Array:
    """Int64 codes into the counterfactual model's tasks, -1 where a label is missing or means nothing to it."""
    encoded = labels.dictionary_encode()
    names = [ALIASES.get(name.lower(), name.lower()) for name in encoded.dictionary.to_pylist()]
    codes = np.array([*(TASKS.index(name) if name in TASKS else UNLABELLED for name in names), UNLABELLED], np.int64)
    return np.asarray(codes[np.asarray(encoded.indices.fill_null(len(names)))])


def o200k_per_token(model: str | None) -> float:
    """Tokens of o200k_base per token of a model: the counterfactual model speaks o200k_base."""
    rule = counting_rule(model or "openai/gpt-4o")
    return 1.0 / ((rule.ratio or 1.0) * AGAINST_O200K[rule.tokenizer])


@dataclass
class Observed:
    """Samples by (logged model, task code), tokens as o200k_base counts them; and what is shown of prompt caches."""

    samples: dict[tuple[str | None, int], Sample] = field(default_factory=dict)
    cached_input: CachedInput = field(default_factory=CachedInput)
    # What was fitted to these samples, by the parameters' identity: they say the same to every replay of the log.
    fits: dict[int, tuple[object, dict[Any, Any]]] = field(default_factory=dict, repr=False, compare=False)
    token: object = field(default_factory=object, repr=False, compare=False)  # stands for these samples in keys

    def add(self, logged: Counts, source: Codes, task: Array, cap: Array, keys: Array, index: ModelIndex) -> None:
        """Add one batch; `keys` are uint64 hashes of the ids, `cap` float64 tokens, NaN where there is none."""
        usable = logged.known[:, TEXT] & (logged.milli[:, TEXT] > 0)
        inputs = np.where(logged.known[:, :INPUTS].all(axis=1), logged.input_milli / THOUSAND, np.nan)
        here = np.flatnonzero(usable)
        first, which = grouped(source[here].astype(np.int64) * (len(TASKS) + 1) + task[here])  # -1 is no task
        for number, one in enumerate(here[first].tolist()):
            s, t = int(source[one]), int(task[one])
            rows = here[which == number]
            name = index.name(s)
            sample = self.samples.setdefault((name, t), Sample(KEPT))
            rows = rows[sample.wanted(keys[rows])]
            scale = o200k_per_token(name)
            columns = {"output": logged.milli[rows, TEXT] / THOUSAND * scale, "input": inputs[rows] * scale}
            sample.add(pa.table({"key": keys[rows], **columns, "cap": cap[rows] * scale}))

    def merge(self, more: Observed) -> None:
        """Add another part of the log."""
        merge_fields(self, more, but=("fits", "token"))
        self.fits.clear()

    def fitted(self, parameters: object) -> dict[Any, Any]:
        """Where to keep what is fitted with these parameters; they are kept beside it, so that none takes their id."""
        return self.fits.setdefault(id(parameters), (parameters, {}))[1]

    def seen(self, source: str | None, task: int) -> bool:
        """Whether any answer of a model on a task was seen."""
        return (source, task) in self.samples

    def rows(self, source: str | None, task: int) -> tuple[Array, Array, Array]:
        """Output tokens, input tokens and caps of the sample of one model and task that was seen."""
        held = self.samples[source, task].rows()
        return held["output"].to_numpy(), held["input"].to_numpy(), held["cap"].to_numpy()
