"""A line's bytes as the records it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from workloads.formats.unfold import unfold
from workloads.rows import RowError

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # whatever decoding says of other bytes


def records_of(content: bytes) -> Iterator[Any]:
    """The records of a line, for a first pass that leaves problems to the second."""
    try:
        record = decode(content)
    except RowError:
        return
    yield from unfold(record) or (record,)


def decode(line: bytes) -> Mapping[str, Any]:
    """One JSON object.

    Raises:
        RowError: no JSON, or not an object.
    """
    try:
        record = msgspec.json.decode(line)
    except NOT_JSON as error:
        record = _lenient(line, error)
    if not isinstance(record, dict):
        raise RowError("", line[:400], "not_an_object", "give one JSON object a line, or one list in a file")
    return record


def _lenient(line: bytes, error: Exception) -> Any:
    # Only one thing is forgiven: half a surrogate pair, as JavaScript cuts strings. It becomes U+FFFD.
    if b"\\u" in line and isinstance(error, msgspec.DecodeError):
        try:
            held = json.dumps(json.loads(line.decode(), parse_constant=_refuse), ensure_ascii=False)
            return msgspec.json.decode(held.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        except (ValueError, RecursionError):
            pass
    raise RowError("", line[:400], "not_json", f"give one JSON object a line ({error})") from error


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
