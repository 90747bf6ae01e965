"""The messages of plain lines in columns: all of them, the system prompt, the routing text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workloads.bodies.openai import ROLES
from workloads.schema import MESSAGE

Array = np.ndarray[Any, np.dtype[Any]]


def columns(texts: Mapping[str, pa.Array], answers: pa.Array, odd: Array) -> dict[str, pa.Array]:
    """`messages`, `n_messages`, `prompt` and `system`; null where a line holds no text.

    Args:
        texts: the lines' `messages`, `prompt` and `system`, as `plain_raw` has them.
        answers: their answers; where there is none, the last message may be it, and the row is odd.
        odd: rows that the full reader has to look at are marked here.
    """
    lines = len(answers)
    line, role, content, name = _all(texts)
    counts = np.bincount(line, minlength=lines).astype(np.int32)
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    if content.null_count:
        odd[line[content.is_null().to_numpy(zero_copy_only=False)]] = True
    roles = role.fill_null("").dictionary_encode()
    kinds, kind = [ROLES.get(each, each) for each in roles.dictionary.to_pylist()], roles.indices.to_numpy()

    def of(wanted: str) -> Array:
        return np.asarray(np.array([each == wanted for each in kinds], bool)[kind])

    some = counts > 0
    odd[line[of("")]] = True
    ends = np.flatnonzero(some & answers.is_null().to_numpy(zero_copy_only=False))
    odd[ends] |= of("assistant")[offsets[1:][ends] - 1]
    if name.null_count < len(name):
        name = pc.if_else(pc.equal(name, ""), None, name)
    role = pa.array(kinds, pa.string()).take(roles.indices)
    values = pa.StructArray.from_arrays([role, name, content], fields=list(MESSAGE))
    none = None if some.all() else pa.array(~some)
    prompt = _last(content, line, of("user"), lines)
    if prompt.null_count:
        prompt = pc.if_else(pa.array(some), pc.fill_null(prompt, ""), None)
    return {
        "messages": pa.ListArray.from_arrays(pa.array(offsets), values, type=pa.list_(MESSAGE), mask=none),
        "n_messages": pa.array(counts, mask=~some),
        "prompt": prompt,
        "system": _systems(content, line, of("system"), lines),
    }


def _all(texts: Mapping[str, pa.Array]) -> tuple[Array, pa.Array, pa.Array, pa.Array]:
    """Every message in order, those that stand beside `messages` too: its line, role, content and name."""
    messages, prompts, systems = texts["messages"], texts["prompt"], texts["system"]
    parts = messages.flatten()
    line = pc.list_parent_indices(messages).to_numpy().astype(np.intp, copy=False)
    said = tuple(pc.struct_field(parts, field) for field in ("role", "content", "name"))
    prompting = np.flatnonzero(pc.and_(prompts.is_valid(), messages.is_null()).to_numpy(zero_copy_only=False))
    if len(prompting):
        line, said = _with(line, said, prompting, "user", prompts)
    system = np.flatnonzero(_true(pc.greater(pc.binary_length(systems), 0)))
    if len(system):
        first = np.full(len(systems), -1)
        first[line[::-1]] = np.arange(len(line))[::-1]
        opens = pa.array(first, mask=first < 0)
        alike = pc.and_(pc.equal(said[0].take(opens), "system"), pc.equal(said[1].take(opens), systems))
        line, said = _with(line, said, system[~_true(alike)[system]], "system", systems)
    return line, *said


def _with(
    line: Array, said: tuple[pa.Array, ...], rows: Array, role: str, texts: pa.Array
) -> tuple[Array, tuple[pa.Array, ...]]:
    """Messages with another before those of some lines."""
    order = np.argsort(np.concatenate([rows, line]), kind="stable")
    more = pa.array([role] * len(rows), pa.string()), texts.take(pa.array(rows)), pa.nulls(len(rows), pa.string())
    both = (pa.concat_arrays([new, old]).take(pa.array(order)) for new, old in zip(more, said, strict=True))
    return np.concatenate([rows, line])[order], tuple(both)


def _true(condition: pa.Array) -> Array:
    return np.asarray(condition.fill_null(False).to_numpy(zero_copy_only=False))


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
        joined[at] = "\n".join(texts.take(pa.array(found[first:last])).fill_null("").to_pylist())
    return pa.array(joined, pa.string())
