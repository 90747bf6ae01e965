"""What the log says each call used: the provider's counts, and counts of the text where it gave none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.counts import ESTIMATED, INPUTS, PROVIDER, TEXT, THOUSAND, TOKENIZER, UNKNOWN, Array, Counts
from simulator.models import Codes, ModelIndex
from simulator.usage.counted import CountedInput, counted_outputs
from workloads import BUCKETS, PROVENANCES
from workloads.rows import Strings

CODES = {"provider": PROVIDER, "tokenizer": TOKENIZER, "estimated": ESTIMATED}
# A log whose model nobody knows is counted with the commonest tokenizer, and says "estimated".
FALLBACK_MODEL = "openai/gpt-4o"


def logged_counts(
    requests: pa.RecordBatch,
    outcomes: pa.RecordBatch,
    inputs: CountedInput,
    models: Codes,
    index: ModelIndex,
    strings: Strings | None = None,
) -> Counts:
    """The logged arm's tokens: as the provider counted them, else counted from messages and completion, else unknown.

    `strings` are the texts of messages and completions, where the log's reader still has them.

    Failed calls without usage, and answers from a gateway's own cache, used nothing.
    """
    rows = requests.num_rows
    milli = np.zeros((rows, len(BUCKETS)), np.int64, order="F")
    known = np.zeros((rows, len(BUCKETS)), bool, order="F")
    for i, bucket in enumerate(BUCKETS):
        if (column := outcomes[bucket]).null_count < rows:
            known[:, i] = column.is_valid().to_numpy(zero_copy_only=False)
            milli[:, i] = column.fill_null(0).to_numpy() * THOUSAND
    stated = [np.asarray(side.any(axis=1)) for side in (known[:, :INPUTS], known[:, INPUTS:])]
    # A provider that states part of a side states all of it: what it leaves out is none.
    known[:, :INPUTS] |= stated[0][:, None]
    known[:, INPUTS:] |= stated[1][:, None]
    from_input = _provenance(outcomes["input_provenance"], stated[0])
    from_output = _provenance(outcomes["output_provenance"], stated[1])

    free = _free(outcomes["status"], stated[0] | stated[1])
    known[free], milli[free] = True, 0
    from_input[free], from_output[free] = PROVIDER, PROVIDER

    no_input = ~stated[0] & ~free & requests["messages"].is_valid().to_numpy(zero_copy_only=False)
    met = list(by_model(no_input, models, index))
    names, parts = [name or FALLBACK_MODEL for name, _ in met], [rows for _, rows in met]
    inputs.count_together(names, parts, None if strings is None else strings.messages)
    for name, rows in met:
        counted = inputs.count(name or FALLBACK_MODEL, rows)
        milli[rows, 0], known[rows, :INPUTS] = counted.tokens.fill_null(0).to_numpy(), True
        from_input[rows] = ESTIMATED if name is None else CODES[counted.provenance]
    no_output = ~stated[1] & ~free & outcomes["completion"].is_valid().to_numpy(zero_copy_only=False)
    met = list(by_model(no_output, models, index))
    names, parts = [name or FALLBACK_MODEL for name, _ in met], [rows for _, rows in met]
    said = None if strings is None else strings.completions
    outputs = counted_outputs(names, parts, outcomes["completion"], said)
    for (name, rows), counted in zip(met, outputs, strict=True):
        milli[rows, TEXT], known[rows, INPUTS:] = counted.tokens.fill_null(0).to_numpy(), True
        from_output[rows] = ESTIMATED if name is None else CODES[counted.provenance]
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


def by_model(rows: Array, models: Codes, index: ModelIndex) -> Iterator[tuple[str | None, Array]]:
    """The models of the rows of a mask, each with the numbers of its rows."""
    for code in np.unique(models[rows]):
        yield index.name(int(code)), np.flatnonzero(rows & (models == code))
