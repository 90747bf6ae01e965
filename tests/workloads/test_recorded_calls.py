"""Recorded calls of 30 hosts: what each provider states in total, by its own arithmetic and not by the reader's."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from workloads.bodies import read_exchange
from workloads.schema import BUCKETS
from workloads.usage import read_usage

RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "provider_responses" / "responses.jsonl.gz"
NAMED_REASONS = {
    "guardrail_units",
    "total_only",
    "search_units",
    "no_token_counts",
    "no_usage_block",
    "stream_cut_short",
}
SIDES = {"input_not_stated", "output_not_stated"}


@pytest.fixture(scope="module")
def recorded() -> list[dict[str, Any]]:
    if not RECORDED.exists():
        pytest.skip(f"the recorded calls are not at {RECORDED.parent}")
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def provider_total(block: dict[str, Any]) -> Any:
    """The provider's own total of one call; null where it states none."""
    for stated in ("total_tokens", "totalTokens", "totalTokenCount"):
        if stated in block:
            return block[stated]
    if "billed_units" in block:
        return sum(block["billed_units"].values())
    if "input_tokens" in block:
        compactions = [step for step in block.get("iterations") or [] if step["type"] == "compaction"]
        parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
        return sum(step.get(name, 0) for step in [block, *compactions] for name in parts)
    if "eval_count" in block:
        return block["prompt_eval_count"] + block["eval_count"]
    return None


def final_block(row: dict[str, Any]) -> Any:
    """The block that counts the whole call: the last, an Anthropic stream's over its first."""
    blocks = [found["usage"] for found in row["usage"] if "breakdown" not in found["where"]]
    if "/v1/messages" in row["uri"]:
        return {key: value for block in blocks for key, value in block.items()}
    return blocks[-1]


def test_every_recorded_call_has_buckets_or_a_named_reason(recorded: list[dict[str, Any]]) -> None:
    """2,080 = 2,065 with both sides + 3 with one + 12 with none.

    One: two Gemini answers without a prompt count, an Anthropic stream cut in recording. None: 3 guardrail checks,
    3 cached contents, 1 rerank, 1 prompt blocked before it was counted, 4 streams cut in recording.
    """
    sides = {0: 0, 1: 0, 2: 0}
    for row in recorded:
        usage = read_exchange(row["request"], row["response"], url=row["uri"], status=row["status"]).usage
        known = (usage.input_total is not None) + (usage.output_total is not None)
        sides[known] += 1
        assert known == 2 or (NAMED_REASONS | SIDES) & set(usage.notes), row["uri"]
    assert sides == {2: 2_065, 1: 3, 0: 12}


def test_the_buckets_of_every_recorded_call_add_up_to_the_providers_own_total(recorded: list[dict[str, Any]]) -> None:
    """2,054 = the 2,065 with both sides - 11 Gemini embeddings, which state no total."""
    checked = 0
    for row in recorded:
        exchange = read_exchange(row["request"], row["response"], url=row["uri"], status=row["status"])
        counts = [getattr(exchange.usage, bucket) for bucket in BUCKETS]
        total = provider_total(final_block(row))
        if None not in counts and total is not None:
            assert sum(counts) == total, row["uri"]
            assert "total_disagrees" not in exchange.usage.notes
            checked += 1
    assert checked == 2_054


def test_a_block_found_by_a_crawler_reads_like_the_one_in_its_body(recorded: list[dict[str, Any]]) -> None:
    """The body's way (fold, find, read) and the block's way give the same buckets, but for streams cut in recording."""
    for row in recorded:
        exchange = read_exchange(row["request"], row["response"], url=row["uri"], status=row["status"])
        if "stream_cut_short" not in exchange.usage.notes:
            found = read_usage(final_block(row), provider=exchange.provider, api=exchange.api)
            assert [getattr(found, name) for name in BUCKETS] == [getattr(exchange.usage, name) for name in BUCKETS]


def test_every_recorded_call_names_its_model(recorded: list[dict[str, Any]]) -> None:
    """All but three guardrail calls, which have none; 5 streams were cut short in recording."""
    exchanges = [read_exchange(row["request"], row["response"], url=row["uri"]) for row in recorded]
    assert [exchange.api for exchange in exchanges if exchange.model is None] == ["bedrock_guardrail"] * 3
    assert sum("stream_cut_short" in exchange.usage.notes for exchange in exchanges) == 5
    assert all(exchange.api != "unknown" for exchange in exchanges)
