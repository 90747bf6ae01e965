"""Usage blocks of plain lines, as columns."""

from __future__ import annotations

from collections.abc import Mapping
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
    blocks: list[Block | None],
    answered: Mapping[int, Usage],
    providers: list[str | None],
    costs: list[Decimal | None],
    odd: Array,
) -> dict[str, pa.Array]:
    """The columns of `usage_columns`; a block with a problem, or with tokens billed apart, is marked in `odd`.

    Args:
        blocks: of the lines, beside their answers.
        answered: by line, of answers that are recorded bodies: used where the line's own block counts nothing.
        providers, costs: as the lines state them.
    """
    if blocks.count(None) == len(blocks) == costs.count(None) and not answered:
        return {name: pa.nulls(len(blocks), column.type) for name, column in usage_columns([], []).items()}
    usages = [UNCOUNTED] * len(blocks)
    for place, block in enumerate(blocks):
        if block:
            try:
                usages[place] = usage = read_usage(block, provider=providers[place], api="openai_chat")
                odd[place] |= bool(usage.modality)
            except (UsageError, ValueError, OverflowError):
                odd[place] = True
    for place, usage in answered.items():
        unknown = usages[place].input_total is usages[place].output_total is None
        if not blocks[place] or (unknown and "no_usage_block" not in usage.notes):
            usages[place] = usage
            odd[place] |= bool(usage.modality)
    return usage_columns(usages, costs)
