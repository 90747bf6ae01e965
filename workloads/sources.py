"""Where lines come from: a file, plain or compressed, standard input, or records already in memory."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
import zstandard

from problems import BackrouteError, Problem, ProblemLog

LONGEST_LINE = 32 * 2**20
BINARY = (b"\x00", b"PAR1", b"PK\x03\x04", b"%PDF")


class Source(Protocol):
    """Numbered lines, to be read any number of times."""

    name: str

    def lines(self, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        """Line number, from 1, and the line without its end; what cannot be read becomes a problem."""


@dataclass(frozen=True)
class FileSource:
    """A file of lines; `.gz` and `.zst` are unpacked as they are read."""

    path: Path
    name: str

    def lines(self, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        """See `Source.lines`. A line above 32 MiB is set aside without being held in memory."""
        number = 0
        try:
            with self._open() as stream:
                if _is_binary(stream.peek(4096)[:4096]):
                    problems.add(self._problem(0, "binary data", "not_text", "give JSON lines, .gz or .zst of them"))
                    return
                while line := stream.readline(LONGEST_LINE):
                    number += 1
                    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                        size = len(line) + _skip_line(stream)
                        problems.add(self._problem(number, f"{size:,} bytes", "line_too_long", "keep lines under 32 MiB"))
                    elif not line.isspace():
                        yield number, line.rstrip(b"\r\n")
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            said = f"{type(error).__name__}: {error}"
            problems.add(self._problem(number + 1, said, "broken_file", "rows before this line were read; pack it again"))

    def _open(self) -> io.BufferedReader:
        suffix = self.path.suffix.lower()
        if suffix == ".gz":
            return io.BufferedReader(gzip.open(self.path, "rb"), 2**20)  # type: ignore[arg-type]
        if suffix == ".zst":
            raw = zstandard.ZstdDecompressor().stream_reader(self.path.open("rb"), read_across_frames=True)
            return io.BufferedReader(raw, 2**20)  # type: ignore[arg-type]
        return self.path.open("rb", buffering=2**20)

    def _problem(self, line: int, value: str, kind: str, fix: str) -> Problem:
        effect = "line set aside" if line else "file set aside"
        return Problem(self.name, line, "", value, effect, fix, kind)


@dataclass(frozen=True)
class RecordSource:
    """Records already in memory, as a list of dicts or a DataFrame's rows."""

    records: list[Any]
    name: str = "records"

    def lines(self, problems: ProblemLog) -> Iterator[tuple[int, bytes]]:
        """See `Source.lines`: each record as the JSON line it would be in a file."""
        for number, record in enumerate(self.records, 1):
            try:
                yield number, msgspec.json.encode(record, enc_hook=str)
            except UnicodeEncodeError:  # half a surrogate pair: json escapes it, and the reader mends it
                yield number, json.dumps(record, default=str).encode()
            except (TypeError, ValueError, RecursionError) as error:
                fix = "give values that JSON can hold"
                problems.add(Problem(self.name, number, "", str(error), "row set aside", fix, "not_json"))


def open_source(source: str | Path) -> FileSource:
    """A file by its path; `-` is standard input, kept in a temporary file so that it can be read again.

    Raises:
        BackrouteError: no such file, a folder, or a file that cannot be opened.
    """
    if str(source) == "-":
        return FileSource(_spool(sys.stdin.buffer), "standard input")
    path = Path(source)
    if not path.exists():
        raise BackrouteError(str(source), "no such file", fix="check the path; `backroute demo` needs none")
    if path.is_dir():
        raise BackrouteError(str(source), "this is a folder", fix="give the log files in it by name")
    try:
        path.open("rb").close()
    except OSError as error:
        raise BackrouteError(str(source), f"cannot be opened ({error.strerror})") from error
    return FileSource(path, str(source))


def _spool(stream: IO[bytes]) -> Path:
    # Magic bytes, not a name, say how standard input is packed.
    head = stream.read(4)
    suffix = ".gz" if head[:2] == b"\x1f\x8b" else ".zst" if head == b"\x28\xb5\x2f\xfd" else ".jsonl"
    with tempfile.NamedTemporaryFile(prefix="backroute-", suffix=suffix, delete=False) as held:
        held.write(head)
        while block := stream.read(2**20):
            held.write(block)
    return Path(held.name)


def _skip_line(stream: IO[bytes]) -> int:
    size = 0
    while rest := stream.readline(LONGEST_LINE):
        size += len(rest)
        if rest.endswith(b"\n"):
            break
    return size


def _is_binary(head: bytes) -> bool:
    return any(head.startswith(magic) for magic in BINARY[1:]) or BINARY[0] in head


def as_records(source: Iterable[Any]) -> list[Any]:
    """A DataFrame's rows, or a list of mappings, as dicts; a missing DataFrame cell is left out."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        rows = source.to_dict(orient="records")
        return [{k: v for k, v in row.items() if not (pd.api.types.is_scalar(v) and pd.isna(v))} for row in rows]
    return list(source)
