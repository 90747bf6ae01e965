"""A file cut into blocks gives each of its lines once."""

import io
import json
import pickle
import tempfile
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import ProblemLog
from tests.workloads.format_samples import CALLS
from workloads import read_log
from workloads.apart import Way
from workloads.blocks import Block, blocks_of, read_block
from workloads.rows import Strings
from workloads.sources import FileSource, stripped

WAY = Way(None, UTC)
lines = st.lists(st.sampled_from([b"", b" ", b"{}", b"{}\r", b'{"prompt": "longer than a block"}']), min_size=1)


@given(lines, st.integers(1, 50), st.booleans())
def test_blocks_of_any_size_give_the_lines_of_the_whole_file(said: list[bytes], size: int, ended: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_bytes(b"\n".join([b'{"prompt": "first"}', *said]) + b"\n" * ended)
        blocks = blocks_of(FileSource(path, "log"), WAY, size) or []
        found = [line for block in blocks if isinstance(block, Block) for line in block.lines()]
        whole = path.read_bytes().removesuffix(b"\n").split(b"\n")
    assert found == stripped(whole, begins=True)


USUAL = [json.dumps({"prompt": f"p{n}", "model": "gpt-4o", "timestamp": "2026-06-01T00:00:00Z"}) for n in range(60)]
# Formats whose records are read one by one, and what else a line may be.
ALONE = ("litellm-spend", "litellm-standard", "helicone", "openrouter", "bedrock-log", "pairs", "chat")
TOGETHER = sorted(CALLS.keys() - {*ALONE})
ODD = [
    "{no JSON",
    "[1]",
    "",
    "  ",
    '{"a": "#"}',
    '{"prompt": "two#\\ud800", "model": "gpt-4o"}',
    json.dumps({"prompt": "no zone #", "model": "gpt-4o", "timestamp": "2026-06-01T00:00:00"}),
    json.dumps({"messages": [{"role": "user", "content": "a#"}, {"role": "assistant", "content": "b"}]}),
    json.dumps({"prompt": "p", "model": "gpt-4o", "usage": {"prompt_tokens": -1}}),
    json.dumps({"prompt": "p#", "model": "gpt-4o", "tools": [{"type": "function", "function": {"name": "f"}}]}),
    json.dumps({"type": "user", "sessionId": "s", "message": {"role": "user", "content": "no call"}}),
    json.dumps({"data": [CALLS["chat"] | {"request_id": "#one"}, CALLS["chat"] | {"request_id": "#two"}]}),
]


@st.composite
def logs(draw: st.DrawFn, formats: tuple[str, ...]) -> list[str]:
    """Lines of some formats, odd ones among them, some of which come twice."""
    kinds = draw(st.lists(st.sampled_from([*formats, *range(len(ODD))]), min_size=1, max_size=30))
    lines = [draw(st.sampled_from([USUAL[0], ODD[0], ODD[4]]))]  # what a file of lines begins with
    for number, kind in enumerate(kinds):
        if isinstance(kind, int):
            lines.append(ODD[kind].replace("#", str(number)))
            continue
        call = dict(CALLS[kind])
        if draw(st.integers(0, 9)):  # else it may be a repeat
            call |= {name: f"{number}" for name in ("id", "request_id", "requestId") if name in call}
            call["session_id"] = f"s{number}"
        lines.append(json.dumps(call))
    return lines


Whole = tuple[Any, ...]


def read_whole(path: Path, way: dict[str, Any]) -> Whole:
    log, sink = read_log(path, **way), io.StringIO()
    problems = ProblemLog(sink)
    both = list(log.batches(problems=problems))
    return (*rows_of(both), told(problems), sink.getvalue(), log.formats, log.recognised, log.digest)


def read_apart(path: Path, way: dict[str, Any], size: int) -> tuple[Whole, int]:
    """The same from blocks, and how many of them could be read apart."""
    log, sink, both, taken = read_log(path, **way), io.StringIO(), [], 0
    problems = ProblemLog(sink)
    gathering = log.gathering(problems)
    for block in blocks_of(log._sources[0], log._way, size) or ():  # type: ignore[arg-type]
        found = read_block(pickle.loads(pickle.dumps(block)))
        if found is not None and gathering.take(block, pickle.loads(pickle.dumps(found[2]))):
            both.append(found[:2])
            taken += 1
            assert_strings_of(found[0], found[1], found[3])
        else:
            both.append(gathering.read(block))
    gathering.end()
    return (*rows_of(both), told(problems), sink.getvalue(), log.formats, log.recognised, log.digest), taken


def rows_of(both: list[Any]) -> tuple[list[Any], list[Any]]:
    return [row for each, _ in both for row in each.to_pylist()], [row for _, each in both for row in each.to_pylist()]


def told(problems: ProblemLog) -> list[Any]:
    return [problems.kept, problems.counts, problems.aside]


def assert_strings_of(requests: Any, outcomes: Any, strings: Strings | None) -> None:
    if strings is not None:
        said = [each["text"] for row in requests["messages"].to_pylist() for each in row or ()]
        assert (list(strings.messages), list(strings.completions)) == (said, outcomes["completion"].to_pylist())


@given(logs(ALONE), st.integers(300, 4_000), st.sampled_from(["UTC", "Europe/Berlin"]))
def test_any_log_read_in_blocks_is_the_log_read_whole(lines: list[str], size: int, timezone: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_text("\n".join(lines), "utf-8")
        whole = read_whole(path, {"timezone": timezone})
        apart, _ = read_apart(path, {"timezone": timezone}, size)
    assert apart == whole


@given(logs((*TOGETHER, "chat", "pairs")), st.integers(300, 4_000))
def test_records_that_depend_on_others_are_read_with_them(lines: list[str], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_text("\n".join(lines), "utf-8")
        whole = read_whole(path, {})
        apart, _ = read_apart(path, {}, size)
    assert apart == whole


@pytest.mark.parametrize("kind", sorted(CALLS))
@pytest.mark.parametrize("asked", [False, True])
def test_blocks_of_records_that_stand_alone_are_all_read_apart(tmp_path: Path, kind: str, asked: bool) -> None:
    path = tmp_path / "log.jsonl"
    names = [name for name in ("id", "request_id", "requestId") if name in CALLS[kind]]
    calls = [json.dumps(CALLS[kind] | dict.fromkeys(names, f"{n}") | {"session_id": f"s{n}"}) for n in range(30)]
    lines = [call.replace("chatcmpl-1", f"chatcmpl-{n}") for n, call in enumerate(calls)]
    path.write_text("\n".join(lines), "utf-8")
    way = {"log_format": kind} if asked else {}
    apart, taken = read_apart(path, way, path.stat().st_size // 5)
    assert apart == read_whole(path, way)
    assert taken >= 5 if kind in ALONE else taken <= 1  # the last block may have no line


def test_a_mapped_log_is_read_apart(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps({"q": f"p{n}", "m": "gpt-4o", "n": n}) for n in range(60)), "utf-8")
    way = {"mapping": {"q": "prompt", "m": "model", "n": "input_tokens"}}
    apart, taken = read_apart(path, way, 400)
    assert apart == read_whole(path, way)
    assert taken > 3


@pytest.mark.parametrize(
    "before", [[], ["", "", ""], ["{no JSON"], ['{"request": {"model": "gpt-4o", "messages": []}, "response": {}}']]
)
def test_blocks_say_what_the_log_was_recognised_by(tmp_path: Path, before: list[str]) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join([*before, *USUAL]) + "\n", "utf-8")
    apart, taken = read_apart(path, {}, 1_000)
    assert taken > 3
    assert apart == read_whole(path, {})
    assert apart[5]["chat JSONL"].startswith(f"{path}:{len(before) + 1}: ")


def test_a_file_given_twice_is_numbered_twice(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("{no JSON\n" * 9, "utf-8")
    log, whole, apart = read_log([path, path]), ProblemLog(), ProblemLog()
    assert sum(requests.num_rows for requests, _ in log.batches(problems=whole)) == 0
    gathering = log.gathering(apart)
    for block in log.blocks() or ():
        found = read_block(block)
        assert found is not None
        assert gathering.take(block, found[2])
    assert told(apart) == told(whole)
    assert [each.line for each in apart.kept] == [*range(1, 10)] * 2
