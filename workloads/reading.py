"""One pass over a log: each line becomes a row, or a problem that says why it did not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import tzinfo
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from problems import Problem, ProblemLog
from problems.problem import shown
from workloads.counts import UsageError
from workloads.formats import Format, recognise
from workloads.rows import Row, RowError

ONCE_A_FILE = {"no_time_zone"}
ASIDE = "row set aside"


class Line(NamedTuple):
    """A line as its source gave it, and the hash of its bytes."""

    source: str
    number: int
    content: bytes
    digest: bytes


class Reading:
    """One pass: where its problems go, and which ids and lines it has met.

    Args:
        log_format: the format asked for; None to recognise each record's.
        zone: what a time without a zone means.
        problems: where lines that cannot be read go.
    """

    def __init__(self, log_format: Format | None, zone: tzinfo, problems: ProblemLog) -> None:
        self._format, self._zone, self.problems = log_format, zone, problems
        self.formats: Counter[str] = Counter()
        self.recognised: dict[str, str] = {}
        self._noted: set[tuple[str, str]] = set()
        # Ids and the lines they first came with, as 64-bit hashes; then the other lines of ids used again.
        self._first: dict[int, int] = {}
        self._later: set[int] = set()

    def row(self, line: Line) -> Row | None:
        """The line's row; None where it was set aside."""
        try:
            record = decode(line.content)
            chosen, why = self._format_of(record)
            row = chosen.read(record, self._zone)
            row.request_id = row.request_id or line.digest.hex()
            self._check_new(line, row, row.request_id)
        except RowError as error:
            self._add(line, error.kind, error.field, error.value, ASIDE, error.fix)
            return None
        except UsageError as error:
            fix = f"{error.why}; {error.fix}"
            self._add(line, "impossible_count", f"usage.{error.field}", error.value, ASIDE, fix)
            return None
        except RecursionError:
            self._add(line, "nested_too_deep", "", line.content, ASIDE, "keep values within a few hundred levels")
            return None
        for kind, field, value, effect, fix in row.notes:
            if kind not in ONCE_A_FILE or (kind, line.source) not in self._noted:
                self._noted.add((kind, line.source))
                self._add(line, kind, field, value, effect, fix)
        self.formats[chosen.NAME] += 1
        self.recognised.setdefault(chosen.NAME, f"{line.source}:{line.number}: {why}")
        return row

    def _format_of(self, record: Mapping[str, Any]) -> tuple[Format, str]:
        if self._format is not None:
            if self._format.detect(record) is None:
                raise RowError("", record, "not_in_format", f"this is no {self._format.NAME}: leave --log-format out")
            return self._format, "--log-format"
        found, why = recognise(record)
        if found is None:
            raise RowError("", record, "nothing_to_replay", "give messages or prompt, or usage counts")
        return found, why

    def _check_new(self, line: Line, row: Row, request_id: str) -> None:
        key = int.from_bytes(blake2b(request_id.encode(), digest_size=8).digest())
        content = int.from_bytes(line.digest[:8])
        first = self._first.get(key)
        if first is None:
            self._first[key] = content
            return
        if first == content or content in self._later:
            fix = "nothing, if the line was logged twice; else give each request an id or a time"
            raise RowError("request_id", request_id, "duplicate", fix)
        self._later.add(content)
        row.notes.append(("id_reused", "request_id", request_id, "both rows kept", "give each request its own id"))

    def _add(self, line: Line, kind: str, field: str, value: object, effect: str, fix: str) -> None:
        problem = Problem(line.source, line.number, field, shown(value), effect, fix, kind, set_aside=effect is ASIDE)
        self.problems.add(problem, line.content)


def decode(line: bytes) -> Mapping[str, Any]:
    """One JSON object.

    Raises:
        RowError: no JSON, or not an object.
    """
    try:
        record = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        record = _lenient(line, error)
    if not isinstance(record, dict):
        listed = "; `jq -c '.[]'` makes lines of a list" if isinstance(record, list) else ""
        raise RowError("", line[:400], "not_an_object", f"give one JSON object a line{listed}")
    return record


def _lenient(line: bytes, error: Exception) -> Any:
    # Only one thing is forgiven: half a surrogate pair, as JavaScript cuts strings. It becomes U+FFFD.
    if b"\\u" in line and isinstance(error, msgspec.DecodeError):
        try:
            held = json.dumps(json.loads(line.decode(), parse_constant=_refuse), ensure_ascii=False)
            return msgspec.json.decode(held.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        except (ValueError, RecursionError):
            pass
    raise RowError("", line[:400], "not_json", f"give one JSON object a line ({error})") from error


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
