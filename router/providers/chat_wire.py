"""OpenAI's chat completions, and everybody's who copied them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from router.providers.wire import Body, Messages
from workloads.sse import Event

CAP = "max_tokens"


def request(model: str, messages: Messages, system: str | None, cap: int | None, more: Body) -> Body:
    """The request body: the messages as they are, after the system prompt."""
    said = [{"role": "system", "content": system}] if system is not None else []
    body: Body = {"model": model, "messages": [*said, *(dict(message) for message in messages)]}
    if cap is not None:
        body[CAP] = cap
    if more.get("stream"):
        body["stream_options"] = {"include_usage": True}  # otherwise the stream is not counted
    return body | more


def piece(event: Event) -> str:
    """The text of one chunk's first choice; content in parts, as Mistral's reasoning models give it, is joined."""
    content = _delta(event).get("content")
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def begins(event: Event) -> bool:
    """Any delta but the empty first one, which carries the role."""
    return any(value for key, value in _delta(event).items() if key != "role")


def add_calls(events: Sequence[Event], body: Body) -> None:
    """A call comes as its id and name first, then its arguments in fragments, told apart by `index`."""
    calls: dict[object, dict[str, Any]] = {}
    for event in events:
        for part in _objects(_delta(event).get("tool_calls")):
            function = part.get("function") or {}
            key = part.get("index", part.get("id"))
            if key not in calls:
                calls[key] = {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
            call = calls[key]
            call["id"] = part.get("id") or call["id"]
            call["function"]["name"] = function.get("name") or call["function"]["name"]
            call["function"]["arguments"] += function.get("arguments") or ""
    if calls:
        body["choices"][0]["message"]["tool_calls"] = list(calls.values())


def calls(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The first choice's calls, as they are."""
    choice = next(iter(_objects(body.get("choices"))), {})
    return [dict(call) for call in _objects((choice.get("message") or {}).get("tool_calls"))]


def _delta(event: Event) -> Mapping[str, Any]:
    choice = next(iter(_objects(event.get("choices"))), {})
    return choice.get("delta") or {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
