"""Calls whose log names no model: by how much the counts that replay expects of them elsewhere differ from its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.arms import Arm, Batch
from simulator.counts import TEXT, THOUSAND, Array
from simulator.models import NO_MODEL
from simulator.money import exact_sum

ARMS = ("logged", "baseline", "routed")


def unnamed_tokens(batch: Batch, arms: Mapping[str, Arm], rows: Array) -> Counter[str]:
    """Requests, and thousandths of input and answer tokens by arm, of the rows of a mask that name no model."""
    here = np.flatnonzero(rows & (batch.source == NO_MODEL) & ~batch.passes)
    if not len(here):
        return Counter()
    found = Counter(requests=len(here))
    for name, arm in arms.items():
        found[f"{name} input"] = exact_sum(arm.counts.input_milli[here])
        found[f"{name} output"] = exact_sum(arm.counts.milli[here, TEXT])
    return found


def unnamed_said(sums: Counter[str]) -> dict[str, Any]:
    """The summary's `unnamed`; nothing where every call compared names its model."""
    if not sums["requests"]:
        return {}
    tokens = {
        arm: {f"{side}_tokens": round(sums[f"{arm} {side}"] / THOUSAND) for side in ("input", "output")} for arm in ARMS
    }
    return {"unnamed": {"requests": sums["requests"], **tokens}}
