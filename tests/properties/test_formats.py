"""What holds of every format: nothing dropped, nothing invented, and no value that ends in a traceback."""

import json
import random
import tempfile
import tracemalloc
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workloads.format_samples import (
    ACTIVITY,
    BATCH_REQUEST,
    CALLS,
    CLAUDE_REQUEST,
    CLAUDE_USER,
    CODEX_FIRST,
    CODEX_FORK,
    CODEX_META,
    CODEX_RECORD,
    CODEX_TURN,
    OPENINFERENCE,
    SPAN,
    TRACE,
    codex_count,
)
from tests.workloads.reading import not_calls, read
from tests.workloads.test_formats_otel import SPELLINGS
from workloads.formats import FORMATS, recognise

FOLDER = tempfile.TemporaryDirectory()
DEEP: Any = {"a": [[[[{"b": [{}]}]]]]}
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    7,
    2**70,
    1e300,
    -0.5,
    "",
    "x",
    "7",
    "{}",
    "[[1]]",
    '{"a": ',
    "2024-06-01",
]
VALUES += [
    [],
    [None],
    [[]],
    [{}],
    ["x"],
    {},
    {"a": None},
    {"role": 5},
    {"type": []},
    [{"role": "user", "parts": 5}],
    DEEP,
]
OTHERS = [
    ACTIVITY,
    CODEX_FORK,
    CODEX_RECORD,
    SPAN,
    BATCH_REQUEST,
    CLAUDE_REQUEST,
    CLAUDE_USER,
    CODEX_META,
    CODEX_TURN,
    OPENINFERENCE,
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place within a value, by its keys; JSON held in a text counts as one place."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from places(inner, (*path, key))


def altered(record: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = deepcopy(record)
    held: Any = changed
    for step in path[:-1]:
        held = held[step]
    held[path[-1]] = value
    return changed


def accounted(records: list[Any]) -> None:
    """Each record is a row, a problem or no call."""
    rows, problems = read(records)
    assert len(rows) + problems.set_aside + sum(not_calls(problems).values()) == len(records)
    assert all(problem.fix and problem.effect for problem in problems.kept)


def test_every_format_has_a_sample_that_it_alone_recognises() -> None:
    assert set(CALLS) == set(FORMATS)
    for name, record in CALLS.items():
        assert recognise(record)[0] is FORMATS[name], name


@pytest.mark.parametrize("name", CALLS)
def test_any_value_in_any_place_of_a_record_is_a_row_a_problem_or_no_call(name: str) -> None:
    record = CALLS[name]
    lines = {json.dumps(altered(record, path, value)): None for path in places(record) for value in VALUES}
    accounted([json.loads(line) for line in lines])


@pytest.mark.parametrize("record", [*OTHERS, *SPELLINGS.values()])
def test_any_value_in_any_place_of_other_records_ends_in_no_traceback(record: dict[str, Any]) -> None:
    for path in places(record):
        read([altered(record, path, value) for value in VALUES])


@pytest.mark.parametrize("document", [TRACE, SPELLINGS["otlp"]], ids=["langfuse", "otlp"])
def test_any_value_in_any_place_of_a_document_ends_in_no_traceback(document: dict[str, Any]) -> None:
    for path in places(document):
        if len(path) < 5:
            read([altered(document, path, value) for value in VALUES])


values = st.recursive(
    st.sampled_from(VALUES) | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "type", "content", "a"]), inner)
    ),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_many_wrong_values_at_once_end_in_no_traceback(data: st.DataObject) -> None:
    records = []
    for name, sample in CALLS.items():
        record = deepcopy(sample) | {"sample": name}
        for key in data.draw(st.lists(st.sampled_from(sorted(record)), max_size=4)):
            record[key] = data.draw(values)
        records.append(record)
    accounted(records)


def numbered(count: int) -> list[dict[str, Any]]:
    """Calls of every format but Codex, whose lines are in order, each with an id of its own."""
    found = []
    for name, sample in CALLS.items():
        for number in range(count if name != "codex" else 0):
            record = deepcopy(sample)
            for key in ("request_id", "requestId", "id", "custom_id", "span_id"):
                if key in record or (key == "id" and name in ("pairs", "chat")):
                    record[key] = f"{name}-{number}"
            if name == "claude-code":
                record["message"]["id"] = f"m{number}"
            found.append(record)
    found += [{**BATCH_REQUEST, "custom_id": f"openai-batch-{number}"} for number in range(count)]
    return found


def session(count: int) -> list[dict[str, Any]]:
    """A Codex session of so many calls, each written twice."""
    lines = [CODEX_META, CODEX_TURN]
    for number in range(1, count + 1):
        total = {name: number * tokens for name, tokens in CODEX_FIRST.items()}
        lines += [codex_count(total, CODEX_FIRST, 2 * number), codex_count(total, CODEX_FIRST, 2 * number + 1)]
    return lines


def pieces(*files: list[dict[str, Any]]) -> list[Path]:
    folder = Path(tempfile.mkdtemp(dir=FOLDER.name))
    paths = [folder / f"{number}.jsonl" for number in range(len(files))]
    for path, records in zip(paths, files, strict=True):
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return paths


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_a_log_in_two_files_reads_as_in_one_whatever_its_formats(order: random.Random, cut: int) -> None:
    records = numbered(3)
    order.shuffle(records)
    for place, line in zip(sorted(order.sample(range(len(records)), 8)), session(3), strict=True):
        records.insert(place, line)
    whole, problems = read(pieces(records))
    split, _ = read(pieces(records[:cut], records[cut:]))
    assert whole == split
    assert len(whole) + sum(not_calls(problems).values()) == len(records)
    assert not_calls(problems) == {"request of a batch result": 3, "session line": 2, "repeated count": 3}
    assert not problems.set_aside


BEGINS = {
    "log.jsonl": '{"prompt": "a"}\n{"prompt": "',
    "log.json": '[\n{"prompt": "',
    "log.csv": "prompt,model\n",
}


@pytest.mark.parametrize("name", BEGINS)
def test_a_line_of_fifty_megabytes_is_bounded_and_the_next_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    ends = "\nb,c\n" if name == "log.csv" else '"}\n{"prompt": "b"}\n'
    path.write_text(BEGINS[name] + "x" * 50 * 2**20 + ends)
    tracemalloc.start()
    try:
        rows, _ = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows[-1]["prompt"] == "b"
    assert peak < 512 * 2**20
