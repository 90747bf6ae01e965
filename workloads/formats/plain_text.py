"""The messages of plain lines in columns: all of them, the system prompt, the routing text."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workloads.bodies.openai import ROLES
from workloads.schema import MESSAGE

Array = np.ndarray[Any, np.dtype[Any]]


class Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A message whose content is a text."""

    role: str
    content: str
    name: str | None = None


def columns(
    messages: list[list[Message] | None],
    prompts: list[str | None],
    systems: list[str | None],
    answers: list[str | None],
    odd: Array,
) -> dict[str, pa.Array]:
    """`messages`, `n_messages`, `prompt` and `system`; null where a line holds no text.

    Args:
        messages, prompts, systems: the lines' fields.
        answers: their answers; where there is none, the last message may be it, and the row is odd.
        odd: rows that the full reader has to look at are marked here.
    """
    said = _all(messages, prompts, systems)
    flat = [message for each in said for message in each]
    counts = np.fromiter(map(len, said), np.int32, len(said))
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    roles = pa.array(list(map(attrgetter("role"), flat)), pa.string()).dictionary_encode()
    kinds, kind = [ROLES.get(role, role) for role in roles.dictionary.to_pylist()], roles.indices.to_numpy()

    def of(wanted: str) -> Array:
        return np.asarray(np.array([each == wanted for each in kinds], bool)[kind])

    texts = pa.array(list(map(attrgetter("content"), flat)), pa.string())
    named = list(map(attrgetter("name"), flat))
    names = pa.array([name or None for name in named], pa.string()) if any(named) else pa.nulls(len(flat), pa.string())
    line = np.repeat(np.arange(len(said)), counts)
    some = counts > 0
    odd[line[of("")]] = True
    ends = np.flatnonzero(some & np.array([answer is None for answer in answers], bool))
    odd[ends] |= of("assistant")[offsets[1:][ends] - 1]
    role = pa.array(kinds, pa.string()).take(roles.indices)
    values = pa.StructArray.from_arrays([role, names, texts], fields=list(MESSAGE))
    none = pa.array(~some)
    return {
        "messages": pa.ListArray.from_arrays(pa.array(offsets), values, type=pa.list_(MESSAGE), mask=none),
        "n_messages": pa.array(counts, mask=~some),
        "prompt": pc.if_else(none, None, pc.fill_null(_last(texts, line, of("user"), len(said)), "")),
        "system": _systems(texts, line, of("system"), len(said)),
    }


def _all(
    messages: list[list[Message] | None], prompts: list[str | None], systems: list[str | None]
) -> list[list[Message]]:
    """The messages of each line, with the prompt and the system prompt that stand beside them."""
    said: list[list[Message]] = [each or [] for each in messages]
    for place, prompt in enumerate(prompts):
        if prompt is not None and messages[place] is None:
            said[place] = [Message("user", prompt)]
    for place, system in enumerate(systems):
        if system:
            first = said[place][0] if said[place] else None
            if first is None or first.role != "system" or first.content != system:
                said[place] = [Message("system", system), *said[place]]
    return said


def _last(texts: pa.Array, line: Array, wanted: Array, lines: int) -> pa.Array:
    """The last wanted text of each line, null where it has none."""
    at = np.full(lines, -1, np.int64)
    found = np.flatnonzero(wanted)
    at[line[found]] = found  # of several, the last stays
    return texts.take(pa.array(at, mask=at < 0))


def _systems(texts: pa.Array, line: Array, wanted: Array, lines: int) -> pa.Array:
    """The system prompt of each line: its system messages, a line apart."""
    found = np.flatnonzero(wanted)
    held = _last(texts, line, wanted, lines)
    several = np.flatnonzero(np.bincount(line[found], minlength=lines) > 1)
    if not len(several):
        return held
    joined, place = held.to_pylist(), line[found]
    begin, end = np.searchsorted(place, several, "left"), np.searchsorted(place, several, "right")
    for at, first, last in zip(several.tolist(), begin.tolist(), end.tolist(), strict=True):
        joined[at] = "\n".join(texts.take(pa.array(found[first:last])).to_pylist())
    return pa.array(joined, pa.string())
