import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.bodies import Exchange, Message, read_exchange
from workloads.usage import Usage, UsageError

RAIN = [{"type": "text", "text": "rain"}]
CHAT_REQUEST: dict[str, Any] = {
    "model": "gpt-4o",
    "max_completion_tokens": 300,
    "service_tier": "auto",
    "tools": [{"type": "function", "function": {"name": "weather"}}],
    "response_format": {"type": "json_schema", "json_schema": {}},
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "name": "ann",
            "content": [{"type": "text", "text": "Is it"}, {"type": "text", "text": "raining?"}],
        },
        {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": '{"at":"Bern"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ],
}
CHAT_RESPONSE: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [{"message": {"role": "assistant", "content": "It is."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 3, "total_tokens": 43},
}


def test_an_openai_chat_is_read_whole() -> None:
    exchange = read_exchange(CHAT_REQUEST, CHAT_RESPONSE, url="https://api.openai.com/v1/chat/completions", status=200)
    assert exchange == Exchange(
        api="openai_chat",
        provider="openai",
        model="gpt-4o-2024-08-06",
        requested_model="gpt-4o",
        call_type="chat",
        system="Be brief.",
        messages=(
            Message("system", None, "Be brief."),
            Message("user", "ann", "Is it\nraining?"),
            Message("assistant", None, 'weather({"at":"Bern"})'),
            Message("tool", "c1", "rain"),
        ),
        prompt="Is it\nraining?",
        has_tools=True,
        has_images=False,
        json_mode=True,
        max_output_tokens=300,
        service_tier="auto",
        completion="It is.",
        finish_reason="stop",
        status="ok",
        created=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        usage=Usage(40, 0, 0, 0, 3, 0, served_tier="default", reported_input=40, reported_output=3, reported_total=43),
        response_id="chatcmpl-1",
    )
    assert exchange.n_messages == 4


def test_a_chat_is_known_by_its_keys_where_no_address_was_kept() -> None:
    assert read_exchange(CHAT_REQUEST, CHAT_RESPONSE).api == "openai_chat"
    assert read_exchange(CHAT_REQUEST, None).api == "openai_chat"
    assert read_exchange(None, CHAT_RESPONSE).model == "gpt-4o-2024-08-06"


def test_a_responses_call_is_read_from_its_items() -> None:
    request = {
        "model": "gpt-4.1",
        "instructions": "Be brief.",
        "text": {"format": {"type": "json_schema"}},
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": ""}],
            },
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hidden"}]},
            {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "c1"},
            {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
        ],
    }
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A cat."}]}
    response = {"object": "response", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    exchange = read_exchange(request, response | {"output": [{"type": "reasoning"}, said]})
    assert exchange.api == "openai_responses"
    assert exchange.messages == (
        Message("system", None, "Be brief."),
        Message("user", None, "Look"),
        Message("assistant", None, "look({})"),
        Message("tool", "c1", "a cat"),
    )
    assert (exchange.prompt, exchange.has_images, exchange.json_mode) == ("Look", True, True)
    assert (exchange.completion, exchange.finish_reason) == ("A cat.", "max_output_tokens")
    assert exchange.usage.notes == ("no_usage_block",)


def test_an_anthropic_tool_result_is_not_what_the_user_said() -> None:
    request = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1_024,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Is it raining?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hidden"},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"at": "Bern"}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": RAIN}]},
        ],
    }
    response = {
        "type": "message",
        "model": "claude-sonnet-4-5-20250929",
        "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "It "}, {"type": "text", "text": "is."}],
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 90, "output_tokens": 4},
    }
    exchange = read_exchange(request, response, url="https://api.anthropic.com/v1/messages?beta=true")
    assert exchange.messages == (
        Message("system", None, "Be brief."),
        Message("user", None, "Is it raining?"),
        Message("assistant", None, 'weather({"at":"Bern"})'),
        Message("tool", "t1", "rain"),
    )
    assert (exchange.prompt, exchange.completion) == ("Is it raining?", "It is.")
    assert (exchange.usage.input_uncached, exchange.usage.cache_read) == (3, 90)


def test_what_a_user_says_beside_a_tool_result_is_the_prompt() -> None:
    content = [{"type": "tool_result", "tool_use_id": "t1", "content": "rain"}, {"type": "text", "text": "Then what?"}]
    exchange = read_exchange({"system": "s", "messages": [{"role": "user", "content": content}]}, None)
    assert exchange.messages[1:] == (Message("tool", "t1", "rain"), Message("user", None, "Then what?"))
    assert exchange.prompt == "Then what?"


def test_an_image_alone_is_a_user_message_without_text() -> None:
    exchange = read_exchange(
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, None
    )
    assert (exchange.prompt, exchange.has_images, exchange.n_messages) == ("", True, 1)


def test_a_request_without_a_user_message_has_no_prompt() -> None:
    assert read_exchange({"messages": [{"role": "system", "content": "Be brief."}]}, None).prompt is None


def test_a_gemini_call_takes_its_model_from_the_address_and_the_answer() -> None:
    request = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": ""}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"n": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"seen": "cat"}}}]},
        ],
        "generationConfig": {"maxOutputTokens": 99, "responseMimeType": "application/json"},
        "tools": [{}],
    }
    response = {
        "candidates": [
            {
                "content": {"parts": [{"text": "hm", "thought": True}, {"text": "A "}, {"text": "cat."}]},
                "finishReason": 1,
            }
        ],
        "createTime": "2026-03-21T18:11:55.919086Z",
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
    }
    url = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
    exchange = read_exchange(request, response, url=url)
    assert (exchange.api, exchange.provider, exchange.model) == ("gemini", "google", "gemini-2.5-flash")
    assert exchange.messages[2:] == (
        Message("assistant", None, 'look({"n":1})'),
        Message("tool", "look", '{"seen":"cat"}'),
    )
    assert (exchange.prompt, exchange.completion, exchange.finish_reason) == ("Look", "A cat.", "1")
    assert (exchange.has_images, exchange.has_tools, exchange.json_mode) == (True, True, True)
    assert exchange.max_output_tokens == 99
    assert exchange.created == datetime(2026, 3, 21, 18, 11, 55, 919086, tzinfo=UTC)


def test_a_blocked_gemini_prompt_is_an_error_without_counts() -> None:
    response = {"promptFeedback": {"blockReason": "MODEL_ARMOR"}, "usageMetadata": {"trafficType": "ON_DEMAND"}}
    exchange = read_exchange({"contents": []}, response)
    assert (exchange.status, exchange.finish_reason) == ("error", "MODEL_ARMOR")
    assert exchange.usage.notes == ("no_token_counts",)


def test_a_bedrock_call_takes_its_model_from_the_address() -> None:
    request = {
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [{"text": "Look"}, {"image": {"format": "png"}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"seen": "cat"}}]}}]},
        ],
        "inferenceConfig": {"maxTokens": 50},
        "toolConfig": {"tools": [{}]},
        "serviceTier": {"type": "flex"},
    }
    response = {"output": {"message": {"content": [{"text": "A cat."}]}}, "stopReason": "end_turn"}
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.amazon.nova-lite-v1%3A0/converse"
    exchange = read_exchange(request, response | {"usage": {"inputTokens": 9, "outputTokens": 3}}, url=url)
    assert (exchange.provider, exchange.model) == ("aws", "us.amazon.nova-lite-v1:0")
    assert exchange.messages[2:] == (
        Message("assistant", None, "look({})"),
        Message("tool", "t1", '[{"json":{"seen":"cat"}}]'),
    )
    assert (exchange.prompt, exchange.has_images, exchange.has_tools) == ("Look", True, True)
    assert (exchange.max_output_tokens, exchange.service_tier, exchange.completion) == (50, "flex", "A cat.")


@pytest.mark.parametrize(
    ("url", "api", "provider", "call_type"),
    [
        ("https://api.openai.com/v1/embeddings", "openai_embeddings", "openai", "embedding"),
        ("https://api.openai.com/v1/images/generations", "openai_images", "openai", "image"),
        ("https://api.openai.com/v1/audio/transcriptions", "openai_audio", "openai", "audio"),
        ("https://api.openai.com/v1/responses/compact", "openai_responses", "openai", "other"),
        ("https://api.cohere.com/v2/rerank", "rerank", "cohere", "other"),
        ("https://acme.openai.azure.com/openai/deployments/mine/chat/completions", "openai_chat", "azure", "chat"),
        ("https://router.huggingface.co/together/v1/chat/completions", "openai_chat", "huggingface_together", "chat"),
        ("http://localhost:8787/groq/openai/v1/chat/completions", "openai_chat", "groq", "chat"),
        ("http://127.0.0.1:11434/api/chat", "ollama", "ollama", "chat"),
        (
            "https://bedrock-runtime.eu-west-1.amazonaws.com/guardrail/g/version/1/apply",
            "bedrock_guardrail",
            "aws",
            "other",
        ),
        ("generativelanguage.googleapis.com/v1beta/cachedContents", "gemini_cache", "google", "other"),
        ("/v1/chat/completions", "openai_chat", None, "chat"),
        ("/v1/messages", "anthropic_messages", "anthropic", "chat"),
        ("https://[broken", "unknown", None, "other"),
        (None, "unknown", None, "other"),
    ],
)
def test_the_address_tells_the_api_the_provider_and_the_kind_of_call(
    url: str | None, api: str, provider: str | None, call_type: str
) -> None:
    exchange = read_exchange({}, {}, url=url)
    assert (exchange.api, exchange.provider, exchange.call_type) == (api, provider, call_type)


def test_a_provider_that_the_log_names_wins_over_the_address() -> None:
    assert read_exchange({}, {}, url="https://api.openai.com/v1/chat/completions", provider="x-ai").provider == "x-ai"


def test_a_failed_call_is_an_error() -> None:
    assert read_exchange(CHAT_REQUEST, {"error": {"message": "no"}}).status == "error"
    assert read_exchange(CHAT_REQUEST, None, status=529).status == "error"
    assert read_exchange(CHAT_REQUEST, {"object": "response", "status": "failed"}).status == "error"
    assert read_exchange(CHAT_REQUEST, CHAT_RESPONSE | {"error": None}).status == "ok"


def test_a_count_that_cannot_be_is_raised_for_the_reader_to_set_aside() -> None:
    with pytest.raises(UsageError, match="prompt_tokens"):
        read_exchange(CHAT_REQUEST, CHAT_RESPONSE | {"usage": {"prompt_tokens": -1}})


def test_bodies_kept_as_text_read_the_same() -> None:
    assert read_exchange(json.dumps(CHAT_REQUEST), json.dumps(CHAT_RESPONSE)) == read_exchange(
        CHAT_REQUEST, CHAT_RESPONSE
    )
    assert read_exchange('{"messages": [', CHAT_RESPONSE).messages == ()


# fmt: off
KEYS = st.sampled_from([
    "model", "messages", "role", "content", "type", "text", "input", "system", "contents", "parts", "usage", "choices",
    "message", "tools", "candidates", "output", "delta", "finish_reason", "tool_calls", "function", "arguments", "done",
    "requests", "created", "createTime", "stop_reason", "name", "image_url", "steps", "toolResult", "toolUse", "error",
    "functionCall", "functionResponse", "inlineData", "generationConfig", "max_tokens", "usageMetadata", "tool_result",
    "tool_use", "message_start", "content_block_delta", "response", "meta", "iterations", "cache_creation", "result",
])
# fmt: on
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
URLS = st.sampled_from(
    [None, "/v1/messages", "/v1/responses", "/x:generateContent", "/model/m/converse", "/v2/chat", "/api/chat"]
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, ANYTHING, max_size=6), st.dictionaries(KEYS, ANYTHING) | st.lists(ANYTHING), URLS)
def test_bodies_of_any_form_raise_nothing_but_a_count_that_cannot_be(
    request: Any, response: Any, url: str | None
) -> None:
    before = repr((request, response))
    try:
        exchange = read_exchange(request, response, url=url)
    except UsageError:
        return
    finally:
        assert repr((request, response)) == before
    assert exchange.status in ("ok", "error")
    assert all(isinstance(message.text, str) for message in exchange.messages)
