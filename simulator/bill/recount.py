"""Doubtful counts taken out of a log, so that the replay counts the text instead and says who counted."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import PriceBook, counting_rule
from simulator.bill.plausible import (
    Doubt,
    Doubts,
    Group,
    below_text,
    certain,
    counted_text,
    groups,
    stated_counts,
    with_text,
)
from simulator.counts import Array
from simulator.models import Codes, ModelIndex
from workloads import INPUT_BUCKETS, OUTPUT_BUCKETS, Log
from workloads.amended import Amended, Change

# Kinds that condemn every count of the model and source; of the others, only the rows that show it.
WHOLE = {"constant", "same_count", "copied_from_input"}
COLUMNS = {
    "input": (*INPUT_BUCKETS, "input_provenance"),
    "output": (*OUTPUT_BUCKETS, "output_provenance"),
}


def find_doubts(log: Log, book: PriceBook) -> list[Doubt]:
    """Read a log once and say which of its counts cannot be true.

    Raises:
        BackrouteError: the log cannot be opened.
    """
    index = ModelIndex(book)
    doubts = Doubts(book, index)
    for requests, outcomes in log.batches():
        doubts.add(requests, outcomes, index.of_log(requests["model"], requests["provider"]))
    return doubts.found()


class Recounted(Amended):
    """A log without its doubtful counts, wherever there is a text to count instead.

    What is left null is counted by the model's tokenizer or its nearest: provenance "tokenizer" or "estimated". Hidden
    reasoning cannot be counted from a text, so recounted output has none.

    Args:
        log: the log as it is.
        book: knows the models.
        doubts: what `find_doubts` found; looked for when left out.

    Attributes:
        rows: counts taken out in the last reading, by side.
    """

    def __init__(self, log: Log, book: PriceBook, doubts: list[Doubt] | None = None) -> None:
        self.doubts = find_doubts(log, book) if doubts is None else doubts
        self.rows: dict[str, int] = {}
        self._book = book
        self._kinds: dict[tuple[Group, str], set[str]] = defaultdict(set)
        for doubt in self.doubts:
            self._kinds[(doubt.model, doubt.provider), doubt.side].add(doubt.kind)
        super().__init__(log, self._fresh)

    def _fresh(self) -> Change:
        index = ModelIndex(self._book)
        self.rows = {"input": 0, "output": 0}

        def change(requests: pa.RecordBatch, outcomes: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
            source = index.of_log(requests["model"], requests["provider"])
            for side in COLUMNS if self._kinds else ():
                doubtful = self._doubtful(requests, outcomes, side, source, index)
                if doubtful.any():
                    self.rows[side] += int(doubtful.sum())
                    outcomes = _without(outcomes, COLUMNS[side], doubtful)
            return requests, outcomes

        return change

    def _doubtful(
        self, requests: pa.RecordBatch, outcomes: pa.RecordBatch, side: str, source: Codes, index: ModelIndex
    ) -> Array:
        stated = stated_counts(outcomes, side)
        possible = stated.claimed & with_text(requests, outcomes, side)
        doubtful = np.zeros(requests.num_rows, bool)
        for group, code, here in groups(requests, source):
            kinds, rows, name = self._kinds.get((group, side), set()), here[possible[here]], index.name(code)
            if kinds & WHOLE:
                doubtful[rows] = True
            elif kinds and len(rows):
                for fits in certain(requests, outcomes, side, stated.tokens, rows, name, self._book).values():
                    doubtful[fits] = True
                if "below_text" in kinds:
                    exact = name is not None and counting_rule(name).provenance == "tokenizer"
                    counted = counted_text(requests, outcomes, side, rows, name)
                    doubtful[rows[below_text(stated.tokens[rows], counted, exact)]] = True
        return doubtful


def _without(outcomes: pa.RecordBatch, names: tuple[str, ...], rows: Array) -> pa.RecordBatch:
    for name in names:
        at = outcomes.schema.get_field_index(name)
        held = outcomes.column(at)
        emptied = pc.if_else(pa.array(rows), pa.scalar(None, held.type), held)
        outcomes = outcomes.set_column(at, outcomes.schema.field(at), emptied)
    return outcomes
