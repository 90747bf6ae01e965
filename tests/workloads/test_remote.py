"""Logs on S3 read as those on disk do, whole and in blocks; what cannot be reached is told without a traceback."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import workloads.log
from problems import BackrouteError, ProblemLog
from tests.workloads.s3_server import KEY, S3Server, s3_server
from workloads import Log, blocks, read_log, remote, sources
from workloads.remote import Uri


def call(number: int) -> dict[str, Any]:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Question {number}: why? é"}]
    return {
        "request_id": f"r{number}",
        "timestamp": f"2026-06-01T00:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "model": "gpt-4o",
        "messages": said,
        "metadata": {"app": "chat"},
        "response": "Because.",
        "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
    }


CALLS = [call(number) for number in range(600)]
LINES = "".join(json.dumps(each) + "\n" for each in CALLS).encode()
LONG = "".join(json.dumps(call(number)) + "\n" for number in range(9_000)).encode()  # some 3 MB


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    named = {
        "ENDPOINT_URL": running.url,
        "ACCESS_KEY_ID": KEY,
        "SECRET_ACCESS_KEY": "s",
        "EC2_METADATA_DISABLED": "true",
    }
    for name, value in named.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    remote._system.cache_clear()
    half = LINES.index(b"\n", len(LINES) // 2) + 1
    running.buckets = {
        "logs": {
            "june/a b.jsonl": LINES[:half],
            "june/day=2/c+d.jsonl": LINES[half:],
            "june/readme.txt": b"-",
            "x": b"",
        }
    }
    running.ranges.clear()
    running.cut.clear()
    yield running
    remote._system.cache_clear()


def same(one: Log, other: Log) -> None:
    for table in ("requests", "outcomes"):
        assert getattr(one, table)().equals(getattr(other, table)())


@pytest.mark.usefixtures("s3")
def test_a_pattern_a_prefix_and_names_are_the_log_they_hold(tmp_path: Path) -> None:
    local = tmp_path / "log.jsonl"
    local.write_bytes(LINES)
    names = ["s3://logs/june/a b.jsonl", "s3://logs/june/day=2/c+d.jsonl"]
    whole = read_log(local)
    for given in ("s3://logs/june/**/*.jsonl", "s3://logs/june/", "s3://logs/june", names):
        log = read_log(given)
        assert log.names() == names if hasattr(log, "names") else log.name == ", ".join(names)
        same(log, whole)
        assert log.digest == whole.digest
    assert read_log("s3://logs/june/*.jsonl").name == names[0]
    found = ProblemLog()
    list(read_log("s3://logs/june").batches(problems=found))
    assert [str(each.value) for each in found.kept] == ["s3://logs/june/readme.txt"]


def test_packed_files_are_unpacked_and_options_reach_the_filesystem(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.buckets["logs"]["packed"] = gzip.compress(LINES)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    place = s3.url.removeprefix("http://")
    log = read_log(f"s3://logs/packed?endpoint_override={place}&scheme=http&region=eu-west-1")
    assert len(log.requests()) == len(CALLS)
    assert log.name == "s3://logs/packed"


def test_blocks_on_s3_are_read_by_their_own_parts_of_the_file(s3: S3Server) -> None:
    s3.buckets["logs"]["long"] = LONG
    log = read_log("s3://logs/long")
    held = log.blocks() or []
    assert len(held) == 1
    cut = blocks.blocks_of(log._sources[0], log._way, 2**20) or []  # type: ignore[arg-type]
    assert len(cut) == -(-len(LONG) // 2**20) > 2
    s3.ranges.clear()
    lines = list(cut[1].lines())
    assert lines[0] in LONG.split(b"\n")
    first, last = min(start for _, start, _ in s3.ranges), max(end for _, _, end in s3.ranges)
    assert first == cut[1].start - 1
    assert last < cut[1].end + remote.BUFFER
    assert b"\n".join(line for block in cut for line in block.lines()) + b"\n" == LONG


def test_parquet_on_s3_and_on_disk_is_read_like_lines_whole_and_by_row_groups(s3: S3Server, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pylist(CALLS), path, row_group_size=100)
    s3.buckets["logs"]["t.parquet"] = path.read_bytes()
    lines = tmp_path / "log.jsonl"
    lines.write_bytes(LINES)
    for given in (path, "s3://logs/t.parquet"):
        log = read_log(given)
        same(log, read_log(lines))
        groups = blocks.blocks_of(log._sources[0], log._way, 10_000) or []  # type: ignore[arg-type]
        assert len(groups) > 1
        assert [each.start for each in groups[1:]] == [each.end for each in groups[:-1]]
        read = [blocks.read_block(each) for each in groups]
        assert sum(each[0].num_rows for each in read if each is not None) == len(CALLS)
        gathering = log.gathering(ProblemLog())
        rows = gathering.read(groups[0])[0].num_rows + sum(
            each[0].num_rows for each, group in zip(read[1:], groups[1:], strict=True) if gathering.take(group, each[2])
        )
        gathering.end()
        assert rows == len(CALLS)
        digest = log.digest
        list(log.batches())
        assert log.digest == digest


def test_a_parquet_file_of_large_row_groups_is_read_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pylist(CALLS), path)
    assert len(read_log(path).blocks() or ()) == 1
    monkeypatch.setattr(blocks, "LARGEST_GROUP", 1_000)
    assert read_log(path).blocks() is None


def test_a_line_too_long_is_set_aside_in_blocks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(
        LINES[: LINES.index(b"\n", 5_000) + 1] + json.dumps(call(9) | {"response": "a" * 3_000}).encode() + b"\n"
    )
    for module in (sources, blocks, workloads.log):
        monkeypatch.setattr(module, "LONGEST_LINE", 2_000)
    log, whole, apart = read_log(path), ProblemLog(), ProblemLog()
    rows = sum(requests.num_rows for requests, _ in log.batches(problems=whole))
    (block,) = log.blocks() or ()
    assert blocks.read_block(block) is None
    assert log.gathering(apart).read(block)[0].num_rows == rows > 10
    assert whole.kept == apart.kept
    assert [each.kind for each in whole.kept] == ["line_too_long"]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_file_that_breaks_off_gives_the_same_rows_and_problem_in_blocks(
    s3: S3Server, tmp_path: Path, kind: str
) -> None:
    """Of a file whose second half cannot be read, the first is kept."""
    if kind == "parquet":
        path = tmp_path / "log.parquet"
        pq.write_table(pa.Table.from_pylist(CALLS), path, row_group_size=200, compression="none", use_dictionary=False)
        held = bytearray(path.read_bytes())
        held[len(held) // 2 : len(held) // 2 + 20_000] = bytes(20_000)
        path.write_bytes(held)
        log = read_log(path)
        size = 1
    else:
        s3.buckets["logs"]["long"] = LONG
        s3.cut["long"] = 2 * 2**20
        log = read_log("s3://logs/long")
        size = 2**20
    whole, apart = ProblemLog(), ProblemLog()
    rows = sum(requests.num_rows for requests, _ in log.batches(problems=whole))
    gathering = log.gathering(apart)
    parts = [gathering.read(each)[0].num_rows for each in blocks.blocks_of(log._sources[0], log._way, size) or ()]  # type: ignore[arg-type]
    assert [(each.kind, each.effect) for each in apart.kept] == [("broken_file", "line set aside")]
    assert [each.kind for each in whole.kept] == ["broken_file"]
    if kind == "parquet":
        assert 0 < sum(parts) == rows < len(CALLS)
        assert whole.kept == apart.kept
    else:
        assert 0 < sum(parts) <= rows < 9_000


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3://logs/july", "no such file, and none below it; check bucket and key"),
        ("s3://nobody/x.jsonl", "no such file, and none below it; check bucket and key"),
        ("s3://logs/june/*.csv", "no file matches this pattern"),
        ("s3://logs/june/readme*", ""),
        ("ftp://host/june.jsonl", "no URI that can be read"),
        ("s3://", "no URI that can be read"),
    ],
)
@pytest.mark.usefixtures("s3")
def test_what_is_not_there_is_told(given: str, said: str) -> None:
    if said:
        with pytest.raises(BackrouteError, match=said) as told:
            read_log(given)
        assert str(told.value).startswith(given.split("?")[0][:5])
    else:
        assert read_log(given).name == "s3://logs/june/readme.txt"


def test_wrong_credentials_are_told_with_what_to_set_and_no_secret_is_shown(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    with pytest.raises(BackrouteError, match=r"(?i)access.denied.*set AWS_ACCESS_KEY_ID"):
        read_log("s3://logs/june")
    place = s3.url.removeprefix("http://")
    with pytest.raises(BackrouteError) as told:
        read_log(f"s3://someone:hidden@logs/june?endpoint_override={place}&scheme=http")
    assert "hidden" not in str(told.value)
    assert "s3://logs/june" in str(told.value)
    assert str(Uri("s3://key:hidden@logs/a?secret_key=hidden")) == "s3://logs/a"


def test_a_bucket_of_google_that_nobody_answers_for_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client's own patience is 15 minutes; nobody listens on port 1."""
    monkeypatch.setattr(remote, "RETRY_SECONDS", 1)
    began = time.monotonic()
    with pytest.raises(BackrouteError, match=r"cannot be read .*check the network, and that GOOGLE_APP") as told:
        read_log("gs://anonymous@logs/june.jsonl?scheme=http&endpoint_override=127.0.0.1:1")
    assert time.monotonic() - began < 20
    assert "AWS" not in str(told.value)
    assert len(str(told.value)) < 500


@pytest.mark.parametrize(
    ("uri", "said", "advice"),
    [
        ("abfs://c@a/june.jsonl", "Failed to get token from DefaultAzureCredential.", "az login"),
        ("abfss://c@a/june.jsonl", "The specified container does not exist.", "az storage blob list"),
        ("gs://b/june.jsonl", "google::cloud::Status(PERMISSION: HTTP 403", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("s3://b/june.jsonl", "AWS Error ACCESS_DENIED", "AWS_ACCESS_KEY_ID"),
        ("s3://b/june.jsonl", "AWS Error NETWORK_CONNECTION: Could not resolve host", "AWS_ENDPOINT_URL"),
        ("hdfs://b/june.jsonl", "Unable to load libjvm", "check the URI"),
        ("hdfs://b/june.jsonl", "connection refused", "check the network"),
    ],
)
def test_the_advice_is_of_who_keeps_the_bucket(uri: str, said: str, advice: str) -> None:
    told = str(remote.unreachable(uri, OSError(said)))
    assert advice in told
    assert ("AWS" in told) == uri.startswith("s3:")


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("s3://b/k", True),
        ("file:///tmp/x", True),
        ("june.jsonl", False),
        (r"C:\logs\june.jsonl", False),
        ("c:/x", False),
    ],
)
def test_a_path_is_no_uri(name: str, uri: bool) -> None:
    assert remote.is_uri(name) is uri


def test_a_file_uri_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(LINES)
    same(read_log(f"file://{tmp_path.as_posix()}/log.jsonl"), read_log(tmp_path / "log.jsonl"))


def test_nothing_hidden_below_a_uri_is_a_log_unless_it_is_named(tmp_path: Path) -> None:
    """What is kept beside a log goes with it when its folder is copied to a bucket."""
    for name in ("june.jsonl", ".backroute/kept.jsonl", "sub/.old/may.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(LINES)
    uri = tmp_path.as_uri()
    for given in (uri, f"{uri}/", f"{uri}/**", f"{uri}/**/*.jsonl", f"{uri}/*"):
        assert read_log(given).names() == [f"{uri}/june.jsonl"]
    assert read_log(f"{uri}/.backroute").names() == read_log(f"{uri}/.b*/*").names() == [f"{uri}/.backroute/kept.jsonl"]
