"""What is damaged is not believed, and what cannot be written or is not wanted is not kept."""

import logging
import os
from pathlib import Path

import pytest

from pricing import PriceBook
from router import LLMRouter, RoutingRule, mentions
from tests.simulator.stored.kept.logs import RULES, lines, reading, replayed, settled
from workloads import store


def broken(file: Path, how: str) -> None:
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    elif how == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        file.write_bytes(b"")
    else:
        at = len(content) // 2
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


@pytest.mark.parametrize("how", ["gone", "cut", "empty", "a bit"])
@pytest.mark.parametrize("what", ["manifest", "columns", "texts", "made", "observed", "problems"])
def test_what_is_damaged_is_read_again_and_never_believed(
    what: str, how: str, path: Path, book: PriceBook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = LLMRouter([RoutingRule("answers", mentions("answer"), "openai", "gpt-4o"), RULES[2]])
    fresh = replayed(path, book, tmp_path / "fresh", words, cache=False)
    replayed(path, book, tmp_path / "first")
    files = [each for each in reading(path).iterdir() if what in each.name]
    assert files
    for file in files:
        broken(file, how)
    caplog.clear()
    assert replayed(path, book, tmp_path / "again", words) == fresh
    told = [each.message for each in caplog.records if "damaged or gone, and" in each.message]
    if how == "gone" and what in ("manifest", "made"):  # as before it is written, or once another process merged it
        assert not told
    else:
        assert len(told) == 1
        assert "what was kept of the log is damaged or gone, and the log is read again" in told[0]
    assert replayed(path, book, tmp_path / "mended", words) == fresh
    assert len(list((path.parent / store.FOLDER).glob(f"*/{store.MANIFEST}"))) == 1


def test_where_nothing_can_be_written_the_log_is_replayed_all_the_same(
    path: Path, book: PriceBook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = replayed(path, book, tmp_path / "fresh", cache=False)
    (path.parent / store.FOLDER).write_text("a file in the way", "utf-8")
    with caplog.at_level(logging.WARNING, "backroute"):
        assert replayed(path, book, tmp_path / "out") == fresh
    assert caplog.text.count("nothing of the log is kept") == 1


def test_without_room_nothing_is_kept(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = replayed(path, book, tmp_path / "fresh", cache=False)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: os.terminal_size((0, 0)) and type("", (), {"free": 0}))
    assert replayed(path, book, tmp_path / "out") == fresh
    assert "no room" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize(("mode", "kept_mode"), [(0o600, 0o700), (0o640, 0o750), (0o644, 0o755), (0o604, 0o705)])
def test_who_may_not_read_the_log_may_not_read_what_is_kept_of_it(
    mode: int, kept_mode: int, path: Path, book: PriceBook, tmp_path: Path
) -> None:
    path.chmod(mode)
    replayed(path, book, tmp_path / "out")
    assert reading(path).stat().st_mode & 0o777 == kept_mode
    assert (path.parent / store.FOLDER / ".gitignore").read_text("utf-8") == "*\n"


def test_no_cache_keeps_nothing_and_removes_what_was_kept(path: Path, book: PriceBook, tmp_path: Path) -> None:
    replayed(path, book, tmp_path / "first")
    assert reading(path)
    other = settled(path.parent / "other.jsonl", lines())
    replayed(other, book, tmp_path / "other")
    replayed(path, book, tmp_path / "again", cache=False)
    assert reading(other)
    replayed(other, book, tmp_path / "again", cache=False)
    assert not (path.parent / store.FOLDER).exists()
