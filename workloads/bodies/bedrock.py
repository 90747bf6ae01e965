"""Bedrock's converse bodies, which Amazon's own models also take when invoked."""

from collections.abc import Mapping
from typing import Any

from workloads.bodies.content import object_or_empty, read_content, said_in, text_or_none, whole_or_none
from workloads.bodies.exchange import Answered, Asked


def read_request(body: Mapping[str, Any]) -> Asked:
    """A converse request; the model is in the address."""
    config = object_or_empty(body.get("inferenceConfig"))
    form = object_or_empty(object_or_empty(body.get("outputConfig")).get("textFormat"))
    asked = Asked(
        has_tools=bool(object_or_empty(body.get("toolConfig")).get("tools")),
        json_mode=form.get("type") == "json_schema",
        max_output_tokens=whole_or_none(config.get("maxTokens") or config.get("max_new_tokens")),
        service_tier=text_or_none(object_or_empty(body.get("serviceTier")).get("type")),
    )
    asked.messages, asked.has_images = said_in(body)
    return asked


def read_response(body: Mapping[str, Any]) -> Answered:
    """A converse answer; its body names neither model nor time."""
    message = object_or_empty(object_or_empty(body.get("output")).get("message"))
    usage = body.get("usage")
    return Answered(
        completion=read_content(message.get("content")).answer,
        finish_reason=text_or_none(body.get("stopReason")),
        service_tier=text_or_none(object_or_empty(body.get("serviceTier")).get("type")),
        usage=usage if isinstance(usage, dict) else None,
    )
