"""The texts of plain lines: taken out of each line as raw JSON, and read by Arrow into columns at once.

No text becomes an object of Python's on its way, which would cost more than all the rest of the reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.json

Array = np.ndarray[Any, np.dtype[Any]]
Raws = dict[str, list[msgspec.Raw]]


class Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A message whose content is a text."""

    role: str
    content: str
    name: str | None = None


NULL = msgspec.Raw(b"null")
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("name", pa.string())]))
TYPES = {"messages": MESSAGES} | dict.fromkeys(("prompt", "system", "response", "completion"), pa.string())
_typed = {
    name: msgspec.json.Decoder(list[Message] | None if name == "messages" else str | None).decode for name in TYPES
}


def read_texts(raws: Raws, odd: Array) -> dict[str, pa.Array]:
    """A column for each of TYPES, null where a line has no such text.

    Args:
        raws: the lines' JSON, valid as far as brackets go, of those fields that any of them has.
        odd: lines whose texts are not of these types are marked here, and have none.
    """
    found = _read(raws)
    for wrong in (_of_other_types, _unreadable_alone):
        if found is None:
            for place in wrong(raws, len(odd)):
                odd[place] = True
                for values in raws.values():
                    values[place] = NULL
            found = _read(raws)
    assert found is not None
    return {name: found[name] if name in found else pa.nulls(len(odd), kind) for name, kind in TYPES.items()}


def _read(raws: Raws) -> dict[str, pa.Array] | None:
    """The columns of some fields; None where a line has anything else in one of them."""
    if not any(raws.values()):
        return {}
    begins = (repeat(b'%s"%s":' % (b"," if number else b"{", name.encode())) for number, name in enumerate(raws))
    parts: Iterable[Iterable[Any]] = chain(*zip(begins, raws.values(), strict=True), [repeat(b"}\n")])
    said = b"".join(chain.from_iterable(zip(*parts, strict=False)))
    options = {"explicit_schema": pa.schema([(name, TYPES[name]) for name in raws])}
    try:
        table = pa.json.read_json(
            pa.BufferReader(said),
            pa.json.ReadOptions(use_threads=False, block_size=len(said) + 1),
            pa.json.ParseOptions(unexpected_field_behavior="error", **options),
        )
        table.validate(full=True)  # Arrow reads bytes that are no UTF-8 as they are
    except pa.ArrowInvalid:
        return None
    return {name: table[name].combine_chunks() for name in raws}


def _of_other_types(raws: Raws, lines: int) -> Iterator[int]:
    for place in range(lines):
        try:
            for name, values in raws.items():
                _typed[name](values[place])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            yield place


def _unreadable_alone(raws: Raws, lines: int) -> Iterator[int]:
    """Those that Arrow takes otherwise than we: a field that stands twice in one message."""
    for place in range(lines):
        if _read({name: values[place : place + 1] for name, values in raws.items()}) is None:
            yield place
