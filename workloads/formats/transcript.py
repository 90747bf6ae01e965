"""What went in and came out of a call, as tracing tools keep it: bodies, messages of many dialects, or bare text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from workloads.bodies import Exchange, read_exchange

# LangChain's and Google's names of the roles.
ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "humanmessage": "user", "aimessage": "assistant"}
ROLES |= {"systemmessage": "system", "toolmessage": "tool", "bot": "assistant"}
BODY_KEYS = ("contents", "messages", "input", "prompt")
ANSWER_BODIES = ("choices", "candidates", "output", "usage", "usageMetadata")


def read_transcript(
    asked: Any, answered: Any, *, provider: str | None = None, more: Mapping[str, Any] | None = None
) -> Exchange:
    """One call from its traced input and output.

    Args:
        asked: a request body, a list of messages (OpenAI's, OpenTelemetry's, LangChain's), or a text; also as JSON.
        answered: a response body, a message or a list of them, or a text.
        provider: who was called, where the trace says so.
        more: further keys of the request body: tools, max_tokens, response_format, service_tier ...

    Raises:
        UsageError: the response body holds a count that cannot be.
    """
    request = _request(loosely(asked))
    has_tools = request.pop("has_tools", False)
    request |= {key: value for key, value in (more or {}).items() if value is not None}
    if has_tools:
        request.setdefault("tools", [{}])
    return read_exchange(request, _response(loosely(answered)), provider=provider)


def loosely(value: Any) -> Any:
    """A value, or what its text holds where that is a JSON object or list; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return value
    return value


def _request(asked: Any) -> dict[str, Any]:
    if isinstance(asked, dict):
        for key in ("kwargs", "llm_input", "request"):  # a traced function's arguments
            if isinstance(inner := asked.get(key), dict) and any(name in inner for name in BODY_KEYS):
                return _request(inner)
        if isinstance(asked.get("contents"), list):
            return _google(asked)
        for key in BODY_KEYS[1:]:
            if asked.get(key):
                held = _messages(loosely(asked[key]))
                system = asked.get("system") or asked.get("instructions")
                if isinstance(system, str | list) and system:
                    held["messages"].insert(0, {"role": "system", "content": system})
                kept = {name: asked[name] for name in ("tools", "response_format", "max_tokens") if name in asked}
                return kept | held
    return _messages(asked)


def _google(asked: Mapping[str, Any]) -> dict[str, Any]:
    config = asked.get("config")
    body = {**(config if isinstance(config, dict) else {}), **asked}
    system = body.get("system_instruction")
    if isinstance(system, str):
        body["system_instruction"] = {"parts": [{"text": system}]}
    if isinstance(config, dict):
        body["generation_config"] = config
    return body


def _messages(said: Any) -> dict[str, Any]:
    """`messages` as a request body has them, and whether a tool's definition stood among them."""
    if said is None or said == "":
        return {"messages": []}
    if isinstance(said, dict) and ("role" in said or "content" in said or "parts" in said):
        said = [said]
    if isinstance(said, list) and len(said) == 1 and isinstance(said[0], list):  # LangChain's batch of one
        said = said[0]
    if not isinstance(said, list):
        text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
        return {"messages": [{"role": "user", "content": text}]}
    messages, has_tools = [], False
    for each in said:
        message = _message(each)
        # Langfuse's LangChain integration writes each tool's definition as a message of role `tool`.
        if isinstance(content := message["content"], dict) and content.get("type") == "function":
            has_tools = True
            continue
        messages.append(message)
    return {"messages": messages, "has_tools": has_tools}


def _message(message: Any) -> dict[str, Any]:
    message = loosely(message)
    if not isinstance(message, dict):
        return {"role": "user", "content": message if isinstance(message, str) else None}
    inner = message.get("message", message.get("kwargs"))
    if isinstance(inner, dict) and "role" not in message:
        message = {**message, **inner}
    role = message.get("role") or message.get("type")
    role = role if isinstance(role, str) and role else "user"
    content = message.get("content", message.get("contents"))
    if isinstance(parts := message.get("parts"), list):
        content = [_part(part) for part in parts]
    calls = message.get("tool_calls")
    extra = message.get("additional_kwargs")
    if not calls and isinstance(extra, dict):
        calls = extra.get("tool_calls")
    known = {"role": ROLES.get(role.lower(), role), "content": content}
    if isinstance(calls, list) and calls:
        known["tool_calls"] = calls
    return known | {key: message[key] for key in ("name", "tool_call_id") if isinstance(message.get(key), str)}


def _part(part: Any) -> Any:
    """An OpenTelemetry message part as a provider's content part."""
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind == "text" and "content" in part:
        return {"type": "text", "text": part["content"]}
    if kind == "tool_call":
        return {"type": "tool_use", "name": part.get("name"), "input": part.get("arguments")}
    if kind == "tool_call_response":
        held = part.get("response", part.get("result"))
        return {"type": "tool_result", "tool_use_id": part.get("id"), "content": held}
    if kind in ("blob", "uri", "file") and part.get("modality") == "image":
        return {"type": "image_url"}
    return part


def _response(answered: Any) -> dict[str, Any] | None:
    if answered is None or answered == "" or answered == []:
        return None
    if isinstance(answered, list):
        said = [part for part in answered if isinstance(part, dict) and ("role" in part or "message" in part)]
        return _choice(_message(said[-1])) if said else _choice({"content": answered})
    if not isinstance(answered, dict):
        return _choice({"content": answered if isinstance(answered, str) else msgspec.json.encode(answered).decode()})
    usage = answered.get("usage_metadata") or answered.get("usageMetadata")
    if "candidates" not in answered and isinstance(answered.get("content"), dict) and usage:
        return {"candidates": [{"content": answered["content"]}], "usageMetadata": usage}
    if any(isinstance(answered.get(key), list | dict) for key in ANSWER_BODIES):
        return dict(answered)
    if isinstance(rows := answered.get("generations"), list):  # LangChain's result
        flat = rows[0] if rows and isinstance(rows[0], list) else rows
        return _choice({"content": flat[0].get("text") if flat and isinstance(flat[0], dict) else None})
    if "role" in answered or "content" in answered or "message" in answered or "parts" in answered:
        return _choice(_message(answered))
    text = next((answered[key] for key in ("text", "completion", "output") if isinstance(answered.get(key), str)), None)
    return _choice({"content": text if text is not None else msgspec.json.encode(answered).decode()})


def _choice(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"choices": [{"message": {key: value for key, value in message.items() if key != "role"}}]}
