"""Langfuse's `usage_details`: free names for parts that are meant to be disjoint, and a total that says if they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workloads.counts import Usage, count, inputs, inputs_including, outputs
from workloads.formats.envelope import Record
from workloads.formats.transcript import loosely
from workloads.rows import Row, RowError

INPUT = ("input", "prompt_tokens", "input_tokens", "promptTokens")
OUTPUT = ("output", "completion_tokens", "output_tokens", "completionTokens")
TOTAL = ("total", "total_tokens", "totalTokens")
READ = (
    *("input_cache_read", "cache_read_input_tokens", "input_cached_tokens", "prompt_details.cache_read"),
    *("input_cached", "cached_tokens", "input_tokens_details.cached_tokens", "prompt_tokens_details.cached_tokens"),
    *("input_cache_read_tokens", "cache_read_tokens"),
)
WRITE_1H = ("input_cache_creation_1h", "cache_creation_1h_input_tokens", "ephemeral_1h_input_tokens")
WRITE_5M = ("input_cache_creation_5m", "cache_creation_5m_input_tokens", "ephemeral_5m_input_tokens")
WRITE = (
    *("input_cache_creation", "cache_creation_input_tokens", "prompt_details.cache_write", "input_cache_write"),
    *("input_cache_creation_tokens", "cache_creation_tokens", "cache_write_tokens"),
)
REASONING = (
    *("output_reasoning", "output_reasoning_tokens", "completion_details.reasoning", "reasoning_tokens"),
    *("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens", "reasoning"),
)
KINDS = ("audio", "image", "video")


def read_usage_details(record: Record, get: Callable[[Record, str], Any], row: Row) -> Usage:
    """The buckets of an observation.

    Where the total is input plus output, the cached and reasoning parts are inside them; where it is the sum of all,
    they stand beside. Without a total the documented meaning holds, unless a part is larger than what it is part of.

    Raises:
        UsageError: a count that cannot be.
        RowError: usage that is no object.
    """
    details = loosely(get(record, "usageDetails")) or loosely(record.get("usage"))
    if details is not None and details != "" and not isinstance(details, dict):
        raise RowError("usage_details", details, "not_an_object", "give usage as a JSON object of counts")
    if not details:
        return Usage(notes=("no_usage_block",))
    stated_in, stated_out, total = count(details, *INPUT), count(details, *OUTPUT), count(details, *TOTAL)
    if row.call_type == "embedding":
        stated_in, stated_out = total if stated_in is None else stated_in, stated_out or 0
    read = count(details, *READ) or 0
    hour, five = count(details, *WRITE_1H) or 0, count(details, *WRITE_5M) or 0
    written = max(count(details, *WRITE) or 0, hour + five)
    reasoning = count(details, *REASONING) or 0
    notes: list[str] = []
    both = (stated_in or 0) + (stated_out or 0)
    cached = read + written
    beside_in = stated_in is not None and _beside(total, both, cached, reasoning, cached > stated_in)
    beside_out = stated_out is not None and _beside(total, both, reasoning, cached, reasoning > stated_out)
    reached = both + (cached if beside_in else 0) + (reasoning if beside_out else 0)
    if total is not None and total != reached and stated_in is not None and stated_out is not None:
        notes.append("total_disagrees")
    if stated_in is not None and beside_in:
        input_side = inputs(stated_in, read, written - hour, hour)
    else:
        input_side = inputs_including(stated_in, read, written, hour, notes)
    output_side = None if stated_out is None else stated_out + (reasoning if beside_out else 0)
    provided = get(record, "providedUsageDetails")
    # A provider states both sides; Langfuse's own tokenizer counts the side whose text it has.
    own_count = stated_in is None or stated_out is None or provided in ({}, "{}")
    if own_count:
        effect = "kept as an estimate: Langfuse counted the logged text, not the provider its tokens"
        fix = "let the integration send the provider's usage"
        row.notes.append(("counted_by_langfuse", "usage_details", dict(details), effect, fix))
    return Usage(
        **input_side,
        **outputs(output_side, reasoning),
        provenance="estimated" if own_count else "provider",
        modality={f"input_{kind}": tokens for kind in KINDS if (tokens := count(details, f"input_{kind}"))}
        | {f"output_{kind}": tokens for kind in KINDS if (tokens := count(details, f"output_{kind}"))},
        reported_input=stated_in,
        reported_output=stated_out,
        reported_total=total,
        notes=tuple(notes),
    )


def _beside(total: int | None, both: int, part: int, other: int, impossible_inside: bool) -> bool:
    """Whether a part stands beside the side it belongs to, and not in it."""
    return part > 0 and (impossible_inside or total is None or total in (both + part, both + part + other))
