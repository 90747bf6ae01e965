"""What a usage block cannot say, what holds for all of them, and where the price data's own reader agrees."""

from typing import Any

import pytest
from genai_prices import extract_usage
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.workloads.blocks import buckets, openai_chat, read
from workloads import usage
from workloads.usage import Usage, UsageError, read_usage
from workloads.usage_openai import USUAL, USUAL_RESPONSES, read_usual

COUNTS = st.integers(0, 50_000)
ANTHROPIC = {"input_tokens": 5, "cache_creation_input_tokens": 5, "output_tokens": 4}


def test_the_block_says_who_counted() -> None:
    assert read_usage({"prompt_tokens": 1}).provenance == "provider"
    assert read_usage({"prompt_tokens": 1, "provenance": "estimated"}).provenance == "estimated"
    with pytest.raises(UsageError, match="provider, tokenizer, estimated"):
        read_usage({"prompt_tokens": 1, "provenance": "guess"})


@pytest.mark.parametrize("value", [-1, 1.5, True, float("nan"), float("inf"), "12", 10_000_001, 10**400, [3], {"a": 1}])
@pytest.mark.parametrize("name", ["prompt_tokens", "candidatesTokenCount", "outputTokens", "eval_count", "tokens_in"])
def test_a_count_that_cannot_be_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(UsageError) as refused:
        read_usage({name: value})
    assert refused.value.field == name
    assert refused.value.fix


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (openai_chat(cached_tokens=2_001), "more than the 2000 input tokens"),
        (openai_chat(reasoning_tokens=151), "more than the 150 output tokens"),
        ({"promptTokenCount": 5, "cachedContentTokenCount": 6}, "more than the 5 input tokens"),
        (ANTHROPIC | {"output_tokens_details": {"thinking_tokens": 9}}, "more than the 4 output tokens"),
        (ANTHROPIC | {"cache_creation": {"ephemeral_1h_input_tokens": 6}}, "more than the 5 tokens written"),
        ({"prompt_tokens": 12, "total_tokens": 11}, "less than one of its parts"),
        ({"prompt_tokens": 1, "cost": -1}, "not an amount of dollars"),
        ({"prompt_tokens": 1, "cost": 9_000_000}, "not an amount of dollars"),
        (
            {"prompt_tokens": 1, "is_byok": True, "cost": 5e6} | {"cost_details": {"upstream_inference_cost": 5e6}},
            "not an amount of dollars",
        ),
        (ANTHROPIC | {"cache_read_input_tokens": 9_999_999}, "more than 10,000,000 tokens in one call"),
        ({"candidatesTokenCount": 9_999_999, "thoughtsTokenCount": 9}, "more than 10,000,000 tokens in one call"),
    ],
)
def test_parts_above_their_whole_are_refused(block: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_usage(block)


@pytest.mark.parametrize("held", [5, "x", 1.5, {"a": 1}, [7, None, "x"]])
def test_what_should_be_a_list_of_objects_and_is_none_holds_none(held: object) -> None:
    assert read(ANTHROPIC | {"iterations": held}) == read(ANTHROPIC)
    bedrock = {"inputTokens": 9, "outputTokens": 4}
    assert read(bedrock | {"cacheDetails": held}) == read(bedrock)


def test_a_whole_number_that_a_data_frame_turned_into_a_float_is_a_count() -> None:
    assert read({"prompt_tokens": 12.0, "completion_tokens": 3.0}) == (12, 0, 0, 0, 3, 0)


@settings(deadline=None)
@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_every_shape_of_the_same_call_gives_the_same_buckets(
    uncached: int, cached: int, write_5m: int, write_1h: int, text: int, reasoning: int
) -> None:
    """Each shape states the six counts in its own way; reading it back gives them, so nothing is counted twice."""
    into, out = uncached + cached + write_5m + write_1h, text + reasoning
    split = {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h}
    anthropic = {
        "input_tokens": uncached,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": write_5m + write_1h,
        "cache_creation": split,
        "output_tokens": out,
        "output_tokens_details": {"thinking_tokens": reasoning},
    }
    assert read(anthropic) == (uncached, cached, write_5m, write_1h, text, reasoning)
    chat = {
        "prompt_tokens": into,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": write_5m + write_1h},
        "completion_tokens": out,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": into + out,
    }
    assert read(chat) == (uncached, cached, write_5m + write_1h, 0, text, reasoning)
    gemini = {
        "promptTokenCount": uncached + cached,
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": text,
        "thoughtsTokenCount": reasoning,
        "totalTokenCount": uncached + cached + out,
    }
    assert read(gemini) == (uncached, cached, 0, 0, text, reasoning)
    bedrock = {
        "inputTokens": uncached,
        "cacheReadInputTokens": cached,
        "cacheWriteInputTokens": write_5m + write_1h,
        "cacheDetails": [{"ttl": "1h", "inputTokens": write_1h}],
        "outputTokens": out,
        "totalTokens": into + out,
    }
    assert read(bedrock) == (uncached, cached, write_5m, write_1h, out, 0)


@given(
    st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"]), COUNTS)
)
def test_a_side_is_known_as_a_whole_or_not_at_all(block: dict[str, int]) -> None:
    try:
        found = read_usage(block)
    except UsageError:
        return
    assert len({bucket is None for bucket in buckets(found)[:4]}) == 1
    assert len({bucket is None for bucket in buckets(found)[4:]}) == 1


ODD_COUNTS = st.integers(-1, 9) | st.sampled_from([None, 0, 0.0, 2.0, True, False, "3", 10**7, 10**7 + 1])
PARTS = ("cached_tokens", "cache_read", "cache_creation", "reasoning_tokens", "reasoning", "audio_tokens", "unheard_of")
DETAILS = st.dictionaries(st.sampled_from(PARTS), ODD_COUNTS, max_size=3) | st.sampled_from([None, [], {}, "x"])
FLAT = ("cache_read_input_tokens", "cache_creation_input_tokens")
BLOCKS = st.sampled_from([USUAL, USUAL_RESPONSES, USUAL[:2] + USUAL_RESPONSES[2:]]).flatmap(
    lambda names: st.fixed_dictionaries(
        {names[0]: ODD_COUNTS, names[1]: ODD_COUNTS},
        optional={names[2]: DETAILS, names[3]: DETAILS, "total_tokens": ODD_COUNTS | st.integers(0, 18)}
        | dict.fromkeys(["input", "cost", "service_tier", "provenance"], ODD_COUNTS)
        | dict.fromkeys(FLAT, ODD_COUNTS),
    )
)


@settings(max_examples=500, deadline=None)
@example({"prompt_tokens": 5, "completion_tokens": 6, USUAL[3]: {"reasoning_tokens": 2}}, "xai", None)
@example({"prompt_tokens": 5, "completion_tokens": 6, USUAL[2]: {"audio_tokens": False}}, None, None)
@example({"prompt_tokens": 5, "completion_tokens": 6, USUAL[2]: {"cached_tokens": -1}, FLAT[0]: 3}, None, None)
@example({"prompt_tokens": 5, "completion_tokens": 6, FLAT[0]: -1}, None, None)
@example({"prompt_tokens": 5, "completion_tokens": 6, FLAT[0]: 6, FLAT[1]: 0}, None, None)
@given(
    BLOCKS,
    st.sampled_from([None, "openai", "anthropic", "xai", "openrouter"]),
    st.sampled_from([None, "openai_chat", "openai_embeddings", "anthropic_messages", "gemini"]),
)
def test_a_usual_block_is_read_as_every_block_is(block: dict[str, Any], provider: str | None, api: str | None) -> None:
    def said() -> object:
        try:
            return read_usage(block, provider=provider, api=api)
        except UsageError as error:
            return str(error)

    found = said()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usage, "read_usual", lambda _: None)
        assert found == said()


def test_the_blocks_that_most_logs_hold_are_usual() -> None:
    details = {"cached_tokens": 128, "audio_tokens": 0}, {"reasoning_tokens": 64, "audio_tokens": 0}
    block = {"prompt_tokens": 200, "completion_tokens": 100, "total_tokens": 300}
    whole = block | {"prompt_tokens_details": details[0], "completion_tokens_details": details[1]}
    assert read_usual(block) is not None
    assert buckets(read_usual(whole) or Usage()) == (72, 128, 0, 0, 36, 64)
    assert read_usual({"input_tokens": 5, "output_tokens": 6}) is not None
    beside = {"cache_read_input_tokens": 130, "cache_creation_input_tokens": 0}
    assert buckets(read_usual(whole | beside) or Usage()) == (70, 130, 0, 0, 36, 64)


def extracted(block: dict[str, Any], **named: str) -> tuple[Any, ...]:
    found = extract_usage(block, **named).usage
    return found.input_tokens, found.cache_read_tokens, found.cache_write_tokens, found.output_tokens


def test_the_price_data_s_own_extractor_agrees_on_the_common_shapes() -> None:
    chat: dict[str, Any] = {"model": "gpt-4o", "usage": openai_chat(cached_tokens=800)}
    assert extracted(chat, provider_id="openai", api_flavor="chat") == (2_000, 800, 0, 150)
    found = read_usage(chat["usage"])
    assert (found.input_total, found.cache_read, found.output_total) == (2_000, 800, 150)


def test_the_price_data_s_own_extractor_misses_compactions_and_unstated_input() -> None:
    """Where it is wrong: it bills 5 output tokens of 136, and takes an input that nobody stated for 0."""
    block = {
        "input_tokens": 229,
        "output_tokens": 5,
        "cache_read_input_tokens": 0,
        "iterations": [{"type": "compaction", "input_tokens": 100, "output_tokens": 131}],
    }
    assert extracted({"model": "claude-sonnet-4-5", "usage": block}, provider_id="anthropic")[3] == 5
    assert read_usage(block).output_total == 136
    unstated = {"candidatesTokenCount": 18}
    assert extracted({"modelVersion": "gemini-2.5-flash", "usageMetadata": unstated}, provider_id="google")[0] == 0
    assert read_usage(unstated).input_total is None
