"""Token counts of some requests, as the replay works on them: six buckets in thousandths, known or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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

    def by_column(self) -> Counts:
        """The same, each bucket's tokens side by side in memory."""
        milli, known = np.asfortranarray(self.milli), np.asfortranarray(self.known)
        return Counts(milli, known, self.input_provenance, self.output_provenance)

    def folded(self) -> Counts:
        """The same input with every cache bucket counted as uncached: what a model without the cache would read."""
        milli, known = self.milli.copy(order="F"), self.known.copy(order="F")
        milli[:, 0], known[:, 0] = self.input_milli, self.input_known
        milli[:, 1:INPUTS], known[:, 1:INPUTS] = 0, True
        return Counts(milli, known, self.input_provenance, self.output_provenance)

    def moved(
        self, rows: Array, unserved: Array, tokens: tuple[Array, Array, Array], provenance: tuple[Array, Array]
    ) -> Counts:
        """These counts with some rows on other models: caches folded, tokens given anew.

        Args:
            rows: which, by number.
            unserved: bool, of these requests nothing is known.
            tokens: int64 thousandths of input, output text and reasoning of `rows`.
            provenance: of their input and output.
        """
        milli, known = self.milli.copy(order="F"), self.known.copy(order="F")
        sides = self.input_provenance.copy(), self.output_provenance.copy()
        if self.cached:
            milli[rows, 1:INPUTS] = 0
        if not known.all():
            known[rows, 0], known[rows, 1:INPUTS] = self.input_known[rows], True
        for bucket, column in zip((0, TEXT, REASONING), tokens, strict=True):
            milli[rows, bucket] = column
        for held, given in zip(sides, provenance, strict=True):
            held[rows] = given
        if unserved.any():
            milli[unserved], known[unserved] = 0, False
            sides[0][unserved], sides[1][unserved] = UNKNOWN, UNKNOWN
        return Counts(milli, known, *sides)

    def take(self, rows: Array | slice) -> Counts:
        """Those of some rows, in their order."""
        if isinstance(rows, slice):
            sides = self.input_provenance[rows], self.output_provenance[rows]
            return Counts(self.milli[rows], self.known[rows], *sides)
        milli, known = (np.stack([column[rows] for column in held.T]).T for held in (self.milli, self.known))
        return Counts(milli, known, self.input_provenance[rows], self.output_provenance[rows])

    @cached_property
    def cached(self) -> bool:
        """Whether any cache bucket is in use."""
        return bool(self.milli[:, 1:INPUTS].any())

    @property
    def all_known(self) -> Array:
        """Bool per request: every bucket is known."""
        return np.asarray(self.known.all(axis=1))

    @cached_property
    def input_known(self) -> Array:
        """Bool per request: every bucket of input is known."""
        return np.asarray(self.known[:, :INPUTS].all(axis=1))

    @cached_property
    def input_milli(self) -> Array:
        """All input, thousandths of a token; counts unknown buckets as 0, so see `known`."""
        if not self.cached:
            return self.milli[:, 0].copy()
        return np.asarray(self.milli[:, :INPUTS].sum(axis=1))

    def provenance(self) -> pa.DictionaryArray:
        """Per request, the weaker of the two sides' provenances; null where neither is known."""
        worst = np.maximum(self.input_provenance, self.output_provenance)
        return pa.DictionaryArray.from_arrays(pa.array(worst, pa.int8(), mask=worst == UNKNOWN), pa.array(PROVENANCES))
