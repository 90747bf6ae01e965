"""What another model would have used for the same requests, and how unsure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulator.counterfactual import predict_reasoning
from simulator.counts import ESTIMATED, REASONING, TEXT, THOUSAND, UNKNOWN, Array, Counts
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.money import grouped
from simulator.usage.counted import CountedInput
from simulator.usage.inputs import input_factor
from simulator.usage.observed import o200k_per_token
from simulator.usage.outputs import Outputs
from simulator.usage.own_counts import own_pairs
from simulator.usage.pairs import Pair, Pairs, Spread


@dataclass(frozen=True)
class Known:
    """What is known of a batch's requests when they are moved to other models.

    Args:
        logged: the logged tokens.
        source: int32 codes of the logged models.
        task: int64 codes of their task classes, -1 where unlabelled.
        inputs: counts of the messages, each made once for all arms.
        cap: float64 output caps in tokens, NaN where there is none.
    """

    logged: Counts
    source: Codes
    task: Array
    inputs: CountedInput
    cap: Array


def rebased(
    known: Known, target: Codes, stays: Array, index: ModelIndex, outputs: Outputs, pairs: Pairs
) -> tuple[Counts, Array, Array]:
    """The tokens of requests on the models that are to serve them.

    The logged tokens exactly where a request stays, none where no model serves it, else the expected ones: caches of
    another model fold into uncached input, which is recounted with the target's tokenizer; output is what `Outputs`
    expects; hidden reasoning is 0 on a model that does not think, the logged one where both think, and a prior's where
    only the target does.

    Args:
        known: the requests.
        target: int32 codes of the models, -1 for none.
        stays: bool, the logged tokens hold.
        index, outputs, pairs: of the run.

    Returns:
        Expected tokens; int32 codes into `pairs`; and float64 tokens, the spread of one request's output around its
        expectation.
    """
    pair, request_sd = own_pairs(known.logged, known.source, index, pairs), np.zeros(len(target))
    if stays.all():
        return known.logged, pair, request_sd
    pair[~stays] = 0
    rows = np.flatnonzero(~stays & (target != NO_MODEL))
    tasks = int(known.task.max()) + 2  # and none
    kind = ((known.source[rows].astype(np.int64) + 1) * len(index.names) + target[rows]) * tasks + known.task[rows] + 1
    first, which = grouped(kind)
    order = np.argsort(which.astype(np.int16) if len(first) < 2**15 else which, kind="stable")
    moves, many = _Moves.of(rows[order], known), np.bincount(which)
    ends = np.cumsum(many)
    for row, start, end in zip(rows[first].tolist(), (ends - many).tolist(), ends.tolist(), strict=True):
        source, task = int(known.source[row]), int(known.task[row])
        moves.move(slice(start, end), source, int(target[row]), task, known, index, outputs, pairs)
    pair[moves.rows], request_sd[moves.rows] = moves.pair, moves.request_sd
    return moves.within(known.logged, ~stays & (target == NO_MODEL)), pair, request_sd


@dataclass(frozen=True)
class _Moves:
    """Requests that move, those of one logged model, task and target side by side: their tokens before and after.

    Args:
        rows: which of the batch.
        input, text, reasoning: int64 thousandths of a token: as logged, then as expected.
        input_from, output_from: provenances.
        cap: float64 output caps in tokens.
        pair, request_sd: see `rebased`.
    """

    rows: Array
    input: Array
    text: Array
    reasoning: Array
    input_from: Array
    output_from: Array
    cap: Array
    pair: Array
    request_sd: Array

    @classmethod
    def of(cls, rows: Array, known: Known) -> _Moves:
        logged, many = known.logged, len(rows)
        return cls(
            rows,
            logged.input_milli[rows],
            logged.milli[:, TEXT][rows],
            logged.milli[:, REASONING][rows],
            logged.input_provenance[rows],
            logged.output_provenance[rows],
            known.cap[rows],
            np.empty(many, np.int32),
            np.empty(many),
        )

    def move(
        self,
        at: slice,
        s: int,
        t: int,
        task: int,
        known: Known,
        index: ModelIndex,
        outputs: Outputs,
        pairs: Pairs,
    ) -> None:
        """Set what one logged model's requests of one task will use on a target."""
        source, name = index.name(s), index.names[t]
        factor, input_sds, textless = input_factor(known.inputs, source, name, self.rows[at])
        text, prompt = self.text[at] / THOUSAND, self.input[at] / THOUSAND
        to_o200k, of_o200k = o200k_per_token(source), 1 / o200k_per_token(name)
        guess = outputs.predict(s, t, task, text * to_o200k, prompt * to_o200k, self.cap[at] * to_o200k)
        self.text[at] = np.where(text > 0, np.rint(guess.tokens * of_o200k * THOUSAND), 0)
        # Rounded like the tokens: the last digits of a vectorised exponential depend on how long the batch is.
        self.request_sd[at] = np.where(text > 0, np.rint(guess.request_sd * of_o200k * THOUSAND) / THOUSAND, 0)
        reasoning_sd = self._think(at, outputs, name, prompt)
        self.input[at] = np.rint(self.input[at] * factor)
        pair = Pair(source, name, task, guess.note)
        certain, wide = (pairs.code(pair, Spread(sd, math.hypot(guess.log_sd, sd), reasoning_sd)) for sd in input_sds)
        self.pair[at] = np.where(textless, wide, certain)
        estimated = np.where(textless, input_sds[1] > 0, input_sds[0] > 0) & (self.input_from[at] != UNKNOWN)
        self.input_from[at][estimated] = ESTIMATED
        self.output_from[at][self.output_from[at] != UNKNOWN] = ESTIMATED

    def _think(self, at: slice, outputs: Outputs, target: str, prompt: Array) -> float:
        """Set the hidden reasoning tokens of some; returns the log deviation of their common factor."""
        text = self.text[at] / THOUSAND
        expected, log_sd = predict_reasoning(outputs.parameters, target, text, prompt)
        if not log_sd:
            self.reasoning[at] = 0
            return 0.0
        prior = np.where(text > 0, np.rint(expected * THOUSAND), 0).astype(np.int64)
        self.reasoning[at] = np.where(self.reasoning[at] > 0, self.reasoning[at], prior)
        return log_sd

    def within(self, logged: Counts, unserved: Array) -> Counts:
        """The batch's counts with these in their places, and nothing of the requests that no model serves."""
        tokens, provenance = (self.input, self.text, self.reasoning), (self.input_from, self.output_from)
        return logged.moved(self.rows, unserved, tokens, provenance)
