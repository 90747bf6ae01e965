"""A batch of a log as it lies on disk between reading and replaying: numbers and names in one file, texts in another.

Most passes look at no text, since what texts came to is kept beside: see `simulator.stored.made`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from simulator.arms import Batch
from simulator.counts import Counts
from simulator.models import ModelIndex
from simulator.stored.made import Made
from simulator.stored.memory import Room
from simulator.usage.counted import CountedInput
from workloads import BUCKETS, MESSAGE, OUTCOME, REQUEST
from workloads.apart import Apart
from workloads.blocks import Block, RowGroups, read_block
from workloads.checked import NOTHING, DamagedError, get, put

TEXTS = ("system", "prompt", "messages")
# What a batch takes of the outcomes: its counts stand beside as they were counted, and the answer's text is done with.
LEFT_OUT = {*BUCKETS, "input_provenance", "output_provenance", "completion"}
OUTCOMES = tuple(name for name in OUTCOME.names if name not in LEFT_OUT)
MILLI = tuple(f"milli_{bucket}" for bucket in BUCKETS)
TYPES = {field.name: field.type for field in (*REQUEST, *OUTCOME)}
OWN, AS_PROMPT, AS_SYSTEM = 0, 1, 2  # where a message's text stands
AHEAD = 2  # batches waiting to be written
LEAN_MESSAGE = pa.struct([*MESSAGE, pa.field("stands", pa.int8())])


@dataclass(frozen=True)
class Origin:
    """Rows of a block of the log, for texts that nobody is expected to ask for again.

    Args:
        block: as `read_block` reads it.
        lines: a hash of its lines.
        first: the first row's number in the block.
    """

    block: Block | RowGroups
    lines: int
    first: int = 0

    @classmethod
    def of(cls, block: Block | RowGroups, ids: Apart) -> Origin:
        """All rows of a block that was read."""
        return cls(block, xxh3_64_intdigest(ids.digests))

    def column(self, name: str, rows: int) -> pa.Array:
        """A column of texts, read from the log.

        Raises:
            DamagedError: the log has changed.
        """
        found = read_block(self.block)
        if found is None or xxh3_64_intdigest(found[2].digests) != self.lines:
            raise DamagedError(f"{self.block.source} has changed meanwhile")
        return found[0][name].slice(self.first, rows)


@dataclass(frozen=True)
class Part:
    """The files of one batch.

    Args:
        folder: holds them.
        stem: what their names begin with.
        columns, texts: the files' names.
        made: names of the files of what was made of it before.
        origin: where its texts are where they were not written.
    """

    folder: Path
    stem: str
    columns: str
    texts: str
    made: tuple[str, ...] = ()
    origin: Origin | None = None

    def batch(self, index: ModelIndex) -> Batch:
        """The batch as the kernel takes it, its texts left on disk until they are asked for.

        Raises:
            DamagedError: a file is not what was written.
        """
        held = get(self.folder, self.columns)
        counts = [held.pop(name, None) for name in MILLI]
        provenance = [held.pop(name).to_numpy() for name in ("from_input", "from_output")]
        rows = len(provenance[0])
        known = [column is not None and column.is_valid().to_numpy(zero_copy_only=False) for column in counts]
        none = np.zeros(rows, np.int64)
        logged = Counts(
            np.stack([none if column is None else column.fill_null(0).to_numpy() for column in counts]).T,
            np.stack([np.broadcast_to(each, rows) for each in known]).T,
            *provenance,
        )
        outcomes = _batch(held, OUTCOMES, rows)
        names = [name for name in REQUEST.names if name not in TEXTS or name in held]
        requests = self.requests(_batch(held, [*names, *(name for name in held if name not in TYPES)], rows))
        source = index.of_log(requests["model"], requests["provider"])
        made = Made(self.folder, self.stem, self.made)
        return Batch.of(requests, outcomes, source, logged, CountedInput(requests, made), made)

    def requests(self, held: pa.RecordBatch) -> KeptRequests:
        """The batch's arrival columns, of which some are held and the others, its texts, on disk."""
        return KeptRequests(self, held)


def write_part(batch: Batch, outcomes: pa.RecordBatch, origin: Origin | None = None) -> Part:
    """Write a batch where what is made of it goes, with all that was so far; no texts where an origin has them.

    Raises:
        OSError: the folder cannot be written.
    """
    assert batch.made is not None
    requests, logged, folder, stem = batch.requests, batch.logged, batch.made.folder, batch.made.stem
    columns = {name: requests[name] for name in without_texts(requests.schema)}
    columns |= {name: outcomes[name] for name in OUTCOMES}
    for at, name in enumerate(MILLI):
        columns[name] = pa.array(logged.milli[:, at], mask=~logged.known[:, at])
    columns["from_input"] = pa.array(logged.input_provenance)
    columns["from_output"] = pa.array(logged.output_provenance)
    texts = NOTHING if origin else put(folder, f"{stem}.texts", _texts(requests), texts=True)
    held = put(folder, f"{stem}.columns", columns)
    batch.inputs.keep(batch.made)
    batch.made.save()
    return Part(folder, stem, held, texts, tuple(batch.made.names), origin)


def _texts(requests: pa.RecordBatch) -> dict[str, pa.Array]:
    texts = {each.name: requests[each.name] for each in requests.schema if _is_text(each)}
    return texts | {"messages": _lean(requests)} if "messages" in texts else texts


class PartWriter:
    """Writes batches one after the other while the next is read.

    Args:
        folder: for the parts.
        ask: asks a batch what will be asked of its texts.
    """

    def __init__(self, folder: Path, ask: Callable[[Batch], object]) -> None:
        self.folder, self._ask = folder, ask
        self._thread = ThreadPoolExecutor(1, "parts")
        self._futures: list[Future[Part]] = []

    def add(self, batch: Batch, outcomes: pa.RecordBatch) -> Future[Part]:
        """Write one; waits where more than AHEAD are to be written.

        Raises:
            OSError: an earlier one could not be.
        """
        made = replace(batch, made=Made(self.folder, f"{len(self._futures):06}"))
        self._ask(made)
        self._futures.append(self._thread.submit(write_part, made, outcomes))
        if len(self._futures) > AHEAD:
            self._futures[-AHEAD - 1].result()
        return self._futures[-1]

    def stop(self) -> None:
        """Write no more."""
        self._thread.shutdown(cancel_futures=True)


def parts_of(folder: Path, files: Iterable[tuple[str, str, str]]) -> list[Part]:
    """The parts of a reading by their stems and the names of their files, with what was made of them before."""
    made: dict[str, list[str]] = {}
    for path in folder.glob("*.made.*.arrow"):
        made.setdefault(path.name.partition(".")[0], []).append(path.name)
    return [Part(folder, stem, columns, texts, tuple(made.get(stem, ()))) for stem, columns, texts in files]


def _batch(columns: Mapping[str, pa.Array], names: Sequence[str], rows: int) -> pa.RecordBatch:
    """Columns by name, those that are not there filled with nulls."""
    held = [columns[name] if name in columns else pa.nulls(rows, TYPES[name]) for name in names]
    return pa.RecordBatch.from_arrays(held, names=list(names))


def without_texts(schema: pa.Schema) -> list[str]:
    """The columns of requests that stay in memory when they lie on disk."""
    return [each.name for each in schema if not _is_text(each)]


def _is_text(field: pa.Field) -> bool:
    return field.name in TEXTS and not pa.types.is_struct(field.type)  # a profile holds counts instead of messages


class KeptRequests:
    """Stands in for a record batch of arrival columns, its texts read from disk each time they are asked for.

    Args:
        part: holds the texts.
        held: the other columns.

    Attributes:
        room: for prompts, which stay in memory once they were read, as far as it goes.
    """

    def __init__(self, part: Part, held: pa.RecordBatch) -> None:
        self._part, self._held = part, held
        self._prompt: pa.Array | None = None
        self.room = Room(0)
        self.num_rows, self.nbytes = held.num_rows, held.nbytes
        own = {each.name: each for each in held.schema}  # a profile has more columns, and counts for messages
        self.schema = pa.schema([*({each.name: each for each in REQUEST} | own).values()])

    def __len__(self) -> int:
        return int(self.num_rows)

    def __getitem__(self, name: str) -> pa.Array:
        if name in self._held.schema.names:
            return self._held[name]
        if self._part.origin is not None:
            return self._part.origin.column(name, len(self))
        found = self._texts(*(TEXTS if name == "messages" else (name,)))
        return _whole(**found) if name == "messages" else found[name]

    def _texts(self, *names: str) -> dict[str, pa.Array]:
        """Texts by name, messages without those that stand in the others."""
        found = {"prompt": self._prompt} if self._prompt is not None and "prompt" in names else {}
        if wanted := [name for name in names if name not in found]:
            read = get(self._part.folder, self._part.texts, wanted)
            types = TYPES | {"messages": pa.list_(LEAN_MESSAGE)}
            found |= {name: read[name] if name in read else pa.nulls(len(self), types[name]) for name in wanted}
        if "prompt" in wanted and self.room.take(found["prompt"].nbytes):
            self._prompt = found["prompt"] = _copied(found["prompt"])
        return found

    def holds(self, columns: pa.RecordBatch) -> None:
        """Hold columns that are equal to some of those held in their places."""
        names = self._held.schema.names
        held = [columns[name] if name in columns.schema.names else self._held[name] for name in names]
        self._held = pa.RecordBatch.from_arrays(held, schema=self._held.schema)

    def __getattr__(self, name: str) -> Any:
        """Whatever else a record batch can do, for routers that are not ours."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.whole(), name)

    def select(self, names: Sequence[str]) -> pa.RecordBatch:
        """A record batch of some columns."""
        return pa.RecordBatch.from_arrays([self[name] for name in names], names=list(names))

    def whole(self) -> pa.RecordBatch:
        """A record batch, the texts read."""
        return self.select(self.schema.names)


def _copied(texts: pa.StringArray) -> pa.StringArray:
    """Texts in memory of their own: of what Arrow read them with it gives little back, half as much again."""
    known, ends, data = (None if each is None else pa.py_buffer(each.to_pybytes()) for each in texts.buffers())
    return pa.StringArray.from_buffers(len(texts), ends, data, known, texts.null_count, texts.offset)


def _lean(requests: pa.RecordBatch) -> pa.Array:
    """The messages, without the texts that stand in the request's own columns."""
    messages = requests["messages"]
    parts, parents = pc.list_flatten(messages), pc.list_parent_indices(messages)
    role, name, text = (pc.struct_field(parts, field.name) for field in MESSAGE)
    stands, length = np.zeros(len(parts), np.int8), pc.binary_length(text)
    for code, column in ((AS_SYSTEM, requests["system"]), (AS_PROMPT, requests["prompt"])):
        alike = pc.fill_null(pc.equal(length, pc.binary_length(column).take(parents)), False)
        at = np.flatnonzero(alike.to_numpy(zero_copy_only=False))
        whose = parents.to_numpy()[at]
        one_each = np.array_equal(whose, np.arange(len(column)))  # as a rule, and then nothing is copied
        same = pc.equal(text.take(pa.array(at)), column if one_each else column.take(pa.array(whose)))
        stands[at[same.to_numpy(zero_copy_only=False)]] = code
    own = pc.if_else(pa.array(stands == OWN), text, None)
    return _lists(messages, [role, name, own, pa.array(stands)], LEAN_MESSAGE)


def _whole(messages: pa.Array, system: pa.Array, prompt: pa.Array) -> pa.Array:
    """The messages as they were."""
    parts, parents = pc.list_flatten(messages), pc.list_parent_indices(messages)
    role, name, text, stands = (pc.struct_field(parts, field.name) for field in LEAN_MESSAGE)
    for code, column in ((AS_SYSTEM, system), (AS_PROMPT, prompt)):
        here = pc.equal(stands, code)
        text = pc.replace_with_mask(text, here, column.take(parents.filter(here)))
    return _lists(messages, [role, name, text], MESSAGE)


def _lists(like: pa.Array, fields: list[pa.Array], kind: pa.DataType) -> pa.Array:
    """Lists of the lengths of others, of other values."""
    lengths = pc.fill_null(pc.list_value_length(like), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    values = pa.StructArray.from_arrays(fields, fields=list(kind))
    return pa.ListArray.from_arrays(offsets, values, type=pa.list_(kind), mask=like.is_null())
