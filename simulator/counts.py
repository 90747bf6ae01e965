"""Token counts of some requests, as the replay works on them: six buckets in thousandths, known or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from workloads import BUCKETS, INPUT_BUCKETS, PROVENANCES

Array = np.ndarray[Any, np.dtype[Any]]

THOUSAND = 1000
UNKNOWN, PROVIDER, TOKENIZER, ESTIMATED = -1, 0, 1, 2  # provenance codes, in the order of PROVENANCES, worst last
INPUTS = len(INPUT_BUCKETS)
TEXT, REASONING = BUCKETS.index("output_text"), BUCKETS.index("output_reasoning")


@dataclass(frozen=True)
class Counts:
    """One arm's tokens.

    Args:
        milli: int64 (requests, 6), thousandths of a token in `BUCKETS`' order; 0 where unknown.
        known: bool of the same shape.
        input_provenance: int8 per request, an index into `PROVENANCES`, -1 where nothing is known.
        output_provenance: likewise.
    """

    milli: Array
    known: Array
    input_provenance: Array
    output_provenance: Array

    def table(self) -> pa.Table:
        """Six int64 columns in thousandths of a token, null where unknown: what `pricing.charge` takes."""
        columns = [pa.array(self.milli[:, i], mask=~self.known[:, i]) for i in range(len(BUCKETS))]
        return pa.table(columns, names=list(BUCKETS))

    def tokens(self) -> dict[str, pa.Array]:
        """Float64 tokens by bucket, null where unknown."""
        return {
            bucket: pa.array(self.milli[:, i] / THOUSAND, mask=~self.known[:, i]) for i, bucket in enumerate(BUCKETS)
        }

    def folded(self) -> Counts:
        """The same input with every cache bucket counted as uncached: what a model without the cache would read."""
        milli, known = self.milli.copy(), self.known.copy()
        milli[:, 0] = self.milli[:, :INPUTS].sum(axis=1)
        known[:, 0] = self.known[:, :INPUTS].all(axis=1)
        milli[:, 1:INPUTS], known[:, 1:INPUTS] = 0, True
        return Counts(milli, known, self.input_provenance, self.output_provenance)

    @property
    def all_known(self) -> Array:
        """Bool per request: every bucket is known."""
        return np.asarray(self.known.all(axis=1))

    @property
    def input_milli(self) -> Array:
        """All input, thousandths of a token; counts unknown buckets as 0, so see `known`."""
        return np.asarray(self.milli[:, :INPUTS].sum(axis=1))

    def provenance(self) -> pa.Array:
        """Per request, the weaker of the two sides' provenances; null where neither is known."""
        worst = np.maximum(self.input_provenance, self.output_provenance)
        return pa.DictionaryArray.from_arrays(
            pa.array(worst, pa.int8(), mask=worst == UNKNOWN), pa.array(PROVENANCES)
        ).cast(pa.string())

    def where(self, rows: Array, other: Counts) -> Counts:
        """These counts, with the rows of a mask taken from another arm's."""
        return Counts(
            np.where(rows[:, None], other.milli, self.milli),
            np.where(rows[:, None], other.known, self.known),
            np.where(rows, other.input_provenance, self.input_provenance),
            np.where(rows, other.output_provenance, self.output_provenance),
        )
