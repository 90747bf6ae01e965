"""Usage blocks of plain lines, as columns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from workloads.counts import Usage, UsageError
from workloads.rows import usage_columns
from workloads.usage import read_usage

UNCOUNTED = Usage(notes=("no_usage_block",))

Array = np.ndarray[Any, np.dtype[Any]]
Block = dict[str, Any]


def columns(
    blocks: list[Block | None], providers: list[str | None], costs: list[Decimal | None], odd: Array
) -> dict[str, pa.Array]:
    """The columns of `usage_columns`; a block with a problem, or with tokens billed apart, is marked in `odd`."""
    if blocks.count(None) == len(blocks) == costs.count(None):
        return {name: pa.nulls(len(blocks), column.type) for name, column in usage_columns([], []).items()}
    usages = [UNCOUNTED] * len(blocks)
    for place, block in enumerate(blocks):
        if block:
            try:
                usages[place] = usage = read_usage(block, provider=providers[place], api="openai_chat")
                odd[place] |= bool(usage.modality)
            except (UsageError, ValueError, OverflowError):
                odd[place] = True
    return usage_columns(usages, costs)
