"""Anthropic's usage block: input excludes the cache, and compaction passes are billed beside the totals."""

from collections.abc import Mapping
from typing import Any

from workloads.counts import FIX_PARTS, Usage, UsageError, count, inputs, outputs, part, parts

Block = Mapping[str, Any]


def read_anthropic(block: Block) -> Usage:
    """The buckets of a Messages usage block.

    platform.claude.com/docs, "Compaction at a token threshold": the top level leaves compaction out, and what is
    billed is the sum of `iterations`. An advisor's name their own model and are billed at its price: they stay out.

    Raises:
        UsageError: more written for an hour than written, or more thinking than output.
    """
    notes = []
    passes = parts(block, "iterations")
    compactions = [step for step in passes if step.get("type") == "compaction"]
    if compactions:
        notes.append("compaction_added")
    if any(step.get("type") == "advisor_message" for step in passes):
        notes.append("advisor_left_out")
    uncached, output = count(block, "input_tokens"), count(block, "output_tokens")
    if uncached is None and output is None:
        notes.append("no_token_counts")
    thinking = count(part(block, "output_tokens_details"), "thinking_tokens", "reasoning_tokens") or 0
    billed = [_cache(block), *map(_cache, compactions)]
    read, write_5m, write_1h = (sum(kind) for kind in zip(*billed, strict=True))
    compacted_in = sum(count(step, "input_tokens") or 0 for step in compactions)
    compacted_out = sum(count(step, "output_tokens") or 0 for step in compactions)
    return Usage(
        **({} if uncached is None else inputs(uncached + compacted_in, read, write_5m, write_1h)),
        **outputs(None if output is None else output + compacted_out, thinking),
        reported_input=uncached,
        reported_output=output,
        notes=tuple(notes),
    )


def _cache(block: Block) -> tuple[int, int, int]:
    """Read, written for five minutes, written for an hour: of the call, or of one iteration."""
    split = part(block, "cache_creation")
    write_5m = count(split, "ephemeral_5m_input_tokens") or 0
    write_1h = count(split, "ephemeral_1h_input_tokens") or 0
    written = count(block, "cache_creation_input_tokens")
    if written is not None:
        if write_5m + write_1h > written:
            raise UsageError(
                "cache_creation", write_5m + write_1h, f"more than the {written} tokens written", FIX_PARTS
            )
        write_5m = written - write_1h  # five minutes is the default lifetime
    return count(block, "cache_read_input_tokens") or 0, write_5m, write_1h
