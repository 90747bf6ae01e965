"""Where lines come from: a file of lines, of JSON or of a table, plain or packed, or standard input."""

from __future__ import annotations

import atexit
import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import IO, Protocol

from problems import BackrouteError, Problem, ProblemLog
from workloads.documents import TooLongError, is_document, split_values
from workloads.records import as_json
from workloads.remote import Place, Uri, buffered
from workloads.tables import TableError, csv_rows, is_table, parquet_rows
from workloads.unpacked import UNPACKERS, Unpacked

LONGEST_LINE = 32 * 2**20
BUFFER = 2**20
# A file's first bytes, and not its name, say how it is packed or that it holds no lines.
NO_LINES = (
    ((b"PK\x03\x04",), "a zip archive", "unpack it first"),
    ((b"\xff\xfe", b"\xfe\xff", b"{\x00", b"\x00{"), "UTF-16 text", "save it as UTF-8"),
    ((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle", "save it as Parquet where you trust it"),
    ((b"%PDF", b"SQLite format 3"), "binary data", "give JSON lines, plain or packed as .gz or .zst"),
)
PARQUET = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OBJECT_BEGINS = re.compile(rb'^\s*\{\s*"', re.MULTILINE)


Run = tuple[Sequence[int], list[bytes]]  # numbers of lines, from 1, and the lines without their ends


class Source(Protocol):
    """Numbered lines, to be read any number of times."""

    @property
    def name(self) -> str:
        """As the user named it."""

    def runs(self, problems: ProblemLog) -> Iterator[Run]:
        """The lines, some at a time and none of them empty; what cannot be read becomes a problem."""


def numbered_lines(source: Source, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
    """A source's lines one by one, each with its number."""
    for numbers, lines in source.runs(problems):
        yield from zip(numbers, lines, strict=True)


@dataclass(frozen=True)
class FileSource:
    """A file of lines; gzip and zstd are unpacked as they are read. What is not `lasting` goes with this process."""

    path: Place
    name: str
    lasting: bool = True

    def runs(self, problems: ProblemLog) -> Iterator[Run]:
        """See `Source.runs`: lines as they are, values of a JSON document, rows of a table as lines of JSON.

        A line above 32 MiB is set aside without being held in memory.
        """
        number, fault = 0, ""
        try:
            with buffered(self.path) as file:
                begins = file.peek(4)
                fresh = next((fresh for magic, fresh in UNPACKERS if begins.startswith(magic)), None)
                packed = Unpacked(file, fresh) if fresh else None
                stream = io.BufferedReader(packed, BUFFER) if packed else file
                head = stream.peek(BUFFER)
                if refused := no_lines(head[:4096], bool(packed)):
                    problems.add(self._problem(0, refused[0], "not_text", refused[1]))
                    return
                for numbers, lines in self._pieces(stream, head.removeprefix(BYTE_ORDER_MARK), problems):
                    number = numbers[-1]
                    if b"" in lines:
                        numbers = [each for each, line in zip(numbers, lines, strict=True) if line]
                        lines = [line for line in lines if line]
                    yield numbers, lines
                fault = packed.fault if packed else ""
        except TableError as error:
            number, fault = error.line - 1, error.said
        except OSError as error:
            fault = error.strerror or str(error)
        if fault:
            problems.add(broken(self.name, number + 1, fault))
        elif not number:
            said = (
                "",
                "no rows" if head.strip() else "no text",
                "nothing to read",
                "check that this is the file that was meant",
                "empty_file",
            )
            problems.add(Problem(self.name, 0, *said, set_aside=False))

    def _pieces(self, stream: IO[bytes], head: bytes, problems: ProblemLog) -> Iterator[Run]:
        """Numbered lines, values or rows; empty where one gives nothing."""
        if head.startswith(PARQUET):
            yield from (([number], [as_json(row)]) for number, row in parquet_rows(self.path))
        elif is_table(head.decode("utf-8", "replace"), self.name):
            yield from (([number], [as_json(row)]) for number, row in csv_rows(stream, self._bad_row(problems)))
        elif is_document(head):
            yield from self._values(stream, problems)
        else:
            yield from self._lines(stream, problems)

    def _bad_row(self, problems: ProblemLog) -> Callable[[TableError], None]:
        fix = "give each row the header's cells, and quote a cell that holds quotes or line ends"
        return lambda fault: problems.add(self._problem(fault.line, fault.said, "bad_row", fix))

    def _values(self, stream: IO[bytes], problems: ProblemLog) -> Iterator[Run]:
        number = 0
        try:
            for number, value in enumerate(split_values(stream), 1):
                yield [number], [value.removeprefix(BYTE_ORDER_MARK)]
        except TooLongError:
            fix = "give the records one a line"
            problems.add(self._problem(number + 1, "over 256 MiB", "value_too_long", fix))

    def _lines(self, stream: IO[bytes], problems: ProblemLog) -> Iterator[Run]:
        number, rest = 0, b""
        while piece := stream.read(BUFFER):
            lines = io.BytesIO(rest + piece).readlines()  # in half the time of `split`
            rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
            if lines:
                lines = stripped(lines, begins=number == 0)
                yield from self._runs(number + 1, lines, problems)
                number += len(lines)
            if len(rest) >= LONGEST_LINE:
                number += 1
                problems.add(too_long(self.name, number, len(rest) + _skip_line(stream)))
                yield [number], [b""]
                rest = b""
        if rest:
            yield [number + 1], stripped([rest], begins=number == 0)

    def _runs(self, first: int, lines: list[bytes], problems: ProblemLog) -> Iterator[Run]:
        if max(map(len, lines)) < LONGEST_LINE:
            yield range(first, first + len(lines)), lines
            return
        for number, line in enumerate(lines, first):
            if long := len(line) >= LONGEST_LINE:
                problems.add(too_long(self.name, number, len(line) + 1))
            yield [number], [b"" if long else line]

    def _problem(self, line: int, value: str, kind: str, fix: str) -> Problem:
        effect = "line set aside" if line else "file set aside"
        return Problem(self.name, line, "", value, effect, fix, kind)


def too_long(name: str, line: int, size: int) -> Problem:
    """A line of so many bytes, its end included, which is not held in memory."""
    fix = "keep lines under 32 MiB"
    return Problem(name, line, "", f"{size:,} bytes", "line set aside", fix, "line_too_long")


def broken(name: str, line: int, fault: str) -> Problem:
    """A file that can be read up to a line and no further."""
    fix = "the lines before were read, those after are missing: fetch or pack the file again"
    return Problem(name, line, "", fault, "line set aside", fix, "broken_file")


def open_source(source: str | Path | Uri) -> FileSource:
    """A file by its path or URI; `-` is standard input. What is no file is kept in a temporary one, to be read again.

    Raises:
        BackrouteError: no such file, a folder, or a file that cannot be opened.
    """
    name = str(source).encode("utf-8", "backslashreplace").decode()
    if isinstance(source, Uri):
        return FileSource(source, name)
    if name == "-":
        held = getattr(sys.stdin, "buffer", None)
        if held is None:
            raise BackrouteError("standard input", "nothing is connected to it", fix="give a file by its path")
        return FileSource(_spool(held), "standard input", lasting=False)
    path = Path(source)
    try:
        with path.open("rb") as file:
            # A pipe, such as a shell's <(zcat june.gz), can be read only once.
            return FileSource(path, name) if path.is_file() else FileSource(_spool(file), name, lasting=False)
    except FileNotFoundError as error:
        raise BackrouteError(name, "no such file", fix="check the path; `backroute demo` needs none") from error
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise BackrouteError(name[:200], f"cannot be opened ({said})", fix="give the path of a file") from error


def _spool(stream: IO[bytes]) -> Path:
    with tempfile.NamedTemporaryFile(prefix="backroute-", delete=False) as held:
        path = Path(held.name)
        atexit.register(path.unlink, missing_ok=True)
        while block := stream.read(BUFFER):
            held.write(block)
    return path


def stripped(lines: list[bytes], *, begins: bool) -> list[bytes]:
    """Lines without what ends them, empty where they are blank; the file's first without a mark."""
    if begins and lines:
        lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
    ended = list(map(bytes.rstrip, lines, repeat(b"\r\n")))
    return [b"" if line.isspace() else line for line in ended] if any(map(bytes.isspace, ended)) else ended


def _skip_line(stream: IO[bytes]) -> int:
    size = 0
    while rest := stream.readline(BUFFER):
        size += len(rest)
        if rest.endswith(b"\n"):
            break
    return size


def no_lines(head: bytes, packed: bool) -> tuple[str, str] | None:
    """What a file is that holds no lines of JSON, and what to do; null for one that may hold some."""
    if head.startswith(PARQUET):  # it is read from its end
        return ("a packed Parquet file", "unpack it first") if packed else None
    for magics, what, fix in NO_LINES:
        if head.startswith(magics):
            return what, fix
    # A crash leaves runs of zeros in a good log, so zeros alone condemn no file.
    return NO_LINES[-1][1:] if b"\x00" in head and not OBJECT_BEGINS.search(head) else None
