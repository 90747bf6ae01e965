"""Columns in Parquet files whose names carry the CRC-32 of their bytes, so that none is read but as it was written."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

NOTHING = ""  # the name of a file of columns without a value, which is not written


class DamagedError(Exception):
    """What was kept is not what was written, or gone."""


def put(folder: Path, stem: str, columns: Mapping[str, Any], *, repeated: Sequence[str] = ()) -> str:
    """Write columns to a file, whole or not at all, those without a value left out; its name.

    Args:
        folder: of the file.
        stem: its name's beginning.
        columns: by name.
        repeated: columns whose values repeat, and so are stored once each.

    Raises:
        OSError: the folder cannot be written.
    """
    table = pa.table(dict(columns))
    table = table.select([name for name in table.column_names if table[name].null_count < table.num_rows])
    if not table.num_columns:
        return NOTHING
    sink = pa.BufferOutputStream()
    options = {"compression": "lz4", "use_dictionary": list(repeated), "write_statistics": False}
    with pq.ParquetWriter(sink, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=table.num_rows)
    data = sink.getvalue()
    name = f"{stem}.{zlib.crc32(data):08x}.parquet"
    beginning = folder / f"{name}.tmp"
    with beginning.open("wb") as file:
        file.write(data)
    beginning.replace(folder / name)
    return name


def get(folder: Path, name: str, columns: Sequence[str] | None = None) -> dict[str, pa.Array]:
    """Columns of a file by name, all of them or those of some that it has.

    Raises:
        DamagedError: its bytes are not those that were written, or gone.
    """
    if name == NOTHING:
        return {}
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise DamagedError(f"{folder / name}: {error.strerror}") from error
    if name.split(".")[-2] != f"{zlib.crc32(data):08x}":
        raise DamagedError(f"{folder / name} is not what was written")
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:  # by another version of Arrow, since the bytes are right
        raise DamagedError(f"{folder / name}: {error}") from error
    return {
        name: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
