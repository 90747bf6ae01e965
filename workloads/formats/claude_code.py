"""Claude Code's session logs: `~/.claude/projects/PROJECT/SESSION.jsonl`, one line a message or a part of one.

A streamed answer is written once for each of its parts, each time with the message's usage so far, and a resumed
session copies the lines of the one before: the lines of one message id are one bill, the one with the most output.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import msgspec
from msgspec.structs import replace

from workloads.bodies.content import read_content
from workloads.counts import Usage
from workloads.formats.envelope import Record, kept, money, text
from workloads.formats.not_a_call import NotACallError
from workloads.formats.times import read_time
from workloads.rows import Row
from workloads.usage import read_usage

NAME = "Claude Code sessions"

# Lines that are no message.
KINDS = ("summary", "system", "file-history-snapshot", "queue-operation", "progress", "custom-title", "last-prompt")
REMEMBERED = 4_096  # sessions whose last prompt is held
META = ("cwd", "gitBranch", "version", "isSidechain")


def detect(record: Record) -> str | None:
    """Why this record is a line of a session log; None when it is not."""
    message, kind = record.get("message"), record.get("type")
    if "sessionId" in record and isinstance(message, dict) and ("role" in message or "usage" in message):
        return "it has `sessionId` and `message`"
    if isinstance(kind, str) and kind in KINDS and any(key in record for key in ("sessionId", "leafUuid", "snapshot")):
        return f"it is a session's line of type {kind}"
    return None


class Reader:
    """What was last said in each session, and the messages billed in all of them."""

    def __init__(self) -> None:
        self._most: dict[int, int] = {}  # output tokens of a message's fullest line
        self._billed: set[int] = set()
        self._prompts: OrderedDict[tuple[str, str], str] = OrderedDict()

    def survey(self, record: Record) -> None:
        """The first pass: which line of each message counts the most."""
        key, output = _key(record), _output(record)
        if key is not None:
            self._most[key] = max(self._most.get(key, 0), output)

    def read(self, record: Record, zone: tzinfo) -> Row:
        """One row.

        Raises:
            NotACallError: a line that is no answer, or one of a message that is billed on another line.
            RowError, UsageError: a field that cannot be meant.
        """
        message = record.get("message")
        if not isinstance(message, dict):
            raise NotACallError("session line", "a line that is no message: a title, a snapshot, a state")
        if not isinstance(message.get("usage"), dict):
            self._listen(record, message)
            raise NotACallError("user message", "what was said to the model: the answer's line is the call")
        if message.get("model") == "<synthetic>":
            raise NotACallError("synthetic message", "written by the program itself, not by a model")
        key = _key(record)
        if key is not None:
            if key in self._billed or _output(record) < self._most.get(key, 0):
                raise NotACallError("part of a message", "a part of a message that is billed once, on its fullest line")
            self._billed.add(key)
        return self._row(record, message, zone)

    def _listen(self, record: Record, message: Mapping[str, Any]) -> None:
        if message.get("role") == "user" and (said := read_content(message.get("content")).text):
            self._prompts[_speaker(record)] = said
            self._prompts.move_to_end(_speaker(record))
            if len(self._prompts) > REMEMBERED:
                self._prompts.popitem(last=False)

    def _row(self, record: Record, message: Mapping[str, Any], zone: tzinfo) -> Row:
        row = Row(model=text("message.model", message.get("model")), provider="anthropic")
        row.request_id = kept(row, text, "message.id", message.get("id")) or kept(row, text, "uuid", record.get("uuid"))
        row.session_id = kept(row, text, "sessionId", record.get("sessionId"))
        row.arrived_at = read_time("timestamp", record.get("timestamp"), zone, row)
        row.recorded_usd = money("costUSD", record.get("costUSD"))
        row.prompt = self._prompts.get(_speaker(record))
        row.completion = read_content(message.get("content")).answer
        row.has_tools = True  # the program always sends its tools
        row.usage = _usage(message["usage"])
        row.status = "error" if record.get("isApiErrorMessage") is True else "ok"
        meta = {key: record[key] for key in META if isinstance(record.get(key), str | bool)}
        row.meta = msgspec.json.encode(meta).decode() if meta else None
        return row


def _usage(block: Mapping[str, Any]) -> Usage:
    usage = read_usage(block, provider="anthropic", api="anthropic_messages")
    # Fast mode has a price list of its own; "standard" is the usual one.
    if block.get("speed") == "fast":
        usage = replace(usage, served_tier="fast")
    return usage


def _speaker(record: Record) -> tuple[str, str]:
    """The conversation that a line belongs to: a session's own, or that of an agent within it."""
    return str(record.get("sessionId")), str(record.get("agentId", record.get("isSidechain") or False))


def _key(record: Record) -> int | None:
    """A message's id and its request's: together they are one bill."""
    message = record.get("message")
    if not isinstance(message, dict) or not isinstance(message.get("usage"), dict):
        return None
    if not isinstance(message.get("id"), str):
        return None
    identity = f"{message['id']}\0{record.get('requestId')}".encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(identity, digest_size=8).digest())


def _output(record: Record) -> int:
    message = record.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    output = usage.get("output_tokens") if isinstance(usage, dict) else None
    return output if isinstance(output, int) and not isinstance(output, bool) else 0
