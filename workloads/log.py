"""A log: any number of sources, read as often as wanted, in batches of columns."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import pyarrow as pa

from problems import BackrouteError, Problem, ProblemLog
from problems.problem import shown
from workloads.counts import UsageError
from workloads.formats import Format, format_named, recognise
from workloads.rows import Row, RowError, to_batches
from workloads.sources import RecordSource, Source, as_records, open_source

if TYPE_CHECKING:
    import pandas as pd

ONCE_A_FILE = {"no_time_zone"}
BATCH_ROWS = 8_192
BATCH_BYTES = 32 * 2**20

Batches = Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]


def read_log(
    source: str | Path | Sequence[Any] | pd.DataFrame, *, log_format: str | None = None, timezone: str = "UTC"
) -> Log:
    """A log to replay; nothing is read until it is used.

    Args:
        source: a path (`-` for standard input; `.gz` and `.zst` are unpacked), several paths, a DataFrame with a row
            per call, or a list of dicts.
        log_format: a name in `workloads.formats.FORMATS`; recognised record by record when left out.
        timezone: what times without a zone mean, for example "Europe/Berlin".

    Raises:
        BackrouteError: a file that is not there, an unknown format or time zone.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        what = f"unknown time zone ({timezone!r})"
        raise BackrouteError("--timezone", what, fix="for example UTC or Europe/Berlin") from error
    chosen = format_named(log_format) if log_format else None
    if isinstance(source, str | Path):
        return Log([open_source(source)], chosen, zone)
    held = as_records(source)
    if held and all(isinstance(part, str | Path) for part in held):
        return Log([open_source(part) for part in held], chosen, zone)
    return Log([RecordSource(held)], chosen, zone)


class Log:
    """What `read_log` returns. After `batches` has run to its end, `formats` and `digest` speak of what was read."""

    def __init__(self, sources: Sequence[Source], log_format: Format | None, zone: tzinfo) -> None:
        self._sources = sources
        self._format = log_format
        self._zone = zone
        self.formats: Counter[str] = Counter()  # rows by format
        self.recognised: dict[str, str] = {}  # why a format was chosen, from its first record
        self.digest = ""

    @property
    def name(self) -> str:
        """The sources as the user named them."""
        return ", ".join(source.name for source in self._sources)

    def batches(self, *, problems: ProblemLog | None = None, rows: int = BATCH_ROWS) -> Batches:
        """(requests, outcomes) in the columns of `workloads.REQUEST` and `workloads.OUTCOME`, row by row the same calls.

        Args:
            problems: where rows that cannot be read go; forgotten when left out.
            rows: at most this many in a batch.
        """
        problems = ProblemLog() if problems is None else problems
        self.formats.clear()
        digest, waiting, size = hashlib.blake2b(digest_size=16), list[Row](), 0
        seen: dict[int, int] = {}
        for source in self._sources:
            noted: set[str] = set()
            for number, line in source.lines(problems):
                line_digest = hashlib.blake2b(line, digest_size=16).digest()
                digest.update(line_digest)
                row = self._row(source, number, line, line_digest, problems, seen, noted)
                if row is None:
                    continue
                waiting.append(row)
                size += len(line)
                if len(waiting) >= rows or size >= BATCH_BYTES:
                    yield to_batches(waiting)
                    waiting, size = [], 0
        self.digest = digest.hexdigest()
        if waiting:
            yield to_batches(waiting)

    def _row(
        self,
        source: Source,
        number: int,
        line: bytes,
        line_digest: bytes,
        problems: ProblemLog,
        seen: dict[int, int],
        noted: set[str],
    ) -> Row | None:
        try:
            record = decode(line)
            chosen, why = (self._format, "--log-format") if self._format else recognise(record)
            if chosen is None:
                raise RowError("", record, "nothing_to_replay", "give messages or prompt, or usage counts")
            row = chosen.read(record, self._zone)
        except RowError as error:
            said = (error.field, shown(error.value), "row set aside", error.fix, error.kind)
            problems.add(Problem(source.name, number, *said), line)
            return None
        except UsageError as error:
            fix = f"{error.why}; {error.fix}"
            said = (f"usage.{error.field}", shown(error.value), "row set aside", fix, "impossible_count")
            problems.add(Problem(source.name, number, *said), line)
            return None
        row.request_id = row.request_id or line_digest.hex()
        key, content = hash_of(row.request_id.encode()), int.from_bytes(line_digest[:8])
        held = seen.get(key)
        seen.setdefault(key, content)
        if held == content:
            fix = "nothing, if the line was logged twice; else give each request an id or a time"
            problems.add(Problem(source.name, number, "request_id", row.request_id, "row set aside", fix, "duplicate"), line)
            return None
        if held is not None:
            row.notes.append(("id_reused", "request_id", row.request_id, "both rows kept", "give each request its own id"))
        for kind, field, value, effect, fix in row.notes:
            if kind not in noted:
                noted |= {kind} & ONCE_A_FILE
                problems.add(Problem(source.name, number, field, value, effect, fix, kind, set_aside=False), line)
        self.formats[chosen.NAME] += 1
        self.recognised.setdefault(chosen.NAME, f"{source.name}:{number}: {why}")
        return row

    @cached_property
    def problems(self) -> ProblemLog:
        """Everything set aside or noted, from a reading of the whole log."""
        found = ProblemLog()
        for _ in self.batches(problems=found):
            pass
        return found

    def requests(self) -> pd.DataFrame:
        """What was known when each request arrived, one row each; the whole log in memory."""
        return self._frame(0)

    def outcomes(self) -> pd.DataFrame:
        """What was known afterwards, in the order of `requests`."""
        return self._frame(1)

    def _frame(self, which: int) -> pd.DataFrame:
        from workloads.schema import OUTCOME, REQUEST

        batches = [both[which] for both in self.batches()]
        return pa.Table.from_batches(batches, schema=(REQUEST, OUTCOME)[which]).to_pandas()

    def __repr__(self) -> str:
        return f"Log({self.name})"


def hash_of(identity: bytes) -> int:
    """A 64-bit hash, the same in every process."""
    return int.from_bytes(hashlib.blake2b(identity, digest_size=8).digest())


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
        raise RowError("", record, "not_an_object", "give one JSON object a line")
    return record


def _lenient(line: bytes, error: Exception) -> Any:
    # Only one thing is forgiven: half a surrogate pair, as JavaScript cuts strings. It becomes U+FFFD.
    if b"\\u" in line and isinstance(error, msgspec.DecodeError):
        try:
            held = json.dumps(json.loads(line, parse_constant=_refuse), ensure_ascii=False)
            return msgspec.json.decode(held.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        except (ValueError, RecursionError):
            pass
    raise RowError("", line[:400], "not_json", f"give one JSON object a line ({error})") from error


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
