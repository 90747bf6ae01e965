"""A file of lines, or Parquet, in blocks that processes read apart from each other, as if one had read them all.

Only lines that the fast reader knows can be read apart: a block with any other, or with an id met before, goes back to
the one `Reading` of the log, which reads it in its turn. So rows, ids, problems and digest are those of `Log.batches`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from workloads.decoding import decode
from workloads.documents import is_document
from workloads.formats import chat, recognise
from workloads.formats.plain import read_plain
from workloads.ids import Ids, digests_of
from workloads.records import as_json
from workloads.remote import Place
from workloads.rows import Strings
from workloads.sources import BYTE_ORDER_MARK, LONGEST_LINE, PARQUET, FileSource, no_lines, stripped
from workloads.tables import TableError, is_table, parquet_file, parquet_rows
from workloads.unpacked import UNPACKERS

BLOCK_BYTES = 16 * 2**20  # half of it takes 5% more of the cores and 60 MB less a process; twice as much saves nothing
HEAD = 2**20
LARGEST_GROUP = 64 * 2**20  # bytes unpacked; a Parquet file with a larger row group is read by one process


@dataclass(frozen=True)
class Block:
    """The lines of a file that begin from `start` on and before `end`, in bytes."""

    source: str
    path: Place
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start

    def lines(self) -> Iterator[bytes]:
        """Each line as `FileSource.runs` gives it, empty where it is blank."""
        with self.path.open("rb") as file:
            if self.start:
                file.seek(self.start - 1)
                file.readline()  # the line that began before, or the rest of its end
            held = file.read(max(self.end - file.tell(), 0))
            rest = file.readline() if held and not held.endswith(b"\n") else b""
        lines = io.BytesIO(held).readlines()
        if rest:
            lines[-1] += rest
        yield from stripped(lines, begins=self.start == 0)


@dataclass(frozen=True)
class RowGroups:
    """The row groups of a Parquet file from number `start` on and before `end`, of so many bytes unpacked."""

    source: str
    path: Place
    start: int
    end: int
    size: int

    def lines(self) -> Iterator[bytes]:
        """Each row as a line of JSON, as `FileSource.runs` gives it.

        Raises:
            TableError: the file is broken.
        """
        return (as_json(row) for _, row in parquet_rows(self.path, range(self.start, self.end)))


@dataclass(frozen=True)
class BlockIds:
    """What a block's rows are known by: their lines' hashes together, and a key of each id and of each line.

    Args:
        lines: how many, blank ones too.
        first: the number of the first that is not blank, and why it is a chat; None where it might be something else.
    """

    digests: bytes
    keys: np.ndarray[Any, np.dtype[np.uint64]]
    contents: np.ndarray[Any, np.dtype[np.uint64]]
    lines: int
    first: tuple[int, str] | None


def blocks_of(source: FileSource, size: int = BLOCK_BYTES) -> list[Block | RowGroups] | None:
    """A file's blocks; None where it is no plain file of lines, and no Parquet of row groups that memory holds."""
    try:
        with source.path.open("rb") as file:
            head = file.read(HEAD)
        length = source.path.stat().st_size
    except OSError:  # which the source will say
        return None
    if head.startswith(PARQUET):
        return _row_groups(source, size)
    plain = not any(head.startswith(magic) for magic, _ in UNPACKERS) and not no_lines(head[:4096], packed=False)
    text = head.removeprefix(BYTE_ORDER_MARK)
    if not plain or is_table(text.decode("utf-8", "replace"), source.name) or is_document(text):
        return None
    if not text.strip():  # what that means is for the source to say
        return None
    return [Block(source.name, source.path, at, min(at + size, length)) for at in range(0, length, size)]


def _row_groups(source: FileSource, size: int) -> list[Block | RowGroups] | None:
    try:
        with parquet_file(source.path) as file:
            sizes = [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]
    except (OSError, pa.ArrowException, ValueError):
        return None
    if max(sizes, default=LARGEST_GROUP + 1) > LARGEST_GROUP:
        return None
    found, start, held = list[Block | RowGroups](), 0, 0
    for number, more in enumerate(sizes, 1):
        held += more
        if held >= size or number == len(sizes):
            found.append(RowGroups(source.name, source.path, start, number, held))
            start, held = number, 0
    return found


def read_block(block: Block | RowGroups) -> tuple[pa.RecordBatch, pa.RecordBatch, BlockIds, Strings] | None:
    """The rows of a block, in columns as `Log.batches` has them, their ids, and their texts.

    None where the log's own reading has to look at one of its lines, or has to say that they cannot be read.
    """
    try:
        lines = list(block.lines())
    except (OSError, TableError):
        return None
    contents = list(filter(None, lines))
    if max(map(len, contents), default=0) >= LONGEST_LINE:
        return None
    plain = read_plain(contents)
    if len(plain.at) < len(contents):
        return None
    digests = digests_of(contents)
    ids = Ids.of(plain.requests["request_id"], digests)
    requests, outcomes = plain.named(ids)
    known = BlockIds(b"".join(digests), ids.keys, ids.contents, len(lines), _first(lines))
    return requests, outcomes, known, plain.strings


def _first(lines: list[bytes]) -> tuple[int, str] | None:
    number, line = next(((n, line) for n, line in enumerate(lines, 1) if line), (0, b"{}"))
    found, why = recognise(decode(line))
    return (number, why) if found is chat else None
