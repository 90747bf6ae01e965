"""Folds a recorded stream into the one response body it amounts to."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

Body = dict[str, Any]
Event = Mapping[str, Any]

DONE: Event = {"[DONE]": True}  # stands for the line that ends an OpenAI stream


@dataclass(frozen=True, slots=True)
class Folded:
    """A stream's one body, and whether it ended as it should: SDKs do not say when a stream was cut short."""

    body: Body
    complete: bool


def read_events(text: str) -> Iterator[Event]:
    """The JSON objects of a server-sent-event recording, or of one JSON object a line, in order.

    `[DONE]` comes as `DONE`; comments, event names and what is not JSON (a recording may be cut in mid-event) are
    passed over.

    The framing is html.spec.whatwg.org, "Server-sent events": data lines add up until a blank line.
    """
    data: list[str] = []
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("{"):
            data = [line]
        if data and (not line or line.startswith("{")):
            event = _decoded("\n".join(data))
            if event is not None:
                yield event
            data = []


def _decoded(data: str) -> Event | None:
    if data.strip() == "[DONE]":
        return DONE
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def fold(events: Iterable[Event]) -> Folded:
    """The body that a stream's events amount to, in the shape of the same API without streaming.

    Args:
        events: the events of one stream of OpenAI (chat or Responses), Anthropic, Gemini (generateContent or
            interactions), Cohere, Bedrock converse or Ollama, or of a copy of one of them.
    """
    listed = list(events)
    for marks, folder in FOLDERS:
        if any(marks(event) for event in listed):
            return folder(listed)
    return Folded({}, complete=False)


def _type(event: Event) -> str:
    named = event.get("type") or event.get("event_type")
    return named if isinstance(named, str) else ""


def _object(event: Event, name: str) -> Mapping[str, Any]:
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def _first(event: Event, name: str) -> Mapping[str, Any]:
    rows = event.get(name)
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}


def _join(parts: Iterable[object]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def _chat(events: list[Event]) -> Folded:
    """OpenAI chat chunks: the usage comes once, last, in `usage` or Groq's `x_groq.usage`; a repeat is the same one."""
    body: Body = {}
    finish, calls = None, False
    texts: list[object] = []
    for event in events:
        body |= {key: value for key, value in event.items() if key not in {"choices", "usage"} and value is not None}
        usage = event.get("usage") or _object(event, "x_groq").get("usage")
        if usage:
            body["usage"] = usage
        choice = _first(event, "choices")
        delta = _object(choice, "delta")
        content = delta.get("content", choice.get("text"))
        texts += [content] if isinstance(content, str) else [row.get("text") for row in _rows(content)]
        calls = calls or bool(delta.get("tool_calls"))
        finish = choice.get("finish_reason") or finish
    message = {"role": "assistant", "content": _join(texts) or (None if calls else "")}
    body["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
    # Some gateways give no finish reason; a counted stream that was ended properly is whole without it.
    complete = bool(finish) or (DONE in events and "usage" in body)
    if not complete:
        body.pop("usage", None)  # counted on the way, so not of the whole answer
    return Folded(body, complete)


def _rows(content: object) -> list[Mapping[str, Any]]:
    return [row for row in content if isinstance(row, dict)] if isinstance(content, list) else []


def _responses(events: list[Event]) -> Folded:
    """Responses: the closing event holds the whole body; a stream without one keeps what was said so far."""
    body: Body = {}
    closed = False
    texts = []
    for event in events:
        kind = _type(event)
        body = dict(_object(event, "response")) or body
        closed = closed or kind in {"response.completed", "response.incomplete", "response.failed"}
        if kind == "response.output_text.delta":
            texts.append(event.get("delta"))
        if kind == "error":
            body["error"] = event.get("error") or event.get("message") or kind
    if not closed:
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": _join(texts)}]}
        body["output"] = [said]
    return Folded(body, complete=closed)


def _anthropic(events: list[Event]) -> Folded:
    """Anthropic: the first event counts the input, the last ones the output so far, which replaces and never adds."""
    body: Body = {}
    usage: Body = {}
    texts, finish, counted, stopped = [], None, False, False
    for event in events:
        kind = _type(event)
        if kind == "message_start":
            body = dict(_object(event, "message"))
            usage = dict(_object(body, "usage"))
        elif kind == "content_block_start":
            texts.append(_object(event, "content_block").get("text"))
        elif kind == "content_block_delta":
            texts.append(_object(event, "delta").get("text"))
        elif kind == "message_delta":
            final = {key: value for key, value in _object(event, "usage").items() if value is not None}
            if "cache_creation" not in final and _rewritten(usage, final):
                usage.pop("cache_creation", None)  # the first event's split is of a count no longer true
            usage |= final
            counted = counted or "output_tokens" in final
            finish = _object(event, "delta").get("stop_reason") or finish
        elif kind == "message_stop":
            stopped = True
        elif kind == "error":
            body["error"] = event.get("error") or kind
    if not counted:
        usage.pop("output_tokens", None)  # the first event's is of a few tokens, not of the answer
    body |= {"content": [{"type": "text", "text": _join(texts)}], "stop_reason": finish, "usage": usage}
    return Folded(body, complete=stopped or finish is not None)


def _rewritten(before: Body, after: Body) -> bool:
    written = "cache_creation_input_tokens"
    return written in after and after[written] != before.get(written)


def _gemini(events: list[Event]) -> Folded:
    """Gemini: each chunk counts all so far, and the input anew, so the last usage stands whole and unmerged."""
    body: Body = {}
    parts: list[Any] = []
    finish = None
    for event in events:
        body |= {key: value for key, value in event.items() if key != "candidates" and value}
        candidate = _first(event, "candidates")
        parts += _rows(_object(candidate, "content").get("parts"))
        finish = candidate.get("finishReason") or finish
    body["candidates"] = [{"content": {"role": "model", "parts": parts}, "finishReason": finish}]
    complete = finish is not None or bool(body.get("promptFeedback"))
    if not complete:  # counted on the way: of the input and not of the whole answer
        counted = _object(body, "usageMetadata")
        body["usageMetadata"] = {key: counted[key] for key in GEMINI_INPUT if key in counted}
    return Folded(body, complete)


def _interaction(events: list[Event]) -> Folded:
    """Google's interactions: the closing event holds the usage, the text comes in steps."""
    body: Body = {}
    texts, closed = [], False
    outputs: set[object] = set()
    for event in events:
        body |= {key: value for key, value in _object(event, "interaction").items() if value is not None}
        if _object(event, "step").get("type") == "model_output":
            outputs.add(event.get("index"))
        delta = _object(event, "delta")
        if _type(event) == "step.delta" and event.get("index") in outputs:
            texts.append(delta.get("text") or _object(delta, "content").get("text"))
        closed = closed or _type(event) == "interaction.completed"
    if not body.get("steps") and not body.get("outputs"):
        body["steps"] = [{"type": "model_output", "content": [{"type": "text", "text": _join(texts)}]}]
    return Folded(body, complete=closed)


def _cohere(events: list[Event]) -> Folded:
    """Cohere's v2 chat: the closing event holds the finish reason and the usage."""
    body: Body = {}
    texts, finish = [], None
    for event in events:
        delta = _object(event, "delta")
        body |= {"id": event["id"]} if event.get("id") else {}
        texts.append(_object(_object(delta, "message"), "content").get("text"))
        if _type(event) == "message-end":
            finish = delta.get("finish_reason")
            body["usage"] = delta.get("usage")
    body |= {"message": {"content": [{"type": "text", "text": _join(texts)}]}, "finish_reason": finish}
    return Folded(body, complete=finish is not None)


def _bedrock(events: list[Event]) -> Folded:
    """Bedrock's converse stream, decoded: the last event, `metadata`, holds the usage."""
    body: Body = {}
    texts, finish = [], None
    for event in events:
        texts.append(_object(_object(event, "contentBlockDelta"), "delta").get("text"))
        finish = _object(event, "messageStop").get("stopReason") or finish
        body |= _object(event, "metadata")
    body |= {"output": {"message": {"content": [{"text": _join(texts)}]}}, "stopReason": finish}
    return Folded(body, complete=finish is not None)


def _ollama(events: list[Event]) -> Folded:
    """Ollama: one object a line, the last with `done` and the counts."""
    body: Body = {}
    for event in events:
        body |= event
    texts = [_object(event, "message").get("content", event.get("response")) for event in events]
    body["message"] = {"role": "assistant", "content": _join(texts)}
    return Folded(body, complete=body.get("done") is True)


GEMINI_INPUT = ("promptTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount", "promptTokensDetails")
BEDROCK = {"messageStart", "contentBlockDelta", "messageStop"}
COHERE = {"message-start", "content-start", "content-delta", "message-end"}
ANTHROPIC = {"message_start", "content_block_start", "message_delta", "message_stop"}

# Told apart by any one event; the most particular first.
FOLDERS: tuple[tuple[Callable[[Event], bool], Callable[[list[Event]], Folded]], ...] = (
    (lambda event: _type(event) in ANTHROPIC, _anthropic),
    (lambda event: _type(event) in COHERE, _cohere),
    (lambda event: _type(event).startswith("response."), _responses),
    (lambda event: _type(event).startswith("interaction."), _interaction),
    (lambda event: "candidates" in event or "usageMetadata" in event, _gemini),
    (lambda event: not BEDROCK.isdisjoint(event), _bedrock),
    (lambda event: "choices" in event, _chat),
    (lambda event: "done" in event, _ollama),
)
