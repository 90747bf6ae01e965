"""The texts of a span, under each convention's names: what was asked, what was answered, what was wanted of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workloads.formats.spans import Span, indexed
from workloads.formats.transcript import loosely

SYSTEM = ("gen_ai.system_instructions", "gen_ai.system.instructions")
ASKED = ("gen_ai.input.messages", "ai.prompt.messages", "gen_ai.prompt", "ai.prompt", "ai.values", "ai.value")
ASKED_WHOLE = ("input.value", "input")
ANSWERED = ("gen_ai.output.messages", "gen_ai.completion", "ai.response.text", "ai.response.object")
ANSWERED_WHOLE = ("output.value", "output")
TOOLS = ("gen_ai.tool.definitions", "ai.prompt.tools", "llm.tools", "llm.request.functions")
REQUESTED = ("tools", "max_tokens", "max_completion_tokens", "response_format", "service_tier")
WANTED = {f"llm.invocation_parameters.{key}": key for key in REQUESTED}
CAPS = ("gen_ai.request.max_tokens", "ai.settings.maxOutputTokens", "ai.settings.maxTokens", "llm.request.max_tokens")


def asked_of(span: Span) -> Any:
    """The messages, with the system prompt first, in whichever form the span holds them; None where it holds none."""
    held = span.attributes
    said = _value(held, ASKED) or _value_of_events(span, ("gen_ai.input.messages", "gen_ai.prompt"))
    if said is None:
        rows = indexed(held, "llm.input_messages") or indexed(held, "gen_ai.prompt") or indexed(held, "llm.prompts")
        said = [_message(row) for row in rows] or _value(held, ASKED_WHOLE)
    system = _value(held, SYSTEM)
    if system is None:
        return said
    parts = [{"role": "system", "parts": system} if isinstance(system, list) else {"role": "system", "content": system}]
    return parts + (said if isinstance(said, list) else [] if said is None else [{"role": "user", "content": said}])


def answered_of(span: Span) -> Any:
    """The answer, likewise."""
    held = span.attributes
    said = _value(held, ANSWERED) or _value_of_events(span, ("gen_ai.output.messages", "gen_ai.completion"))
    if said is not None:
        return said
    rows = indexed(held, "llm.output_messages") or indexed(held, "gen_ai.completion")
    return [_message(row) for row in rows] or _value(held, ANSWERED_WHOLE)


def wanted_of(held: Mapping[str, Any]) -> dict[str, Any]:
    """Tools, output limit and answer format, as keys of a request body."""
    parameters = loosely(held.get("llm.invocation_parameters"))
    parameters = parameters if isinstance(parameters, dict) else {}
    wanted = {key: parameters[key] for key in WANTED.values() if parameters.get(key) is not None}
    wanted |= {key: held[name] for name, key in WANTED.items() if name in held}
    if any(held.get(name) for name in TOOLS) or any(key.startswith(TOOLS) for key in held):
        wanted.setdefault("tools", [{}])
    cap = next((held[name] for name in CAPS if held.get(name) is not None), None)
    if cap is not None:
        wanted["max_tokens"] = int(cap) if isinstance(cap, str) and cap.isdecimal() and len(cap) < 12 else cap
    if held.get("gen_ai.output.type") == "json" or "ai.schema" in held or "ai.response.object" in held:
        wanted["response_format"] = {"type": "json_object"}
    return wanted


def _value(held: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((loosely(held[name]) for name in names if held.get(name) not in (None, "", [])), None)


def _value_of_events(span: Span, names: tuple[str, ...]) -> Any:
    return next((said for event in span.events if (said := _value(event, names)) is not None), None)


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    """One message from dotted names: `message.role`, `message.contents.0.message_content.text`, `role`, `content`."""
    row = {key.removeprefix("message."): value for key, value in row.items()}
    parts = indexed(row, "contents")
    content = row.get("content")
    if parts:
        content = [_part(part) for part in parts]
    calls = [
        {
            "function": {
                "name": call.get("tool_call.function.name", call.get("name")),
                "arguments": call.get("tool_call.function.arguments", call.get("arguments")),
            }
        }
        for call in indexed(row, "tool_calls")
    ]
    message = {"role": row.get("role") or "user", "content": content}
    named = {key: row[key] for key in ("tool_call_id", "name") if isinstance(row.get(key), str)}
    return message | named | ({"tool_calls": calls} if calls else {})


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    part = {key.removeprefix("message_content."): value for key, value in part.items()}
    if str(part.get("type")) == "image" or any(key.startswith("image") for key in part):
        return {"type": "image_url"}
    return {"type": "text", "text": part.get("text")}
