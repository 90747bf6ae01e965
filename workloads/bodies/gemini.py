"""Google's bodies: generateContent, embeddings and interactions."""

from collections.abc import Mapping
from typing import Any

from workloads.bodies.content import object_or_empty, objects, read_content, text_or_none, time_or_none, whole_or_none
from workloads.bodies.exchange import Answered, Asked, Message

ROLES = {"model": "assistant", "function": "tool"}


def read_request(body: Mapping[str, Any]) -> Asked:
    """A generateContent request, in the API's spelling or the SDK's; a batch of embeddings is one message each."""
    config = object_or_empty(body.get("generationConfig") or body.get("generation_config"))
    mime = config.get("responseMimeType") or config.get("response_mime_type")
    asked = Asked(
        model=_model(body.get("model")),
        has_tools=bool(body.get("tools")),
        json_mode=mime == "application/json",
        max_output_tokens=whole_or_none(config.get("maxOutputTokens") or config.get("max_output_tokens")),
        service_tier=text_or_none(body.get("serviceTier") or body.get("service_tier")),
    )
    system = object_or_empty(body.get("systemInstruction") or body.get("system_instruction"))
    if said := read_content(system.get("parts")).text:
        asked.messages.append(Message("system", None, said))
    turns = objects(body.get("contents")) or objects([body.get("content")])
    turns += [object_or_empty(row.get("content")) for row in objects(body.get("requests"))]
    for turn in turns:
        role = text_or_none(turn.get("role")) or "user"
        _say(asked, ROLES.get(role, role), turn.get("parts"))
    return asked


def _model(name: object) -> str | None:
    return text_or_none(name.removeprefix("models/")) if isinstance(name, str) else None


def _say(asked: Asked, role: str, parts: object) -> None:
    content = read_content(parts)
    asked.messages += content.messages(role)
    asked.has_images = asked.has_images or content.has_images


def read_response(body: Mapping[str, Any]) -> Answered:
    """A generateContent answer: its first candidate, or why the prompt was blocked."""
    candidate = next(iter(objects(body.get("candidates"))), {})
    blocked = object_or_empty(body.get("promptFeedback")).get("blockReason")
    reason = blocked or candidate.get("finishReason")
    usage = body.get("usageMetadata") or body.get("usage_metadata")
    return Answered(
        model=_model(body.get("modelVersion")),
        completion=read_content(object_or_empty(candidate.get("content")).get("parts")).answer,
        finish_reason=None if reason is None else str(reason),
        failed=bool(blocked),
        created=time_or_none(body.get("createTime")),
        usage=usage if isinstance(usage, dict) else None,
        response_id=text_or_none(body.get("responseId")),
    )


def read_interaction_request(body: Mapping[str, Any]) -> Asked:
    """An interactions request: `input` is a text, a content part, or turns with a role."""
    config = object_or_empty(body.get("generation_config"))
    asked = Asked(
        model=text_or_none(body.get("model")),
        has_tools=bool(body.get("tools")),
        json_mode=bool(body.get("response_format")),
        max_output_tokens=whole_or_none(config.get("max_output_tokens")),
        service_tier=text_or_none(body.get("service_tier")),
    )
    if system := text_or_none(body.get("system_instruction")):
        asked.messages.append(Message("system", None, system))
    turns = [turn for turn in objects(body.get("input")) if turn.get("role")]
    for turn in turns:
        role = str(turn["role"])
        _say(asked, ROLES.get(role, role), turn.get("content"))
    if not turns and body.get("input"):
        _say(asked, "user", body["input"])
    return asked


def read_interaction(body: Mapping[str, Any]) -> Answered:
    """An interaction: the text of its model's steps."""
    steps = [step.get("content") for step in objects(body.get("steps")) if step.get("type") == "model_output"]
    said = [read_content(content).answer for content in (steps or [body.get("outputs")])]
    status = text_or_none(body.get("status"))
    usage = body.get("usage")
    return Answered(
        model=text_or_none(body.get("model")),
        completion="\n".join(filter(None, said)) or None,
        finish_reason=status,
        failed=status in {"failed", "cancelled"},
        created=time_or_none(body.get("created")),
        service_tier=text_or_none(body.get("service_tier")),
        usage=usage if isinstance(usage, dict) else None,
        response_id=text_or_none(body.get("id")),
    )
