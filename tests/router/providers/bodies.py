"""The smallest true answers of the two wire formats, and the streams that say the same."""

from typing import Any

CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Good day"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1200,
        "completion_tokens": 150,
        "total_tokens": 1350,
        "prompt_tokens_details": {"cached_tokens": 800},
        "completion_tokens_details": {"reasoning_tokens": 50},
    },
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Good day"}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 400,
        "cache_read_input_tokens": 800,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 150,
        "service_tier": "standard",
    },
}
ANSWERS = {"openai": CHAT, "groq": CHAT, "anthropic": MESSAGE, "vllm": CHAT}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": CHAT["model"], "choices": choices}


def delta(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


CHAT_EVENTS: list[Any] = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Good "}),
    chunk({"content": "day"}),
    chunk({}, "stop"),
    {"id": "chatcmpl-1", "choices": [], "usage": CHAT["usage"], "model": CHAT["model"], "service_tier": "default"},
    "[DONE]",
]
MESSAGE_EVENTS: list[Any] = [
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    delta("Good "),
    delta("day"),
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 150}},
    {"type": "message_stop"},
]
EVENTS = {"openai": CHAT_EVENTS, "groq": CHAT_EVENTS, "anthropic": MESSAGE_EVENTS, "vllm": CHAT_EVENTS}
