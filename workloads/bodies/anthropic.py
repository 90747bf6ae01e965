"""Anthropic's Messages bodies, on its own API and on other clouds."""

from collections.abc import Mapping
from typing import Any

from workloads.bodies.content import object_or_empty, read_content, said_in, text_or_none, whole_or_none
from workloads.bodies.exchange import Answered, Asked


def read_request(body: Mapping[str, Any]) -> Asked:
    """A Messages request: tool results come inside user messages and are told apart from what the user said."""
    formats = [body.get("output_format"), object_or_empty(body.get("output_config")).get("format")]
    asked = Asked(
        model=text_or_none(body.get("model")),
        has_tools=bool(body.get("tools")),
        json_mode=any(object_or_empty(form).get("type") == "json_schema" for form in formats),
        max_output_tokens=whole_or_none(body.get("max_tokens")),
        service_tier=text_or_none(body.get("service_tier")),
    )
    asked.messages, asked.has_images = said_in(body)
    return asked


def read_response(body: Mapping[str, Any]) -> Answered:
    """A Messages answer; its body has no time."""
    usage = body.get("usage")
    return Answered(
        model=text_or_none(body.get("model")),
        completion=read_content(body.get("content")).answer,
        finish_reason=text_or_none(body.get("stop_reason")),
        usage=usage if isinstance(usage, dict) else None,
        response_id=text_or_none(body.get("id")),
    )
