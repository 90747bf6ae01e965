"""A log: any number of sources, read as often as wanted, in batches of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from problems import BackrouteError, HeldProblems, Problem, ProblemLog
from problems.problem import shown
from workloads.apart import Apart, Way
from workloads.blocks import Block, RowGroups, blocks_of
from workloads.folders import log_files
from workloads.formats import Format, format_named
from workloads.formats.mapping import load_mapping
from workloads.formats.times import read_time
from workloads.reading import Lines, Reading
from workloads.records import RecordSource, as_records
from workloads.rows import Columns, Row, RowError, Strings
from workloads.schema import OUTCOME, REQUEST
from workloads.sources import LONGEST_LINE, FileSource, Source, broken, open_source, too_long
from workloads.tables import TableError

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 16_384  # half as many take 6% more of a core, twice as many save nothing
BATCH_BYTES = 16 * 2**20  # of lines; what is made of them takes several times as much memory for a while

Batches = Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]


def read_log(
    source: str | Path | Sequence[Any] | pd.DataFrame,
    *,
    log_format: str | None = None,
    timezone: str = "UTC",
    start: str | datetime | None = None,
    mapping: str | Path | Mapping[str, str] | None = None,
    cache: bool = True,
) -> Log:
    """A log to replay; nothing is read until it is used.

    Args:
        source: a path (`-` for standard input; a folder; a pattern such as `logs/*.jsonl.gz`), a URI (a file, a prefix
            or a pattern: `s3://bucket/june/*.jsonl`), several of them, a DataFrame with a row per call, or a list of
            dicts. Files hold JSON lines, JSON, CSV or Parquet; gzip and zstd are unpacked.
        log_format: a name in `workloads.formats.FORMATS`; recognised record by record when left out.
        timezone: what times without a zone mean, for example "Europe/Berlin".
        start: when a trace whose clock starts at 0 began: an ISO time, in `timezone` where it names no zone.
        mapping: a mapping file, or its content: see `workloads.formats.mapping`.
        cache: whether a replay may keep what it read in a folder `.backroute` beside the log; if not, it also removes
            what was kept.

    Raises:
        BackrouteError: a file that is not there, an unknown format or time zone, a bad mapping or start.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        what = f"unknown time zone ({timezone!r})"
        raise BackrouteError("--timezone", what, fix="for example UTC or Europe/Berlin") from error
    if mapping is not None and log_format is not None:
        raise BackrouteError("--mapping", "given with --log-format", fix="a mapping is a format: leave one of them out")
    chosen = format_named(log_format) if log_format else load_mapping(mapping) if mapping is not None else None
    began = None if start is None else _start(start, zone)
    held = [source] if isinstance(source, str | Path) else as_records(source)
    if not held or not all(isinstance(part, str | Path) for part in held):
        return Log([RecordSource(held)], chosen, zone, began)
    sources, notes = list[Source](), list[Problem]()
    for part in held:
        files, others = log_files(part)
        sources += [open_source(file) for file in files]
        if others:
            named = ", ".join(str(other) for other in others)
            said = ("", shown(named), "not read", "name them to read them", "other_files")
            notes.append(Problem(str(part), 0, *said, set_aside=False))
    log = Log(sources, chosen, zone, began, notes)
    log.cache = cache
    return log


def _start(start: str | datetime, zone: tzinfo) -> int:
    said = start.isoformat() if isinstance(start, datetime) else start
    try:
        began = read_time("--start", said, zone, Row())
    except RowError:
        began = None
    if began is None:
        raise BackrouteError("--start", f"not a time ({said!r})", fix="for example 2024-06-01T00:00Z")
    return began


class Log:
    """What `read_log` returns. After `batches` has run to its end, `formats` and `digest` speak of what was read."""

    cache = True  # what is read may be kept beside the log: see `workloads.store`
    _given: tuple[pa.RecordBatch, Strings | None] | None = None  # the last batch's requests, and its texts

    def __init__(
        self,
        sources: Sequence[Source],
        log_format: Format | None,
        zone: tzinfo,
        start: int | None = None,
        notes: Sequence[Problem] = (),
    ) -> None:
        self._sources = sources
        self._way = Way(log_format, zone, start)
        self._notes = notes
        self.formats: Counter[str] = Counter()  # rows by format
        self.recognised: dict[str, str] = {}  # why a format was chosen, from its first record
        self.digest = ""

    @property
    def name(self) -> str:
        """The sources as the user named them."""
        return ", ".join(self.names())

    def batches(self, *, problems: ProblemLog | None = None, rows: int = BATCH_ROWS) -> Batches:
        """(requests, outcomes) in the columns of `workloads.REQUEST` and `workloads.OUTCOME`, row by row the same call.

        Args:
            problems: where rows that cannot be read go; forgotten when left out.
            rows: at most this many in a batch.
        """
        found = ProblemLog() if problems is None else problems
        reading = Reading(self._way, found, self._sources)
        for note in self._notes:
            found.add(note)
        digest = blake2b(digest_size=16)
        for source in self._sources:
            reading.next_file()
            for lines in _chunks(source, reading.problems, rows):
                digest.update(b"".join(lines.digests))
                requests, outcomes = reading.batch(lines)
                strings, reading.strings = reading.strings, None
                for at in range(0, requests.num_rows, rows):  # a line may hold several rows
                    part = requests.slice(at, rows)
                    self._given, strings = (part, strings if part.num_rows == requests.num_rows else None), None
                    try:
                        yield part, outcomes.slice(at, rows)
                    finally:
                        self._given = None
        self.formats, self.recognised, self.digest = reading.formats, reading.said(), digest.hexdigest()

    def strings(self, requests: pa.RecordBatch) -> Strings | None:
        """The texts of the batch that `batches` has just given, where they were made strings; they are forgotten."""
        given, self._given = self._given, None
        return given[1] if given is not None and given[0] is requests else None

    def stamp(self) -> object:
        """Changes when a file of the log does: the files' sizes, and times of their contents and of their inodes."""
        paths = [source.path for source in self._sources if isinstance(source, FileSource)]
        try:
            found = [path.stat() for path in paths]
        except OSError:  # gone since: not the log that was read
            return object()
        return [(held.st_size, held.st_mtime_ns, getattr(held, "st_ctime_ns", 0)) for held in found]

    def files(self) -> list[Path]:
        """The files on this machine that hold the log; none where a part of it lies elsewhere, or does not last."""
        lasting = [each.path for each in self._sources if isinstance(each, FileSource) and each.lasting]
        found = [path for path in lasting if isinstance(path, Path)]
        return found if len(found) == len(self._sources) else []

    def reading(self) -> list[Any]:
        """All that a reading of the files depends on besides what is in them, as JSON can hold it."""
        chosen, zone, start = self._way.log_format, self._way.zone, self._way.start
        named = chosen and [chosen.NAME, getattr(chosen, "fields", None)]
        return [named, str(zone), start, [str(note) for note in self._notes]]

    def names(self) -> list[str]:
        """The sources, each as the user named it."""
        return [source.name for source in self._sources]

    def blocks(self) -> list[Block | RowGroups] | None:
        """The log in blocks to be read apart from each other; None where one process has to read all: `blocks_of`."""
        found: list[Block | RowGroups] = []
        for source in self._sources:
            if not isinstance(source, FileSource) or (held := blocks_of(source, self._way)) is None:
                return None
            found += held
        return found or None

    def gathering(self, problems: ProblemLog) -> Gathering:
        """What puts `blocks` together again as `batches` would give them."""
        reading = Reading(self._way, problems, self._sources)
        for note in self._notes:
            problems.add(note)
        return Gathering(self, reading)

    @cached_property
    def problems(self) -> ProblemLog:
        """Everything set aside or noted, from a reading of the whole log."""
        found = ProblemLog()
        for _ in self.batches(problems=found):
            pass
        return found

    def requests(self) -> pd.DataFrame:
        """What was known when each request arrived, one row each; the whole log in memory."""
        return _frame([requests for requests, _ in self.batches()], REQUEST)

    def outcomes(self) -> pd.DataFrame:
        """What was known afterwards, in the order of `requests`."""
        return _frame([outcomes for _, outcomes in self.batches()], OUTCOME)

    def __repr__(self) -> str:
        return f"Log({self.name})"


class Gathering:
    """One reading of a log from its blocks, each in its turn: taken as another process read it, or read here."""

    def __init__(self, log: Log, reading: Reading) -> None:
        self._log, self._reading = log, reading
        self._digest = blake2b(digest_size=16)
        self._first: Block | RowGroups | None = None  # of the file that is read
        self._lines, self._broken = 0, False

    def take(self, block: Block | RowGroups, found: Apart) -> bool:
        """Take in a block's rows; False, and nothing done, where the block has to be read here."""
        self._begin(block)
        if self._broken or not self._reading.accept(found, self._lines):
            return False
        self._digest.update(found.digests)
        self._lines += found.lines
        return True

    def read(self, block: Block | RowGroups) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Read a block here; nothing of what follows in a file that is broken."""
        self._begin(block)
        read, numbers, contents = list[Columns](), list[int](), list[bytes]()

        def take() -> None:
            lines = Lines(block.source, numbers.copy(), contents.copy())
            self._digest.update(b"".join(lines.digests))
            read.append(self._reading.batch(lines))
            self._reading.strings = None  # nobody counts them here
            numbers.clear()
            contents.clear()

        try:
            for content in block.lines() if not self._broken else ():
                self._lines += 1
                if len(content) >= LONGEST_LINE:
                    take()  # what was wrong before is told before
                    self._reading.problems.add(too_long(block.source, self._lines, len(content) + 1))
                elif content:
                    numbers.append(self._lines)
                    contents.append(content)
        except (OSError, TableError) as error:
            take()
            self._broken = True
            said = error.said if isinstance(error, TableError) else error.strerror or str(error)
            self._reading.problems.add(broken(block.source, self._lines + 1, said))
        take()
        return pa.concat_batches([each for each, _ in read]), pa.concat_batches([each for _, each in read])

    def _begin(self, block: Block | RowGroups) -> None:
        if block.start == 0 and block is not self._first:
            self._reading.next_file()
            self._first, self._lines, self._broken = block, 0, False

    def end(self) -> None:
        """Tell the log what was read."""
        reading = self._reading
        self._log.formats, self._log.recognised = reading.formats, reading.said()
        self._log.digest = self._digest.hexdigest()


def _chunks(source: Source, problems: ProblemLog, rows: int) -> Iterator[Lines]:
    """A source's lines, so many at a time that a batch comes to `rows` and no more bytes than it may."""
    numbers, contents, size, early = list[int](), list[bytes](), 0, HeldProblems()
    for more, lines in source.runs(early):
        if early:
            if numbers:
                yield Lines(source.name, numbers, contents)
                numbers, contents, size = [], [], 0
            early.tell(problems)
        numbers += more
        contents += lines
        size += sum(map(len, lines))
        while numbers and (len(numbers) >= rows or size >= BATCH_BYTES):
            yield Lines(source.name, numbers[:rows], contents[:rows])
            size -= sum(map(len, contents[:rows]))
            numbers, contents = numbers[rows:], contents[rows:]
    if numbers:
        yield Lines(source.name, numbers, contents)
    early.tell(problems)


def _frame(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pd.DataFrame:
    frame: pd.DataFrame = pa.Table.from_batches(batches, schema=schema).to_pandas()
    return frame
