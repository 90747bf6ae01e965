"""The fast way to read chat JSONL: what nearly every line looks like, decoded straight into types.

Its contract: the row that `chat.read` would give, or None where a line holds anything out of the ordinary (a field that
is not here, a part that is no text, whatever needs a note or is a problem) and the full reader has to look.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from workloads.bodies.exchange import Message
from workloads.bodies.openai import ROLES
from workloads.counts import MOST_TOKENS, Usage, UsageError
from workloads.formats.chat import KINDS, MOST_CAP
from workloads.formats.envelope import MOST_MS, STATUSES, money
from workloads.formats.times import EPOCH, FIRST_YEAR, LAST_YEAR, MICROSECOND
from workloads.rows import Row, RowError
from workloads.usage import read_usage
from workloads.usage_openai import REASONING_OUTSIDE

UNCOUNTED = Usage(notes=("no_usage_block",))
BODIES = ("{", "data:", "event:")  # an answer that begins so may be a recorded body
Milliseconds = float | None


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    role: str
    content: str
    name: str | None = None


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The fields read here, by the names of `chat` and `envelope`; where two names mean one field, the line has one."""

    request_id: str | None = None
    id: str | None = None
    timestamp: str | None = None
    session_id: str | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    user: str | None = None
    model: str | None = None
    provider: str | None = None
    system: str | None = None
    messages: list[_Message] | None = None
    prompt: str | None = None
    response: str | None = None
    completion: str | None = None
    usage: dict[str, Any] | None = None
    max_tokens: int | None = None
    service_tier: str | None = None
    metadata: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    label: str | None = None
    task: str | None = None
    cost: int | float | None = None
    cost_usd: int | float | None = None
    latency_ms: Milliseconds = None
    ttft_ms: Milliseconds = None
    latency_budget_ms: Milliseconds = None
    status: str | None = None


_decode = msgspec.json.Decoder(_Line).decode


def read_plain(content: bytes) -> Row | None:
    """The row of a line, or None where `chat.read` has to look; see the module."""
    try:
        return _row(_decode(content))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, RowError, UsageError, ValueError, OverflowError):
        return None


def _row(line: _Line) -> Row | None:
    said = line.messages
    if said is None and line.prompt is None and line.usage is None:
        return None
    cap, answer = line.max_tokens, line.completion if line.response is None else line.response
    if (cap is not None and not 0 < cap < MOST_CAP) or (answer and answer.lstrip().startswith(BODIES)):
        return None
    status = "ok"
    if line.status:
        known = STATUSES.get(line.status)
        if known is None:
            return None
        status = known
    row = Row(
        request_id=(line.id if line.request_id is None else line.request_id) or None,
        session_id=(line.conversation_id if line.session_id is None else line.session_id) or None,
        user_id=(line.user if line.user_id is None else line.user_id) or None,
        model=line.model or None,
        provider=line.provider or None,
        max_output_tokens=cap,
        service_tier=line.service_tier or None,
        label=(line.task if line.label is None else line.label) or None,
        completion=answer or None,
        latency_ms=_milliseconds(line.latency_ms),
        ttft_ms=_milliseconds(line.ttft_ms),
        status=status,
    )
    if line.timestamp:
        row.arrived_at = _microseconds(line.timestamp)
    cost = line.cost if line.cost_usd is None else line.cost_usd
    if cost is not None:
        row.recorded_usd = money("cost", cost)
    _set_meta(row, line)
    _set_messages(row, line, said)
    row.usage = _usage(line.usage, row.provider)
    if row.model:
        row.call_type = _call_type(row.model)
    return row


def _set_messages(row: Row, line: _Line, said: list[_Message] | None) -> None:
    if said is None:
        messages = [] if line.prompt is None else [Message("user", None, line.prompt)]
    else:
        messages = [Message(ROLES.get(each.role, each.role), each.name or None, each.content) for each in said]
        if not all(each.role for each in said):
            raise ValueError("a message without a role")
    if system := line.system:
        first = said[0] if said else None
        if first is None or first.role != "system" or first.content != system:
            messages.insert(0, Message("system", None, system))
    if not messages:
        return
    if messages[-1].role == "assistant" and row.completion is None:
        raise ValueError("the answer may stand among the messages")
    prompt, systems = None, []
    for role, _, text in messages:
        if role == "user":
            prompt = text
        elif role == "system":
            systems.append(text)
    row.messages, row.n_messages = tuple(messages), len(messages)
    row.prompt, row.system = prompt or "", "\n".join(systems) if systems else None


def _set_meta(row: Row, line: _Line) -> None:
    meta, budget = line.meta if line.metadata is None else line.metadata, line.latency_budget_ms
    if meta:
        row.meta = msgspec.json.encode(meta).decode()
        if budget is None and "latency_budget_ms" in meta:
            raise ValueError("a budget of any kind")
    row.latency_budget_ms = _milliseconds(budget)


def _milliseconds(value: Milliseconds) -> float | None:
    if value is not None and not 0 <= value < MOST_MS:
        raise ValueError("no duration")
    return value


def _microseconds(said: str) -> int:
    # The forms that say their zone and are no bare numbers; everything else `read_time` knows.
    if said[4:5] != "-" or said[10:11] not in ("T", " ") or not (said[-1] == "Z" or said[-6] in "+-"):
        raise ValueError("another form of time")
    when = datetime.fromisoformat(said)
    if when.tzinfo is None or not FIRST_YEAR < when.year < LAST_YEAR - 1:
        raise ValueError("another form of time")
    return (when - EPOCH) // MICROSECOND


def _usage(block: dict[str, Any] | None, provider: str | None) -> Usage:
    if not block:
        return UNCOUNTED
    stated_in, stated_out = block.get("prompt_tokens"), block.get("completion_tokens")
    total = block.get("total_tokens")
    stated = 2 if total is None and "total_tokens" not in block else 3
    within = block.get("prompt_tokens_details")
    read = 0
    if type(within) is dict and within.keys() == {"cached_tokens"}:
        read, stated = within["cached_tokens"], stated + 1
    if (
        len(block) == stated
        and type(stated_in) is type(stated_out) is type(read) is int
        and 0 <= read <= stated_in <= MOST_TOKENS
        and 0 <= stated_out <= MOST_TOKENS
        and (stated == 2 or total is None or (type(total) is int and total == stated_in + stated_out <= MOST_TOKENS))
        and (provider is None or provider.lower() not in REASONING_OUTSIDE)
    ):
        return Usage(
            input_uncached=stated_in - read,
            cache_read=read,
            cache_write_5m=0,
            cache_write_1h=0,
            output_text=stated_out,
            output_reasoning=0,
            reported_input=stated_in,
            reported_output=stated_out,
            reported_total=total,
        )
    return read_usage(block, provider=provider, api="openai_chat")


@lru_cache(maxsize=4096)
def _call_type(model: str) -> str:
    said = model.lower()
    return next((kind for mark, kind in KINDS if mark in said), "chat")
