"""What another model would have used for the same requests, and how unsure that is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.counted import CountedInput
from simulator.counterfactual import predict_reasoning
from simulator.counts import ESTIMATED, INPUTS, REASONING, TEXT, THOUSAND, UNKNOWN, Array, Counts
from simulator.inputs import input_factor
from simulator.models import Codes, ModelIndex
from simulator.observed import o200k_per_token
from simulator.outputs import Outputs
from simulator.pairs import Pair, Pairs, Spread


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


@dataclass(frozen=True)
class Moved:
    """A batch's tokens on one model, for those of its requests that were asked for so far.

    The logged tokens exactly where the model is the same, else the expected ones. Caches of another model fold into
    uncached input, which is recounted with the target's tokenizer. Output is what `Outputs` expects. Hidden reasoning
    is 0 on a model that does not think, the logged one where both think, and a prior's where only the target does.

    Args:
        target: the model's code.
        done: bool, the row is filled in.
        counts: expected tokens per request.
        request_sd: float64 tokens, the spread of one request's output around its expectation.
        group: int32, 0 where the model is the logged one, else one more than an index into `groups`.
        textless: bool, the input was not recounted but scaled by a ratio, for want of its text.
        groups: pairs, each with its spread where all texts are known, and where one is not.
    """

    target: int
    done: Array
    counts: Counts
    request_sd: Array
    group: Array
    textless: Array
    groups: list[tuple[Pair, Spread, Spread]] = field(default_factory=list)

    @classmethod
    def none(cls, target: int, known: Known) -> Moved:
        """Nothing filled in yet."""
        rows = len(known.source)
        logged = known.logged
        counts = Counts(
            np.zeros_like(logged.milli), np.zeros_like(logged.known), np.full(rows, UNKNOWN, np.int8),
            np.full(rows, UNKNOWN, np.int8),
        )  # fmt: skip
        zeros = np.zeros(rows, bool)
        return cls(target, zeros, counts, np.zeros(rows), np.zeros(rows, np.int32), zeros.copy())

    def fill(self, wanted: Array, known: Known, index: ModelIndex, outputs: Outputs) -> None:
        """Fill in the rows of a mask."""
        missing = np.flatnonzero(wanted & ~self.done)
        if not len(missing):
            return
        same = index.same(known.source[missing], np.full(len(missing), self.target, np.int32))
        self._put(missing[same], known.logged)
        missing_here = missing[~same]
        if len(missing_here):
            self._put(missing_here, known.logged, folded=True)
            groups = np.stack([known.source, known.task])[:, missing_here]
            for source, task in np.unique(groups, axis=1).T.tolist():
                self._move(
                    missing_here[(groups == [[source], [task]]).all(axis=0)], source, task, known, index, outputs
                )
        self.done[missing] = True

    def _put(self, rows: Array, counts: Counts, *, folded: bool = False) -> None:
        part = Counts(
            counts.milli[rows], counts.known[rows], counts.input_provenance[rows], counts.output_provenance[rows]
        )
        part = part.folded() if folded else part
        mine = self.counts
        mine.milli[rows], mine.known[rows] = part.milli, part.known
        mine.input_provenance[rows], mine.output_provenance[rows] = part.input_provenance, part.output_provenance

    def _move(self, rows: Array, s: int, task: int, known: Known, index: ModelIndex, outputs: Outputs) -> None:
        """Set some rows of one logged model and task."""
        milli, mine = self.counts.milli, self.counts
        source, name = index.name(s), index.names[self.target]
        factor, input_sds, textless = input_factor(known.inputs, source, name, rows)
        text = milli[rows, TEXT] / THOUSAND
        prompt = milli[rows, :INPUTS].sum(axis=1) / THOUSAND
        to_o200k, of_o200k = o200k_per_token(source), 1 / o200k_per_token(name)
        cap = known.cap[rows] * to_o200k
        guess = outputs.predict(s, self.target, task, text * to_o200k, prompt * to_o200k, cap)
        milli[rows, TEXT] = np.where(text > 0, np.rint(guess.tokens * of_o200k * THOUSAND), 0).astype(np.int64)
        # Rounded like the tokens: the last digits of a vectorised exponential depend on how long the batch is.
        self.request_sd[rows] = np.where(text > 0, np.rint(guess.request_sd * of_o200k * THOUSAND) / THOUSAND, 0)
        reasoning_sd = _think(milli, rows, known.logged, outputs, name, prompt)
        milli[rows, 0] = np.rint(milli[rows, 0] * factor).astype(np.int64)
        pair = Pair(source, name, task, guess.note)
        certain, unsure = (Spread(sd, float(np.hypot(guess.log_sd, sd)), reasoning_sd) for sd in input_sds)
        if (pair, certain, unsure) not in self.groups:
            self.groups.append((pair, certain, unsure))
        self.group[rows] = self.groups.index((pair, certain, unsure)) + 1
        self.textless[rows] = textless
        estimated = np.where(textless, input_sds[1] > 0, input_sds[0] > 0) & (mine.input_provenance[rows] != UNKNOWN)
        mine.input_provenance[rows[estimated]] = ESTIMATED
        said = mine.output_provenance[rows] != UNKNOWN
        mine.output_provenance[rows[said]] = ESTIMATED

    def pairs(self, rows: Array, own: Array, pairs: Pairs) -> Array:
        """Int32 codes into `pairs` of the rows of a mask; `own` has them for requests that stay on their model."""
        group, codes = self.group[rows], np.zeros(len(self.groups) + 1, np.int32)
        met = np.bincount(group, minlength=len(codes))
        unsure = np.bincount(group, self.textless[rows], len(codes))
        for at in np.flatnonzero(met[1:]).tolist():
            pair, certain, wide = self.groups[at]
            codes[at + 1] = pairs.code(pair, wide if unsure[at + 1] else certain)
        return np.where(group == 0, own[rows], codes[group])


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
