"""The texts of plain lines: gathered as strings, for who counts them, and in Arrow's columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import chain, compress, count, repeat
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workloads.bodies.openai import ROLES, said_by
from workloads.rows import Strings
from workloads.schema import MESSAGE

Array = np.ndarray[Any, np.dtype[Any]]
FIELDS = ("messages", "prompt", "system", "response", "completion")
TEXT = {str, type(None)}


class Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A message whose content is a text."""

    role: str
    content: str
    name: str | None = None


class Turn(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A message that may also call tools, answer such a call or have parts; no column holds `refusal` and the next."""

    role: str
    content: str | list[str | dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[Any] | None = None
    tool_call_id: str | None = None
    refusal: Any = None
    annotations: Any = None
    audio: Any = None
    function_call: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    prefix: Any = None
    cache_control: Any = None


class Texts:
    """The texts of lines in their order, put into Arrow's memory while their strings are in the processor's cache.

    Args:
        met: which of FIELDS the lines have.
        turns: whether their messages are turns.
    """

    def __init__(self, met: Collection[str], *, turns: bool = False) -> None:
        self._met, self._turns = met, turns
        self.bodies: dict[int, Any] = {}  # answers that are no texts, by line; the columns have none there
        self._recorded = list[int]()  # lines whose answers were read from bodies
        self._imaged, self._odd = list[int](), list[int]()  # numbers of messages
        self._contents, self._answers = list[str](), list[str | None]()
        self._columns: dict[str, list[pa.Array]] = {"role": [], "content": [], "name": [], "answer": []}
        self._counts, self._without = list[int](), list[bool]()

    def add(self, lines: Sequence[Any]) -> None:
        """Take in the texts of some lines, which have them as attributes."""
        messages, prompts = self._each("messages", lines), self._each("prompt", lines)
        if None in messages:
            self._without += [said is None and prompt is None for said, prompt in zip(messages, prompts, strict=True)]
        else:
            self._without += [False] * len(lines)
        if {"prompt", "system"} & {*self._met} or None in messages:
            messages = list(map(self._all, messages, prompts, self._each("system", lines)))
        answers = self._each("response", lines)
        if "completion" in self._met:
            others = self._each("completion", lines)
            answers = [other if answer is None else answer for answer, other in zip(answers, others, strict=True)]
        if not TEXT.issuperset(map(type, answers)):
            self._put_aside(answers)
        answers = [answer or None for answer in answers]
        flat = list(chain.from_iterable(messages))
        contents = list(map(attrgetter("content"), flat))
        roles, names = (list(map(attrgetter(name), flat)) for name in ("role", "name"))
        if self._turns:
            contents = [
                content if type(content) is str and not turn.tool_calls else self._said(turn, number)
                for content, turn, number in zip(contents, flat, count(len(self._contents)), strict=False)
            ]
            names = [turn.name or turn.tool_call_id for turn in flat]
        for name, values in (("role", roles), ("content", contents), ("name", names), ("answer", answers)):
            self._columns[name].append(pa.array(values, pa.string()))
        self._counts += map(len, messages)
        self._contents += contents
        self._answers += answers

    def _each(self, name: str, lines: Sequence[Any]) -> list[Any]:
        return list(map(attrgetter(name), lines)) if name in self._met else [None] * len(lines)

    def _put_aside(self, answers: list[Any]) -> None:
        before = len(self._counts)
        for place, answer in enumerate(answers):
            if type(answer) not in TEXT:
                self.bodies[before + place], answers[place] = answer, None

    def _said(self, turn: Turn, number: int) -> str:
        """What a message says, with the tools that it calls."""
        found = said_by(turn.content, turn.tool_calls)
        if found.results:  # which become messages of their own
            self._odd.append(number)
        if found.has_images:
            self._imaged.append(number)
        return "\n".join(found.texts + found.calls)

    def _all(self, messages: Sequence[Any] | None, prompt: str | None, system: str | None) -> Sequence[Any]:
        """A line's messages, those that stand beside `messages` too."""
        message = Turn if self._turns else Message
        said = messages if messages is not None else () if prompt is None else (message("user", prompt),)
        if not system or (said and said[0].role == "system" and said[0].content == system):
            return said
        return (message("system", system), *said)

    @cached_property
    def without(self) -> Array:
        """Bool, lines that have neither messages nor a prompt, not even empty ones."""
        return np.array(self._without, bool)

    @cached_property
    def answers(self) -> pa.Array:
        """Each line's answer, null where there is none or an empty one."""
        return self._column("answer")

    def put_answers(self, texts: Mapping[int, str | None]) -> None:
        """Put the texts of answers that are recorded bodies in the place of those, by line."""
        for line, text in texts.items():
            self._answers[line] = text
        self._recorded = list(texts)
        self.answers = pa.array(self._answers, pa.string())

    def _column(self, name: str) -> pa.Array:
        held = self._columns[name]
        return pa.concat_arrays(held) if held else pa.nulls(0, pa.string())

    def strings(self, odd: Array) -> Strings:
        """The texts of the lines that are not odd."""
        if not odd.any():
            return Strings(self._contents, self._answers)
        kept = (~odd).tolist()
        parts = chain.from_iterable(map(repeat, kept, self._counts))
        return Strings(list(compress(self._contents, parts)), list(compress(self._answers, kept)))

    def columns(self, odd: Array) -> dict[str, pa.Array]:
        """`messages`, `n_messages`, `prompt`, `system` and `has_images`; null where a line holds no text.

        Args:
            odd: rows that the full reader has to look at are marked here: one whose last message may be its answer.
        """
        lines, answers = len(self._counts), self.answers
        role, content, name = (self._column(each) for each in ("role", "content", "name"))
        counts = np.array(self._counts, np.int32)
        line = np.repeat(np.arange(lines), counts)
        offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
        roles = role.dictionary_encode()
        kinds, kind = [ROLES.get(each, each) for each in roles.dictionary.to_pylist()], roles.indices.to_numpy()

        def of(wanted: str) -> Array:
            return np.asarray(np.array([each == wanted for each in kinds], bool)[kind])

        some = counts > 0
        odd[line[of("")]] = True
        odd[line[self._odd]] = True
        images = np.zeros(lines, bool)
        images[line[self._imaged]] = True
        unanswered = answers.is_null().to_numpy(zero_copy_only=False)
        unanswered[self._recorded] = False
        ends = np.flatnonzero(some & unanswered)
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
            "has_images": pa.array(images),
        }


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
