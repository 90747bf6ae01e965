"""CSV and Parquet files, and files that only look like tables."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.workloads.reading import buckets, read

CHAT = "id,model,prompt,response,prompt_tokens,completion_tokens,cost\n"


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_csv_of_calls_is_read_by_its_columns(tmp_path: Path) -> None:
    text = CHAT + 'a,gpt-4o,"Say ""hi"",\nplease",Hi,12,3,0.00006\nb,gpt-4o,5,007,4,1,\n'
    rows, problems = read(write(tmp_path / "log.csv", text))
    assert not problems.counts
    assert [row["prompt"] for row in rows] == ['Say "hi",\nplease', "5"]
    assert [row["completion"] for row in rows] == ["Hi", "007"]
    assert [buckets(row)[0] for row in rows] == [12, 4]
    assert rows[1]["recorded_usd"] is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["log.tsv", "log"])
def test_the_delimiter_is_seen_and_known_columns_need_no_name(delimiter: str, name: str, tmp_path: Path) -> None:
    text = (CHAT + "a,gpt-4o,Hi,Ho,12,3,0\n").replace(",", delimiter)
    rows, _ = read(write(tmp_path / name, "\ufeff" + text))
    assert [row["request_id"] for row in rows] == ["a"]


def test_a_row_with_too_many_cells_is_a_problem_and_its_neighbours_are_read(tmp_path: Path) -> None:
    rows, problems = read(write(tmp_path / "log.csv", "prompt,model\nHi,gpt-4o\na,b,c\n\nHo\n"))
    assert [row["prompt"] for row in rows] == ["Hi", "Ho"]
    assert [(problem.line, problem.kind) for problem in problems.kept] == [(3, "bad_row")]


def test_text_with_commas_is_no_table(tmp_path: Path) -> None:
    rows, problems = read(write(tmp_path / "log.txt", 'no json, at all\n{"prompt": "Hi"}\n'))
    assert ([row["prompt"] for row in rows], problems.counts) == (["Hi"], {"not_json": 1})


def test_a_cell_without_an_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.tables.LONGEST_CELL", 1_000)
    rows, problems = read(write(tmp_path / "log.csv", 'prompt,model\nHi,m\n"' + "x" * 5_000 + "\nHo,m\n"))
    assert rows[0]["prompt"] == "Hi"
    assert problems.counts["bad_row"] >= 1


def test_long_cells_are_read_in_smaller_batches_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sizes, batches = tmp_path / "log.parquet", [], pq.ParquetFile.iter_batches
    pd.DataFrame({"prompt": [f"{number:010000}" for number in range(50)]}).to_parquet(path, compression=None)
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda file, **kept: sizes.append(kept["batch_size"]) or batches(file, **kept)
    )
    whole, _ = read(path)
    monkeypatch.setattr("workloads.tables.PARQUET_BYTES", 50_000)
    assert read(path)[0] == whole
    assert sizes == [1_024, 4]


def test_a_quote_that_nothing_closes_is_a_problem_and_swallows_nothing_silently(tmp_path: Path) -> None:
    rows, problems = read(write(tmp_path / "log.csv", 'prompt,model\nHi,m\n"Ho,m\nHa,m\n'))
    assert [row["prompt"] for row in rows] == ["Hi"]
    assert problems.counts == {"bad_row": 1}
    assert "end of data" in problems.kept[0].value
    rows, problems = read(write(tmp_path / "head.csv", '"prompt,model\nHi,m\n'))
    assert (rows, problems.counts) == ([], {"broken_file": 1})
    assert "the header" in problems.kept[0].value


def test_a_header_alone_is_no_row(tmp_path: Path) -> None:
    _, problems = read(write(tmp_path / "log.csv", "prompt,model\n"))
    assert [(problem.kind, problem.value) for problem in problems.kept] == [("empty_file", "no rows")]


def test_parquet_is_read_with_its_types_and_without_its_nulls(tmp_path: Path) -> None:
    path = tmp_path / "log"
    frame = pd.DataFrame({"prompt": ["Hi", None], "usage": [{"input_tokens": 5, "output_tokens": 2}, None]})
    frame["timestamp"] = pd.Timestamp("2024-06-01", tz="UTC")
    frame.to_parquet(path)
    rows, problems = read(path)
    assert [(row["prompt"], buckets(row)[0]) for row in rows] == [("Hi", 5)]
    assert problems.counts == {"nothing_to_replay": 1}


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1\x15\x04PAR1", b"PAR1" + bytes(range(256)) * 8])
def test_a_broken_parquet_file_is_one_problem(data: bytes, tmp_path: Path) -> None:
    rows, problems = read(write(tmp_path / "log.parquet", data))
    assert (rows, problems.counts) == ([], {"broken_file": 1})


def test_a_time_that_no_calendar_holds_costs_its_own_row_and_no_other(tmp_path: Path) -> None:
    times = pa.array([1_750_000_000_000_000, 2**62, None], pa.int64()).cast(pa.timestamp("us", "UTC"))
    twice = ["x", "prompt", "model", "timestamp", "x"]  # a name that two columns have changes nothing in it
    text = pa.array(["a", "b", "c"])
    table = pa.Table.from_arrays([text, text, pa.array(["gpt-4o"] * 3), times, text], twice)
    pq.write_table(table, tmp_path / "log.parquet")
    rows, problems = read(tmp_path / "log.parquet")
    assert [row["prompt"] for row in rows] == ["a", "c"]
    assert [(each.line, each.kind) for each in problems.kept] == [(2, "bad_time")]
    assert problems.kept[0].value == "4611686018427387904 us since 1970"


def test_a_text_that_is_no_utf_8_is_read_as_one_of_csv_is(tmp_path: Path) -> None:
    binary = pa.array([b"caf\xe9", b"tea"], pa.binary())
    text = pa.StringArray.from_buffers(2, *binary.buffers()[1:])
    pq.write_table(pa.table({"prompt": text, "model": ["gpt-4o"] * 2}), tmp_path / "log.parquet")
    rows, _ = read(tmp_path / "log.parquet")
    assert [row["prompt"] for row in rows] == ["caf\ufffd", "tea"]
