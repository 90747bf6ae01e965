"""One pass over a log: each record becomes a row, a note that it is no call, or a problem that says why it did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from problems import Problem, ProblemLog
from problems.problem import shown
from workloads.apart import Apart, Recognised, TogetherError, Way
from workloads.collector import without_collector
from workloads.counts import UsageError
from workloads.decoding import decode, records_of
from workloads.formats import Format, Reader, alone, chat, reader_of, recognise
from workloads.formats.not_a_call import NotACallError
from workloads.formats.plain import read_plain
from workloads.formats.unfold import unfold
from workloads.ids import Ids, MetIds, digests_of, key_of
from workloads.rows import Columns, Row, RowError, Strings, to_batches
from workloads.sources import Source, numbered_lines

ONCE_A_FILE = {"no_time_zone", "no_start", "billed_apart", "answer_in_messages"}
NOT_A_CALL = "not_a_call: "  # records that are none are counted by kind; the first of each in a file is told
ASIDE = "row set aside"
REUSED = ("both rows kept", "give each request its own id")


class Line(NamedTuple):
    """A line as its source gave it, and the hash of its bytes."""

    source: str
    number: int
    content: bytes
    digest: bytes


class Lines:
    """Some lines of one source, with their numbers and hashes.

    Args:
        source: as the user named it.
        numbers, contents: of each line.
    """

    def __init__(self, source: str, numbers: list[int], contents: list[bytes]) -> None:
        self.source, self.numbers, self.contents = source, numbers, contents
        self.digests = digests_of(contents)

    def __len__(self) -> int:
        return len(self.contents)

    def __getitem__(self, place: int) -> Line:
        return Line(self.source, self.numbers[place], self.contents[place], self.digests[place])


class Reading:
    """One pass: where its problems go, and which ids and lines it has met.

    Args:
        way: how they are read.
        problems: where lines that cannot be read go.
        sources: the whole log, for formats whose records depend on others; None where these lines are read apart.
        met: which ids were met.
    """

    def __init__(
        self, way: Way, problems: ProblemLog, sources: Sequence[Source] | None = (), met: MetIds | None = None
    ) -> None:
        self._format, self._zone, self._start, self.problems = way.log_format, way.zone, way.start, problems
        self._sources, self._surveyed = sources, False
        self.formats: Counter[str] = Counter()
        self.recognised: dict[str, Recognised] = {}
        self._readers: dict[str, Reader] = {}
        self._noted: set[tuple[str, str]] = set()
        self._met = MetIds() if met is None else met
        self.strings: Strings | None = None  # of the last batch, where its lines were read fast

    def next_file(self) -> None:
        """Tell the readers that another file begins."""
        for reader in self._readers.values():
            if (begin := getattr(reader, "next_file", None)) is not None:
                begin()

    @without_collector()
    def batch(self, lines: Lines) -> Columns:
        """The rows of some lines, in their order, in columns of (requests, outcomes)."""
        place, first, self.strings = 0, list[Row](), None
        if len(lines) and self._format is None and not self.formats:
            self._begin(lines[0])
        # The first row of a chat log says what it was recognised by, so the full reader reads it.
        while place < len(lines) and not (self._format is None and chat.NAME in self.formats):
            first += self._rows(lines[place])
            place += 1
        if place == len(lines):
            return to_batches(first)
        read = self._fast(lines, place)
        if not first:
            return read
        self.strings = self.strings and Strings.of(first) + self.strings
        return _joined(to_batches(first), read)

    def _begin(self, line: Line) -> None:
        """A log that begins with a plain line is known for chat by it, and read fast from there on."""
        if len(read_plain([line.content]).at):
            found, why = recognise(decode(line.content))
            if found is chat:
                self.recognised[chat.NAME] = Recognised(line.source, line.number, why)
                self.formats[chat.NAME] += 0  # met; its rows are counted together

    def _fast(self, lines: Lines, first: int) -> Columns:
        """The rows of lines, from number `first` on, that are plain for the most part; others by the full reader."""
        plain = read_plain(lines.contents[first:])
        at = (plain.at + first).tolist()
        alike = len(at) == len(lines) - first  # as a rule, and then nothing need be put in order
        ids = Ids.of(plain.requests["request_id"], lines.digests[first:] if alike else [lines.digests[n] for n in at])
        if alike and self._met.take_in(ids.keys, ids.contents):
            self.formats[chat.NAME] += len(at)
            self.strings = plain.strings
            return plain.named(ids)
        others = np.setdiff1d(np.arange(first, len(lines)), at, assume_unique=True)
        rows, places, kept, begin = list[Row](), list[int](), list[int](), 0
        for place, end in zip(others.tolist(), np.searchsorted(at, others).tolist(), strict=True):
            kept += self._new(lines, at, ids, begin, end)
            found = list(self._rows(lines[place]))
            rows += found
            places += [place] * len(found)
            begin = end
        kept += self._new(lines, at, ids, begin, len(at))
        self.formats[chat.NAME] += len(kept)
        read, self.strings = plain.named(ids), plain.strings
        if not rows and len(kept) == len(at):
            return read
        order = np.argsort([at[number] for number in kept] + places, kind="stable")
        numbers = np.array([*kept, *range(len(at), len(at) + len(rows))])[order]
        read, self.strings = _joined(read, to_batches(rows)), plain.strings + Strings.of(rows)
        self.strings = self.strings.take(pc.list_value_length(read[0]["messages"]).fill_null(0).to_pylist(), numbers)
        return _take(read, numbers)

    def _new(self, lines: Lines, at: list[int], ids: Ids, begin: int, end: int) -> list[int]:
        """The numbers of those plain rows from `begin` on and before `end` that are to be kept; `at`: their lines."""
        keys, contents = ids.keys[begin:end], ids.contents[begin:end]
        if self._met.take_in(keys, contents):
            return list(range(begin, end))
        kept = []
        for number, key, content in zip(range(begin, end), keys.tolist(), contents.tolist(), strict=True):
            line, name = lines[at[number]], ids.names[number].as_py()
            try:
                if not self._met.is_new(name, key, content):
                    self._add(line, "id_reused", "request_id", name, *REUSED)
                kept.append(number)
            except RowError as error:
                self._add(line, error.kind, error.field, error.value, ASIDE, error.fix)
        return kept

    def _rows(self, line: Line) -> Iterator[Row]:
        """The rows of a line by the full reader: one, several of a list of records, none where it was set aside."""
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
            part = Line(line.source, line.number, content, *digests_of([content]))
            if (row := self._row(part, each)) is not None:
                yield row

    def _row(self, line: Line, record: Any) -> Row | None:
        try:
            chosen, why = self._format_of(record)
            row = self._reader(chosen).read(record, self._zone)
            self._name(line, row, repeats=getattr(chosen, "REPEATS", False))
        except NotACallError as found:
            self.recognised.setdefault(chosen.NAME, Recognised(line.source, line.number, why))
            self._add(line, NOT_A_CALL + found.kind, "", found.why, "no row of its own", "nothing to do")
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
            self.recognised[chosen.NAME] = Recognised(line.source, line.number, why)
        self.formats[chosen.NAME] += 1
        return row

    def _note(self, line: Line, row: Row) -> None:
        if row.call_type == "chat" and (apart := row.usage.billed_apart) is not None:
            row.call_type = apart
            effect, fix = "not routed; it costs what the log says it did", "log each call's cost"
            row.notes.append(("billed_apart", "usage", row.usage.modality, effect, fix))
        for note in row.notes:
            self._add(line, *note)

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
            if self._sources is None and not alone(chosen):
                raise TogetherError(chosen.NAME)
            found = self._readers[chosen.NAME] = reader_of(chosen)
            if hasattr(found, "survey") and not self._surveyed:
                self._survey()
        return found

    def _survey(self) -> None:
        """The first pass over the whole log, made when the first record of a format that needs one is met."""
        self._surveyed = True
        lines = (content for source in self._sources or () for _, content in numbered_lines(source, ProblemLog()))
        for record in (record for content in lines for record in records_of(content)):
            found = self._found(record)[0]
            if found is not None and (survey := getattr(self._reader(found), "survey", None)) is not None:
                with suppress(RecursionError):  # a record nested too deep becomes a problem when it is read
                    survey(record)

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
        if row.request_id is None and repeats and (count := self._met.count(line.digest)):
            # Equal lines of a trace are different calls: the second is told from the first by its count.
            line = line._replace(digest=digests_of([line.digest + count.to_bytes(8)])[0])
        row.request_id = row.request_id or line.digest.hex()
        if not self._met.is_new(row.request_id, key_of(row.request_id), int.from_bytes(line.digest[:8])):
            row.notes.append(("id_reused", "request_id", row.request_id, *REUSED))

    def said(self) -> dict[str, str]:
        """Why each format was chosen, from its first record."""
        return {name: str(found) for name, found in self.recognised.items()}

    def accept(self, found: Apart, before: int) -> bool:
        """Take in lines that were read apart; False, and nothing done, where an id was met before or is there twice.

        Args:
            found: what that came to.
            before: how many lines of their file stand before them.
        """
        if not self._met.take_in(found.keys, found.contents):
            return False
        for name, first in found.recognised.items():
            if name not in self.recognised or (name in found.formats and name not in self.formats):
                self.recognised[name] = first._replace(line=first.line + before)
        self.formats.update(found.formats)
        for problem, original in found.problems.told:
            if self._tells(problem.kind, problem.source):
                self.problems.add(replace(problem, line=problem.line + before), original)
        for kind in found.problems.again.elements():
            self.problems.count(kind)
        return True

    def _tells(self, kind: str, source: str) -> bool:
        """Whether a problem of a kind is told: some are so once a file, and then counted, or forgotten."""
        passed_over = kind.startswith(NOT_A_CALL)
        if kind not in ONCE_A_FILE and not passed_over:
            return True
        if (kind, source) in self._noted:
            if passed_over:
                self.problems.count(kind)
            return False
        self._noted.add((kind, source))
        return True

    def _add(self, line: Line, kind: str, field: str, value: object, effect: str, fix: str) -> None:
        if self._tells(kind, line.source):
            said = (field, shown(value), effect, fix, kind)
            self.problems.add(Problem(line.source, line.number, *said, set_aside=effect is ASIDE), line.content)


def _joined(before: Columns, after: Columns) -> Columns:
    return pa.concat_batches([before[0], after[0]]), pa.concat_batches([before[1], after[1]])


def _take(columns: Columns, numbers: Any) -> Columns:
    at = pa.array(numbers, pa.int64())
    return columns[0].take(at), columns[1].take(at)
