"""What is kept is bounded, and safe from processes that die or work at once."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pricing import PriceBook
from router import LLMRouter, RoutingRule, load_rules, mentions
from router.features import answer_column
from simulator import Scenario, replay
from simulator.stored import kept, made
from tests.simulator.conftest import call
from tests.simulator.stored.kept.logs import RULES, lines, reading, replayed, settled
from workloads import read_log, store


def test_only_so_many_made_columns_are_kept(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "MOST", 3)
    monkeypatch.setattr(made, "FILES", 4)
    for number in range(9):
        words = LLMRouter([RoutingRule("word", mentions(f"word {number}"), "openai", "gpt-4o"), RULES[2]])
        replayed(path, book, tmp_path / "out", words)
    files = sorted(reading(path).glob("all.made.*"))
    assert len(files) <= 4
    names = [name for file in files for name in pa.ipc.open_file(file).schema.names]
    assert len(names) <= 6
    assert names[-1] == f"when {answer_column(mentions('word 8'))}"


SCRIPT = """
import json, sys
from pathlib import Path
from pricing import PriceBook
from router import load_rules
from simulator import Scenario, replay
from simulator.stored import parts
from workloads import read_log, store
store.SMALLEST = 0
if sys.argv[3] == "die":
    write = parts.write_part
    def die(*given):
        write(*given)
        import os; os._exit(9)
    parts.write_part = die
book = PriceBook.load()
base = Scenario.always("openai/gpt-4o", book)
log = read_log(sys.argv[1])
replay(log, base)  # so that something is made of texts after they were read
after = replay(log, base, Scenario("case", load_rules("case"), book), out=Path(sys.argv[2]))[1]
print(json.dumps(after.summary))
"""


def started(path: Path, out: Path, how: str = "live") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(path), str(out), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


@pytest.mark.slow
def test_two_processes_that_build_at_once_are_both_right(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    both = [started(path, tmp_path / name) for name in ("one", "other")]
    codes, said = zip(*map(ended, both), strict=True)
    assert codes == (0, 0)
    assert said[0] == said[1] != ""
    readings = [each.parent for each in (path.parent / store.FOLDER).glob(f"*/{store.MANIFEST}")]
    assert all(list(each.glob("all.made.*.arrow")) for each in readings)  # written before Python ended
    unread()
    base, case = Scenario.always("openai/gpt-4o", book), Scenario("case", load_rules("case"), book)
    after = replay(read_log(path), base, case, out=tmp_path / "third")[1]
    assert json.loads(json.dumps(after.summary)) == json.loads(said[0])
    decisions = [(tmp_path / name / "decisions.parquet").read_bytes() for name in ("one", "other", "third")]
    assert decisions[0] == decisions[1] == decisions[2]


def test_what_a_killed_process_left_is_not_used_and_goes(path: Path, book: PriceBook, tmp_path: Path) -> None:
    assert ended(started(path, tmp_path / "dead", "die")) == (9, "")
    left = reading(path)
    assert list(left.iterdir())
    assert not (left / store.MANIFEST).exists()
    fresh = replayed(path, book, tmp_path / "first")
    assert left.exists()  # it may still be writing
    assert fresh == replayed(path, book, tmp_path / "again")
    long_ago = time.time() - 2 * store.LEFT_S
    for each in (*left.iterdir(), left):
        os.utime(each, (long_ago, long_ago))
    settled(path, [*lines(), json.dumps(call(99))])
    replayed(path, book, tmp_path / "changed")
    assert not left.exists()


def test_the_least_recently_used_goes_when_there_is_too_much(
    book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [settled(tmp_path / "logs" / f"{name}.jsonl", lines()) for name in ("a", "b", "c")]

    def of(log: Path) -> list[Path]:
        held = store.Store(read_log(log), [log], kept.version())
        return held._all()

    for log in logs[:2]:
        replayed(log, book, tmp_path / "out")
    size = sum(each.stat().st_size for each in of(logs[0])[0].iterdir())
    os.utime(of(logs[1])[0] / store.MANIFEST, (1, 1))
    replayed(logs[0], book, tmp_path / "out")  # used again
    monkeypatch.setattr(store, "MOST_BYTES", int(2.5 * size))
    replayed(logs[2], book, tmp_path / "out")
    assert [len(of(log)) for log in logs] == [1, 0, 1]
    monkeypatch.setattr(store, "MOST_BYTES", 1_000)
    replayed(logs[1], book, tmp_path / "out")
    assert not of(logs[1])


def test_a_file_that_a_killed_process_began_goes(path: Path, book: PriceBook, tmp_path: Path) -> None:
    replayed(path, book, tmp_path / "first")
    old, new = reading(path) / "all.made.000009.0.arrow.tmp", reading(path) / "all.made.000008.0.arrow.tmp"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (1, 1))
    replayed(path, book, tmp_path / "again")
    assert new.exists()  # it may still be written
    assert not old.exists()
