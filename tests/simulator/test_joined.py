"""Parquet files joined byte for byte are the file that one writer writes of all their rows."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from simulator.joined import JoinedFile

VALUE = {"name": st.none() | st.text(max_size=5), "usd": st.none() | st.integers(-(2**63), 2**63 - 1), "x": st.floats()}
ROWS = st.lists(st.fixed_dictionaries(VALUE), min_size=1, max_size=9)
SCHEMA = pa.schema([("name", pa.string()), ("usd", pa.int64()), ("x", pa.float64())])


def joined(groups: list[pa.Table], **options: Any) -> bytes:
    whole = io.BytesIO()
    file = JoinedFile(whole)
    for group in groups:
        one = io.BytesIO()
        pq.write_table(group, one, **options)
        file.add(one.getvalue())
    file.close()
    return whole.getvalue()


def by_one_writer(groups: list[pa.Table], **options: Any) -> bytes:
    whole = io.BytesIO()
    with pq.ParquetWriter(whole, groups[0].schema, **options) as writer:
        for group in groups:
            writer.write_table(group)
    return whole.getvalue()


@given(st.lists(ROWS, min_size=1, max_size=20), st.booleans(), st.sampled_from(["zstd", "none"]))
def test_joined_files_are_what_one_writer_writes(rows: list[list[Any]], names: bool, compression: str) -> None:
    """With names of strings, whose pages a dictionary's precede, and without; more than 15 groups are counted apart."""
    groups = [pa.Table.from_pylist(each, SCHEMA) for each in rows]
    options = {"use_dictionary": names, "compression": compression, "store_schema": False, "write_page_checksum": True}
    assert joined(groups, **options) == by_one_writer(groups, **options)


def test_indexes_of_pages_are_found_where_they_have_moved_to() -> None:
    groups = [pa.table({"usd": range(n, n + 1_000)}) for n in range(0, 20_000, 1_000)]
    file = pq.ParquetFile(io.BytesIO(joined(groups, write_page_index=True)))
    assert file.metadata.row_group(19).column(0).has_offset_index
    assert file.read().equals(pa.concat_tables(groups))


def test_a_file_of_several_groups_is_joined_with_all_of_them() -> None:
    table = pa.table({"usd": range(100)})
    file = pq.ParquetFile(io.BytesIO(joined([table, table], row_group_size=30)))
    assert file.num_row_groups == 8
    assert file.read().equals(pa.concat_tables([table, table]))
