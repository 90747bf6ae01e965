"""Usage blocks of plain lines: the commonest read at once, the others as `read_usage` has them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from workloads.counts import MOST_TOKENS, Usage, UsageError
from workloads.rows import usage_columns
from workloads.usage import read_usage
from workloads.usage_openai import REASONING_OUTSIDE

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
                usages[place] = usage = _usage(block, providers[place] or None)
                odd[place] |= bool(usage.modality)
            except (UsageError, ValueError, OverflowError):
                odd[place] = True
    return usage_columns(usages, costs)


def _usage(block: Block, provider: str | None) -> Usage:
    stated_in, stated_out = block.get("prompt_tokens"), block.get("completion_tokens")
    total = block.get("total_tokens")
    stated = 2 if total is None and "total_tokens" not in block else 3
    within = block.get("prompt_tokens_details")
    read = 0
    if type(within) is dict and within.keys() == {"cached_tokens"}:
        read, stated = within["cached_tokens"], stated + 1
    if (
        len(block) == stated
        and type(stated_in) is type(stated_out) is type(read) is int
        and 0 <= read <= stated_in <= MOST_TOKENS
        and 0 <= stated_out <= MOST_TOKENS
        and (stated == 2 or total is None or (type(total) is int and total == stated_in + stated_out <= MOST_TOKENS))
        and (provider is None or provider.lower() not in REASONING_OUTSIDE)
    ):
        return Usage(
            input_uncached=stated_in - read,
            cache_read=read,
            cache_write_5m=0,
            cache_write_1h=0,
            output_text=stated_out,
            output_reasoning=0,
            reported_input=stated_in,
            reported_output=stated_out,
            reported_total=total,
        )
    return read_usage(block, provider=provider, api="openai_chat")
