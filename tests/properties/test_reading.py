"""What holds of reading, whatever the log."""

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from problems import Problem, ProblemLog
from workloads import OUTCOME, REQUEST, Log, read_log

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
calls = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", "c", 1, None]),
        "prompt": st.sampled_from(["Hi", "Ho", "", "é😀", 5]),
        "messages": st.just([{"role": "user", "content": "Hi"}]) | json_values,
        "timestamp": st.sampled_from(["2026-06-01", "2026-06-01T00:00:00Z", 1_780_315_200, "soon", 0]),
        "usage": st.fixed_dictionaries({"prompt_tokens": st.integers(-1, 9), "completion_tokens": st.integers(0, 9)}),
        "response": st.sampled_from(["Hello", {"choices": []}]) | json_values,
        "metadata": st.dictionaries(st.text(max_size=3), json_values, max_size=2) | json_values,
        "status": st.sampled_from(["ok", "error", 500]) | json_values,
        "cost": st.floats(-1, 2) | json_values,
        "request": json_values,
    },
)
# What JSON's own escapes would hide comes as raw bytes, too.
lines = st.one_of(
    calls.map(lambda call: json.dumps(call).encode()),
    calls.map(lambda call: json.dumps(call, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b" ").replace(b"\r", b" ")),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"", b" ", b"\t\r"]),
)
# A file that begins like another kind of file is refused whole; here each begins with a line of a call.
files = st.lists(lines, max_size=12).map(lambda held: [b'{"prompt": "first"}', *held])


def pieces(*files: list[bytes], pack: Any = bytes) -> Log:
    """A log of files with these lines; its files are gone when the test process ends."""
    folder = Path(tempfile.mkdtemp(prefix="reading-", dir=FOLDER.name))
    paths = []
    for number, held in enumerate(files):
        paths.append(folder / f"{number}.jsonl")
        paths[-1].write_bytes(pack(b"\n".join(held)))
    return read_log(paths)


FOLDER = tempfile.TemporaryDirectory()


def table(log: Log, **options: Any) -> tuple[pa.Table, pa.Table, ProblemLog]:
    """All rows of a log and all its problems."""
    problems = ProblemLog()
    both = list(log.batches(problems=problems, **options))
    requests = pa.Table.from_batches([requests for requests, _ in both], REQUEST)
    return requests, pa.Table.from_batches([outcomes for _, outcomes in both], OUTCOME), problems


def unplaced(problem: Problem) -> tuple[str, ...]:
    return (problem.kind, problem.field, problem.value, problem.effect, problem.fix)


@FEW
@given(files)
def test_every_line_is_a_row_or_a_problem(held: list[bytes]) -> None:
    requests, outcomes, problems = table(pieces(held))
    stated = sum(1 for line in held if line.strip())
    assert requests.num_rows + problems.set_aside == stated
    assert outcomes.num_rows == requests.num_rows
    requests.validate(full=True)
    outcomes.validate(full=True)
    aside = [problem.line for problem in problems.kept if problem.set_aside]
    assert len(aside) == len(set(aside))
    assert all(held[line - 1].strip() for line in aside)


@FEW
@given(files, st.integers(1, 12))
def test_a_log_in_two_files_reads_as_in_one(held: list[bytes], cut: int) -> None:
    # A file is known by how it begins, so each half begins with a call.
    second = [b'{"prompt": "second"}', *held[cut:]]
    whole, split = table(pieces(held[:cut] + second)), table(pieces(held[:cut], second))
    assert whole[0].equals(split[0])
    assert whole[1].equals(split[1])
    once = "no_time_zone"  # noted for each file
    assert [unplaced(problem) for problem in whole[2].kept if problem.kind != once] == [
        unplaced(problem) for problem in split[2].kept if problem.kind != once
    ]


def test_strings_of_lines_read_in_two_ways_stand_in_the_rows_order() -> None:
    parts = [{"role": "system", "content": "two"}, {"role": "user", "content": [{"type": "text", "text": "three"}]}]
    lines = [{"prompt": "one"}, {"messages": parts, "response": "b"}, {"prompt": "four", "response": "c"}]
    held = [json.dumps(line).encode() for line in [*lines, lines[0], {"id": 7, "prompt": "five"}, {"prompt": "six"}]]
    log = pieces(held)
    [(requests, _)] = log.batches()
    assert log.strings(requests) is None, "the reading has gone on"
    for requests, _ in log.batches():
        strings = log.strings(requests)
        assert strings is not None
        assert list(strings.messages) == ["one", "two", "three", "four", "five", "six"]
        assert list(strings.completions) == [None, "b", "c", None, None]


@FEW
@given(files, st.integers(1, 12))
def test_strings_of_a_batch_are_the_texts_of_its_columns(held: list[bytes], size: int) -> None:
    log, given = pieces(held), 0
    for requests, outcomes in log.batches(rows=size):
        if (strings := log.strings(requests)) is not None:
            given += 1
            assert list(strings.messages) == pc.struct_field(requests["messages"].flatten(), "text").to_pylist()
            assert list(strings.completions) == outcomes["completion"].to_pylist()
        assert log.strings(requests) is None, "they are forgotten"
    assert given, "the first line is plain"
    assert all(log.strings(requests) is None for requests, _ in list(log.batches()))


@FEW
@given(files, st.integers(1, 5))
def test_the_size_of_batches_and_the_packing_change_nothing(held: list[bytes], size: int) -> None:
    plain, packed = pieces(held), pieces(held, pack=gzip.compress)
    whole = table(plain)
    for other in (table(plain, rows=size), table(packed), table(plain)):
        assert whole[0].equals(other[0])
        assert whole[1].equals(other[1])
        assert [unplaced(problem) for problem in whole[2].kept] == [unplaced(problem) for problem in other[2].kept]
    assert plain.digest == packed.digest
    assert plain.formats == packed.formats


@FEW
@given(st.lists(st.text(), min_size=1, max_size=5, unique=True), st.booleans())
def test_an_id_is_the_logged_one_else_the_hash_of_the_line(ids: list[str], named: bool) -> None:
    held = [json.dumps({"prompt": "Hi", "id" if named else "tag": each}).encode() for each in ids]
    requests, _, problems = table(pieces(held))
    hashed = [xxh3_128_hexdigest(line) for line in held]
    mended = [each.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for each in ids]
    expected = [(each or digest) for each, digest in zip(mended, hashed, strict=True)] if named else hashed
    assert requests["request_id"].to_pylist() == expected
    assert not problems.set_aside


@FEW
@given(files)
def test_a_line_logged_twice_adds_a_duplicate_and_no_row(held: list[bytes]) -> None:
    once, twice = table(pieces(held)), table(pieces(held, held))
    assert once[0].equals(twice[0])
    assert twice[2].counts["duplicate"] == once[2].counts["duplicate"] * 2 + once[0].num_rows


@FEW
@given(st.lists(calls, max_size=8))
def test_records_in_memory_read_as_their_lines_in_a_file(records: list[dict[str, Any]]) -> None:
    in_file = table(pieces([json.dumps(record).encode() for record in records]))
    in_memory = table(read_log(records))
    # A row without an id has its line's hash, and spaces differ.
    assert in_file[0].drop("request_id").equals(in_memory[0].drop("request_id"))
    assert in_file[1].equals(in_memory[1])
