import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from problems import BackrouteError, ProblemLog
from workloads import OUTCOME, REQUEST, Log, read_log
from workloads.sources import FileSource


def rows(log: Log) -> int:
    return sum(requests.num_rows for requests, _ in log.batches())


def columns(log: Log, name: str) -> list[Any]:
    return [value for requests, _ in log.batches() for value in requests[name].to_pylist()]


def written(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_batches_have_the_columns_of_the_contract() -> None:
    [(requests, outcomes)] = read_log([{"prompt": "Hi"}, {"prompt_tokens": 5, "completion_tokens": 1}]).batches()
    assert requests.schema.equals(REQUEST)
    assert outcomes.schema.equals(OUTCOME)
    requests.validate(full=True)
    outcomes.validate(full=True)
    assert requests["messages"].to_pylist() == [[{"role": "user", "name": None, "text": "Hi"}], None]


def test_a_request_goes_by_its_logged_id_else_by_the_hash_of_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", {"id": "a", "prompt": "Hi"}, {"prompt": "Hi"}, {"id": "", "prompt": "Hi"})
    first, second, third = columns(read_log(path), "request_id")
    assert first == "a"
    assert (len(second), len(third)) == (32, 32)
    assert second != third
    assert columns(read_log(path), "request_id") == [first, second, third]


def test_the_same_line_again_is_a_duplicate_and_the_same_id_with_another_line_is_kept_and_noted() -> None:
    one, other = {"id": "a", "prompt": "Hi"}, {"id": "a", "prompt": "Ho"}
    log = read_log([one, other, one, other, {"id": "b", "prompt": "Hi"}])
    assert columns(log, "request_id") == ["a", "a", "b"]
    said = [(problem.line, problem.kind, problem.set_aside) for problem in log.problems.kept]
    assert said == [(2, "id_reused", False), (3, "duplicate", True), (4, "duplicate", True)]


def test_a_log_is_read_twice_only_where_a_format_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened, runs = tmp_path / "a.jsonl", [], FileSource.runs
    monkeypatch.setattr(FileSource, "runs", lambda self, problems: opened.append(self.name) or runs(self, problems))
    for record, times in (({"prompt": "Hi"}, 1), ({"custom_id": "a", "body": {"messages": []}}, 2)):
        opened.clear()
        rows(read_log(written(path, {"prompt": "Ho"}, record)))
        assert len(opened) == times


def test_duplicates_are_found_from_file_to_file(tmp_path: Path) -> None:
    a = written(tmp_path / "a.jsonl", {"prompt": "Hi"})
    b = written(tmp_path / "b.jsonl", {"prompt": "Hi"}, {"prompt": "Ho"})
    log = read_log([a, str(b)])
    assert columns(log, "prompt") == ["Hi", "Ho"]
    assert [(problem.source, problem.line) for problem in log.problems.kept] == [(str(b), 1)]
    assert log.name == f"{a}, {b}"


def test_formats_are_recognised_record_by_record_with_a_reason() -> None:
    pair = {"request": {"model": "m", "messages": []}, "response": {"choices": []}}
    log = read_log([{"prompt": "Hi"}, pair, {"tokens_in": 5}])
    assert rows(log) == 3
    assert log.formats == {"chat JSONL": 2, "request+response pairs": 1}
    assert log.recognised["chat JSONL"] == "records:1: it has `prompt`"
    assert log.recognised["request+response pairs"] == "records:2: it has `request` and `response`"


def test_rows_set_aside_count_for_no_format() -> None:
    log = read_log([{"prompt": "Hi", "cost": -1}, {"prompt": "Ho"}, {"prompt": "Ho"}])
    assert rows(log) == 1
    assert log.formats == {"chat JSONL": 1}


def test_a_format_asked_for_reads_what_is_in_it_and_refuses_the_rest() -> None:
    pair = {"request": {"messages": [{"role": "user", "content": "Hi"}]}, "response": None, "prompt": "other"}
    assert columns(read_log([pair]), "prompt") == ["Hi"]
    assert columns(read_log([pair], log_format="chat"), "prompt") == ["other"]
    log = read_log([{"prompt": "Hi"}], log_format="pairs")
    assert rows(log) == 0
    assert [problem.kind for problem in log.problems.kept] == ["not_in_format"]


def test_an_unknown_format_is_told_the_nearest() -> None:
    with pytest.raises(BackrouteError, match="no log format 'pair'; did you mean 'pairs'"):
        read_log([], log_format="pair")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc", "Europe/Berlin\x00", "/etc/passwd"])
def test_an_unknown_time_zone_is_an_error(zone: str) -> None:
    with pytest.raises(BackrouteError, match="unknown time zone"):
        read_log([], timezone=zone)


@pytest.mark.parametrize("source", [None, 5, {"prompt": "Hi"}, b"a.jsonl"])
def test_what_is_no_log_is_an_error(source: Any) -> None:
    with pytest.raises(BackrouteError, match="give a path, several paths, a DataFrame or a list of dicts"):
        read_log(source)


def test_a_log_can_be_read_again_with_the_same_outcome() -> None:
    log = read_log([{"prompt": "Hi"}, {"cost": 5}, {"prompt": "Hi"}])
    first, second = ProblemLog(), ProblemLog()
    assert [batch.to_pylist() for pair in log.batches(problems=first) for batch in pair] == [
        batch.to_pylist() for pair in log.batches(problems=second) for batch in pair
    ]
    assert first == second
    assert (log.problems.kept, log.problems.set_aside) == (first.kept, 2)


def test_the_digest_is_of_the_lines_whatever_holds_them(tmp_path: Path) -> None:
    lines = [{"prompt": "Hi"}, {"prompt": "Ho"}]
    digests = []
    for log in (
        read_log(written(tmp_path / "a.jsonl", *lines)),
        read_log([written(tmp_path / "b.jsonl", lines[0]), written(tmp_path / "c.jsonl", lines[1])]),
        read_log(written(tmp_path / "d.jsonl", *lines[::-1])),
    ):
        rows(log)
        digests.append(log.digest)
    assert digests[0] == digests[1] != digests[2]


def test_frames_hold_one_row_a_call() -> None:
    log = read_log([{"prompt": "Hi", "usage": {"prompt_tokens": 5, "completion_tokens": 1}}, {"prompt": "Ho"}])
    assert list(log.requests()["prompt"]) == ["Hi", "Ho"]
    assert log.outcomes()["input_uncached"].isna().tolist() == [False, True]
    assert list(read_log([]).requests().columns) == REQUEST.names
    assert repr(log) == "Log(records)"


def test_batches_end_at_their_rows_and_at_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    log = read_log([{"prompt": str(number)} for number in range(7)])
    assert [requests.num_rows for requests, _ in log.batches(rows=3)] == [3, 3, 1]
    monkeypatch.setattr("workloads.log.BATCH_BYTES", 20)
    assert [requests.num_rows for requests, _ in log.batches()] == [2, 2, 2, 1]


def test_a_data_frame_is_read_by_its_rows_without_its_gaps() -> None:
    times = pd.Series(["2026-06-01T12:00:00.1234567", None, "2026-06-02T00:00:00.5"])
    frame = pd.DataFrame(
        {
            "prompt": ["Hi", "Ho", "Hu"],
            "user_id": [7, None, 9],
            "timestamp": pd.to_datetime(times).dt.tz_localize("Europe/Berlin"),
            "prompt_tokens": [100.0, np.nan, 3.0],
            "completion_tokens": pd.array([20, None, 4], "Int64"),
            "cost": [0.5, np.nan, 0.25],
            "metadata": [{"complex": np.bool_(True), "n": np.int64(3), "gap": np.nan}, None, "{}"],
            "label": pd.Categorical(["a", None, "b"]),
        }
    )
    log = read_log(frame)
    requests, outcomes = log.requests(), log.outcomes()
    assert not log.problems
    assert requests["user_id"].tolist()[::2] == ["7", "9"]
    assert str(requests["arrived_at"][0]) == "2026-06-01 10:00:00.123456+00:00"
    assert requests["arrived_at"].isna().tolist() == [False, True, False]
    assert outcomes["input_uncached"].tolist()[::2] == [100, 3]
    assert outcomes["output_text"].isna().tolist() == [False, True, False]
    assert json.loads(requests["meta"][0]) == {"complex": True, "n": 3, "gap": None}
    assert requests["label"].tolist()[::2] == ["a", "b"]


def test_a_data_frame_from_parquet_has_arrays_for_lists() -> None:
    messages = np.array([{"role": "user", "content": np.array([{"type": "text", "text": "Hi"}])}])
    frame = pd.DataFrame({"messages": [messages], "usage": [{"prompt_tokens": np.int32(5), "completion_tokens": 1}]})
    [(requests, outcomes)] = read_log(frame).batches()
    assert requests["prompt"].to_pylist() == ["Hi"]
    assert outcomes["input_uncached"].to_pylist() == [5]


def test_a_data_frame_with_two_columns_of_one_name_is_an_error() -> None:
    with pytest.raises(BackrouteError, match=r"two columns of one name \(prompt\)"):
        read_log(pd.DataFrame([["a", "b"]], columns=["prompt", "prompt"]))


def test_records_may_hold_numpy_pandas_and_client_objects() -> None:
    class Answer:
        def model_dump(self, mode: str) -> dict[str, Any]:
            assert mode == "json"
            return {"choices": [{"message": {"content": "Hello"}}], "usage": {"prompt_tokens": 5}}

    record = {
        "prompt": np.str_("Hi"),
        "timestamp": pd.Timestamp("2026-06-01", tz="UTC"),
        "session_id": pd.NA,
        "user": pd.NaT,
        "latency_ms": np.float32(1.5),
        "metadata": {"at": np.datetime64("2026-06-01"), "path": Path("a"), "gap": float("nan")},
        "response": Answer(),
    }
    log = read_log([record])
    [(requests, outcomes)] = log.batches()
    assert not log.problems
    row = requests.to_pylist()[0] | outcomes.to_pylist()[0]
    assert (row["session_id"], row["user_id"], row["latency_ms"], row["completion"]) == (None, None, 1.5, "Hello")
    assert json.loads(row["meta"]) == {"at": "2026-06-01", "path": "a", "gap": None}
    assert row["arrived_at"].isoformat() == "2026-06-01T00:00:00+00:00"
