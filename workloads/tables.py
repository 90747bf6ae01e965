"""Rows of tables as records: CSV with a header, and Parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from workloads.formats import recognise
from workloads.formats.cells import number
from workloads.formats.chat import CAPS, FLAT
from workloads.formats.envelope import LATENCY, TTFT
from workloads.remote import Place, Uri

DELIMITERS = ",\t;"
COLUMN = re.compile(r"[\w .:#%()/|\[\]-]{1,64}")
LONGEST_CELL = 32 * 2**20
LONGEST_HEADER = 2**16
# Columns that hold numbers under names of ours; all other cells stay texts.
NUMBERS = {*FLAT, *CAPS, *LATENCY, *TTFT, "latency_budget_ms"}
PARQUET_ROWS, PARQUET_BYTES = 1_024, 32 * 2**20  # held at once


class TableError(Exception):
    """A row, or the rest of a file, that cannot be read: what it says, and the line it is at (0: the file)."""

    def __init__(self, said: str, line: int) -> None:
        super().__init__(said)
        self.said, self.line = said, line


def is_table(head: str, name: str) -> bool:
    """Whether a text is a table: by its file's name, else by columns that a format knows."""
    first, _, second = head.lstrip().partition("\n")
    if first.startswith(("{", "[")):
        return False
    if Path(re.sub(r"\.(gz|zst)$", "", name.lower())).suffix in (".csv", ".tsv"):
        return True
    if len(first) > LONGEST_HEADER:
        return False
    columns = next(csv.reader([first], delimiter=_delimiter(first)), [])
    named = len(columns) > 1 and all(COLUMN.fullmatch(column) for column in columns)
    return named and bool(second.strip()) and recognise(dict.fromkeys(columns, "1"))[0] is not None


def csv_rows(stream: IO[bytes], fault: Callable[[TableError], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and rows; a row that cannot be read goes to `fault` and the next follows.

    Raises:
        TableError: the header cannot be read.
    """
    csv.field_size_limit(LONGEST_CELL)
    # Line by line with a limit, so that a file without an end of line is not held in memory.
    lines = (line.decode("utf-8", "replace") for line in iter(lambda: stream.readline(LONGEST_CELL), b""))
    first = next(lines, "").removeprefix("\ufeff")
    # Strict, so that a quote that nothing closes is told and does not swallow the rest of the file.
    rows = csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True)
    try:
        columns = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise TableError(f"the header: {error}", 1) from error
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            fault(TableError(str(error), rows.line_num))
            continue
        if cells is None:
            return
        if len(cells) > len(columns):
            fault(TableError(f"{len(cells)} cells under {len(columns)} columns", rows.line_num))
        elif any(cells):
            row = {name: cell for name, cell in zip(columns, cells, strict=False) if cell != ""}
            yield rows.line_num, {name: number(cell) if name in NUMBERS else cell for name, cell in row.items()}


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)


def parquet_file(path: Place) -> pq.ParquetFile:
    """A Parquet file, opened.

    Raises:
        OSError, pa.ArrowException, ValueError: it cannot be read or is broken.
    """
    return pq.ParquetFile(path.arrow() if isinstance(path, Uri) else path)


def parquet_rows(path: Place, groups: range | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row numbers, from 1, and rows, without their nulls; of all row groups or some.

    Raises:
        TableError: the file is broken.
    """
    row = 0
    try:
        with parquet_file(path) as file:
            for number in range(file.num_row_groups) if groups is None else groups:
                group = file.metadata.row_group(number)
                longest = group.total_byte_size // max(group.num_rows, 1)
                rows = max(1, min(PARQUET_ROWS, PARQUET_BYTES // max(longest, 1)))
                for batch in file.iter_batches(batch_size=rows, row_groups=[number]):
                    for cells in _rows(batch):
                        row += 1
                        yield row, {name: cell for name, cell in cells.items() if cell is not None}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(str(error).splitlines()[0][:200] if str(error) else "broken", row + 1) from error


def _rows(batch: pa.RecordBatch) -> Iterable[dict[str, Any]]:
    try:
        return batch.to_pylist()  # type: ignore[no-any-return]
    except (ValueError, OverflowError):  # one cell spoils it
        columns = list(zip(batch.schema.names, batch.columns, strict=True))
        return ({name: _cell(column[row]) for name, column in columns} for row in range(batch.num_rows))


def _cell(cell: pa.Scalar) -> Any:
    """A cell, or where Python has no such value what it holds in words, for the reader of its field to refuse."""
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return cell.as_buffer().to_pybytes().decode("utf-8", "replace") if hasattr(cell, "as_buffer") else "no UTF-8"
    except (ValueError, OverflowError):
        kind = cell.type
        return f"{cell.value} {getattr(kind, 'unit', kind)} since 1970" if pa.types.is_timestamp(kind) else f"no {kind}"
