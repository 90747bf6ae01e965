"""Input tokens on another model: recounted with its tokenizer, scaled so that the provider's own overhead cancels."""

from __future__ import annotations

import math

import numpy as np

from pricing import counting_rule
from simulator.counts import Array
from simulator.usage.counted import CountedInput

# Prompt tokens of each exact tokenizer per token of o200k_base, over 15,693 public prompts of 20 tokens and more
# (labelled prompts of 13 sources, MIT, Apache-2.0 and CC-BY): the mean, and how far one kind of traffic strays from it.
AGAINST_O200K = {"o200k_base": 1.0, "cl100k_base": 1.01, "llama3": 1.01}
TOKENIZER_LOG_SD = 0.05
UNKNOWN_SOURCE_LOG_SD = 0.15


def input_factor(
    inputs: CountedInput, source: str | None, target: str, rows: Array
) -> tuple[Array, tuple[float, float], Array]:
    """What the input count of some requests is multiplied with when they move from one model to another.

    Where the text is known, the target's count of it over the source's; elsewhere the calibrated ratio of the two
    tokenizers. A source nobody knows is taken to count as o200k_base does.

    Returns:
        float64 per row; the standard deviation of the log of the common error where the text is known, and where it
        is not; and bool per row, it is not.
    """
    to = counting_rule(target)
    of = counting_rule(source) if source else counting_rule("openai/gpt-4o")
    per_token = (to.ratio or 1.0) * AGAINST_O200K[to.tokenizer]
    plain = per_token / ((of.ratio or 1.0) * AGAINST_O200K[of.tokenizer])
    sd = math.hypot(to.log_sd, of.log_sd) if (to.tokenizer, to.ratio) != (of.tokenizer, of.ratio) else 0.0
    if source is None:
        sd = math.hypot(sd, UNKNOWN_SOURCE_LOG_SD)
    counted, before = _counts(inputs, target, rows), _counts(inputs, source or "openai/gpt-4o", rows)
    known = (counted > 0) & (before > 0)
    textless_sd = math.hypot(sd, TOKENIZER_LOG_SD) if to.tokenizer != of.tokenizer else sd
    return np.where(known, counted / np.where(known, before, 1), plain), (sd, textless_sd), ~known


def _counts(inputs: CountedInput, model: str, rows: Array) -> Array:
    """Float64 tokens of some requests' messages, 0 where there is no text."""
    return np.asarray(inputs.count(model, rows).tokens.fill_null(0).to_numpy(), np.float64)
