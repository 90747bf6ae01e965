"""Google's usage blocks: input leaves out what its own tools read, output leaves out the thoughts."""

from collections.abc import Mapping
from typing import Any

from workloads.counts import Usage, count, inputs_including, outputs

# cloud.google.com/vertex-ai, generateContent: TrafficType and Modality, by name or (enum-encoding=int) by number.
TIERS = {
    "1": "standard",
    "2": "provisioned",
    "on_demand": "standard",
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
    "provisioned_throughput": "provisioned",
}
MODALITIES = {"1": "text", "2": "image", "3": "video", "4": "audio", "5": "document"}

Block = Mapping[str, Any]


def read_gemini(block: Block) -> Usage:
    """The buckets of `usageMetadata`, as the API writes it or as the SDK dumps it."""
    modality = _modality("input", block, "promptTokensDetails", "promptTokenDetails", "prompt_tokens_details")
    modality |= _modality("output", block, "candidatesTokensDetails", "candidates_tokens_details")
    traffic = str(block.get("trafficType") or "").lower()
    return _google(
        prompt=count(block, "promptTokenCount", "prompt_token_count"),
        tools=count(block, "toolUsePromptTokenCount", "tool_use_prompt_token_count") or 0,
        read=count(block, "cachedContentTokenCount", "cached_content_token_count") or 0,
        candidates=count(block, "candidatesTokenCount", "candidates_token_count", "responseTokenCount"),
        thoughts=count(block, "thoughtsTokenCount", "thoughts_token_count"),
        total=count(block, "totalTokenCount", "total_token_count"),
        modality=modality,
        tier=TIERS.get(traffic),
    )


def read_interaction(block: Block) -> Usage:
    """The buckets of the interactions API, which says the same under other names."""
    return _google(
        prompt=count(block, "total_input_tokens"),
        tools=count(block, "total_tool_use_tokens") or 0,
        read=count(block, "total_cached_tokens") or 0,
        candidates=count(block, "total_output_tokens"),
        thoughts=count(block, "total_thought_tokens"),
        total=count(block, "total_tokens"),
        modality=_modality("input", block, "input_tokens_by_modality")
        | _modality("output", block, "output_tokens_by_modality"),
        tier=None,
    )


def _google(
    *,
    prompt: int | None,
    tools: int,
    read: int,
    candidates: int | None,
    thoughts: int | None,
    total: int | None,
    modality: dict[str, int],
    tier: str | None,
) -> Usage:
    notes: list[str] = []
    input_side = None if prompt is None else prompt + tools
    # Google leaves zeros out: of two output parts, one that is missing is 0 where the other is there.
    output_side = None if candidates is None and thoughts is None else (candidates or 0) + (thoughts or 0)
    if input_side is None and output_side is None:
        notes.append("no_token_counts" if total is None else "total_only")
    elif total is not None and input_side is not None:
        if output_side is None and total >= input_side:
            output_side = total - input_side
            notes.append("output_from_total")
        elif total != input_side + (output_side or 0):
            notes.append("total_disagrees")
    return Usage(
        **inputs_including(input_side, read, 0, 0, notes),
        **outputs(output_side, thoughts or 0),
        served_tier=tier,
        modality=modality,
        reported_input=prompt,
        reported_output=candidates,
        reported_total=total,
        notes=tuple(notes),
    )


def _modality(side: str, block: Block, *names: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        rows = block.get(name)
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, dict):
                continue
            kind = str(row.get("modality") or "text").lower()
            kind = MODALITIES.get(kind, kind)
            tokens = count(row, "tokenCount", "token_count", "tokens")
            if kind != "text" and tokens:
                found[f"{side}_{kind}"] = tokens
    return found
