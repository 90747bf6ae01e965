"""The error of counts that a log's own model is charged by, where neither provider nor tokenizer made them."""

from __future__ import annotations

import numpy as np

from pricing import counting_rule
from simulator.counts import ESTIMATED, Array, Counts
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.usage.pairs import Pair, Pairs, Spread

# What a log calls estimated by a method nobody states: the spread of the general counting rule.
STATED_LOG_SD = 0.15


def own_pairs(logged: Counts, source: Codes, index: ModelIndex, pairs: Pairs) -> Array:
    """Int32 pair codes of requests that stay on their model: 0 where their counts are known, else a pair of its own.

    Both arms share the error of one model's estimates where both stay on it; one that moves draws its own.
    """
    sides = (logged.input_provenance == ESTIMATED).astype(np.int64) + 2 * (logged.output_provenance == ESTIMATED)
    codes = np.zeros(len(source), np.int32)
    for code in np.unique(source[(sides > 0) & (source != NO_MODEL)]).tolist():
        name = index.names[code]
        sd = counting_rule(name).log_sd or STATED_LOG_SD
        for side, spread in ((1, Spread(input=sd)), (2, Spread(output=sd)), (3, Spread(input=sd, output=sd))):
            rows = (source == code) & (sides == side)
            if rows.any():
                note = "estimated " + ("input", "output", "input and output")[side - 1]
                codes[rows] = pairs.code(Pair(name, name, -1, note), spread)
    return codes
