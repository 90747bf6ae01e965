"""Plain chat JSONL: one call a line, `messages` or `prompt`, with usage and answer beside it."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from workloads.bodies import Exchange, read_exchange
from workloads.counts import MOST_CAP, Usage
from workloads.formats.cells import number
from workloads.formats.envelope import Record, decoded, fill, kept, pick, read_envelope, text
from workloads.rows import Row, RowError
from workloads.usage import read_usage

NAME = "chat JSONL"

MODEL = ("model", "model_name", "model_id", "engine", "deployment")
PROMPT = ("prompt", "query", "question", "user_message", "input", "request", "text")
SYSTEM = ("system", "system_prompt", "instructions")
ANSWER = ("response", "completion", "output", "answer", "response_text")
USAGE = ("usage", "token_usage", "tokens")
CAPS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
# Counts that stand beside the other fields instead of in a block of their own.
FLAT = (
    *("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens", "tokens_in", "tokens_out"),
    *("cached_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "reasoning_tokens"),
    *("prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details"),
)
# Only chat is routed, so a call of another kind has to be known by its model where nothing else says so.
KINDS = (("embed", "embedding"), ("dall-e", "image"), ("gpt-image", "image"), ("whisper", "audio"), ("tts-", "audio"))
# LangChain's names of the roles.
ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


def detect(record: Record) -> str | None:
    """Why this record is plain chat JSONL; None when it is not."""
    name, _ = pick(record, ("messages", *PROMPT))
    # Any log has lines of `text`: only one with a model, an answer or counts beside it is a call.
    if name and (name != "text" or pick(record, MODEL + ANSWER + USAGE + FLAT)[0]):
        return f"it has `{name}`"
    name, _ = pick(record, USAGE + FLAT)
    return f"it has `{name}` and no text: lengths only" if name else None


def read(record: Record, zone: tzinfo) -> Row:
    """One row.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = read_envelope(record, zone)
    row.model = text(*pick(record, MODEL))
    name, answer = pick(record, ANSWER)
    body, request = body_of(answer), _request(record, row)
    if answer is None and len(said := request["messages"]) > 1 and said[-1]["role"] == "assistant":
        last = said.pop()
        body = {"choices": [{"message": last}]}
        effect, fix = "its last message, the assistant's, was read as the answer", "give answers as `response`"
        row.notes.append(("answer_in_messages", "messages", last.get("content"), effect, fix))
    exchange = read_exchange(request, body, provider=row.provider)
    row.model = row.model or exchange.model
    if body is not None:
        row.provider = row.provider or exchange.provider
        row.status = "error" if exchange.status == "error" and row.status == "ok" else row.status
    fill(row, exchange)
    row.completion = exchange.completion if body is not None else kept(row, text, name, answer)
    row.usage = _usage(record, row, exchange)
    if record.get("call_type") is None and row.model:
        said = row.model.lower()
        row.call_type = next((kind for mark, kind in KINDS if mark in said), row.call_type)
    return row


def _usage(record: Record, row: Row, exchange: Exchange) -> Usage:
    name, block = pick(record, USAGE)
    block = decoded(name, block)
    if isinstance(block, int | float) and not isinstance(block, bool):
        block = {"total_tokens": block}
    if block is not None and not isinstance(block, dict):
        raise RowError(name, block, "not_an_object", "give usage as a JSON object of counts")
    # Exports of databases write counts as texts.
    block = block or {name: number(record[name]) for name in FLAT if record.get(name) is not None}
    if not block:
        return exchange.usage
    usage = read_usage(block, provider=row.provider, api="openai_chat")
    unknown = usage.input_total is None and usage.output_total is None
    return exchange.usage if unknown and "no_usage_block" not in exchange.usage.notes else usage


def _request(record: Record, row: Row) -> dict[str, Any]:
    messages = [message for each in _messages(record) if (message := _message(each)) is not None]
    name, system = pick(record, SYSTEM)
    if system is not None and not isinstance(system, str | list):
        raise RowError(name, system, "not_text", "give the system prompt as a text")
    first = messages[0] if messages else {}
    if system and not (first.get("role") == "system" and first.get("content") == system):
        messages = [{"role": "system", "content": system}, *messages]
    request = {key: record[key] for key in ("tools", "functions", "response_format", "service_tier") if key in record}
    return request | {"messages": messages, "max_tokens": kept(row, _cap, *pick(record, CAPS))}


def _messages(record: Record) -> list[Any]:
    name, held = "messages", decoded("messages", record.get("messages"))
    if held is None:
        name, held = pick(record, PROMPT)
        if isinstance(held, dict) and "messages" in held:
            held = held["messages"]
        elif held is not None and not _is_conversation(held):
            held = [{"role": "user", "content": _content(name, held)}]
    if held is not None and not isinstance(held, list):
        raise RowError(name, held, "not_a_list", "give a list of {role, content}")
    return held or []


def _is_conversation(held: Any) -> bool:
    return isinstance(held, list) and any(isinstance(part, dict) and "role" in part for part in held)


def _message(message: Any) -> dict[str, Any] | None:
    """A message with a role; None for reasoning, which is not sent again."""
    if not isinstance(message, dict):
        raise RowError("messages", message, "not_a_message", "give each message as {role, content}")
    role, kind = message.get("role"), message.get("type")
    if role is None and isinstance(kind, str):
        if kind == "reasoning":
            return None
        if kind.endswith("_call") or kind.endswith("_call_output"):  # an item of OpenAI's Responses
            return {"role": "tool" if kind.endswith("output") else "assistant", "content": [message]}
        role = ROLES.get(kind)
    if not isinstance(role, str) or not role:
        raise RowError("messages", message, "not_a_message", "give each message its role: system, user or assistant")
    return {**message, "role": role, "content": _content("messages.content", message.get("content"))}


def _content(name: str, content: Any) -> Any:
    parts = content if isinstance(content, list) else [content]
    if not all(part is None or isinstance(part, str | dict) for part in parts):
        raise RowError(name, content, "not_text", "give a text, or a list of parts")
    return content


def _cap(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MOST_CAP or value != int(value):
        raise RowError(name, value, "bad_cap", "give a whole number above 0, or none where there is no limit")
    return int(value)


def is_body(answer: str) -> bool:
    """Whether an answer's text is a recorded response body or stream."""
    begins = answer.lstrip()[:6]
    found = begins.startswith("{") and ('"choices"' in answer or '"usage"' in answer)
    return found or begins.startswith(("data:", "event:"))


def body_of(answer: Any) -> dict[str, Any] | str | None:
    """The answer as a response body or recorded stream; None where it is the bare text, or nothing."""
    if isinstance(answer, str):
        return answer if is_body(answer) else None
    if isinstance(answer, list):
        said = [part for part in answer if isinstance(part, dict) and "role" in part]
        return {"choices": [{"message": said[-1] if said else {"content": answer}}]}
    if not isinstance(answer, dict):
        return None
    if "usage" in answer or "choices" in answer:
        return dict(answer)
    if isinstance(inner := answer.get("message"), dict):
        return {"choices": [{"message": inner}]}
    if "role" in answer or isinstance(answer.get("content"), str):
        return {"choices": [{"message": answer}]}
    return {"choices": [{"text": answer["text"]}]} if isinstance(answer.get("text"), str) else dict(answer)
