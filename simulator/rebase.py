"""What another model would have used for the same requests, and how unsure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.counterfactual import predict_reasoning
from simulator.counts import ESTIMATED, INPUTS, REASONING, TEXT, THOUSAND, UNKNOWN, Array, Counts
from simulator.inputs import Recount
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.observed import o200k_per_token
from simulator.outputs import Outputs
from simulator.own_counts import own_pairs
from simulator.pairs import Pair, Pairs, Spread


@dataclass(frozen=True)
class Rebased:
    """An arm's tokens after its models were chosen.

    Args:
        counts: expected tokens per request.
        pair: int32 code into `Pairs`, 0 where the model is the logged one and its counts are known.
        request_sd: float64 tokens, the spread of one request's output around its expectation.
    """

    counts: Counts
    pair: Array
    request_sd: Array


@dataclass(frozen=True)
class Known:
    """What is known of a batch's requests when they are moved to other models.

    Args:
        logged: the logged tokens.
        source: int32 codes of the logged models.
        task: int64 codes of their task classes, -1 where unlabelled.
        recount: counts of the messages, each made once for all arms.
        cap: float64 output caps in tokens, NaN where there is none.
    """

    logged: Counts
    source: Codes
    task: Array
    recount: Recount
    cap: Array


def rebase(known: Known, target: Codes, index: ModelIndex, outputs: Outputs, pairs: Pairs) -> Rebased:
    """The arm's tokens: the logged ones exactly where the model is the same, else the expected ones.

    Caches of another model fold into uncached input, which is recounted with the target's tokenizer. Output is what
    `outputs` expects. Hidden reasoning is 0 on a model that does not think, the logged one where both think, and a
    prior's where only the target does. An undecided request (target -1) is unknown.
    """
    same = index.same(known.source, target)
    moved = known.logged.folded()
    milli, is_known = moved.milli.copy(), moved.known.copy()
    from_input, from_output = moved.input_provenance.copy(), moved.output_provenance.copy()
    pair, request_sd = np.zeros(len(target), np.int32), np.zeros(len(target))
    changed = ~same & (target != NO_MODEL)
    groups = np.stack([known.source, target, known.task])
    for s, t, task in np.unique(groups[:, changed], axis=1).T.tolist():
        rows = np.flatnonzero(changed & (known.source == s) & (target == t) & (known.task == task))
        source, name = index.name(s), index.names[t]
        factor, input_sd = known.recount.factor(source, name, rows)
        text = milli[rows, TEXT] / THOUSAND
        prompt = milli[rows, :INPUTS].sum(axis=1) / THOUSAND
        to_o200k, of_o200k = o200k_per_token(source), 1 / o200k_per_token(name)
        guess = outputs.predict(s, t, task, text * to_o200k, prompt * to_o200k, known.cap[rows] * to_o200k)
        milli[rows, TEXT] = np.where(text > 0, np.rint(guess.tokens * of_o200k * THOUSAND), 0).astype(np.int64)
        # Rounded like the tokens: the last digits of a vectorised exponential depend on how long the batch is.
        request_sd[rows] = np.where(text > 0, np.rint(guess.request_sd * of_o200k * THOUSAND) / THOUSAND, 0)
        reasoning_sd = _think(milli, rows, known.logged, outputs, name, prompt)
        milli[rows, 0] = np.rint(milli[rows, 0] * factor).astype(np.int64)
        output_sd = float(np.hypot(guess.log_sd, input_sd))
        pair[rows] = pairs.code(Pair(source, name, task, guess.note), Spread(input_sd, output_sd, reasoning_sd))
        if input_sd:
            from_input[rows] = np.where(from_input[rows] == UNKNOWN, UNKNOWN, ESTIMATED)
        from_output[rows] = np.where(from_output[rows] == UNKNOWN, UNKNOWN, ESTIMATED)
    undecided = target == NO_MODEL
    is_known[undecided], from_input[undecided], from_output[undecided] = False, UNKNOWN, UNKNOWN
    counts = Counts(milli, is_known, from_input, from_output).where(same, known.logged)
    pair = np.where(same, own_pairs(known.logged, known.source, index, pairs), pair)
    return Rebased(counts, pair, request_sd)


def _think(milli: Array, rows: Array, logged: Counts, outputs: Outputs, target: str, prompt: Array) -> float:
    """Set the hidden reasoning tokens of some rows; returns the log deviation of their common factor."""
    text = milli[rows, TEXT] / THOUSAND
    expected, log_sd = predict_reasoning(outputs.parameters, target, text, prompt)
    if not log_sd:
        milli[rows, REASONING] = 0
        return 0.0
    thought = logged.milli[rows, REASONING]
    prior = np.where(text > 0, np.rint(expected * THOUSAND), 0).astype(np.int64)
    milli[rows, REASONING] = np.where(thought > 0, thought, prior)
    return log_sd
