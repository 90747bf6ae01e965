"""However many lines are read at a time, rows, ids and problems are the same and in the same order."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from problems import ProblemLog
from workloads import read_log

PLAIN = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "response": "Hello"}
LINES = [
    json.dumps(line)
    for line in (
        PLAIN,
        PLAIN | {"request_id": "a"},
        PLAIN | {"request_id": "a", "response": "Hello again"},
        PLAIN | {"id": "b", "timestamp": "2026-06-01T00:00:00Z", "metadata": {"n": 1}},
        PLAIN | {"request_id": "a", "tools": [{"type": "function"}]},  # for the full reader
        PLAIN | {"request_id": "c", "usage": {"prompt_tokens": -1}},  # set aside
        [PLAIN | {"request_id": "d"}, PLAIN | {"request_id": "e"}],  # two rows
        PLAIN | {"request_id": "f", "status": "odd"},  # kept, with a note
    )
] + ["", "no JSON"]


def read(path: Path, rows: int) -> tuple[list[Any], list[Any], str]:
    log, problems = read_log(path), ProblemLog()
    found = [
        requests.to_pylist() + outcomes.to_pylist() for requests, outcomes in log.batches(problems=problems, rows=1)
    ]
    if rows > 1:
        problems = ProblemLog()
        batches = list(log.batches(problems=problems, rows=rows))
        assert all(requests.num_rows <= rows for requests, _ in batches)
        found = [
            [requests.slice(n, 1).to_pylist()[0], outcomes.slice(n, 1).to_pylist()[0]]
            for requests, outcomes in batches
            for n in range(requests.num_rows)
        ]
    return found, problems.kept, log.digest


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_lines_read_together_are_read_as_one_by_one(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_text("\n".join(lines))
        one = read(path, 1)
        assert read(path, 3) == one
        assert read(path, 8192) == one
