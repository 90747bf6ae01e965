"""Plain chat JSONL: one call a line, `messages` or `prompt`, with usage and answer beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from workloads.bodies import read_exchange
from workloads.formats.envelope import Record, pick, read_envelope, text
from workloads.rows import Row, RowError
from workloads.usage import read_usage

NAME = "chat JSONL"

MODEL = ("model", "model_name", "model_id", "engine", "deployment")
PROMPT = ("prompt", "query", "question", "user_message", "input", "text")
SYSTEM = ("system", "system_prompt", "instructions")
ANSWER = ("response", "completion", "output", "answer", "response_text")
USAGE = ("usage", "token_usage", "tokens")
CAPS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
# Counts that stand beside the other fields instead of in a block of their own.
FLAT = (
    *("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens", "tokens_in", "tokens_out"),
    *("cached_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "reasoning_tokens"),
)


def detect(record: Record) -> str | None:
    """Why this record is plain chat JSONL; None when it is not."""
    name, _ = pick(record, ("messages", *PROMPT))
    if name:
        return f"it has `{name}`"
    name, _ = pick(record, (*USAGE, *FLAT))
    return f"it has `{name}` and no text: lengths only" if name else None


def read(record: Record, zone: tzinfo) -> Row:
    """One row.

    Raises:
        RowError, UsageError: a field that cannot be meant.
    """
    row = read_envelope(record, zone)
    row.model = text(*pick(record, MODEL))
    name, answer = pick(record, ANSWER)
    exchange = read_exchange(_request(record), _answer(answer), provider=row.provider)
    row.provider = row.provider or (exchange.provider if isinstance(answer, Mapping) else None)
    row.model = row.model or exchange.model
    if exchange.messages:
        row.system, row.prompt, row.messages = exchange.system, exchange.prompt or "", exchange.messages
        row.n_messages = exchange.n_messages
    row.has_tools, row.has_images, row.json_mode = exchange.has_tools, exchange.has_images, exchange.json_mode
    row.max_output_tokens, row.service_tier = exchange.max_output_tokens, exchange.service_tier
    row.completion = answer if isinstance(answer, str) else exchange.completion
    if exchange.status == "error" and row.status == "ok" and isinstance(answer, Mapping):
        row.status = "error"
    name, block = pick(record, USAGE)
    if block is None:
        block = {name: record[name] for name in FLAT if record.get(name) is not None}
    if not isinstance(block, Mapping):
        raise RowError(name, block, "not_an_object", "give usage as a JSON object of counts")
    row.usage = read_usage(block, provider=row.provider, api="openai_chat") if block else exchange.usage
    return row


def _request(record: Record) -> dict[str, Any]:
    request = dict(record)
    messages = record.get("messages")
    if messages is None:
        name, prompt = pick(record, PROMPT)
        messages = prompt if name == "input" and _is_conversation(prompt) else _user(prompt)
    if not isinstance(messages, list):
        raise RowError("messages", messages, "not_a_list", "give a list of {role, content}")
    for message in messages:
        if not isinstance(message, Mapping):
            raise RowError("messages", message, "not_a_message", "give each message as {role, content}")
    _, system = pick(record, SYSTEM)
    if system is not None:
        messages = [{"role": "system", "content": system}, *messages]
    _, cap = pick(record, CAPS)
    if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or not 0 < cap < 10**9):
        raise RowError("max_tokens", cap, "bad_cap", "give a whole number above 0")
    return {
        "messages": messages,
        "max_tokens": cap,
        **{key: request[key] for key in ("tools", "functions", "response_format", "service_tier") if key in request},
    }


def _user(prompt: Any) -> list[Any]:
    return [] if prompt is None else [{"role": "user", "content": prompt}]


def _is_conversation(prompt: Any) -> bool:
    return isinstance(prompt, list) and all(isinstance(part, Mapping) and "role" in part for part in prompt)


def _answer(answer: Any) -> Any:
    if isinstance(answer, Mapping) and "role" in answer and "usage" not in answer and "choices" not in answer:
        return {"choices": [{"message": answer}]}
    return answer if isinstance(answer, Mapping) else None
