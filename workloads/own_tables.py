"""Parquet files that backroute wrote, read again: what is damaged, or is not what was written, is told by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from problems import BackrouteError
from workloads.counts import MOST_CAP, MOST_TOKENS, MOST_USD
from workloads.formats.envelope import MOST_MS
from workloads.formats.times import FIRST_YEAR, LAST_YEAR
from workloads.schema import BUCKETS

# The largest that the readers of logs let through, by column.
LARGEST: Mapping[str, float] = dict.fromkeys(BUCKETS, MOST_TOKENS) | {
    **dict.fromkeys(("latency_ms", "ttft_ms", "latency_budget_ms"), MOST_MS),
    "max_output_tokens": MOST_CAP,
    "recorded_usd": MOST_USD,
}
MOST_COUNTED = 2**31  # tokens of a text, and bytes of the longest that a column holds
TIMES = tuple(datetime(year, 1, 1, tzinfo=UTC) for year in (FIRST_YEAR, LAST_YEAR))

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
    largest: Mapping[str, float] = LARGEST,
    columns: list[str] | None = None,
    rows: int = 2**16,
) -> Iterator[pa.RecordBatch]:
    """The batches of a file that is what was written: its columns are there, and hold what a log may.

    Times lie in the years that logs may be of, and numbers between 0 and the largest, so that no sum overflows.

    Args:
        path: the file.
        wanted: from the columns that it has to those that were written; others may be there besides.
        fix: what to do where it is not.
        never_null: columns that hold a value in every row.
        largest: by column, or by "column.field" within one; others hold what their type does.
        columns: those to read; all where left out.
        rows: at most, in a batch.

    Raises:
        BackrouteError: it is not.
    """
    with told(path, fix):
        file = pq.ParquetFile(path, page_checksum_verification=True)
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
        if fault := _fault_of_values(batch, never_null, largest):
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


def _fault_of_values(batch: pa.RecordBatch, never_null: tuple[str, ...], largest: Mapping[str, float]) -> str:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in never_null and column.null_count:
            return f"column {name!r} lacks a value in {column.null_count:,} rows"
        for inner, values in _leaves(name, column):
            if fault := _fault_of_range(values, largest.get(inner, largest.get(name, math.inf))):
                return f"column {inner!r} has {fault}"
    return ""


def _leaves(name: str, column: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """A column, or what its lists and structs hold."""
    if pa.types.is_list(column.type):
        yield from _leaves(name, column.flatten())
    elif pa.types.is_struct(column.type):
        for part, values in zip(column.type, column.flatten(), strict=True):
            yield from _leaves(f"{name}.{part.name}", values)
    else:
        yield name, column


def _fault_of_range(values: pa.Array, largest: float) -> str:
    if pa.types.is_timestamp(values.type):
        first, end = (pa.scalar(when, values.type) for when in TIMES)
        outside = pc.or_(pc.less(values, first), pc.greater_equal(values, end))
        odd = values.cast(pa.int64()).filter(outside)  # numbers, which may be of no date at all
        years = f"{FIRST_YEAR} to {LAST_YEAR - 1}"
        return f"a time outside {years} ({odd[0]} {values.type.unit} since 1970)" if len(odd) else ""
    if pa.types.is_floating(values.type) and pc.any(pc.invert(pc.is_finite(values))).as_py():
        return "a value that is no number (NaN or infinite)"
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        least, most = pc.min_max(values).values()
        if least.is_valid and least.as_py() < 0:
            return f"a value below 0 ({least})"
        if most.is_valid and most.as_py() > largest:
            return f"a value above {largest:,.0f} ({most})"
    return ""
