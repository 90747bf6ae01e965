"""Parquet files that backroute wrote, read again: what is damaged, or is not what was written, is told by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from problems import BackrouteError

DAMAGED = (OSError, pa.ArrowException, UnicodeDecodeError)  # whatever a reader of Parquet says of other bytes


@contextmanager
def told(path: Path, fix: str) -> Iterator[None]:
    """Tell of a file whose bytes are not Parquet's.

    Raises:
        BackrouteError: with `fix`.
    """
    try:
        yield
    except DAMAGED as error:
        said = str(error).partition("\n")[0] or type(error).__name__
        raise BackrouteError(str(path), f"damaged, or no Parquet file ({said})", fix=fix) from error


def checked_batches(
    path: Path,
    wanted: Callable[[pa.Schema], pa.Schema],
    fix: str,
    *,
    never_null: tuple[str, ...],
    columns: list[str] | None = None,
    rows: int = 2**16,
) -> Iterator[pa.RecordBatch]:
    """The batches of a file that is what was written: its columns are there, and no number is below 0.

    Args:
        path: the file.
        wanted: from the columns that it has to those that were written; others may be there besides.
        fix: what to do where it is not.
        never_null: columns that hold a value in every row.
        columns: those to read; all where left out.
        rows: at most, in a batch.

    Raises:
        BackrouteError: it is not.
    """
    with told(path, fix):
        file = pq.ParquetFile(path)
        found = file.schema_arrow
        if fault := _fault_of_columns(found, wanted(found)):
            raise BackrouteError(str(path), fault, fix=fix)
        batches = file.iter_batches(batch_size=rows, columns=columns)
    while True:
        with told(path, fix):
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
        if fault := _fault_of_values(batch, never_null):
            raise BackrouteError(str(path), fault, fix=fix)
        yield batch


def _fault_of_columns(found: pa.Schema, wanted: pa.Schema) -> str:
    twice = next((name for name in found.names if found.names.count(name) > 1), None)
    if twice is not None:
        return f"two columns of one name ({twice!r})"
    for each in wanted:
        if each.name not in found.names:
            return f"a column is missing ({each.name!r})"
        if (held := found.field(each.name).type) != each.type:
            return f"column {each.name!r} is of another type ({held})"
    return ""


def _fault_of_values(batch: pa.RecordBatch, never_null: tuple[str, ...]) -> str:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if numbers and (least := pc.min(column).as_py()) is not None and least < 0:
            return f"column {name!r} has a value below 0 ({least})"
        if name in never_null and column.null_count:
            return f"column {name!r} lacks a value in {column.null_count:,} rows"
    return ""
