"""Progress is for people: shown on a terminal, nowhere else, and it changes nothing."""

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from backroute.progress import expected_rows, steps, watched
from router.semantic.train import train_tasks
from tests.simulator.conftest import call
from workloads import read_log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(call(n)) + "\n" for n in range(2000)))
    return path


def test_a_person_sees_how_many_requests_were_read_and_how_fast(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    read = read_log(log)
    with watched(read, [log]):
        batches = [requests for _ in range(2) for requests, _ in read.batches(rows=500)]
    assert sum(batch.num_rows for batch in batches) == 4000, "both readings go by as they are"
    assert "requests" in screen.getvalue()
    assert "batches" not in vars(read), "the log is left as it was"


def test_a_pipe_sees_nothing(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    read = read_log(log)
    with watched(read, [log]):
        assert sum(requests.num_rows for requests, _ in read.batches()) == 2000
    assert pipe.getvalue() == ""


def test_who_trains_a_model_sees_how_many_fits_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three strengths are tried on each of ten parts left out, and one fit is of everything."""
    rows = [(f"{word} number {n}", word, f"s{n}") for n in range(12) for word in ("refund", "parcel")]
    heard: list[tuple[int, int]] = []
    texts, labels, groups = map(list, zip(*rows, strict=True))
    train_tasks(texts, labels, groups, progress=lambda done, of: heard.append((done, of)))
    assert heard == [(done, 31) for done in range(1, 32)]
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with steps("learning", "fits") as told:
        assert told is not None
        told(3, 31)
    assert "3 of 31 fits" in screen.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with steps("learning", "fits") as told:
        assert told is None


def test_the_rows_of_a_file_are_guessed_from_its_start_plain_or_packed(log: Path, tmp_path: Path) -> None:
    assert expected_rows([log]) == 2000
    packed = tmp_path / "log.jsonl.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert expected_rows([packed]) == 2000
    assert expected_rows([log, packed]) == 4000
    assert expected_rows([tmp_path]) is None
    long = tmp_path / "long.jsonl"
    long.write_bytes(log.read_bytes() * 20)
    assert expected_rows([long]) == pytest.approx(40_000, rel=0.01)
