"""Codex's session logs: `~/.codex/sessions/**/rollout-*.jsonl`, events of one session in order.

A call is its own count: a `token_usage_record`, or a `token_count` event's `last_token_usage`; where an event states
totals alone, their growth. What was counted before is no call: see `codex_bills`. A file that begins in the middle of
a session goes on from the file before where its totals prove it, so that a session may be cut into pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import msgspec

from workloads.bodies.content import object_or_empty, read_content
from workloads.counts import count
from workloads.formats.codex_bills import Bills, Count, Total
from workloads.formats.envelope import Record, kept, text
from workloads.formats.not_a_call import NotACallError
from workloads.formats.times import read_time
from workloads.rows import Row, RowError
from workloads.usage import read_usage

NAME = "Codex sessions"

KINDS = ("session_meta", "turn_context", "event_msg", "response_item", "compacted", "token_usage_record", "world_state")
PARTS = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens")
MOST_TOTAL = 10**15  # a session's, over all its calls
RESUMED = ("name", "parent", "model", "cwd", "prompt", "total")


def detect(record: Record) -> str | None:
    """Why this record is a line of a session log; None when it is not."""
    kind = record.get("type")
    if isinstance(kind, str) and kind in KINDS and "payload" in record:
        return f"it has `payload` and is of type {kind}"
    return None


@dataclass
class Session:
    """What a file has said so far; `placed` once it is known which session it is, or that nobody can know."""

    name: str | None = None
    parent: str | None = None
    model: str | None = None
    cwd: str | None = None
    prompt: str | None = None
    total: Total | None = None
    placed: bool = False

    def goes_on(self, total: Total | None, own: Total | None, thread: str | None) -> bool:
        """Whether a count can only be the next of this session: it says so, or the totals add up."""
        if thread is not None:
            return thread == self.name
        before = (0,) * len(PARTS) if self.total is None and self.name is not None else self.total
        return before is not None and total is not None and before in (total, own and _less(total, own))

    def resume(self, before: Session) -> None:
        """Take over from the file before what this one has not said."""
        for name in RESUMED:
            if getattr(self, name) is None:
                setattr(self, name, getattr(before, name))


class Reader:
    """One session file at a time, and the calls billed in all of them."""

    def __init__(self) -> None:
        self._bills = Bills()
        self._before, self._here = Session(), Session()
        self._files = 0

    def next_file(self) -> None:
        """Another file: a new session, or the one before goes on."""
        if not self._here.placed:  # a piece without a count
            self._here.resume(self._before)
        self._before, self._here = self._here, Session()
        self._files += 1

    def read(self, record: Record, zone: tzinfo) -> Row:
        """One row.

        Raises:
            NotACallError: every line but one that counts the tokens of a new call.
            RowError, UsageError: a field that cannot be meant.
        """
        payload, row = object_or_empty(record.get("payload")), Row(provider="openai", has_tools=True)
        kind, held, names = record.get("type"), payload, ("thread_token_usage", "usage")
        if kind == "event_msg" and payload.get("type") == "token_count":
            held, names = object_or_empty(payload.get("info")), ("total_token_usage", "last_token_usage")
        elif kind != "token_usage_record":
            self._listen(str(kind), payload)
            raise NotACallError("session line", "a line that counts no tokens: a message, a setting, a tool's call")
        total, block = _total(held, names[0]), _block(held, names[1])
        if total is None and block is None:
            raise NotACallError("limits without counts", "a token_count event that holds rate limits only")
        row.request_id = kept(row, text, "response_id", held.get("response_id"))
        thread = kept(row, text, "thread_id", held.get("thread_id"))
        own = None if block is None else tuple(block.get(part, 0) for part in PARTS)
        here = self._placed(row, total, own, thread)
        row.session_id = thread or here.name
        counted = Count(here.name or f"file {self._files}", total, own, row.request_id, held is payload)
        row.usage = read_usage(self._used(row, counted, block), provider="openai")
        row.prompt, row.model = here.prompt, kept(row, text, "model", held.get("model")) or here.model
        row.arrived_at = read_time("timestamp", record.get("timestamp"), zone, row)
        row.meta = msgspec.json.encode({"cwd": here.cwd}).decode() if here.cwd else None
        return row

    def _listen(self, kind: str, payload: Mapping[str, Any]) -> None:
        if kind == "session_meta":
            self._begin(payload)
        here = self._here
        for name in ("model", "cwd"):
            if kind in ("session_meta", "turn_context") and isinstance(said := payload.get(name), str):
                setattr(here, name, said)
        if kind == "response_item" and payload.get("role") == "user":
            here.prompt = read_content(payload.get("content")).text or here.prompt
        if kind == "event_msg" and payload.get("type") == "user_message" and isinstance(payload.get("message"), str):
            here.prompt = payload["message"]

    def _begin(self, payload: Mapping[str, Any]) -> None:
        """A session's first line; a fork copies its parent's after its own, and a resumed session repeats its own."""
        spawned = object_or_empty(object_or_empty(payload.get("source")).get("subagent"))
        spawn = object_or_empty(spawned.get("thread_spawn"))
        parents = (payload.get("forked_from_id"), payload.get("parent_thread_id"), spawn.get("parent_thread_id"))
        parent = next((each for each in parents if isinstance(each, str) and each), None)
        name = payload["id"] if isinstance(payload.get("id"), str) else None
        here = self._here.name
        is_copy = name is not None and here is not None and self._bills.related(name, here)
        if name is not None and parent is not None:
            self._bills.relate(name, parent)
        if not is_copy:
            self._here = Session(name, parent, placed=True)

    def _placed(self, row: Row, total: Total | None, own: Total | None, thread: str | None) -> Session:
        """The session at hand; at the first count of a file without a beginning, find out which it is."""
        here, before = self._here, self._before
        if here.placed:
            return here
        here.placed = True
        if before.goes_on(total, own, thread):
            here.resume(before)
        elif thread is not None:
            here.name = thread
        elif total is not None and own is not None and total != own:
            effect = "kept by its own count; its session, and what is not said again, are unknown"
            fix = "give a session's files together and in order"
            row.notes.append(("begins_in_mid_session", "info.total_token_usage", total, effect, fix))
        return here

    def _used(self, row: Row, counted: Count, block: Mapping[str, int] | None) -> Mapping[str, int]:
        """The tokens of the call at hand.

        Raises:
            NotACallError: they were counted before, or are none.
            RowError: totals alone, of a session whose beginning is unknown.
        """
        here, total = self._here, counted.total
        before, here.total = here.total, total or here.total
        is_new = self._bills.add(counted)
        grown = None if before is None or total is None else _less(total, before)
        if grown is not None and min(grown) < 0:  # the totals began anew
            grown = total
        if block is None:
            if grown is None and here.name is not None and here.parent is None:
                grown = total
            if grown is None:
                fix = "give the session's log from its beginning: totals alone hold all calls before"
                raise RowError("info.total_token_usage", total, "cumulative_count", fix)
            block = dict(zip(PARTS, grown, strict=True))
        elif is_new and grown not in (None, counted.own, total):
            effect = "kept by its own count, though the session's totals grew by another"
            row.notes.append(("totals_disagree", "info.total_token_usage", grown, effect, "the log may lack calls"))
        if not is_new or not any(block.values()):
            raise NotACallError(
                "repeated count", "a count that repeats one before, in this session or one it came from"
            )
        if here.parent is not None and before is None and total is not None and total == counted.own:
            effect = "kept, once, at the time of the fork: calls of a session that the log does not hold before"
            row.notes.append(("copied_from_parent", "forked_from_id", here.parent, effect, "give its file, too"))
        return block


def _less(total: Total, part: Total) -> Total:
    return tuple(whole - one for whole, one in zip(total, part, strict=True))


def _object(held: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    block = held.get(name)
    if block is not None and not isinstance(block, dict):
        raise RowError(name, block, "not_an_object", "give the counts as the program wrote them")
    return block


def _block(held: Mapping[str, Any], name: str) -> dict[str, int] | None:
    """A call's counts, as `read_usage` takes them."""
    block = _object(held, name)
    if block is None:
        return None
    return {key: found for key in (*PARTS, "total_tokens") if (found := count(block, key)) is not None}


def _total(held: Mapping[str, Any], name: str) -> Total | None:
    """A session's running total, part by part."""
    block = _object(held, name)
    return None if block is None else tuple(count(block, part, most=MOST_TOTAL) or 0 for part in PARTS)
