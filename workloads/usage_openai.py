"""OpenAI's usage blocks, and those of everybody who copied them: the totals include their parts."""

from collections.abc import Mapping
from typing import Any

from workloads.counts import FIX_PARTS, MOST_TOKENS, Usage, UsageError, count, inputs_including, outputs, part

INPUT = ("prompt_tokens", "input_tokens", "native_tokens_prompt", "tokens_in", "input", "prompt")
OUTPUT = ("completion_tokens", "output_tokens", "native_tokens_completion", "tokens_out", "output", "completion")
TOTAL = ("total_tokens", "total")
WITHIN_INPUT = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
WITHIN_OUTPUT = ("completion_tokens_details", "output_tokens_details", "output_token_details")

# One figure under many names: in the details first, then beside the totals (Mistral, Together, DeepSeek, Codex ...).
READ_WITHIN = ("cached_tokens", "cache_read")
READ_BESIDE = (
    "cached_tokens",
    "num_cached_tokens",
    "prompt_cache_hit_tokens",
    "cached_input_tokens",
    "native_tokens_cached",
)
READ_ANTHROPIC = ("cache_read_input_tokens",)
WRITE_WITHIN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation")
WRITE_BESIDE = ("cache_write_input_tokens",)
WRITE_ANTHROPIC = ("cache_creation_input_tokens",)
REASONING_WITHIN = ("reasoning_tokens", "reasoning")
REASONING_BESIDE = ("reasoning_tokens", "reasoning_output_tokens", "native_tokens_reasoning")
KINDS = ("audio", "image", "video")

# Their completion tokens exclude the reasoning, so without a total it is added; their Responses include it.
REASONING_OUTSIDE = frozenset({"xai", "x-ai", "x_ai"})

# The two commonest blocks, by their keys: input, output, and what is within each.
USUAL = ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")
USUAL_RESPONSES = ("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")

Block = Mapping[str, Any]


def read_usual(block: Block) -> Usage | None:
    """What `read_openai` gives for blocks with no counts but those of `USUAL`, at a tenth of the time; None for others.

    That is, a total that is the sum of both sides if it is stated, and of the parts only tokens read from the cache and
    reasoning.
    """
    into, out, within, beside = USUAL if "prompt_tokens" in block else USUAL_RESPONSES
    stated_in, stated_out, total = block.get(into), block.get(out), block.get("total_tokens")
    keys = 2 + ("total_tokens" in block)
    read: int | None = 0
    reasoning: int | None = 0
    if len(block) > keys:
        read, reasoning = _only(block.get(within), "cached_tokens"), _only(block.get(beside), "reasoning_tokens")
        keys += (within in block) + (beside in block)
        if len(block) > keys and into == USUAL[0]:  # LiteLLM and many tracers write the cached part once more
            flat = {name: block[name] for name in READ_ANTHROPIC + WRITE_ANTHROPIC if name in block}
            cached, keys = _only(flat, *READ_ANTHROPIC), keys + len(flat)
            read = max(read, cached) if type(read) is type(cached) is int and read >= 0 <= cached else None
    if (
        len(block) == keys
        and type(stated_in) is type(stated_out) is type(read) is type(reasoning) is int
        and 0 <= read <= stated_in <= MOST_TOKENS
        and 0 <= reasoning <= stated_out <= MOST_TOKENS
        and (not reasoning if total is None else type(total) is int and total == stated_in + stated_out <= MOST_TOKENS)
    ):
        return Usage(
            input_uncached=stated_in - read,
            cache_read=read,
            cache_write_5m=0,
            cache_write_1h=0,
            output_text=stated_out - reasoning,
            output_reasoning=reasoning,
            reported_input=stated_in,
            reported_output=stated_out,
            reported_total=total,
        )
    return None


def _only(details: object, name: str) -> Any:
    """The count of one part where details tell of no other tokens, 0 where they tell of none; else None."""
    if type(details) is not dict:
        return 0 if details is None else None
    for key, value in details.items():
        if key != name and value is not None and (value or type(value) is not int):
            return None
    return details.get(name, 0)


def read_openai(block: Block, provider: str) -> Usage:
    """The buckets of a chat, Responses or plain block; `total_tokens` decides what the keys leave open.

    Raises:
        UsageError: more cached than input, more reasoning than output, or a total below one of its parts.
    """
    within, beside = part(block, *WITHIN_INPUT), part(block, *WITHIN_OUTPUT)
    stated_in, stated_out, total = count(block, *INPUT), count(block, *OUTPUT), count(block, *TOTAL)
    read = max(count(within, *READ_WITHIN) or 0, count(block, *READ_BESIDE, *READ_ANTHROPIC) or 0)
    written = max(count(within, *WRITE_WITHIN) or 0, count(block, *WRITE_BESIDE, *WRITE_ANTHROPIC) or 0)
    reasoning = max(count(beside, *REASONING_WITHIN) or 0, count(block, *REASONING_BESIDE) or 0)
    if stated_in is None and stated_out is None:
        return Usage(reported_total=total, notes=("no_token_counts" if total is None else "total_only",))
    notes: list[str] = []
    input_side, output_side = stated_in, stated_out
    if stated_in is not None and _cache_beside(block, stated_in, stated_out, read + written, total):
        input_side = stated_in + read + written
    if output_side is not None and _reasoning_beside(block, provider, input_side, output_side, reasoning, total):
        output_side += reasoning
    if total is not None:
        input_side, output_side = _complete(input_side, output_side, total, notes)
        if not reasoning and stated_out is not None and total > input_side + output_side:
            reasoning = total - input_side - output_side
            output_side += reasoning
            notes.append("reasoning_from_total")
        elif total != input_side + output_side:
            notes.append("total_disagrees")
    if output_side is not None and reasoning > output_side and provider == "openrouter":
        reasoning = output_side
        notes.append("reasoning_capped")
    hour = min(count(part(block, "cache_creation"), "ephemeral_1h_input_tokens") or 0, written)
    return Usage(
        **inputs_including(input_side, read, written, hour, notes),
        **outputs(output_side, reasoning),
        modality=_kinds("input", within) | _kinds("output", beside),
        reported_input=stated_in,
        reported_output=stated_out,
        reported_total=total,
        notes=tuple(notes),
    )


def _kinds(side: str, details: Block) -> dict[str, int]:
    if not details:
        return {}
    return {f"{side}_{kind}": tokens for kind in KINDS if (tokens := count(details, f"{kind}_tokens"))}


def _cache_beside(block: Block, stated_in: int, stated_out: int | None, cached: int, total: int | None) -> bool:
    """Whether the cached part stands beside the input and not in it: by what is possible, else by the total."""
    if cached > stated_in:
        return any(name in block for name in READ_ANTHROPIC + WRITE_ANTHROPIC)
    return bool(cached) and total is not None and total == stated_in + (stated_out or 0) + cached


def _reasoning_beside(
    block: Block, provider: str, input_side: int | None, output_side: int, reasoning: int, total: int | None
) -> bool:
    """Whether reasoning stands beside the completion and not in it: by the total, else by whose block it is."""
    if total is None or input_side is None:
        return provider in REASONING_OUTSIDE and "completion_tokens" in block
    return bool(reasoning) and total == input_side + output_side + reasoning


def _complete(input_side: int | None, output_side: int | None, total: int, notes: list[str]) -> tuple[int, int]:
    """Both sides, the missing one being what the total leaves."""
    if input_side is not None and output_side is not None:
        return input_side, output_side
    rest = total - (input_side or 0) - (output_side or 0)
    if rest < 0:
        raise UsageError("total_tokens", total, "less than one of its parts", FIX_PARTS)
    if output_side is None:
        notes.append("output_from_total")
        return total - rest, rest
    notes.append("input_from_total")
    return rest, total - rest
