"""Which counts of Codex's session logs were billed before: repeated events, and histories that forks copy.

An event is written again whenever the rate limits change, and a forked or spawned session begins with copies of its
parent's events under new times (github.com/ccusage/ccusage/issues/1288 and 1370). Running totals tell them: two counts
of one family of sessions with the same totals are one call. A response's own id tells it, too. Where a call is written
both as a `token_usage_record` and as an event, without such marks, the two stand together and count the same.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import NamedTuple

Total = tuple[int, ...]


class Count(NamedTuple):
    """What one line counts: the session's running total, and the call's own tokens; None where it states none."""

    session: str
    total: Total | None
    own: Total | None
    response_id: str | None
    is_record: bool


class Bills:
    """Sessions by family, and what was billed in each. Some hundred bytes a call."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._sessions: defaultdict[int, list[str]] = defaultdict(list)
        self._responses: set[int] = set()
        self._latest: Count | None = None

    def relate(self, child: str, parent: str) -> None:
        """Take note that one session came from another."""
        ours, theirs = self._eldest(child), self._eldest(parent)
        if ours != theirs:
            self._parents[ours] = theirs

    def related(self, one: str, other: str) -> bool:
        """Whether two sessions are of one family."""
        return self._eldest(one) == self._eldest(other)

    def add(self, count: Count) -> bool:
        """Take note of a count; False where it was billed before."""
        latest, self._latest = self._latest, None
        seen = False
        if count.response_id is not None:
            key = _key(count.response_id)
            seen = key in self._responses
            self._responses.add(key)
        if count.total is not None:
            holders = self._sessions[_key(repr(count.total))]
            seen = seen or any(self.related(count.session, each) for each in holders)
            holders.append(count.session)
        if seen or (latest is not None and _are_one(latest, count)):
            return False
        self._latest = count
        return True

    def _eldest(self, session: str) -> str:
        while (parent := self._parents.get(session)) is not None:
            session = parent
        return session


def _are_one(one: Count, other: Count) -> bool:
    """Whether a record and an event, one after the other, count the same call: both totals would have told."""
    alike = one.session == other.session and one.own is not None and one.own == other.own
    return alike and one.is_record != other.is_record and None in (one.total, other.total)


def _key(said: str) -> int:
    return int.from_bytes(hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=8).digest())
