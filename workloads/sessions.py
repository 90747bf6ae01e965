"""Sessions where a log has none: a call whose messages continue an earlier call's belongs to the same conversation."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from workloads.amended import Amended
from workloads.log import Log

WINDOW_HOURS = 24.0
MOST_OPEN = 100_000

# The roles of what follows a question in a conversation.
ANSWERS = {"assistant", "model", "tool"}

Message = dict[str, Any]


@dataclass(slots=True)
class _Session:
    """A conversation: its id, and how many calls it has so far."""

    id: str
    calls: int = 0


@dataclass(frozen=True, slots=True)
class _Open:
    """Where a conversation may go on: whose it is, and when it was last heard of (microseconds since 1970)."""

    session: _Session
    user: str | None
    at: int | None


class SessionLinker:
    """Links calls to conversations by the hash chain of their messages, in the order of the log.

    A call continues an earlier one when it begins with all of the earlier one's messages, its system prompt included,
    and goes on with an answer; the answer that the log holds decides between several such. Users must not differ where
    both are known. A logged session id stays; an inferred one begins with "inferred-" and is the same for any batch
    size. Calls without messages get none. Called with a batch, it returns the batch with sessions filled in.

    Args:
        window_hours: how long a conversation may rest; not checked where times are unknown.
        most_open: conversations remembered, the least recently heard of forgotten first; 100,000 take some 60 MB.

    After a reading, `started` conversations began without a logged id, `continued` calls were linked to one of those,
    and `linked` of the conversations have more than one call.
    """

    def __init__(self, *, window_hours: float = WINDOW_HOURS, most_open: int = MOST_OPEN) -> None:
        self.started = self.continued = self.linked = 0
        self._window = int(window_hours * 3_600_000_000)
        self._most = 2 * most_open  # each stands here with and without its answer
        self._open: OrderedDict[bytes, _Open] = OrderedDict()

    def __call__(self, requests: pa.RecordBatch, outcomes: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """The batch with sessions inferred where there were none."""
        if not requests["session_id"].null_count:
            return requests, outcomes
        sessions = requests["session_id"].to_pylist()
        columns = (requests["request_id"], requests["user_id"], requests["arrived_at"].cast(pa.int64()))
        rows = zip(
            requests["messages"].to_pylist(), outcomes["completion"].to_pylist(), *map(pa.Array.to_pylist, columns),
            strict=True,
        )  # fmt: skip
        for row, (messages, answer, request_id, user, at) in enumerate(rows):
            if sessions[row] is None and messages:
                sessions[row] = self._session(messages, answer, request_id, user, at)
        place = requests.schema.get_field_index("session_id")
        filled = requests.set_column(place, requests.schema.field(place), pa.array(sessions, pa.string()))
        return filled, outcomes

    def _session(
        self, messages: list[Message], answer: str | None, request_id: str, user: str | None, at: int | None
    ) -> str:
        chain = list(_chain(messages))
        session = self._continued(messages, chain, user, at)
        if session is None:
            self.started += 1
            first = hashlib.blake2b(chain[-1] + request_id.encode("utf-8", "surrogatepass"), digest_size=8)
            session = _Session(f"inferred-{first.hexdigest()}")
        else:
            self.continued += 1
            self.linked += session.calls == 1
        session.calls += 1
        self._remember(chain[-1], _Open(session, user, at))
        if answer:
            self._remember(_next(chain[-1], "assistant", None, answer), _Open(session, user, at))
        return session.id

    def _continued(
        self, messages: list[Message], chain: list[bytes], user: str | None, at: int | None
    ) -> _Session | None:
        """The conversation that these messages go on with; the longest beginning counts."""
        for length in range(len(messages) - 1, 0, -1):
            if ANSWERS.isdisjoint((messages[length - 1]["role"], messages[length]["role"])):
                continue
            held = self._open.get(chain[length - 1])
            if held is None or (held.user and user and held.user != user):
                continue
            if held.at is None or at is None or 0 <= at - held.at <= self._window:
                return held.session
        return None

    def _remember(self, digest: bytes, held: _Open) -> None:
        self._open[digest] = held
        self._open.move_to_end(digest)
        if len(self._open) > self._most:
            self._open.popitem(last=False)


class InferredSessions(Amended):
    """A log with sessions inferred where it states none; `linker` tells, after a reading, how many.

    Args:
        log: the log as it is.
        window_hours: see `SessionLinker`.
    """

    def __init__(self, log: Log, *, window_hours: float = WINDOW_HOURS) -> None:
        self._hours = window_hours
        self.linker = SessionLinker(window_hours=window_hours)
        super().__init__(log, self._fresh)

    def _fresh(self) -> SessionLinker:
        self.linker = SessionLinker(window_hours=self._hours)
        return self.linker


def _chain(messages: list[Message]) -> Iterator[bytes]:
    digest = b""
    for message in messages:
        digest = _next(digest, message["role"], message["name"], message["text"])
        yield digest


def _next(before: bytes, role: str | None, name: str | None, text: str | None) -> bytes:
    said = "\x00".join((role or "", name or "", (text or "").strip()))
    return hashlib.blake2b(before + said.encode("utf-8", "surrogatepass"), digest_size=16).digest()
