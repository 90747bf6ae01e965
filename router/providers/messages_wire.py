"""Anthropic's messages: requests in OpenAI's form put into it, answers and tool calls taken out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from problems import BackrouteError
from router.providers.wire import Body, Messages
from workloads.sse import Event

RENAMED = {"stop": "stop_sequences"}
CHOICES = {"auto": {"type": "auto"}, "required": {"type": "any"}, "none": {"type": "none"}}


def request(model: str, messages: Messages, system: str | None, cap: int | None, more: Body) -> Body:
    """The request body. System messages wherever they stand become the system prompt, after `system` itself."""
    systems = [{"type": "text", "text": system}] if system is not None else []
    turns: list[Body] = []
    for message in messages:
        role, content = message.get("role"), _content(message.get("content"))
        if role in ("system", "developer"):
            systems += content
            continue
        if role == "tool":
            role, content = "user", [_result(message, content)]
        content += [_use(call) for call in message.get("tool_calls") or ()]
        if turns and turns[-1]["role"] == role:  # parallel tools' results belong into one message
            turns[-1]["content"] += content
        else:
            turns.append({"role": role, "content": content})
    body: Body = {"model": model, "messages": turns, "max_tokens": cap}
    if systems:
        body["system"] = systems
    return body | _options(more)


def _options(more: Body) -> Body:
    """Further fields: OpenAI's as this API has them, others as they are."""
    said = {RENAMED.get(key, key): value for key, value in more.items()}
    if isinstance(said.get("stop_sequences"), str):
        said["stop_sequences"] = [said["stop_sequences"]]
    if "tools" in said:
        said["tools"] = [_tool(tool) for tool in said["tools"]]
    choice = said.get("tool_choice")
    if isinstance(choice, str):
        said["tool_choice"] = CHOICES.get(choice, {"type": choice})
    elif isinstance(choice, Mapping) and choice.get("type") == "function":
        said["tool_choice"] = {"type": "tool", "name": choice["function"]["name"]}
    if "parallel_tool_calls" in said:
        parallel = said.pop("parallel_tool_calls")
        said["tool_choice"] = {**said.get("tool_choice", {"type": "auto"}), "disable_parallel_tool_use": not parallel}
    if said.get("response_format"):
        said["output_config"] = {**said.get("output_config", {}), "format": _format(said["response_format"])}
    said.pop("response_format", None)
    return said


def _format(wanted: Any) -> Body:
    kind = wanted.get("type") if isinstance(wanted, Mapping) else wanted
    if kind != "json_schema":
        what = f"Anthropic has no such response_format ({kind!r})"
        raise BackrouteError("anthropic", what, fix="give a json_schema, or leave it out and ask for JSON in words")
    return {"type": "json_schema", "schema": wanted["json_schema"]["schema"]}


def _tool(tool: Any) -> Any:
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        return tool
    function = tool["function"]
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    about = {"description": function["description"]} if function.get("description") else {}
    return {"name": function["name"], **about, "input_schema": schema}


def _content(content: Any) -> list[Body]:
    """Content as blocks. An empty text is left out: this API refuses it."""
    parts = content if isinstance(content, list) else [content]
    blocks = [{"type": "text", "text": part} if isinstance(part, str) else _block(part) for part in parts if part]
    return [block for block in blocks if block.get("type") != "text" or block.get("text")]


def _block(part: Mapping[str, Any]) -> Body:
    """An image by address or as data; every other part as it is: this API's own blocks among them."""
    if part.get("type") != "image_url":
        return dict(part)
    held = part["image_url"]
    url = held["url"] if isinstance(held, Mapping) else held
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    kind, _, data = url.removeprefix("data:").partition(";base64,")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _use(call: Mapping[str, Any]) -> Body:
    function = call["function"]
    try:
        given = msgspec.json.decode(function.get("arguments") or "{}")
    except msgspec.DecodeError:
        given = {"arguments": function["arguments"]}  # a model wrote them, so they may be no JSON
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}


def _result(message: Mapping[str, Any], content: list[Body]) -> Body:
    return {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": content}


def piece(event: Event) -> str:
    """The text of one `content_block_delta`, or of the block's beginning."""
    part = event.get("delta") or event.get("content_block") or {}
    text = part.get("text")
    return text if isinstance(text, str) else ""


def begins(event: Event) -> bool:
    """The first delta of any block."""
    return event.get("type") == "content_block_delta"


def add_calls(events: Sequence[Event], body: Body) -> None:
    """A `tool_use` block comes without its input, which follows as JSON in fragments, told apart by `index`."""
    uses: dict[object, Body] = {}
    given: dict[object, str] = {}
    for event in events:
        index, block, delta = event.get("index"), event.get("content_block") or {}, event.get("delta") or {}
        if block.get("type") == "tool_use":
            uses[index], given[index] = dict(block), ""
        elif index in given and delta.get("type") == "input_json_delta":
            given[index] += delta.get("partial_json") or ""
    for index, use in uses.items():
        try:
            use["input"] = msgspec.json.decode(given[index]) if given[index] else use.get("input") or {}
        except msgspec.DecodeError:
            use["input"] = {"arguments": given[index]}
    body["content"] = [block for block in body["content"] if block["text"] or not uses] + list(uses.values())


def calls(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The `tool_use` blocks."""
    content = body.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return [
        {"id": block.get("id"), "type": "function", "function": {"name": block.get("name"), "arguments": _text(block)}}
        for block in blocks
        if block.get("type") == "tool_use"
    ]


def _text(block: Mapping[str, Any]) -> str:
    return msgspec.json.encode(block.get("input") or {}).decode()
