"""What the log says each call used: the provider's counts, and counts of the text where it gave none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.counted import counted_input, counted_output
from simulator.counts import ESTIMATED, INPUTS, PROVIDER, THOUSAND, TOKENIZER, UNKNOWN, Array, Counts
from simulator.models import Codes, ModelIndex
from workloads import BUCKETS, PROVENANCES

CODES = {"provider": PROVIDER, "tokenizer": TOKENIZER, "estimated": ESTIMATED}
# A log whose model nobody knows is counted with the commonest tokenizer, and says "estimated".
FALLBACK_MODEL = "openai/gpt-4o"


def logged_counts(requests: pa.RecordBatch, outcomes: pa.RecordBatch, models: Codes, index: ModelIndex) -> Counts:
    """The logged arm's tokens: as the provider counted them, else counted from messages and completion, else unknown.

    Failed calls without usage, and answers from a gateway's own cache, used nothing.
    """
    rows = requests.num_rows
    milli = np.zeros((rows, len(BUCKETS)), np.int64)
    known = np.zeros((rows, len(BUCKETS)), bool)
    for i, bucket in enumerate(BUCKETS):
        column = outcomes[bucket]
        known[:, i] = column.is_valid().to_numpy(zero_copy_only=False)
        milli[:, i] = column.fill_null(0).to_numpy() * THOUSAND
    inputs, outputs = np.asarray(known[:, :INPUTS].any(axis=1)), np.asarray(known[:, INPUTS:].any(axis=1))
    # A provider that states part of a side states all of it: what it leaves out is none.
    known[:, :INPUTS] |= inputs[:, None]
    known[:, INPUTS:] |= outputs[:, None]
    from_input = _provenance(outcomes["input_provenance"], inputs)
    from_output = _provenance(outcomes["output_provenance"], outputs)

    free = _free(outcomes["status"], inputs | outputs)
    known[free], milli[free] = True, 0
    from_input[free], from_output[free] = PROVIDER, PROVIDER

    no_input = ~inputs & ~free & requests["messages"].is_valid().to_numpy(zero_copy_only=False)
    _count(no_input, requests["messages"], True, models, index, milli, known, from_input)
    no_output = ~outputs & ~free & outcomes["completion"].is_valid().to_numpy(zero_copy_only=False)
    _count(no_output, outcomes["completion"], False, models, index, milli, known, from_output)
    return Counts(milli, known, from_input, from_output)


def _provenance(column: pa.Array, stated: Array) -> Array:
    codes = np.full(len(stated), PROVIDER, np.int8)
    for name in PROVENANCES[1:]:
        codes[pc.fill_null(pc.equal(column, name), False).to_numpy(zero_copy_only=False)] = CODES[name]
    return np.where(stated, codes, UNKNOWN).astype(np.int8)


def _free(status: pa.Array, stated: Array) -> Array:
    cached = pc.fill_null(pc.equal(status, "cached"), False).to_numpy(zero_copy_only=False)
    failed = pc.fill_null(pc.equal(status, "error"), False).to_numpy(zero_copy_only=False)
    return np.asarray(cached | (failed & ~stated))


def _count(
    rows: Array,
    texts: pa.Array,
    is_input: bool,
    models: Codes,
    index: ModelIndex,
    milli: Array,
    known: Array,
    provenance: Array,
) -> None:
    side = slice(0, INPUTS) if is_input else slice(INPUTS, len(BUCKETS))
    for code in np.unique(models[rows]):
        here = np.flatnonzero(rows & (models == code))
        name = index.name(int(code))
        counter = counted_input if is_input else counted_output
        counted = counter(name or FALLBACK_MODEL, texts.take(pa.array(here)))
        milli[here, side.start] = counted.tokens.fill_null(0).to_numpy()
        known[here, side] = True
        provenance[here] = ESTIMATED if name is None else CODES[counted.provenance]
