"""Codex's session logs: `~/.codex/sessions/**/rollout-*.jsonl`, events of one session in order.

Counts are cumulative (`total_token_usage`), and an event may repeat the one before, so calls are the differences. Where
a file begins in the middle of a session, its first event's `last_token_usage` is the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import msgspec

from workloads.bodies.content import object_or_empty, read_content
from workloads.counts import count
from workloads.formats.envelope import Record, kept, text
from workloads.formats.not_a_call import NotACallError
from workloads.formats.times import read_time
from workloads.rows import Row, RowError
from workloads.usage import read_usage

NAME = "Codex sessions"

KINDS = ("session_meta", "turn_context", "event_msg", "response_item", "compacted")
COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens")


def detect(record: Record) -> str | None:
    """Why this record is a line of a session log; None when it is not."""
    kind = record.get("type")
    if isinstance(kind, str) and kind in KINDS and "payload" in record:
        return f"it has `payload` and is of type {kind}"
    return None


class Reader:
    """One session file at a time: its model, its prompt and its running totals."""

    def __init__(self) -> None:
        self.next_file()

    def next_file(self) -> None:
        """A new session."""
        self._session: str | None = None
        self._model: str | None = None
        self._cwd: str | None = None
        self._prompt: str | None = None
        self._total: dict[str, int] | None = None

    def read(self, record: Record, zone: tzinfo) -> Row:
        """One row.

        Raises:
            NotACallError: every line but one that counts the tokens of a new call.
            RowError, UsageError: a field that cannot be meant.
        """
        payload = object_or_empty(record.get("payload"))
        if record.get("type") != "event_msg" or payload.get("type") != "token_count":
            self._listen(str(record.get("type")), payload)
            raise NotACallError("session line", "a line that counts no tokens: a message, a setting, a tool's call")
        info = object_or_empty(payload.get("info"))
        total, last = _counts(info, "total_token_usage"), _counts(info, "last_token_usage")
        if total is None and last is None:
            raise NotACallError("limits without counts", "a token_count event that holds rate limits only")
        used = self._difference(total, last)
        if not any(used.values()):
            raise NotACallError("repeated count", "a token_count event that repeats the one before")
        row = Row(provider="openai", session_id=self._session, prompt=self._prompt, has_tools=True)
        row.model = kept(row, text, "model", info.get("model")) or self._model
        row.arrived_at = read_time("timestamp", record.get("timestamp"), zone, row)
        row.usage = read_usage(used, provider="openai")
        row.meta = msgspec.json.encode({"cwd": self._cwd}).decode() if self._cwd else None
        return row

    def _listen(self, kind: str, payload: Mapping[str, Any]) -> None:
        if kind == "session_meta":
            identity = payload.get("id")
            self._session = identity if isinstance(identity, str) else None
            self._total = None
        for name in ("model", "cwd"):
            if kind in ("session_meta", "turn_context") and isinstance(said := payload.get(name), str):
                setattr(self, f"_{name}", said)
        if kind == "response_item" and payload.get("role") == "user":
            self._prompt = read_content(payload.get("content")).text or self._prompt
        if kind == "event_msg" and payload.get("type") == "user_message" and isinstance(payload.get("message"), str):
            self._prompt = payload["message"]

    def _difference(self, total: dict[str, int] | None, last: dict[str, int] | None) -> dict[str, int]:
        before, self._total = self._total, total or self._total
        if total is None:
            return last or {}
        if before is not None and all(total.get(name, 0) >= before.get(name, 0) for name in COUNTS):
            return {name: total[name] - before.get(name, 0) for name in total}
        # The first event of a file, or totals that began anew.
        return last or total


def _counts(info: Mapping[str, Any], name: str) -> dict[str, int] | None:
    block = info.get(name)
    if block is None:
        return None
    if not isinstance(block, Mapping):
        raise RowError(f"info.{name}", block, "not_an_object", "give the counts as the program wrote them")
    return {key: found for key in COUNTS if (found := count(block, key)) is not None}
