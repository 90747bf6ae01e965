"""Answers of plain lines that are recorded bodies: a chat completion as an object, or as JSON text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workloads.bodies import openai
from workloads.bodies.detect import api_of
from workloads.bodies.exchange import Answered
from workloads.bodies.read import usage_of
from workloads.counts import Usage, UsageError
from workloads.formats.chat import body_of, is_body

API = "openai_chat"
# Bytes that an answer which is a recorded body may begin with: its first letter, or what `str.lstrip` takes from before
# it, of which U+3000 is the last.
BEGINS = np.zeros(256, bool)
BEGINS[[letter.encode()[0] for letter in map(chr, range(0x3001)) if letter.isspace() or letter in "{de"]] = True

Array = np.ndarray[Any, np.dtype[Any]]
Bodies = dict[int, tuple[Answered, Usage]]


def texts_of_bodies(answers: pa.Array) -> dict[int, str]:
    """Those answers, by line, whose text is a recorded body."""
    length = pc.binary_length(answers).fill_null(0).to_numpy()
    if not length.any():
        return {}
    said, offsets = (np.frombuffer(answers.buffers()[at], kind) for at, kind in ((2, np.uint8), (1, np.int32)))
    begin = offsets[answers.offset : answers.offset + len(answers)]
    first = said[np.where(length, begin, 0)]
    suspects = np.flatnonzero(BEGINS[first] & (length > 0))
    found = zip(suspects.tolist(), answers.take(pa.array(suspects)).to_pylist(), strict=True)
    return {line: answer for line, answer in found if is_body(answer)}


def read_bodies(answers: Mapping[int, Any], providers: Sequence[str | None], odd: Array) -> Bodies:
    """What is in the bodies, by line; marked odd where it is another provider's, a failure or a stream."""
    found: Bodies = {}
    for line, answer in answers.items():
        body = _object(body_of(answer))
        try:
            if body.get("error") or api_of(None, {}, body) != API:
                odd[line] = True
                continue
            answered = openai.read_response(body)
            found[line] = answered, usage_of(answered, providers[line] or None, API)
        except (UsageError, ValueError, OverflowError):
            odd[line] = True
    return found


def _object(body: dict[str, Any] | str | None) -> dict[str, Any]:
    if isinstance(body, str):
        try:
            body = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return {}
    return body or {}
