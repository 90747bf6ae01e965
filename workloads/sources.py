"""Where lines come from: a file, plain or compressed, standard input, or records already in memory."""

from __future__ import annotations

import atexit
import io
import json
import re
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
import numpy as np
import zstandard

from problems import BackrouteError, Problem, ProblemLog
from workloads.documents import TooLong, is_document, split_values
from workloads.tables import TableFault, csv_rows, is_table, parquet_rows

LONGEST_LINE = 32 * 2**20
BUFFER = 2**20
# Small, because a packed byte can stand for 32,768 others: a kilobyte unpacks to 32 MiB at most.
PACKED_BLOCK = 2**10

# A file's first bytes, and not its name, say how it is packed or that it holds no lines.
UNPACKERS: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    (b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor().decompressobj()),
)
NO_LINES = (
    ((b"PK\x03\x04",), "a zip archive", "unpack it first"),
    ((b"\xff\xfe", b"\xfe\xff", b"{\x00", b"\x00{"), "UTF-16 text", "save it as UTF-8"),
    ((b"%PDF", b"SQLite format 3"), "binary data", "give JSON lines, plain or packed as .gz or .zst"),
)
PARQUET = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OBJECT_BEGINS = re.compile(rb'^\s*\{\s*"', re.MULTILINE)


class Source(Protocol):
    """Numbered lines, to be read any number of times."""

    @property
    def name(self) -> str:
        """As the user named it."""

    def lines(self, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        """Line number, from 1, and the line without its end; what cannot be read becomes a problem."""


@dataclass(frozen=True)
class FileSource:
    """A file of lines; gzip and zstd are unpacked as they are read."""

    path: Path
    name: str

    def lines(self, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        """See `Source.lines`: lines as they are; values of a JSON document and rows of a table as the lines they would be.

        A line above 32 MiB is set aside without being held in memory.
        """
        number, fault = 0, ""
        try:
            with io.BufferedReader(io.FileIO(self.path), BUFFER) as file:
                begins = file.peek(4)
                fresh = next((fresh for magic, fresh in UNPACKERS if begins.startswith(magic)), None)
                packed = Unpacked(file, fresh) if fresh else None
                stream = io.BufferedReader(packed, BUFFER) if packed else file
                head = stream.peek(BUFFER)
                if refused := _no_lines(head[:4096], bool(packed)):
                    problems.add(self._problem(0, refused[0], "not_text", refused[1]))
                    return
                for number, line in self._pieces(stream, head.removeprefix(BYTE_ORDER_MARK), problems):
                    if line:
                        yield number, line
                fault = packed.fault if packed else ""
        except TableFault as error:
            number, fault = error.line - 1, error.said
        except OSError as error:
            fault = error.strerror or str(error)
        if fault:
            fix = "the lines before were read, those after are missing: fetch or pack the file again"
            problems.add(self._problem(number + 1, fault, "broken_file", fix))
        elif not number:
            said = ("", "0 bytes", "nothing to read", "check that this is the file that was meant", "empty_file")
            problems.add(Problem(self.name, 0, *said, set_aside=False))

    def _pieces(self, stream: io.BufferedReader, head: bytes, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        """Numbered lines, values or rows; empty where one gives nothing."""
        if head.startswith(PARQUET):
            yield from ((number, as_json(row)) for number, row in parquet_rows(self.path))
        elif is_table(head.decode("utf-8", "replace"), self.name):
            yield from ((number, as_json(row)) for number, row in csv_rows(stream, self._bad_row(problems)))
        elif is_document(head):
            yield from self._values(stream, problems)
        else:
            yield from self._lines(stream, problems)

    def _bad_row(self, problems: ProblemLog) -> Callable[[TableFault], None]:
        fix = "give each row the header's cells, and quote a cell that holds quotes or line ends"
        return lambda fault: problems.add(self._problem(fault.line, fault.said, "bad_row", fix))

    def _values(self, stream: io.BufferedReader, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        number = 0
        try:
            for number, value in enumerate(split_values(stream), 1):
                yield number, value.removeprefix(BYTE_ORDER_MARK)
        except TooLong:
            fix = "give the records one a line"
            problems.add(self._problem(number + 1, "over 256 MiB", "value_too_long", fix))

    def _lines(self, stream: io.BufferedReader, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
                size = f"{len(line) + _skip_line(stream):,} bytes"
                problems.add(self._problem(number, size, "line_too_long", "keep lines under 32 MiB"))
                yield number, b""
            else:
                yield number, b"" if line.isspace() else line.rstrip(b"\r\n")

    def _problem(self, line: int, value: str, kind: str, fix: str) -> Problem:
        effect = "line set aside" if line else "file set aside"
        return Problem(self.name, line, "", value, effect, fix, kind)


class Unpacked(io.RawIOBase):
    """A packed file's bytes: all that can be unpacked are handed out, and then `fault` says what broke, if anything."""

    def __init__(self, packed: IO[bytes], fresh: Callable[[], Any]) -> None:
        self._packed, self._fresh, self._stream = packed, fresh, fresh()
        self._held = b""
        self.fault = ""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill some of `buffer`; 0 at the end of the file or of what can be read of it."""
        while not self._held and not self.fault and (block := self._block()):
            try:
                self._held = self._stream.decompress(block)
            except (zlib.error, zstandard.ZstdError) as error:
                self.fault = str(error)
        taken = self._held[: len(buffer)]
        buffer[: len(taken)] = taken
        self._held = self._held[len(taken) :]
        return len(taken)

    def _block(self) -> bytes:
        try:
            if not self._stream.eof:
                block = self._packed.read(PACKED_BLOCK)
                if not block:
                    self.fault = "it ends too early"
                return block
            # Packed files may follow one another, as `cat a.gz b.gz` writes them, and tapes pad them with zeros.
            block = self._stream.unused_data.lstrip(b"\x00")
            while not block and (more := self._packed.read(PACKED_BLOCK)):
                block = more.lstrip(b"\x00")
        except OSError as error:
            self.fault = error.strerror or str(error)
            return b""
        if block:
            self._stream = self._fresh()
        return bytes(block)


@dataclass(frozen=True)
class RecordSource:
    """Records already in memory, as a list of dicts or a DataFrame's rows."""

    records: list[Any]
    name: str = "records"

    def lines(self, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        """See `Source.lines`: each record as the JSON line it would be in a file."""
        for number, record in enumerate(self.records, 1):
            try:
                line = as_json(record)
            except (TypeError, ValueError, RecursionError) as error:
                said = ("", str(error), "row set aside", "give values that JSON can hold", "not_json")
                problems.add(Problem(self.name, number, *said))
                continue
            yield number, line


def as_json(record: object) -> bytes:
    """A record as the JSON line it would be in a file.

    Raises:
        TypeError, ValueError, RecursionError: a value that JSON cannot hold.
    """
    try:
        return msgspec.json.encode(record, enc_hook=_plain)
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, or a number above 64 bits: json writes both
        return json.dumps(record, default=_plain).encode()


def _plain(value: Any) -> Any:
    """A value that JSON lacks as one that it has: numpy's, pandas', times, the providers' own objects."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if type(value).__name__ in ("NaTType", "NAType"):  # pandas' own nulls
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is nothing that JSON can hold")


def open_source(source: str | Path) -> FileSource:
    """A file by its path; `-` is standard input. What is no plain file is kept in a temporary one, to be read again.

    Raises:
        BackrouteError: no such file, a folder, or a file that cannot be opened.
    """
    name = str(source).encode("utf-8", "backslashreplace").decode()
    if name == "-":
        held = getattr(sys.stdin, "buffer", None)
        if held is None:
            raise BackrouteError("standard input", "nothing is connected to it", fix="give a file by its path")
        return FileSource(_spool(held), "standard input")
    path = Path(source)
    try:
        with path.open("rb") as file:
            # A pipe, such as a shell's <(zcat june.gz), can be read only once.
            return FileSource(path if path.is_file() else _spool(file), name)
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


def _skip_line(stream: IO[bytes]) -> int:
    size = 0
    while rest := stream.readline(BUFFER):
        size += len(rest)
        if rest.endswith(b"\n"):
            break
    return size


def _no_lines(head: bytes, packed: bool) -> tuple[str, str] | None:
    """What a file is that holds no lines of JSON, and what to do; null for one that may hold some."""
    if head.startswith(PARQUET):  # it is read from its end
        return ("a packed Parquet file", "unpack it first") if packed else None
    for magics, what, fix in NO_LINES:
        if head.startswith(magics):
            return what, fix
    # A crash leaves runs of zeros in a good log, so zeros alone condemn no file.
    return NO_LINES[-1][1:] if b"\x00" in head and not OBJECT_BEGINS.search(head) else None


def as_records(source: Iterable[Any]) -> list[Any]:
    """A DataFrame's rows, or a list of mappings, as dicts; a missing DataFrame cell is left out.

    Raises:
        BackrouteError: neither of the two, or a DataFrame with two columns of one name.
    """
    pd = sys.modules.get("pandas")  # who holds a DataFrame has imported it
    if pd is not None and isinstance(source, pd.DataFrame):
        if not source.columns.is_unique:
            twice = sorted({str(name) for name in source.columns[source.columns.duplicated()]})
            raise BackrouteError("the DataFrame", f"two columns of one name ({', '.join(twice)})", fix="rename one")
        rows = source.to_dict(orient="records")
        return [{k: v for k, v in row.items() if not (pd.api.types.is_scalar(v) and pd.isna(v))} for row in rows]
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        what = f"not a log (a {type(source).__name__})"
        raise BackrouteError("read_log", what, fix="give a path, several paths, a DataFrame or a list of dicts")
    return list(source)
