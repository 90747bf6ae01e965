"""What is made of texts is written together and found again by each batch, whatever is there of it."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from simulator.stored import made
from simulator.stored.made import Made
from simulator.stored.together import Together
from workloads.checked import DamagedError


def of_two(folder: Path) -> tuple[Made, Made, Together]:
    """What was made of a batch of three requests and of one of two."""
    names = [path.name for path in folder.glob("*.made.*")]
    both = [Made(folder, stem, [name for name in names if name.startswith(stem)]) for stem in ("000000", "000001")]
    return *both, Together(folder, both, [3, 2])  # type: ignore[return-value]


def test_what_each_batch_made_is_one_file_that_each_reads_its_rows_of(tmp_path: Path) -> None:
    first, second, all_of_them = of_two(tmp_path)
    first.put("when a", pa.array([True, None, False]))
    second.put("when a", pa.array([False, True]))
    all_of_them.save()
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("all.made.000000.")
    for one, other, _ in ((first, second, None), of_two(tmp_path)):
        assert one.get("when a").to_pylist() == [True, None, False]
        assert other.get("when a").to_pylist() == [False, True]


def test_counts_of_some_rows_of_some_batches_add_up_over_files(tmp_path: Path) -> None:
    alone = Made(tmp_path, "000000")
    alone.put("texts x", pa.array([7, None, None]))
    alone.save()
    first, second, all_of_them = of_two(tmp_path)
    assert second.numbers("texts x") is None
    second.put("texts x", pa.array([None, 5]))
    all_of_them.save()
    first.put("texts x", pa.array([7, 8, None]))
    all_of_them.save()
    first, second, _ = of_two(tmp_path)
    assert first.numbers("texts x").tolist() == [7, 8, -1]
    assert second.numbers("texts x").tolist() == [-1, 5]


def test_what_was_not_made_opens_no_file_once_it_is_known_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, all_of_them = of_two(tmp_path)
    for name in ("when a", "when b"):
        first.put(name, pa.array([True, True, False]))
        second.put(name, pa.array([True, False]))
        all_of_them.save()
    first, second, all_of_them = of_two(tmp_path)
    opened: list[str] = []
    get = made.get
    monkeypatch.setattr(made, "get", lambda folder, name: opened.append(name) or get(folder, name))
    assert first.get("when c") is second.get("when c") is None
    assert len(opened) == 2
    all_of_them.save()
    assert first.get("when d") is second.get("when d") is None
    assert len(opened) == 2
    assert second.get("when b").to_pylist() == [True, False]
    assert len(opened) == 4


def test_nothing_is_written_once_it_was_saved(tmp_path: Path) -> None:
    """Or a folder that its owner removes at once would be written into while it goes, and its removal fail."""
    for number in range(100):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        first, second, all_of_them = of_two(folder)
        first.put("when a", pa.array([True, True, False]))
        second.put("when a", pa.array([True, False]))
        all_of_them.save()
        assert [path.suffix for path in folder.iterdir()] == [".arrow"]
        shutil.rmtree(folder)


def test_what_cannot_be_written_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    first, second, all_of_them = of_two(folder)
    folder.rmdir()
    first.put("when a", pa.array([True, True, False]))
    second.put("when a", pa.array([True, False]))
    all_of_them.save()
    assert first.kept(("when", "a"), lambda: pa.array([True, True, False])).to_pylist() == [True, True, False]


def test_a_file_that_is_not_what_was_written_is_told(tmp_path: Path) -> None:
    alone = Made(tmp_path, "000000")
    alone.put("texts x", pa.array([7, None, None]))
    alone.save()
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"something else")
    with pytest.raises(DamagedError, match=file.name):
        Made(tmp_path, "000000", [file.name]).get("texts x")
    file.unlink()  # as when another process merged it
    assert Made(tmp_path, "000000", [file.name]).get("texts x") is None
