"""Folders and patterns."""

import gzip
from pathlib import Path

import pytest

from problems import BackrouteError
from tests.workloads.reading import read
from workloads import read_log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.jsonl").write_text('{"prompt": "one"}\n')
    (tmp_path / "b" / "c.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "two"}\n'))
    (tmp_path / "b" / "d.csv").write_text("prompt,model\nthree,gpt-4o\n")
    (tmp_path / "README.md").write_text("no log")
    (tmp_path / ".git" / "e.json").write_text("{}")
    return tmp_path


def test_a_folder_gives_its_logs_in_order_and_says_what_it_left(folder: Path) -> None:
    rows, problems = read(folder)
    assert [row["prompt"] for row in rows] == ["one", "two", "three"]
    [note] = problems.kept
    assert (note.kind, note.set_aside, note.source) == ("other_files", False, str(folder))
    assert note.value.endswith("README.md")


def test_a_pattern_gives_the_files_that_match(folder: Path) -> None:
    assert [row["prompt"] for row in read(f"{folder}/*.jsonl")[0]] == ["one"]
    assert [row["prompt"] for row in read(f"{folder}/**/*.jsonl*")[0]] == ["one", "two"]


def test_a_file_named_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "log[1].jsonl"
    path.write_text('{"prompt": "one"}\n')
    assert len(read(path)[0]) == 1


def test_a_folder_without_logs_and_a_pattern_without_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="no log in this folder"):
        read_log(tmp_path)
    with pytest.raises(BackrouteError, match="no file matches"):
        read_log(f"{tmp_path}/*.jsonl")
