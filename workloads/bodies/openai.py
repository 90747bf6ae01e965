"""OpenAI's chat and completion bodies, and those of everybody who copied them."""

from collections.abc import Mapping
from typing import Any

from workloads.bodies.content import (
    Content,
    call_text,
    object_or_empty,
    objects,
    read_content,
    text_or_none,
    time_or_none,
    whole_or_none,
)
from workloads.bodies.exchange import Answered, Asked, Message

ROLES = {"developer": "system", "function": "tool", "model": "assistant"}
JSON_FORMATS = ("json_object", "json_schema")


def read_request(body: Mapping[str, Any]) -> Asked:
    """A chat request; the legacy completion's `prompt` and an embedding's `input` are one user message."""
    asked = Asked(
        model=text_or_none(body.get("model")),
        has_tools=bool(body.get("tools") or body.get("functions")),
        json_mode=asks_for_json(body.get("response_format")),
        max_output_tokens=whole_or_none(body.get("max_completion_tokens")) or whole_or_none(body.get("max_tokens")),
        service_tier=text_or_none(body.get("service_tier")),
    )
    for message in objects(body.get("messages")):
        _add(message, asked)
    if not asked.messages:
        for field in ("prompt", "input", "texts"):
            if body.get(field):
                asked.messages = read_content(body[field]).messages("user")
                break
    return asked


def _add(message: Mapping[str, Any], asked: Asked) -> None:
    content = said_by(message.get("content"), message.get("tool_calls"))
    role = text_or_none(message.get("role")) or "user"
    role = ROLES.get(role, role)
    name = text_or_none(message.get("name")) or text_or_none(message.get("tool_call_id"))
    asked.messages += content.messages(role, name)
    asked.has_images = asked.has_images or content.has_images or bool(message.get("images"))


def asks_for_json(response_format: object) -> bool:
    """Whether a request's `response_format` asks for JSON."""
    return object_or_empty(response_format).get("type") in JSON_FORMATS


def said_by(content: object, calls: object) -> Content:
    """A message's content with its `tool_calls`."""
    found = read_content(content)
    for call in objects(calls):
        function = object_or_empty(call.get("function"))
        found.calls.append(call_text(function.get("name"), function.get("arguments")))
    return found


def read_response(body: Mapping[str, Any]) -> Answered:
    """A chat or completion answer: its first choice."""
    choice = next(iter(objects(body.get("choices"))), {})
    message = object_or_empty(choice.get("message"))
    said = read_content(message.get("content", choice.get("text"))).answer or text_or_none(message.get("refusal"))
    usage = body.get("usage") or object_or_empty(body.get("x_groq")).get("usage")
    return Answered(
        model=text_or_none(body.get("model")),
        completion=said,
        finish_reason=text_or_none(choice.get("finish_reason")),
        created=time_or_none(body.get("created")),
        service_tier=text_or_none(body.get("service_tier")),
        usage=usage if isinstance(usage, dict) else None,
        response_id=text_or_none(body.get("id")),
    )


def system_of(messages: list[Message]) -> str | None:
    """The system prompt: what the system messages say, a line apart."""
    said = [message.text for message in messages if message.role == "system"]
    return "\n".join(said) if said else None
