"""The batches of a log in memory as one, without their texts, and any of its requests as a batch of their own."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pyarrow as pa

from pricing import TokenCount, counting_rule
from simulator.arms import Batch
from simulator.counts import Array, Counts
from simulator.stored.memory import Memory
from simulator.stored.parts import KeptRequests
from simulator.usage.counted import CountedInput

# What is asked of a request once it is decided.
COLUMNS = (
    "request_id", "session_id", "arrived_at", "model", "provider", "call_type", "has_tools", "has_images", "json_mode",
    "max_output_tokens",
)  # fmt: skip

Rows = Array | slice


def joined(batches: list[Batch], inputs: JoinedInput) -> Batch:
    """The batches as one, in their order, with the counts of their messages; they become views of it."""
    ends = np.cumsum([len(batch.source) for batch in batches]).tolist()
    cuts = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    made: dict[str, Any] = {"inputs": inputs}

    def joins(name: str, whole: Any, views: Sequence[Any]) -> None:
        made[name] = whole
        batches[:] = [replace(batch, **{name: view}) for batch, view in zip(batches, views, strict=True)]

    for each in fields(Batch):
        parts = [getattr(batch, each.name) for batch in batches]
        if isinstance(parts[0], np.ndarray):
            column = np.concatenate(parts)
            joins(each.name, column, [column[cut] for cut in cuts])
        elif isinstance(parts[0], pa.Array):
            values = pa.concat_arrays(parts)
            joins(each.name, values, [_slice(values, cut) for cut in cuts])
    logged = Counts(
        np.concatenate([batch.logged.milli.T for batch in batches], axis=1).T,
        np.concatenate([batch.logged.known.T for batch in batches], axis=1).T,
        np.concatenate([batch.logged.input_provenance for batch in batches]),
        np.concatenate([batch.logged.output_provenance for batch in batches]),
    )
    joins("logged", logged, [logged.take(cut) for cut in cuts])
    table = pa.Table.from_batches([batch.requests.select(COLUMNS) for batch in batches]).combine_chunks()
    made["requests"] = table.to_batches()[0]
    for batch, cut in zip(batches, cuts, strict=True):
        if isinstance(batch.requests, KeptRequests):
            batch.requests.holds(_slice(made["requests"], cut))
    return Batch(**made)


def _slice(held: Any, rows: slice) -> Any:
    return held.slice(rows.start, rows.stop - rows.start)


def part(whole: Batch, rows: Rows) -> Batch:
    """Some requests of joined batches, in their order, as a batch of their own."""
    made: dict[str, Any] = {}
    for each in fields(Batch):
        held = getattr(whole, each.name)
        if isinstance(held, np.ndarray):
            made[each.name] = held[rows]
        elif isinstance(held, pa.Array | pa.RecordBatch) and isinstance(rows, slice):
            made[each.name] = _slice(held, rows)
        elif isinstance(held, pa.Array | pa.RecordBatch):
            made[each.name] = held.take(pa.array(rows))
    made["logged"] = whole.logged.take(rows)
    numbers = np.arange(len(whole.source))[rows]
    return replace(whole, memory=Memory(), inputs=ChosenInput(whole.inputs, numbers), **made)


class JoinedInput(CountedInput):
    """Counts of several batches' messages as of one, each kept once it was made.

    Args:
        batches: the batches.

    Attributes:
        ahead: whether a batch whose texts have to be read from disk for a few requests is counted as a whole, so that
            it is read for one change to the rules and not for every other.
    """

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.ahead = False
        self._parts = [batch.inputs for batch in batches]
        self._on_disk = [isinstance(batch.requests, KeptRequests) for batch in batches]
        self._ends = np.cumsum([len(batch.source) for batch in batches])
        # By all that makes a count: thousandths of a token, -1 where the text is unknown, and which were made.
        self._held: dict[Hashable, tuple[Array, Array]] = {}

    def count(self, model: str, rows: Array) -> TokenCount:
        """See `CountedInput.count`."""
        rule = counting_rule(model)
        key = (rule.tokenizer, rule.ratio, rule.chat)
        if key not in self._held:
            self._held[key] = np.zeros(self._ends[-1], np.int64), np.zeros(self._ends[-1], bool)
        tokens, made = self._held[key]
        missing = np.sort(rows[~made[rows]])
        cuts = np.searchsorted(missing, self._ends)
        for number, (start, end) in enumerate(zip([0, *cuts[:-1].tolist()], cuts.tolist(), strict=True)):
            if start < end:
                first, here = self._ends[number - 1] if number else 0, missing[start:end]
                if self.ahead and self._on_disk[number]:
                    here = np.arange(first, self._ends[number])
                tokens[here] = self._parts[number].count(model, here - first).tokens.fill_null(-1).to_numpy()
                made[here] = True
        found = tokens[rows]
        return TokenCount(pa.array(found, mask=found < 0), rule.provenance, rule.log_sd)


class ChosenInput(CountedInput):
    """Counts of some requests' messages, kept by the batch that they were chosen from.

    Args:
        whole: of all.
        rows: which of them, by number.
    """

    def __init__(self, whole: CountedInput, rows: Array) -> None:
        self._whole, self._rows = whole, rows

    def count(self, model: str, rows: Array) -> TokenCount:
        """See `CountedInput.count`."""
        return self._whole.count(model, self._rows[rows])
