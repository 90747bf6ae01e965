"""A file of lines, or Parquet, in blocks that processes read apart from each other, as if one had read them all.

A block with a record that others have a say in, or with an id met before, goes back to the one `Reading` of the log,
which reads it in its turn. So rows, ids, problems and digest are those of `Log.batches`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from problems import HeldProblems
from workloads.apart import Apart, TogetherError, Way
from workloads.documents import is_document
from workloads.ids import GatheredIds
from workloads.reading import Lines, Reading
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
    """The lines of a file that begin from `start` on and before `end`, in bytes, and how they are read."""

    source: str
    path: Place
    start: int
    end: int
    way: Way

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
    way: Way
    size: int

    def lines(self) -> Iterator[bytes]:
        """Each row as a line of JSON, as `FileSource.runs` gives it.

        Raises:
            TableError: the file is broken.
        """
        return (as_json(row) for _, row in parquet_rows(self.path, range(self.start, self.end)))


def blocks_of(source: FileSource, way: Way, size: int = BLOCK_BYTES) -> list[Block | RowGroups] | None:
    """A file's blocks; None where it is no plain file of lines, and no Parquet of row groups that memory holds."""
    try:
        with source.path.open("rb") as file:
            head = file.read(HEAD)
        length = source.path.stat().st_size
    except OSError:  # which the source will say
        return None
    if head.startswith(PARQUET):
        return _row_groups(source, way, size)
    plain = not any(head.startswith(magic) for magic, _ in UNPACKERS) and not no_lines(head[:4096], packed=False)
    text = head.removeprefix(BYTE_ORDER_MARK)
    if not plain or is_table(text.decode("utf-8", "replace"), source.name) or is_document(text):
        return None
    if not text.strip():  # what that means is for the source to say
        return None
    return [Block(source.name, source.path, at, min(at + size, length), way) for at in range(0, length, size)]


def _row_groups(source: FileSource, way: Way, size: int) -> list[Block | RowGroups] | None:
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
            found.append(RowGroups(source.name, source.path, start, number, way, held))
            start, held = number, 0
    return found


def read_block(block: Block | RowGroups) -> tuple[pa.RecordBatch, pa.RecordBatch, Apart, Strings | None] | None:
    """The rows of a block, in columns as `Log.batches` has them; what its log has to know of them; and their texts.

    None where the log's own reading has to look at one of its lines, or has to say that they cannot be read. The texts
    are None where no strings were made of them.
    """
    try:
        lines = list(block.lines())
    except (OSError, TableError):
        return None
    held = Lines(block.source, [number for number, line in enumerate(lines, 1) if line], list(filter(None, lines)))
    if max(map(len, held.contents), default=0) >= LONGEST_LINE:
        return None
    ids, problems = GatheredIds(), HeldProblems()
    reading = Reading(block.way, problems, None, ids)
    try:
        requests, outcomes = reading.batch(held)
    except TogetherError:
        return None
    digests = b"".join(held.digests)
    found = Apart(digests, *ids.all(), len(lines), reading.formats, reading.recognised, problems)
    return requests, outcomes, found, reading.strings
