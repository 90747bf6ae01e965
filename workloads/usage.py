"""Reads a provider's usage block into disjoint buckets: the keys, the API and the totals say what each includes.

Notes that a `Usage` may carry:
    no_usage_block, no_token_counts: nothing was counted; every bucket is null.
    input_not_stated, output_not_stated: that side's buckets are null.
    total_only: a total that nobody can split; every bucket is null.
    input_from_total, output_from_total, reasoning_from_total: the missing part is what the total leaves.
    total_disagrees: the stated total is not the sum of the stated parts; the parts are used.
    compaction_added: the provider's totals leave out a compaction pass that it bills; it is in the buckets.
    advisor_left_out: another model's tokens within the call, billed at that model's price, are not in the buckets.
    written_and_read: tokens both written to and read from the cache in one call; they are in `cache_read` only.
    reasoning_capped: OpenRouter's own reasoning count exceeds the output it states; all of the output is reasoning.
    stream_cut_short: the recording ends before the stream did, so a count may be missing.
    search_units, guardrail_units: billed by the search or the policy and not by the token.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from workloads.counts import (
    Inputs,
    Usage,
    UsageError,
    count,
    inputs,
    inputs_including,
    money,
    outputs,
    part,
    parts,
    provenance,
)
from workloads.usage_anthropic import read_anthropic
from workloads.usage_google import read_gemini, read_interaction
from workloads.usage_openai import INPUT, OUTPUT, TOTAL, WITHIN_INPUT, read_openai, read_usual

__all__ = ["Usage", "UsageError", "read_usage"]

GEMINI = {"promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"}
GEMINI |= {"prompt_token_count", "candidates_token_count", "thoughts_token_count", "total_token_count"}
ANTHROPIC = {"cache_creation", "cache_read_input_tokens", "cache_creation_input_tokens"}
COUNTED = {*INPUT, *OUTPUT, *TOTAL}
COPIED = {"prompt_tokens", "completion_tokens", *WITHIN_INPUT, *TOTAL}

Block = Mapping[str, Any]


def read_usage(block: Mapping[str, Any], *, provider: str | None = None, api: str | None = None) -> Usage:
    """The buckets of one usage block, whichever provider wrote it.

    Args:
        block: the decoded block: OpenAI chat or Responses and their many copies, Anthropic, Gemini
            (generateContent or interactions), Bedrock, Cohere, Ollama, an OpenRouter generation, or plain names
            (`input`, `tokens_in`, `prompt` ...). An optional `provenance` in it says who counted.
        provider: "openai", "anthropic", "xai" ...: decides where the keys alone do not.
        api: the API as `read_exchange` names it, likewise; one ending in "embeddings" has no output.

    Raises:
        UsageError: a count that cannot be: negative, not whole, above 10,000,000, more cached than input, more
            reasoning than output.

    What each shape includes is the providers' own documentation, checked against the totals of recorded calls.
    """
    if (usual := read_usual(block)) is not None:
        return usual  # whoever wrote it
    usage = _read(block, (provider or "").lower(), api or "")
    if (api or "").endswith("embeddings"):
        usage = _input_only(usage)
    if (usage.input_uncached is None) != (usage.output_text is None):
        missing = "input_not_stated" if usage.input_uncached is None else "output_not_stated"
        usage = replace(usage, notes=(*usage.notes, missing))
    counted_by, tier, usd = provenance(block), usage.served_tier or _tier(block), _recorded_usd(block)
    if (counted_by, tier, usd) == ("provider", usage.served_tier, None):
        return usage  # most blocks say no more than their counts
    return replace(usage, provenance=counted_by, served_tier=tier, recorded_usd=usd)


def _read(block: Block, provider: str, api: str) -> Usage:
    keys = {key for key, value in block.items() if value is not None}
    if keys & GEMINI:
        return read_gemini(block)
    if "total_input_tokens" in keys:
        return read_interaction(block)
    if keys & {"inputTokens", "outputTokens"}:
        return _bedrock(block)
    if billed := _cohere_units(block):
        return _cohere(billed)
    if keys & {"prompt_eval_count", "eval_count"}:
        return _ollama(block)
    if "search_units" in keys or any(key.endswith("PolicyUnits") for key in keys):
        return Usage(notes=("search_units" if "search_units" in keys else "guardrail_units",))
    anthropic = keys & ANTHROPIC or "anthropic" in provider or api == "anthropic_messages"
    if anthropic and not keys & COPIED and keys & {"input_tokens", "output_tokens"}:
        return read_anthropic(block)
    if keys & COUNTED:
        return read_openai(block, provider)
    return Usage(notes=("no_token_counts",))


def _bedrock(block: Block) -> Usage:
    """Converse: input excludes the cache, and the total adds it all up; where a total does not, input includes it."""
    stated_in, stated_out = count(block, "inputTokens"), count(block, "outputTokens")
    total = count(block, "totalTokens")
    read = count(block, "cacheReadInputTokens", "cacheReadInputTokenCount") or 0
    written = count(block, "cacheWriteInputTokens", "cacheWriteInputTokenCount") or 0
    hours = [row for row in parts(block, "cacheDetails") if row.get("ttl") == "1h"]
    hour = min(sum(count(row, "inputTokens") or 0 for row in hours), written)
    notes: list[str] = []
    buckets: Inputs = {}
    if stated_in is not None:
        buckets = inputs(stated_in, read, written - hour, hour)
        if stated_out is not None and total is not None and total != stated_in + read + written + stated_out:
            if total == stated_in + stated_out:
                buckets = inputs_including(stated_in, read, written, hour, notes)
            else:
                notes.append("total_disagrees")
    return Usage(
        **buckets,
        **outputs(stated_out, 0),
        reported_input=stated_in,
        reported_output=stated_out,
        reported_total=total,
        notes=tuple(notes),
    )


def _cohere_units(block: Block) -> Block:
    within = part(block, "meta") or block
    return part(within, "billed_units") or part(within, "tokens")


def _cohere(billed: Block) -> Usage:
    """Cohere bills `billed_units`, which leave out its own preamble; `tokens`, cached ones among them, are not billed.

    docs.cohere.com/docs/how-does-cohere-pricing-work.
    """
    if not {"input_tokens", "output_tokens"} & billed.keys():
        return Usage(notes=("search_units" if "search_units" in billed else "no_token_counts",))
    stated_in, stated_out = count(billed, "input_tokens"), count(billed, "output_tokens")
    images = count(billed, "image_tokens") or 0
    return Usage(
        **inputs_including(None if stated_in is None else stated_in + images, 0, 0, 0, []),
        **outputs(stated_out, 0),
        modality={"input_image": images} if images else {},
        reported_input=stated_in,
        reported_output=stated_out,
    )


def _ollama(block: Block) -> Usage:
    stated_in, stated_out = count(block, "prompt_eval_count"), count(block, "eval_count")
    return Usage(
        **inputs_including(stated_in, 0, 0, 0, []),
        **outputs(stated_out, 0),
        reported_input=stated_in,
        reported_output=stated_out,
    )


def _input_only(usage: Usage) -> Usage:
    """An embedding has no output, so a total alone is its input."""
    if usage.notes == ("total_only",):
        usage = replace(usage, **inputs(usage.reported_total or 0, 0, 0, 0), notes=())
    if usage.input_uncached is not None and usage.output_text is None:
        usage = replace(usage, **outputs(0, 0))
    return usage


def _tier(block: Block) -> str | None:
    stated = block.get("service_tier") or block.get("serviceTier")
    if isinstance(stated, dict):
        stated = stated.get("type")
    return stated.lower() if isinstance(stated, str) and stated else None


def _recorded_usd(block: Block) -> Decimal | None:
    """OpenRouter's `cost`; with a key of the user's own, what the provider behind it charges comes on top.

    openrouter.ai/docs/use-cases/usage-accounting.
    """
    cost = block.get("cost", block.get("total_cost"))
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    charged = money("cost", cost)
    if charged is not None and block.get("is_byok") is True:
        upstream = part(block, "cost_details").get("upstream_inference_cost")
        charged = money("cost", charged + (money("cost_details.upstream_inference_cost", upstream) or 0))
    return charged
