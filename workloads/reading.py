"""One pass over a log: each record becomes a row, a note that it is no call, or a problem that says why it did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import tzinfo
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from problems import Problem, ProblemLog
from problems.problem import shown
from workloads.counts import UsageError
from workloads.decoding import decode, records_of
from workloads.formats import Format, Reader, chat, reader_of, recognise
from workloads.formats.not_a_call import NotACallError
from workloads.formats.plain import read_plain
from workloads.formats.unfold import unfold
from workloads.met import Met
from workloads.rows import Row, RowError
from workloads.sources import Source

ONCE_A_FILE = {"no_time_zone", "no_start", "billed_apart", "answer_in_messages"}
ASIDE = "row set aside"
LATER = 0x9E3779B97F4A7C15  # tells the key of a line from that of an id


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
        start: microseconds since 1970 UTC, when a trace whose clock starts at 0 began; None where unknown.
        sources: the whole log, for formats whose records depend on others.
    """

    def __init__(
        self,
        log_format: Format | None,
        zone: tzinfo,
        problems: ProblemLog,
        start: int | None = None,
        sources: Sequence[Source] = (),
    ) -> None:
        self._format, self._zone, self.problems, self._start = log_format, zone, problems, start
        self._sources, self._surveyed = sources, False
        self.formats: Counter[str] = Counter()
        self.recognised: dict[str, str] = {}
        self._readers: dict[str, Reader] = {}
        self._noted: set[tuple[str, str]] = set()
        # Ids and the lines they first came with, as 64-bit hashes, and the other lines of ids used again.
        self._met = Met()
        self._repeated: Counter[int] = Counter()

    def next_file(self) -> None:
        """Tell the readers that another file begins."""
        for reader in self._readers.values():
            if (begin := getattr(reader, "next_file", None)) is not None:
                begin()

    def rows(self, line: Line) -> Iterator[Row]:
        """The rows of a line: one, several where it holds a list of records, none where it was set aside."""
        # The first row of a log says what it was recognised by, so the full reader reads it.
        if self._format is None and chat.NAME in self.formats and (row := read_plain(line.content)):
            try:
                self._name(line, row, repeats=False)
            except RowError as error:
                self._add(line, error.kind, error.field, error.value, ASIDE, error.fix)
            else:
                self._note(line, row)
                self.formats[chat.NAME] += 1
                yield row
            return
        try:
            record = decode(line.content)
            within = unfold(record)
        except RowError as error:
            self._add(line, error.kind, error.field, error.value, ASIDE, error.fix)
            return
        if within is None:
            if (row := self._row(line, record)) is not None:
                yield row
            return
        for each in within:
            content = msgspec.json.encode(each)
            part = Line(line.source, line.number, content, blake2b(content, digest_size=16).digest())
            if (row := self._row(part, each)) is not None:
                yield row

    def _row(self, line: Line, record: Any) -> Row | None:
        try:
            chosen, why = self._format_of(record)
            row = self._reader(chosen).read(record, self._zone)
            self._name(line, row, repeats=getattr(chosen, "REPEATS", False))
        except NotACallError as found:
            self.recognised.setdefault(chosen.NAME, f"{line.source}:{line.number}: {why}")
            self._pass_over(line, found)
            return None
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
        self._place_in_time(row)
        self._note(line, row)
        if chosen.NAME not in self.formats:
            self.recognised[chosen.NAME] = f"{line.source}:{line.number}: {why}"
        self.formats[chosen.NAME] += 1
        return row

    def _note(self, line: Line, row: Row) -> None:
        if row.call_type == "chat" and (apart := row.usage.billed_apart) is not None:
            row.call_type = apart
            effect, fix = "not routed; it costs what the log says it did", "log each call's cost"
            row.notes.append(("billed_apart", "usage", row.usage.modality, effect, fix))
        for kind, field, value, effect, fix in row.notes:
            if kind not in ONCE_A_FILE or (kind, line.source) not in self._noted:
                self._noted.add((kind, line.source))
                self._add(line, kind, field, value, effect, fix)

    def _found(self, record: Any) -> tuple[Format | None, str]:
        if not isinstance(record, dict):
            return None, ""
        if self._format is None:
            return recognise(record)
        why = self._format.detect(record)
        return (self._format, why) if why else (None, "")

    def _reader(self, chosen: Format) -> Reader:
        found = self._readers.get(chosen.NAME)
        if found is None:
            found = self._readers[chosen.NAME] = reader_of(chosen)
            if hasattr(found, "survey") and not self._surveyed:
                self._survey()
        return found

    def _survey(self) -> None:
        """The first pass over the whole log, made when the first record of a format that needs one is met."""
        self._surveyed = True
        lines = (content for source in self._sources for _, content in source.lines(ProblemLog()))
        for record in (record for content in lines for record in records_of(content)):
            found = self._found(record)[0]
            if found is not None and (survey := getattr(self._reader(found), "survey", None)) is not None:
                with suppress(RecursionError):  # a record nested too deep becomes a problem when it is read
                    survey(record)

    def _pass_over(self, line: Line, found: NotACallError) -> None:
        """Count a record that is no call; the first of a kind in each file is noted with its place."""
        kind = f"not_a_call: {found.kind}"
        if (kind, line.source) in self._noted:
            self.problems.counts[kind] += 1
            return
        self._noted.add((kind, line.source))
        self._add(line, kind, "", found.why, "no row of its own", "nothing to do")

    def _place_in_time(self, row: Row) -> None:
        if row.since_start is None:
            return
        if self._start is not None:
            row.arrived_at = self._start + row.since_start
        else:
            effect, fix = "kept, without their times", "--start says when the trace began"
            row.notes.append(("no_start", "timestamp", row.since_start / 1_000_000, effect, fix))

    def _format_of(self, record: Any) -> tuple[Format, str]:
        if not isinstance(record, dict):
            raise RowError("", record, "not_an_object", "give one JSON object for each call")
        found, why = self._found(record)
        if found is not None:
            return found, why
        if self._format is not None:
            raise RowError("", record, "not_in_format", f"this is no {self._format.NAME}: leave --log-format out")
        raise RowError(
            "", record, "nothing_to_replay", "give messages, prompt or usage counts, or name them: --mapping"
        )

    def _name(self, line: Line, row: Row, *, repeats: bool) -> None:
        """The row's id; without one of its own, the hash of its line."""
        if row.request_id is None and repeats:
            # Equal lines of a trace are different calls: the second is told from the first by its count.
            key = int.from_bytes(line.digest[:8])
            self._repeated[key] += 1
            if count := self._repeated[key] - 1:
                line = line._replace(digest=blake2b(line.digest + count.to_bytes(8), digest_size=16).digest())
        row.request_id = row.request_id or line.digest.hex()
        self._check_new(line, row, row.request_id)

    def _check_new(self, line: Line, row: Row, request_id: str) -> None:
        key = id_key(request_id)
        content = int.from_bytes(line.digest[:8])
        first = self._met.get(key)
        if first is None:
            self._met.add(key, content)
            return
        later = content ^ LATER
        if first == content or self._met.get(later) is not None:
            fix = "nothing, if the line was logged twice; else give each request an id or a time"
            raise RowError("request_id", request_id, "duplicate", fix)
        self._met.add(later, content)
        row.notes.append(("id_reused", "request_id", request_id, "both rows kept", "give each request its own id"))

    def accept(self, keys: Sequence[int], contents: Sequence[int], name: str) -> bool:
        """Take in rows of a format that were read elsewhere; False, and nothing done, where an id was met before."""
        if name not in self.formats or not self._met.update(keys, contents):
            return False
        self.formats[name] += len(keys)
        return True

    def _add(self, line: Line, kind: str, field: str, value: object, effect: str, fix: str) -> None:
        problem = Problem(line.source, line.number, field, shown(value), effect, fix, kind, set_aside=effect is ASIDE)
        self.problems.add(problem, line.content)


def id_key(request_id: str) -> int:
    """A request's id as 64 bits of its hash."""
    return int.from_bytes(blake2b(request_id.encode(), digest_size=8).digest())
