from decimal import Decimal
from typing import Any

import pytest

from tests.workloads.blocks import buckets, openai_chat, read
from workloads.usage import read_usage


def test_openai_chat_counts_cached_and_reasoning_within_its_totals() -> None:
    """2,000 in - 800 cached = 1,200 uncached; 150 out - 64 reasoning = 86 text; 1,200 + 800 + 86 + 64 = 2,150."""
    assert read(openai_chat(cached_tokens=800, reasoning_tokens=64)) == (1_200, 800, 0, 0, 86, 64)


def test_openai_cache_writes_stand_within_the_input() -> None:
    """2,000 in = 100 uncached + 800 read + 1,100 written."""
    assert read(openai_chat(cached_tokens=800, cache_write_tokens=1_100)) == (100, 800, 1_100, 0, 150, 0)


def test_openai_responses_counts_cached_and_reasoning_within_its_totals() -> None:
    """366 in - 256 cached = 110; 59 out - 14 reasoning = 45; 110 + 256 + 45 + 14 = 425."""
    block = {
        "input_tokens": 366,
        "input_tokens_details": {"cached_tokens": 256},
        "output_tokens": 59,
        "output_tokens_details": {"reasoning_tokens": 14},
        "total_tokens": 425,
    }
    assert read(block) == (110, 256, 0, 0, 45, 14)


def test_anthropic_counts_its_cache_beside_the_input() -> None:
    """21 uncached stay 21; 900 written = 600 for 5 minutes + 300 for an hour; input 21 + 5,000 + 900 = 5,921."""
    block = {
        "input_tokens": 21,
        "cache_read_input_tokens": 5_000,
        "cache_creation_input_tokens": 900,
        "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 300},
        "output_tokens": 40,
        "output_tokens_details": {"thinking_tokens": 15},
        "service_tier": "priority",
    }
    usage = read_usage(block)
    assert buckets(usage) == (21, 5_000, 600, 300, 25, 15)
    assert (usage.input_total, usage.served_tier) == (5_921, "priority")


def test_anthropic_writes_without_a_split_live_five_minutes() -> None:
    block = {"input_tokens": 3, "cache_creation_input_tokens": 1_712, "cache_read_input_tokens": 0, "output_tokens": 9}
    assert read(block) == (3, 0, 1_712, 0, 9, 0)


def test_anthropic_bills_a_compaction_beside_its_totals() -> None:
    """Totals 229 in, 5 out; the compaction adds 100 in, 55,096 written and 131 out: 329, 55,096 and 136."""
    compaction = {
        "type": "compaction",
        "input_tokens": 100,
        "cache_creation_input_tokens": 55_096,
        "output_tokens": 131,
    }
    message = {"type": "message", "input_tokens": 229, "cache_creation_input_tokens": 0, "output_tokens": 5}
    block = {"input_tokens": 229, "cache_read_input_tokens": 0, "output_tokens": 5, "iterations": [compaction, message]}
    usage = read_usage(block)
    assert buckets(usage) == (329, 0, 55_096, 0, 136, 0)
    assert (usage.reported_input, usage.notes) == (229, ("compaction_added",))


def test_another_models_tokens_within_an_anthropic_call_stay_out_and_are_noted() -> None:
    advisor = {"type": "advisor_message", "model": "claude-opus-4", "input_tokens": 2_500, "output_tokens": 20}
    block = {"input_tokens": 7, "cache_read_input_tokens": 0, "output_tokens": 5, "iterations": [advisor]}
    usage = read_usage(block)
    assert buckets(usage) == (7, 0, 0, 0, 5, 0)
    assert usage.notes == ("advisor_left_out",)


def test_gemini_counts_thoughts_beside_candidates_and_tools_beside_the_prompt() -> None:
    """Input 75 + 573 = 648, of it 48 cached: 600 left; output 414 + 117; 600 + 48 + 414 + 117 = 1,179."""
    block = {
        "promptTokenCount": 75,
        "toolUsePromptTokenCount": 573,
        "cachedContentTokenCount": 48,
        "candidatesTokenCount": 414,
        "thoughtsTokenCount": 117,
        "totalTokenCount": 1_179,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 17}, {"modality": "IMAGE", "tokenCount": 58}],
        "trafficType": "ON_DEMAND",
    }
    usage = read_usage(block)
    assert buckets(usage) == (600, 48, 0, 0, 414, 117)
    assert (usage.modality, usage.served_tier, usage.notes) == ({"input_image": 58}, "standard", ())


def test_gemini_leaves_zeros_out_so_its_total_tells_that_nothing_was_answered() -> None:
    """A blocked prompt: 14 of 14 are input, so the output is 0."""
    assert read({"promptTokenCount": 14, "totalTokenCount": 14}) == (14, 0, 0, 0, 0, 0)


def test_gemini_without_a_prompt_count_leaves_the_input_unknown() -> None:
    assert read({"candidatesTokenCount": 18, "thoughtsTokenCount": 58}) == (None, None, None, None, 18, 58)


def test_gemini_as_its_sdk_dumps_it_reads_the_same() -> None:
    block = {
        "prompt_token_count": 30,
        "candidates_token_count": 5,
        "thoughts_token_count": None,
        "total_token_count": 35,
    }
    assert read(block) == (30, 0, 0, 0, 5, 0)


def test_google_interactions_count_thoughts_beside_the_output() -> None:
    """9 in, 13 out and 207 thoughts make 229."""
    block = {
        "total_tokens": 229,
        "total_input_tokens": 9,
        "total_cached_tokens": 0,
        "total_output_tokens": 13,
        "total_tool_use_tokens": 0,
        "total_thought_tokens": 207,
    }
    assert read(block) == (9, 0, 0, 0, 13, 207)


def test_bedrock_counts_its_cache_beside_the_input() -> None:
    """433 + 2,752 read + 1,000 written (400 for an hour) + 16 out = 4,201."""
    block = {
        "inputTokens": 433,
        "cacheReadInputTokens": 2_752,
        "cacheReadInputTokenCount": 2_752,
        "cacheWriteInputTokens": 1_000,
        "cacheDetails": [{"inputTokens": 600, "ttl": "5m"}, {"inputTokens": 400, "ttl": "1h"}],
        "outputTokens": 16,
        "totalTokens": 4_201,
    }
    assert read(block) == (433, 2_752, 600, 400, 16, 0)


def test_a_bedrock_total_that_includes_the_cache_is_believed() -> None:
    """3,000 in + 16 out = 3,016, so the 2,752 read are within the 3,000: 248 are not."""
    block = {"inputTokens": 3_000, "cacheReadInputTokens": 2_752, "outputTokens": 16, "totalTokens": 3_016}
    assert read(block) == (248, 2_752, 0, 0, 16, 0)


def test_cohere_bills_its_units_and_not_its_tokens() -> None:
    block = {
        "billed_units": {"input_tokens": 2_406, "output_tokens": 2},
        "tokens": {"input_tokens": 2_935, "output_tokens": 4},
        "cached_tokens": 2_928,
    }
    assert read(block) == (2_406, 0, 0, 0, 2, 0)


@pytest.mark.parametrize("name", ["num_cached_tokens", "cached_tokens", "prompt_cache_hit_tokens"])
def test_copies_of_openais_form_name_the_cached_part_beside_the_totals(name: str) -> None:
    """273 in - 48 cached = 225."""
    assert read({"prompt_tokens": 273, "completion_tokens": 97, "total_tokens": 370, name: 48}) == (
        225,
        48,
        0,
        0,
        97,
        0,
    )


def test_one_cached_figure_under_two_names_is_counted_once() -> None:
    block = openai_chat(cached_tokens=800) | {"prompt_cache_hit_tokens": 800, "prompt_cache_miss_tokens": 1_200}
    assert read(block) == (1_200, 800, 0, 0, 150, 0)


def test_reasoning_beside_the_completion_is_told_by_the_total() -> None:
    """30 in + 10 out + 200 reasoning = 240, so reasoning is not in the 10."""
    block = {
        "prompt_tokens": 30,
        "completion_tokens": 10,
        "total_tokens": 240,
        "completion_tokens_details": {"reasoning_tokens": 200},
    }
    assert read(block) == (30, 0, 0, 0, 10, 200)


def test_xai_counts_reasoning_beside_the_completion_even_without_a_total() -> None:
    block = {"prompt_tokens": 30, "completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 4}}
    assert read(block, provider="xai") == (30, 0, 0, 0, 10, 4)
    responses = {"input_tokens": 30, "output_tokens": 10, "output_tokens_details": {"reasoning_tokens": 4}}
    assert read(responses, provider="xai") == (30, 0, 0, 0, 6, 4)
    assert read(block) == (30, 0, 0, 0, 6, 4)


def test_tokens_that_only_the_total_counts_are_reasoning() -> None:
    """109 - 35 - 12 = 62."""
    usage = read_usage({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109})
    assert buckets(usage) == (35, 0, 0, 0, 12, 62)
    assert usage.notes == ("reasoning_from_total",)


def test_a_total_below_its_parts_is_noted_and_the_parts_are_used() -> None:
    usage = read_usage({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 40})
    assert buckets(usage) == (35, 0, 0, 0, 12, 0)
    assert usage.notes == ("total_disagrees",)


def test_openrouter_reasoning_above_its_output_is_all_of_the_output() -> None:
    block = {"prompt_tokens": 43, "completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 11}}
    assert read(block, provider="openrouter") == (43, 0, 0, 0, 0, 10)


def test_a_prefix_written_and_read_in_one_call_is_counted_once() -> None:
    """2,168 in with 2,161 both written and read: 7 + 2,161."""
    block = {
        "prompt_tokens": 2_168,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 2_161, "cache_write_tokens": 2_161},
    }
    usage = read_usage(block)
    assert buckets(usage) == (7, 2_161, 0, 0, 100, 0)
    assert usage.notes == ("written_and_read",)


def test_openais_names_with_anthropics_cache_beside_them_go_by_the_total() -> None:
    """LiteLLM's 3,000 include the 2,900 read; 100, or 2,950 of a total of 5,870, cannot: 2,950 + 2,900 + 20."""
    cache = {"cache_read_input_tokens": 2_900, "completion_tokens": 20}
    assert read(cache | {"prompt_tokens": 3_000, "total_tokens": 3_020}) == (100, 2_900, 0, 0, 20, 0)
    assert read(cache | {"prompt_tokens": 100, "total_tokens": 3_020}) == (100, 2_900, 0, 0, 20, 0)
    assert read(cache | {"prompt_tokens": 100, "total_tokens": 120}) == (100, 2_900, 0, 0, 20, 0)
    assert read(cache | {"prompt_tokens": 2_950, "total_tokens": 5_870}) == (2_950, 2_900, 0, 0, 20, 0)


def test_ollama_and_an_openrouter_generation_are_read_by_their_own_names() -> None:
    """88 native tokens out, 30 of them reasoning, leave 58."""
    assert read({"prompt_eval_count": 21, "eval_count": 369}) == (21, 0, 0, 0, 369, 0)
    generation = {"native_tokens_prompt": 50, "native_tokens_completion": 88, "native_tokens_reasoning": 30}
    usage = read_usage(generation | {"native_tokens_cached": 20, "tokens_prompt": 47, "total_cost": 0.0125})
    assert buckets(usage) == (30, 20, 0, 0, 58, 30)
    assert usage.recorded_usd == Decimal("0.0125")


@pytest.mark.parametrize(
    ("into", "out"),
    [
        ("prompt_tokens", "completion_tokens"),
        ("input_tokens", "output_tokens"),
        ("input", "output"),
        ("tokens_in", "tokens_out"),
        ("prompt", "completion"),
    ],
)
def test_plain_names_are_uncached_input_and_text(into: str, out: str) -> None:
    assert read({into: 12, out: 3}) == (12, 0, 0, 0, 3, 0)


def test_a_side_that_is_not_counted_stays_unknown() -> None:
    assert read({"completion_tokens": 3}) == (None, None, None, None, 3, 0)
    assert read_usage({"completion_tokens": 3}).notes == ("input_not_stated",)
    assert read({"output_tokens": 3}, provider="anthropic") == (None, None, None, None, 3, 0)
    assert read({"prompt_tokens": 12, "completion_tokens": None}) == (12, 0, 0, 0, None, None)


def test_a_missing_side_is_what_the_total_leaves() -> None:
    """100 - 12 = 88."""
    usage = read_usage({"prompt_tokens": 12, "total_tokens": 100})
    assert (buckets(usage), usage.notes) == ((12, 0, 0, 0, 88, 0), ("output_from_total",))


@pytest.mark.parametrize(
    ("block", "note"),
    [
        ({"total_tokens": 40}, "total_only"),
        ({"totalTokenCount": 40}, "total_only"),
        ({"trafficType": "ON_DEMAND"}, "no_token_counts"),
        ({}, "no_token_counts"),
        ({"prompt_tokens": None}, "no_token_counts"),
        ({"billed_units": {"search_units": 1}}, "search_units"),
        ({"contentPolicyUnits": 1, "topicPolicyUnits": 1}, "guardrail_units"),
    ],
)
def test_a_block_that_counts_no_side_is_unknown_and_says_why(block: dict[str, Any], note: str) -> None:
    usage = read_usage(block)
    assert (buckets(usage), usage.notes) == ((None,) * 6, (note,))


def test_an_embedding_has_input_only() -> None:
    assert read({"total_tokens": 9}, api="openai_embeddings") == (9, 0, 0, 0, 0, 0)
    assert read({"promptTokenCount": 7}, api="gemini_embeddings") == (7, 0, 0, 0, 0, 0)
    assert read({"prompt_tokens": 5, "total_tokens": 5}) == (5, 0, 0, 0, 0, 0)


def test_openrouters_cost_is_exact_and_a_key_of_ones_own_adds_the_upstream_charge() -> None:
    """0.0001 to OpenRouter + 0.02 to the provider = 0.0201."""
    block: dict[str, Any] = {"prompt_tokens": 1, "completion_tokens": 1, "cost": 2.7750000000000004e-05}
    assert read_usage(block).recorded_usd == Decimal("0.000027750000")
    block |= {"cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}
    assert read_usage(block).recorded_usd == Decimal("0.0201")
    assert read_usage({"prompt_tokens": 1}).recorded_usd is None
