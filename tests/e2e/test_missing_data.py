"""A log of which something is missing: every verb says so, and a replay's exit code too."""

import gzip
import json
from pathlib import Path

import pytest

from tests.command_line import backroute
from tests.simulator.conftest import call


def test_a_log_that_breaks_off_is_said_beside_the_answer(tmp_path: Path) -> None:
    packed = gzip.compress("\n".join(json.dumps(call(n)) for n in range(2_000)).encode())
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    said = backroute("replay", path, "--rules", "starter", "--out", tmp_path / "out")
    broken = "a file of the log breaks off, and what follows there is in none of these figures"
    assert said.exit_code == 3
    assert f"gate: {broken}; see problems.jsonl, or pass --allow-incomplete" in said.stderr
    assert "Missing" in said.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert broken.removeprefix("a ") in page
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["log"]["set_aside"] == {"not_json": 1, "broken_file": 1}, "the last line is cut, too"
    allowed = backroute("replay", path, "--rules", "starter", "--out", tmp_path / "out", "--allow-incomplete")
    assert allowed.exit_code == 0
    assert allowed.stdout == said.stdout


@pytest.mark.parametrize("verb", ["check", "sweep", "profile", "train", "inspect"])
def test_every_verb_that_reads_a_log_says_what_of_it_is_missing(verb: str, tmp_path: Path) -> None:
    rows = [call(n, prompt=f"{'refund' if n % 2 else 'parcel'} {n}", label=str(n % 2)) for n in range(3_000)]
    packed = gzip.compress("\n".join(["no json", *(json.dumps(row) for row in rows)]).encode())
    log = tmp_path / "log.jsonl.gz"
    log.write_bytes(packed[: len(packed) // 2])
    given = {
        "check": ["starter", log],
        "sweep": [log, "--rules", "starter", "--param", "simple_chat.length.below=5:20:5", "--out", tmp_path / "s"],
        "profile": [log, "--rules", "starter", "-o", tmp_path / "p.parquet"],
        "train": [log, "--label", "task", "-o", tmp_path / "t.npz"],
        "inspect": [log],
    }
    said = backroute(verb, *given[verb])
    assert said.exit_code == (3 if verb == "inspect" else 0), said.stderr
    assert "breaks off, and what follows there is missing" in said.stderr
    assert "not json" in said.stderr + said.stdout


def test_a_log_of_which_a_tenth_cannot_be_read_is_incomplete_but_copies_are_not_missed(tmp_path: Path) -> None:
    """Of 20 rows and 2 that are no JSON, 2 / 22 = 9.1% are lost; 10 copies and a heartbeat are not."""
    rows = [call(n) for n in (*range(20), *range(10))] + [{"event": "heartbeat"}]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = backroute("replay", path, "--rules", "starter", "--out", tmp_path / "out")
    assert whole.exit_code == 0
    assert "11 rows: 10 duplicate, 1 nothing to replay (listed in problems.jsonl)" in " ".join(whole.stdout.split())
    path.write_text(path.read_text() + "no json\n" * 2)
    said = backroute("replay", path, "--rules", "starter", "--out", tmp_path / "out")
    assert said.exit_code == 3
    assert "Missing 2 rows of the log could not be read" in " ".join(said.stdout.split())
    assert "gate: 2 rows of the log could not be read" in said.stderr
