"""How good a log says its own answers were: scores, right or wrong, thumbs as numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from simulator.counts import Array

NO_SCORE = -1
SCORE_KEYS = ("score", "value", "correct")
WHOLE = 1_000  # thousandths of a score, so that sums are exact


def scores(feedback: pa.Array) -> Array:
    """What a log says of its answers as int64 thousandths, 0 to 1,000; -1 where it says nothing that is a score.

    A score is a number from 0 to 1, true or false, alone or as an object's `score`, `value` or `correct`.
    """
    encoded = feedback.dictionary_encode()
    known = [_score(text) for text in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.fill_null(len(known)))
    return np.asarray(np.array([*known, NO_SCORE], np.int64)[codes])


def _score(text: str) -> int:
    try:
        held: Any = json.loads(text)
    except ValueError:
        return NO_SCORE
    if isinstance(held, dict):
        held = next((held[key] for key in SCORE_KEYS if key in held), None)
    if isinstance(held, bool | int | float) and 0 <= held <= 1:
        return round(float(held) * WHOLE)
    return NO_SCORE
