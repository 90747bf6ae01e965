"""Message content in all its forms, as text: strings, typed parts, Bedrock's and Gemini's keyed parts."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from workloads.bodies.exchange import Message
from workloads.counts import MOST_CAP

TEXT_TYPES = {"text", "input_text", "output_text"}
IMAGE_TYPES = {"image", "image_url", "input_image"}
RESULT_KEYS = ("toolResult", "functionResponse", "function_response", "toolResponse", "codeExecutionResult")
CALL_KEYS = ("toolUse", "functionCall", "function_call", "toolCall", "executableCode")
FILE_KEYS = ("inlineData", "inline_data", "fileData", "file_data")


class Content(msgspec.Struct):
    """One message's content, sorted: its texts, its tool calls, the tools' results, and whether it shows an image."""

    texts: list[str] = []
    calls: list[str] = []
    results: list[Message] = []
    has_images: bool = False

    @property
    def text(self) -> str:
        """The text parts, a line apart."""
        return "\n".join(self.texts)

    @property
    def answer(self) -> str | None:
        """The text parts as one: an answer's parts are cut in mid-sentence, at citations; null where there are none."""
        return "".join(self.texts) or None

    def messages(self, role: str, name: str | None = None) -> list[Message]:
        """The tools' results as messages of their own, then what the role itself said, if anything."""
        said = "\n".join(self.texts + self.calls)
        own = [] if self.results and not (self.texts or self.calls or self.has_images) else [Message(role, name, said)]
        return self.results + own


def read_content(content: object) -> Content:
    """Sorts any content: a string, a part, a list of them, or null. Reasoning is left out: it is not sent again."""
    found = Content()
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            found.texts.append(part)
        elif isinstance(part, dict) and not _sort(part, found):
            _sort_call(part, found)
    return found


def _sort(part: Mapping[str, Any], found: Content) -> bool:
    """Takes in a text or an image; False for anything else."""
    kind = text_or_none(part.get("type")) or ""
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        found.texts.append(part["refusal"])
    elif kind in IMAGE_TYPES or "image" in part or _is_image_file(part):
        found.has_images = True
    elif (kind in TEXT_TYPES or not kind) and isinstance(part.get("text"), str) and not part.get("thought"):
        found.texts.append(part["text"])
    else:
        return False
    return True


def _sort_call(part: Mapping[str, Any], found: Content) -> None:
    """Takes in a tool's call or result; reasoning, files and what nobody knows stay out."""
    kind = text_or_none(part.get("type")) or ""
    if kind.endswith(("tool_result", "call_output")):
        _result(part, found)
    elif kind.endswith(("tool_use", "function_call")):
        found.calls.append(call_text(part.get("name"), part.get("input", part.get("arguments"))))
    for key in CALL_KEYS:
        if isinstance(call := part.get(key), dict):
            found.calls.append(call_text(call.get("name"), call.get("input", call.get("args"))))
    for key in RESULT_KEYS:
        if isinstance(result := part.get(key), dict):
            _result(result, found)


def _result(part: Mapping[str, Any], found: Content) -> None:
    """A tool's result; its images are the message's."""
    name = next((part[key] for key in ("tool_use_id", "toolUseId", "call_id", "name") if part.get(key)), None)
    held = next((part[key] for key in ("content", "output", "response") if part.get(key) is not None), None)
    inner = Content()
    for piece in held if isinstance(held, list) else [held]:
        if isinstance(piece, str):
            inner.texts.append(piece)
        elif isinstance(piece, dict):
            _sort(piece, inner)
    found.has_images = found.has_images or inner.has_images
    text = inner.text if inner.texts or inner.has_images or held is None else json_text(held)
    found.results.append(Message("tool", text_or_none(name), text))


def _is_image_file(part: Mapping[str, Any]) -> bool:
    for key in FILE_KEYS:
        if key in part:
            file = object_or_empty(part[key])
            return str(file.get("mimeType") or file.get("mime_type")).startswith("image/")
    return False


def call_text(name: object, arguments: object) -> str:
    """A tool call as text, near enough to what the model is sent for its tokens to be counted."""
    held = arguments if isinstance(arguments, str) else json_text(arguments or {})
    return f"{name}({held})"


def json_text(value: object) -> str:
    """A value as compact JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except RecursionError:
        return "(nested too deep)"


def text_or_none(value: object) -> str | None:
    """The value where it is a text that says something."""
    return value if isinstance(value, str) and value else None


def whole_or_none(value: object) -> int | None:
    """The value where it is a number of tokens that an answer may have."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < MOST_CAP else None


def time_or_none(value: object) -> datetime | None:
    """Epoch seconds or an ISO time, as UTC; null for anything else."""
    try:
        if isinstance(value, str):
            when = datetime.fromisoformat(value)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def object_or_empty(value: object) -> Mapping[str, Any]:
    """The value where it is an object."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; none of anything else."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def said_in(body: Mapping[str, Any]) -> tuple[list[Message], bool]:
    """The messages of a request whose system prompt stands beside them, with it first; and whether they hold images."""
    system = read_content(body.get("system")).text
    messages = [Message("system", None, system)] if system else []
    has_images = False
    for message in objects(body.get("messages")):
        content = read_content(message.get("content"))
        messages += content.messages(text_or_none(message.get("role")) or "user")
        has_images = has_images or content.has_images
    return messages, has_images
