"""What another model would have used for the same requests, and how unsure that is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pricing import PriceBook
from simulator.counts import ESTIMATED, REASONING, TEXT, UNKNOWN, Array, Counts
from simulator.inputs import Recount
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.scenario import Assumptions

# Copying output tokens onto another model misses a task's total by .23 in the median, .38 at 75% and .58 at 90%, over
# 7 models both ways and 8 tasks (ZeroEval and AlpacaEval lengths); a log-normal of this spread does so.
COPY_LOG_SD = 0.34
# A user's own ratio is taken at its word but for this much.
OWN_RATIO_LOG_SD = 0.05


@dataclass(frozen=True)
class Spread:
    """How unsure a pair of models' token totals are: standard deviations of the log of each side's total."""

    input: float = 0.0
    output: float = 0.0
    reasoning: float = 0.0


@dataclass
class Pairs:
    """Every (logged model, chosen model) pair met so far, its code and its spread. Code 0 is "the same model".

    `seeds` are hashes of the pairs' names, so that a pair draws the same errors in whatever order pairs are met.
    """

    spreads: list[Spread] = field(default_factory=lambda: [Spread()])
    seeds: list[int] = field(default_factory=lambda: [0])
    codes: dict[str, int] = field(default_factory=dict)

    def code(self, source: str | None, target: str, kind: str, spread: Spread) -> int:
        """The code of a pair under one kind of assumption; the widest spread it was met with is kept."""
        key = f"{source} > {target} {kind}"
        if key not in self.codes:
            self.codes[key] = len(self.spreads)
            self.spreads.append(spread)
            self.seeds.append(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest()))
        code = self.codes[key]
        held = self.spreads[code]
        self.spreads[code] = Spread(
            max(held.input, spread.input), max(held.output, spread.output), max(held.reasoning, spread.reasoning)
        )
        return code


@dataclass(frozen=True)
class Rebased:
    """An arm's tokens after its models were chosen.

    Args:
        counts: expected tokens per request.
        pair: int32 code into `Pairs`, 0 where the model is the logged one.
        request_sd: float64 tokens, the spread of one request's output around its expectation.
    """

    counts: Counts
    pair: Array
    request_sd: Array


def rebase(
    logged: Counts,
    messages: pa.Array,
    source: Codes,
    target: Codes,
    index: ModelIndex,
    book: PriceBook,
    pairs: Pairs,
    said: Assumptions,
) -> Rebased:
    """The arm's tokens: the logged ones exactly where the model is the same, else the assumptions'.

    Caches of another model fold into uncached input, which is recounted with the target's tokenizer. Output that goes
    to a model without reasoning has none. An undecided request (target -1) is unknown.
    """
    same = index.same(source, target)
    moved = logged.folded()
    milli, known = moved.milli.copy(), moved.known.copy()
    from_input, from_output = moved.input_provenance.copy(), moved.output_provenance.copy()
    pair, request_sd = np.zeros(len(source), np.int32), np.zeros(len(source))
    changed = ~same & (target != NO_MODEL)
    recount = Recount(messages)
    for s, t in np.unique(np.stack([source, target])[:, changed], axis=1).T.tolist():
        rows = changed & (source == s) & (target == t)
        name = index.names[t]
        factor, input_sd = recount.factor(index.name(s), name)
        milli[rows, 0] = np.rint(milli[rows, 0] * factor[rows]).astype(np.int64)
        ratio = said.output_ratio.get(name)
        output_sd = COPY_LOG_SD
        if ratio is not None:
            milli[rows, TEXT] = np.rint(milli[rows, TEXT] * ratio).astype(np.int64)
            output_sd = OWN_RATIO_LOG_SD
        if book.capabilities(name).reasoning is not True:
            milli[rows, REASONING] = 0
        pair[rows] = pairs.code(index.name(s), name, f"{said.output} {ratio}", Spread(input_sd, output_sd))
        if input_sd:
            from_input[rows] = np.where(from_input[rows] == UNKNOWN, UNKNOWN, ESTIMATED)
        from_output[rows] = np.where(from_output[rows] == UNKNOWN, UNKNOWN, ESTIMATED)
    undecided = target == NO_MODEL
    known[undecided], from_input[undecided], from_output[undecided] = False, UNKNOWN, UNKNOWN
    counts = Counts(milli, known, from_input, from_output).where(same, logged)
    return Rebased(counts, pair, request_sd)
