"""What is kept is used for the log, the code and the options it was made of, and for nothing else."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pricing import PriceBook
from simulator import prepared
from simulator.stored import kept
from tests.simulator.conftest import call
from tests.simulator.stored.kept.logs import lines, reading, replayed, settled
from workloads import Log, store


def test_a_log_that_changed_is_read_again_and_the_old_reading_goes(path: Path, book: PriceBook, tmp_path: Path) -> None:
    replayed(path, book, tmp_path / "first")
    before = reading(path)
    settled(path, [*lines(), json.dumps(call(99))])
    changed = replayed(path, book, tmp_path / "changed")
    assert json.loads(changed["summary"])["log"]["rows"] == 62
    assert reading(path) != before


def test_a_change_of_one_letter_that_hides_its_time_is_noticed(path: Path, book: PriceBook, tmp_path: Path) -> None:
    first = replayed(path, book, tmp_path / "first")
    was = path.stat()
    path.write_text(path.read_text("utf-8").replace("answer 7", "answer 8"), "utf-8")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (was.st_size, was.st_mtime_ns)
    again = replayed(path, book, tmp_path / "again")
    assert json.loads(again["summary"])["manifest"] != json.loads(first["summary"])["manifest"]


def test_a_log_that_changes_while_it_is_read_or_has_just_changed_is_not_kept(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()  # just now
    replayed(path, book, tmp_path / "fresh")
    assert not [each for each in (path.parent / store.FOLDER).iterdir() if each.is_dir()]
    settled(path, lines())
    rows = Log.batches

    def grown(log: Log, **options: Any) -> Iterator[Any]:
        yield from rows(log, **options)
        settled(path, [*lines(), json.dumps(call(99))])

    monkeypatch.setattr(Log, "batches", grown)
    replayed(path, book, tmp_path / "grown")
    assert not [each for each in (path.parent / store.FOLDER).iterdir() if each.is_dir()]


def test_other_code_or_libraries_read_anew(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed(path, book, tmp_path / "first")
    before = reading(path)
    monkeypatch.setattr(prepared, "version", lambda: "another")
    replayed(path, book, tmp_path / "again")
    assert reading(path) != before


def test_the_version_speaks_of_the_code_and_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    kept.version.cache_clear()
    first = kept.version()
    for name, other in (("installed_version", lambda _: "0"), ("PACKAGES", ("problems",))):
        with monkeypatch.context() as patch:
            patch.setattr(kept, name, other)
            kept.version.cache_clear()
            assert kept.version() != first
    kept.version.cache_clear()
    assert kept.version() == first


def test_other_options_of_reading_have_a_reading_of_their_own(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    first = replayed(path, book, tmp_path / "first")
    replayed(path, book, tmp_path / "berlin", timezone="Europe/Berlin")
    unread()
    assert first == replayed(path, book, tmp_path / "again")
    assert len(list((path.parent / store.FOLDER).glob("*/manifest.json"))) == 2


def test_a_price_changes_nothing_that_is_kept_but_a_name_does(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`nobody` is no model of the book; once a price file names one so, its calls are counted and priced."""
    replayed(path, book, tmp_path / "first")
    read: list[int] = []
    rows = Log.batches
    monkeypatch.setattr(Log, "batches", lambda *given, **options: read.append(1) or rows(*given, **options))
    prices = (
        "    prices:\n      - effective_from: 2020-01-01\n        source: https://example.com/prices\n"
        "        input_usd_per_mtok: 100\n        output_usd_per_mtok: 100\n"
    )
    dear, named = tmp_path / "dear.yaml", tmp_path / "named.yaml"
    dear.write_text("as_of: 2026-11-23\nmodels:\n  openai/gpt-4o:\n" + prices, "utf-8")
    named.write_text("as_of: 2026-11-23\nmodels:\n  house/own:\n    names: [nobody]\n" + prices, "utf-8")
    for file, times in ((dear, 0), (named, 1)):
        other = PriceBook.load([file])
        found = replayed(path, other, tmp_path / file.stem)
        assert len(read) == times
        assert found == replayed(path, other, tmp_path / f"{file.stem} anew", cache=False)
        replayed(path, book, tmp_path / "again")
        read.clear()
