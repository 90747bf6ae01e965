"""The fast way to read chat JSONL: what nearly every line looks like, decoded straight into types and then columns.

Its contract: the columns that `chat.read` and `to_batches` would give, or nothing where a line holds anything out of
the ordinary (a field that only other readers know, a tool's result among parts, an answer in another provider's words,
whatever needs a note or is a problem) and the full reader has to look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workloads.bodies.exchange import Answered
from workloads.bodies.openai import asks_for_json
from workloads.collector import without_collector
from workloads.counts import MOST_CAP
from workloads.formats import plain_usage
from workloads.formats.chat import KINDS
from workloads.formats.envelope import MOST_MS, STATUSES, money
from workloads.formats.looked_at import MOST, nobody_looks_at
from workloads.formats.plain_bodies import Bodies, read_bodies, texts_of_bodies
from workloads.formats.plain_text import FIELDS as TEXTS
from workloads.formats.plain_text import Message, Texts, Turn
from workloads.formats.plain_times import read_times
from workloads.formats.times import microseconds
from workloads.ids import Ids
from workloads.rows import Columns, RowError, Strings
from workloads.schema import OUTCOME, REQUEST

# Lines, and bytes of them: the objects of more would leave the processor's cache before they are lists and columns.
AT_ONCE, BYTES_AT_ONCE = 2_048, 2**20

NOT_STATED = msgspec.Raw(b"null")  # a raw value is either looked at or passed over, and never None
Values = list[Any]
Array = np.ndarray[Any, np.dtype[Any]]


class Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The fields read here, by the names of `chat` and `envelope`; where two names mean one field, the line has one."""

    request_id: str | None = None
    id: str | None = None
    timestamp: str | None = None
    session_id: str | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    user: str | None = None
    model: str | None = None
    provider: str | None = None
    system: str | None = None
    messages: list[Turn] | None = None
    prompt: str | None = None
    tools: msgspec.Raw = NOT_STATED
    functions: msgspec.Raw = NOT_STATED
    response_format: msgspec.Raw = NOT_STATED
    response: str | dict[str, Any] | list[Any] | None = None
    completion: str | None = None
    usage: dict[str, Any] | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    max_tokens: int | None = None
    service_tier: str | None = None
    metadata: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    label: str | None = None
    task: str | None = None
    cost: int | float | None = None
    cost_usd: int | float | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    latency_budget_ms: float | None = None
    status: str | None = None


@dataclass(frozen=True)
class Plain:
    """What was read of some lines.

    Args:
        at: int64, the places of the lines that were read, in their order.
        requests, outcomes: a row for each of them; `request_id` is null where the line has none.
        strings: their texts.
    """

    at: Array
    requests: pa.RecordBatch
    outcomes: pa.RecordBatch
    strings: Strings

    def named(self, ids: Ids) -> Columns:
        """The rows, each with its id."""
        at = self.requests.schema.get_field_index("request_id")
        return self.requests.set_column(at, REQUEST.field(at), ids.names), self.outcomes


# What requests, the router's own decision log and tracers write besides, and no column holds.
UNREAD: tuple[str, ...] = (
    "temperature",
    "top_p",
    "n",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "stream",
)
UNREAD += ("stream_options", "tool_choice", "parallel_tool_calls", "reasoning_effort", "finish_reason")
UNREAD += ("provider_request_id", "retries", "decision", "trace_id", "environment", "version", "tags")
FIELDS = {field.name: field.type for field in msgspec.structs.fields(Line)} | dict.fromkeys(UNREAD, Any)
COLUMNS = FIELDS.keys() - {*TEXTS} - {*UNREAD}
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# The fields that lines were met with. A log's lines have few of them, and what no line has takes time in every line.
_met: set[str] = set()
_passed_over: dict[str, None] = {}  # of those, what no reader of any format looks at, as met
TURNS = "(turns)"  # no field: stands among them once a message was met that is no bare text


def read_plain(contents: Sequence[bytes]) -> Plain:
    """The rows of those lines that nothing is out of the ordinary in; `chat.read` has to look at the others."""
    with without_collector():
        at, columns, odd, strings = _read(contents)  # what was decoded is gone before the collector would go through it
    requests, outcomes = (
        pa.RecordBatch.from_arrays([columns[n] for n in each.names], schema=each) for each in (REQUEST, OUTCOME)
    )
    if odd.any():
        ordinary = pa.array(~odd)
        at, requests, outcomes = at[~odd], requests.filter(ordinary), outcomes.filter(ordinary)
    return Plain(at, requests, outcomes, strings)


def _read(contents: Sequence[bytes]) -> tuple[Array, dict[str, pa.Array], Array, Strings]:
    fields, texts, at = _decoded(contents)
    columns, odd = _columns(fields, texts, len(at))
    return at, columns, odd, texts.strings(odd)


def _decoded(contents: Sequence[bytes]) -> tuple[dict[str, Values], Texts, Array]:
    """The fields of the lines that have none but those of `Line`, by name; their texts; and the lines' places.

    Fields that no line has are all None.
    """
    names, turns = tuple(name for name in (*FIELDS, *_passed_over) if name in _met), TURNS in _met
    decode, texts, odd = _decoder(names, turns), Texts({*names} & {*TEXTS}, turns=turns), list[int]()
    fields = {name: list[Any]() for name in names if name in COLUMNS}
    step = min(BYTES_AT_ONCE * len(contents) // (sum(map(len, contents)) + 1), AT_ONCE) or 1
    for first in range(0, len(contents), step):
        lines, left, before = list[Any](), iter(contents[first : first + step]), len(odd)
        while True:
            try:
                lines.extend(map(decode, left))
                break
            except _UNREADABLE:  # what came before it is in `lines`, and what follows is left
                odd.append(first + len(lines) + len(odd) - before)
                if _meets(contents[odd[-1]]):
                    return _decoded(contents)
        for name, values in fields.items():
            values.extend(map(attrgetter(name), lines))
        texts.add(lines)
    none: Values = [None] * (len(contents) - len(odd))
    fields |= {name: none for name in FIELDS if name not in fields and name not in TEXTS}
    return fields, texts, np.delete(np.arange(len(contents)), odd)


@lru_cache(maxsize=64)
def _decoder(names: tuple[str, ...], turns: bool) -> Callable[[bytes], Any]:
    """Decodes lines that have none but some of the fields of `Line`, and messages that are texts unless `turns`."""
    types = FIELDS if turns else FIELDS | {"messages": list[Message] | None}
    fields = [(name, types.get(name, Any), None) for name in names]  # None is what no line states
    return msgspec.json.Decoder(msgspec.defstruct("Line", fields, forbid_unknown_fields=True, gc=False)).decode


def _meets(content: bytes) -> bool:
    """Whether a line can be read here but for fields, or turns, that no line was met with before."""
    try:
        names = _keys(content).keys()
    except _UNREADABLE:
        return False
    others = names - FIELDS.keys()
    if len(others | _passed_over.keys()) > MOST or not all(map(nobody_looks_at, others)):
        return False
    _passed_over.update(dict.fromkeys(sorted(others)))  # of odd lines, too: a decoder for each set of them takes 0.1 ms
    if not _reads(content, turns=True):
        return False
    new = {*names, *(() if _reads(content, turns=False) else (TURNS,))} - _met
    _met.update(new)
    return bool(new)


def _reads(content: bytes, *, turns: bool) -> bool:
    try:
        _decoder((*FIELDS, *_passed_over), turns)(content)
    except _UNREADABLE:
        return False
    return True


def _columns(fields: dict[str, Values], texts: Texts, lines: int) -> tuple[dict[str, pa.Array], Array]:
    """Columns by name, and which rows they are not to be taken for."""
    odd = np.zeros(lines, bool)
    bodies = read_bodies(texts.bodies | texts_of_bodies(texts.answers), fields["provider"], odd)
    arrived, models = read_times(fields["timestamp"], odd), _strings(fields, "model")
    if bodies:  # say what the lines do not
        texts.put_answers({line: answered.completion for line, (answered, _) in bodies.items()})
        arrived = pc.coalesce(arrived, _of(bodies, lines, arrived.type, lambda said: microseconds(said.created)))
        models = pc.coalesce(models, _of(bodies, lines, models.type, lambda said: said.model))
    columns = {
        "request_id": _strings(fields, "request_id", "id"),
        "arrived_at": arrived,
        "session_id": _strings(fields, "session_id", "conversation_id"),
        "user_id": _strings(fields, "user_id", "user"),
        "model": models,
        "provider": _strings(fields, "provider"),
        "call_type": _mapped(models, _call_type, "chat"),
        "has_tools": pa.array(_flags(fields["tools"], bool, odd) | _flags(fields["functions"], bool, odd)),
        "json_mode": pa.array(_flags(fields["response_format"], asks_for_json, odd)),
        "max_output_tokens": _caps(_either(fields, "max_completion_tokens", "max_output_tokens", "max_tokens"), odd),
        "latency_budget_ms": _milliseconds(fields["latency_budget_ms"], odd),
        "service_tier": _strings(fields, "service_tier"),
        "meta": _metas(fields, odd),
        "label": _strings(fields, "label", "task"),
        "completion": texts.answers,
        "latency_ms": _milliseconds(fields["latency_ms"], odd),
        "ttft_ms": _milliseconds(fields["ttft_ms"], odd),
        "status": _statuses(fields["status"], odd),
        "feedback": pa.nulls(lines, pa.string()),
    }
    columns |= texts.columns(odd)
    usages = fields["usage"]
    said = {line: usage for line, (_, usage) in bodies.items()}
    columns |= plain_usage.columns(usages, said, fields["provider"], _costs(fields, odd), odd)
    if texts.without.any():
        odd |= texts.without & np.array([usage is None for usage in usages], bool)  # no call, or one in other words
    return columns, odd


def _strings(fields: dict[str, Values], first: str, second: str | None = None) -> pa.Array:
    """A field by its first name, else its second; what is empty is unknown."""
    values = fields[first] if second is None else _either(fields, first, second)
    if _all_unknown(values):
        return pa.nulls(len(values), pa.string())
    found = pa.array(values, pa.string())
    empty = pc.equal(pc.binary_length(found), 0)
    return pc.if_else(empty, None, found) if pc.any(empty).as_py() else found


def _mapped(names: pa.Array, of: Any, null: str) -> pa.Array:
    """What each distinct name stands for, and what an unknown one does."""
    encoded = names.dictionary_encode()
    values = pa.array([of(name) for name in encoded.dictionary.to_pylist()], pa.string())
    return pc.fill_null(values.take(encoded.indices), null)


@lru_cache(maxsize=4096)
def _call_type(model: str) -> str:
    said = model.lower()
    return next((kind for mark, kind in KINDS if mark in said), "chat")


def _of(bodies: Bodies, lines: int, column: pa.DataType, say: Callable[[Answered], Any]) -> pa.Array:
    """What recorded bodies say, null for lines whose answer is none."""
    values: Values = [None] * lines
    for line, (answered, _) in bodies.items():
        values[line] = say(answered)
    return pa.array(values, column)


def _flags(values: Values, of: Callable[[Any], bool], odd: Array) -> Array:
    """What values in JSON say; tools and schemas come again line after line, and each is decoded once."""
    found, met = np.zeros(len(values), bool), dict[bytes, bool | None]()
    for place, value in _stated(values):
        said = bytes(value)
        if said not in met:
            try:
                met[said] = of(msgspec.json.decode(said))
            except _UNREADABLE:  # what is passed over is not looked into
                met[said] = None
        flag = met[said]
        found[place], odd[place] = flag, odd[place] or flag is None
    return found


def _caps(values: Values, odd: Array) -> pa.Array:
    if _all_unknown(values):
        return pa.nulls(len(values), pa.int64())
    for place, cap in _stated(values):
        if not 0 < cap < MOST_CAP:
            values[place], odd[place] = None, True
    return pa.array(values, pa.int64())


def _milliseconds(values: Values, odd: Array) -> pa.Array:
    if _all_unknown(values):
        return pa.nulls(len(values), pa.float64())
    found = pa.array(values, pa.float64())
    known = found.to_numpy(zero_copy_only=False)
    odd |= ~np.isnan(known) & ~((known >= 0) & (known < MOST_MS))
    return found


def _metas(fields: dict[str, Values], odd: Array) -> pa.Array:
    held = _either(fields, "metadata", "meta")
    if _all_unknown(held):
        return pa.nulls(len(held), pa.string())
    budgets = fields["latency_budget_ms"]
    said = pa.array([msgspec.json.encode(meta) if meta else None for meta in held], pa.string())
    budgeted = pc.fill_null(pc.match_substring(said, '"latency_budget_ms":'), False)
    for place in np.flatnonzero(budgeted.to_numpy(zero_copy_only=False)).tolist():
        if budgets[place] is None and "latency_budget_ms" in held[place]:  # which may be a budget of any kind
            odd[place] = True
    return said


def _statuses(values: Values, odd: Array) -> pa.Array:
    said = pa.array(values, pa.string()).dictionary_encode()
    known = [STATUSES.get(status) if status else "ok" for status in said.dictionary.to_pylist()]
    code = said.indices.fill_null(len(known))
    odd |= np.array([*(status is None for status in known), False])[code.to_numpy()]
    return pa.array([*known, "ok"], pa.string()).take(code)


def _costs(fields: dict[str, Values], odd: Array) -> list[Decimal | None]:
    costs = _either(fields, "cost_usd", "cost")
    for place, cost in _stated(costs):
        try:
            costs[place] = money("cost", cost)
        except RowError:
            costs[place], odd[place] = None, True
    return costs


def _either(fields: dict[str, Values], first: str, *others: str) -> Values:
    """A field by its first name, else by its next."""
    found = fields[first]
    for other in others:
        if not _all_unknown(fields[other]):
            found = [b if a is None else a for a, b in zip(found, fields[other], strict=True)]
    return found


def _stated(values: Values) -> list[tuple[int, Any]]:
    """The values that a field has, each with its place."""
    if _all_unknown(values):
        return []
    return [(place, value) for place, value in enumerate(values) if value is not None]


def _all_unknown(values: Values) -> bool:
    return (not values or values[0] is None) and values.count(None) == len(values)
