"""decisions.parquet: the same file for the same rows, however they come."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.decisions import GROUP, DecisionFile

NAMES = st.none() | st.sampled_from(["gpt-4o", "gpt-4o-mini", "claude", ""])


def written(path: Path, names: list[str | None], cuts: list[int]) -> bytes:
    """A file of a column of names, which come in batches, each with a dictionary of its own order."""
    column = pa.array(names, pa.string())
    schema = pa.schema([("model", pa.dictionary(pa.int32(), pa.string()))])
    ends = sorted({min(cut, len(names)) for cut in cuts} | {len(names)})
    with DecisionFile(path) as file:
        for number, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
            order = ["unused", *sorted({name for name in names if name is not None}, reverse=number % 2 == 0)]
            codes = pa.array([None if name is None else order.index(name) for name in names[first:end]], pa.int32())
            file.add(pa.table([pa.DictionaryArray.from_arrays(codes, pa.array(order))], schema))
    table = pq.read_table(path)
    assert table["model"].combine_chunks().equals(column), "strings, to whoever reads it"
    return path.read_bytes()


@given(names=st.lists(NAMES, max_size=60), cuts=st.lists(st.integers(0, 60), max_size=5))
def test_a_file_does_not_depend_on_the_batches_its_rows_came_in(
    names: list[str | None], cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("file")
    assert written(folder / "cut.parquet", names, cuts) == written(folder / "whole.parquet", names, [])


def test_rows_are_in_groups_of_one_size_whatever_they_come_in(tmp_path: Path) -> None:
    names: list[str | None] = ["gpt-4o", None, "claude"] * (GROUP // 2)
    assert written(tmp_path / "cut", names, [7, GROUP - 1, GROUP + 5]) == written(tmp_path / "whole", names, [])
    file = pq.ParquetFile(tmp_path / "cut")
    assert [file.metadata.row_group(number).num_rows for number in range(2)] == [GROUP, len(names) - GROUP]
