"""Every call on disk before it is sent and every answer before the next call, so that nothing is paid for twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

import msgspec

from problems import BackrouteError
from simulator.money import PICO
from workloads import BUCKETS
from workloads.counts import MOST_TOKENS, MOST_USD
from workloads.decoding import NOT_JSON
from workloads.usage import Usage

try:
    import fcntl
except ImportError:  # Windows: two runs at once on one folder are then not kept apart
    fcntl = None  # type: ignore[assignment]


T = TypeVar("T")
Pico = Annotated[int, msgspec.Meta(ge=0, le=MOST_USD * PICO)]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a call ended.

    Args:
        call: its id.
        usd_pico: what it cost; where that is not known, the most it can have cost.
        text: the answer; None where there is none.
        model: the model that answered, as its provider names it.
        finish_reason: in the provider's words.
        usage: the six buckets by name; those that are unknown are missing.
        latency_ms: from sending to the last byte.
        request_id: the provider's own.
        refused: the HTTP status, where the provider refused the request itself.
        fault: which way the provider failed; such a call may be made again.
    """

    call: str
    usd_pico: Pico
    text: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]] = {}
    latency_ms: float | None = None
    request_id: str | None = None
    refused: int | None = None
    fault: str | None = None


class Sent(msgspec.Struct, frozen=True):
    """A call about to be sent: the most it can cost, and where it goes."""

    call: str
    held_pico: Pico
    model: str
    at: str


def buckets(usage: Usage) -> dict[str, int]:
    """The buckets that are known, by name."""
    return {name: count for name in BUCKETS if (count := getattr(usage, name)) is not None}


class Journal:
    """An append-only file of JSON lines, each flushed to the disk before anything else happens.

    Args:
        path: the file; a new one begins with `header`.
        header: what the run rests on. A journal begun on anything else is not continued.

    `outcomes` holds calls that ended for good; `lost` those that were sent and whose end is unknown, since the run was
    killed: they may have been paid for, so they count at their most and are not repeated. `spent` is all of it.

    Raises:
        BackrouteError: the file cannot be read or written, is in use, or was begun with other settings.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.outcomes: dict[str, Outcome] = {}
        self.lost: set[str] = set()
        self.spent = 0
        self._file = self._opened()
        try:
            self._read(dict(header))
        except BaseException:
            self.close()
            raise

    def sent(self, record: Sent) -> None:
        """A call is about to be sent."""
        self._append({"sent": record})

    def ended(self, outcome: Outcome) -> None:
        """A call ended."""
        self._append({"ended": outcome})
        self.spent += outcome.usd_pico
        if outcome.fault is None:
            self.outcomes[outcome.call] = outcome

    def close(self) -> None:
        """Close the file; another run may then open it."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> IO[bytes]:
        try:
            file = self.path.open("a+b")
        except OSError as error:
            raise BackrouteError(str(self.path), f"cannot be written ({error.strerror})") from error
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                raise BackrouteError(str(self.path), "another run is using it", fix="wait for it to end") from None
        return file

    def _append(self, record: Mapping[str, Any]) -> None:
        self._file.write(msgspec.json.encode(record) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, header: dict[str, Any]) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)  # a line that a crash cut in two
        if not whole:
            self._append({"header": header})
            return
        first, *lines = content[:whole].splitlines()
        self._same(self._decoded(1, first).get("header"), header)
        waiting: dict[str, int] = {}
        for number, line in enumerate(lines, 2):
            record = self._decoded(number, line)
            if "sent" in record:
                sent = self._held(number, record["sent"], Sent)
                waiting[sent.call] = waiting.get(sent.call, 0) + sent.held_pico
                continue
            outcome = self._held(number, record["ended"], Outcome)
            waiting.pop(outcome.call, None)
            self.spent += outcome.usd_pico
            if outcome.fault is None:
                self.outcomes[outcome.call] = outcome
        self.lost = set(waiting)
        self.spent += sum(waiting.values())

    def _held(self, number: int, record: Any, kind: type[T]) -> T:
        try:
            return msgspec.convert(record, kind)
        except msgspec.ValidationError as error:
            raise self._strange(number, f": {error}") from None

    def _decoded(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = msgspec.json.decode(line)
        except NOT_JSON:
            record = None
        if not isinstance(record, dict) or len(record) != 1 or not record.keys() <= {"header", "sent", "ended"}:
            raise self._strange(number)
        return record

    def _strange(self, number: int, why: str = "") -> BackrouteError:
        fix = "restore the file, or move it away to start anew"
        return BackrouteError(f"{self.path}:{number}", f"not a line of a journal{why}", fix=fix)

    def _same(self, begun: Any, header: dict[str, Any]) -> None:
        begun = begun if isinstance(begun, dict) else {}
        for name in header:
            if begun.get(name) != header[name]:
                what = f"begun with another {name} ({begun.get(name)}, now {header[name]})"
                effect = "changed while answers are in, it would decide the verdict"
                fix = f"use the same {name}, or move the file away to start anew and pay again"
                raise BackrouteError(str(self.path), what, effect=effect, fix=fix)
