"""OpenAI's Responses bodies: instructions, and a list of items of many kinds."""

from collections.abc import Mapping
from typing import Any

from workloads.bodies.content import object_or_empty, objects, read_content, text_or_none, time_or_none, whole_or_none
from workloads.bodies.exchange import Answered, Asked, Message
from workloads.bodies.openai import JSON_FORMATS, ROLES


def read_request(body: Mapping[str, Any]) -> Asked:
    """A Responses request; what `previous_response_id` stands for is not in it, and so not in the messages."""
    asked = Asked(
        model=text_or_none(body.get("model")),
        has_tools=bool(body.get("tools")),
        json_mode=object_or_empty(object_or_empty(body.get("text")).get("format")).get("type") in JSON_FORMATS,
        max_output_tokens=whole_or_none(body.get("max_output_tokens")),
        service_tier=text_or_none(body.get("service_tier")),
    )
    if instructions := text_or_none(body.get("instructions")):
        asked.messages.append(Message("system", None, instructions))
    if isinstance(body.get("input"), str):
        asked.messages.append(Message("user", None, body["input"]))
    for item in objects(body.get("input")):
        _add(item, asked)
    return asked


def _add(item: Mapping[str, Any], asked: Asked) -> None:
    role = text_or_none(item.get("role"))
    kind = text_or_none(item.get("type")) or "message"
    if role is not None:
        content = read_content(item.get("content"))
        asked.messages += content.messages(ROLES.get(role, role))
    elif kind.endswith("call_output"):
        content = read_content(item)
        asked.messages += content.results
    elif kind == "function_call":
        content = read_content(item)
        asked.messages += content.messages("assistant")
    else:
        return  # reasoning and the provider's own tools: not text of the conversation
    asked.has_images = asked.has_images or content.has_images


def read_response(body: Mapping[str, Any]) -> Answered:
    """A Responses answer: the text of its message items."""
    said = [
        read_content(item.get("content")).answer
        for item in objects(body.get("output"))
        if item.get("type") == "message" and item.get("role") == "assistant"
    ]
    status = text_or_none(body.get("status"))
    usage = body.get("usage")
    return Answered(
        model=text_or_none(body.get("model")),
        completion="\n".join(filter(None, said)) or None,
        finish_reason=text_or_none(object_or_empty(body.get("incomplete_details")).get("reason")) or status,
        failed=status in {"failed", "cancelled"},
        created=time_or_none(body.get("created_at")),
        service_tier=text_or_none(body.get("service_tier")),
        usage=usage if isinstance(usage, dict) else None,
        response_id=text_or_none(body.get("id")),
    )
