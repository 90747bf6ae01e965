"""JSON documents, lists and values over several lines, and which files are such."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.reading import read
from workloads.documents import TooLongError, is_document, split_values

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


class Slow(io.BytesIO):
    """A file that hands out little at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size or 7))


def split(data: bytes, kind: Callable[[bytes], io.BytesIO] = io.BytesIO) -> list[bytes]:
    return list(split_values(kind(data)))


@given(st.lists(values, max_size=6), st.sampled_from([None, 0, 2]))
def test_a_lists_elements_come_as_they_are(elements: list[object], indent: int | None) -> None:
    data = json.dumps(elements, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    for kind in (io.BytesIO, Slow):
        found = split(data, kind)
        assert [json.loads(each.decode("utf-8", "surrogatepass")) for each in found] == elements


@given(st.lists(st.dictionaries(st.text(), values, max_size=3), min_size=1, max_size=5), st.sampled_from([None, 1]))
def test_objects_one_after_another_come_as_they_are(objects: list[dict[str, object]], indent: int | None) -> None:
    data = "\n".join(json.dumps(each, indent=indent) for each in objects).encode()
    assert [json.loads(each) for each in split(data, Slow)] == objects


def test_brackets_and_escapes_in_a_string_are_text() -> None:
    data = b'[{"a": "]}\\"[{,"}, {"b": "\\\\"}]'
    assert split(data, Slow) == [b'{"a": "]}\\"[{,"}', b'{"b": "\\\\"}']


def test_what_stands_between_values_and_a_cut_end_come_too() -> None:
    assert split(b'[{"a": 1}, junk, {"b": 2}, {"c": [3') == [b'{"a": 1}', b"junk", b'{"b": 2}', b'{"c": [3']
    assert split(b'{"a": 1} ] {"b": 2}\n[{"c": 3}]') == [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']


def test_a_value_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.documents.LONGEST_VALUE", 100)
    monkeypatch.setattr("workloads.documents.FIRST_READ", 16)
    with pytest.raises(TooLongError):
        split(b'[{"a": "' + b"x" * 1_000)


@pytest.mark.parametrize(
    ("head", "document"),
    [
        (b"[", True),
        (b'[{"a": 1},\n{"b": 2}]', True),
        (b'[{"a": 1}]', True),
        (b'[1]\n{"prompt": "Hi"}', False),
        (b'{\n  "a": 1\n}', True),
        (b'{"a": {\n"b": 1}}', True),
        (b'{"a": 1}\n{"b": 2}', False),
        (b'{"a": 1\n{"b": 2}', False),
        (b'{"a": 1}', False),
        (b"text", False),
        (b"", False),
    ],
)
def test_a_file_is_a_document_by_its_beginning(head: bytes, document: bool) -> None:
    assert is_document(head) is document


def test_a_pages_data_and_printed_records_are_read(tmp_path: Path) -> None:
    calls = [{"prompt": "Hi"}, {"prompt": "Ho"}]
    for name, text in {
        "page": json.dumps({"data": calls, "meta": {"page": 1}}, indent=1),
        "list": json.dumps(calls),
        "printed": "\n".join(json.dumps(call, indent=4) for call in calls),
    }.items():
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        assert [row["prompt"] for row in read(path)[0]] == ["Hi", "Ho"]


def test_a_document_that_ends_too_early_loses_only_its_last_value(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text('[\n{"prompt": "Hi"},\n{"prompt": "Ho"},\n{"prom')
    rows, problems = read(path)
    assert (len(rows), problems.counts) == (2, {"not_json": 1})
    assert problems.kept[0].line == 3
