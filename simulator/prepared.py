"""A log read, counted and observed once, and its batches handed out as often as wanted, from memory or from disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary, finalize

import pyarrow as pa

from pricing import PriceBook
from pricing.fast_counts import forecast
from problems import BackrouteError, ProblemLog
from simulator.arms import Batch
from simulator.evidence import Evidence
from simulator.incremental import Incremental
from simulator.models import ModelIndex
from simulator.scenario import Scenario
from simulator.stored.asked import ask
from simulator.stored.holding import Holding
from simulator.stored.kept import Found, keep, restore, version
from simulator.stored.memory import Memory, Room
from simulator.stored.parts import KeptRequests
from simulator.stored.together import Together
from simulator.stored.told import Told
from simulator.usage.counted import CountedInput
from simulator.usage.logged import logged_counts
from workloads import Log
from workloads.checked import DamagedError
from workloads.rows import Strings
from workloads.store import Store, discard, store_of

Value = TypeVar("Value")
# Reads a log into parts, in a folder where they are to last, taking in its models and telling its problems.
Reader = Callable[[ModelIndex, Told, Path | None], Found]

HELD_BYTES = 320 * 2**20  # of a log's batches in memory; their texts are the first to go
PROMPT_BYTES = 512 * 2**20  # of prompts read from disk, where a log is replayed again and again

warn = logging.getLogger("backroute")


class Prepared:
    """What the arms need of a log.

    Args:
        found: what its reading came to.
        held: its batches, where memory holds them; their texts may be on disk.
        index: the run's model names.
        lasting: whether all of it lasts as long as the log, so that it can be used again.
    """

    def __init__(self, found: Found, held: list[Batch] | None, index: ModelIndex, *, lasting: bool) -> None:
        memory = Memory()
        self._held = None if held is None else [replace(each, memory=memory, number=n) for n, each in enumerate(held)]
        made = [(batch.made, len(batch.source)) for batch in self._held or () if batch.made is not None]
        self._together = Together(found.parts[0].folder, *zip(*made, strict=True)) if made and lasting else None
        self.parts, self.observed, self.doubts, self.told = found.parts, found.observed, found.doubts, found.told
        self._index, self.lasting = index, lasting

    @property
    def held(self) -> bool:
        """Whether another pass reads nothing but the texts it asks for."""
        return bool(self._held)

    @cached_property
    def incremental(self) -> Incremental:
        """Replays a log in memory from its last replay; see `keep`."""
        room = Room(PROMPT_BYTES)
        for batch in self._held or ():
            if isinstance(batch.requests, KeptRequests):
                batch.requests.room = room
        return Incremental(self._held or [], self._index)

    def keep(self) -> None:
        """Keep on disk what a replay made of the texts of a log in memory."""
        for batch in self._held or ():
            batch.keep()
        if self._together is not None:
            self._together.save()

    def batches(self) -> Iterator[Batch]:
        """Every batch in the log's order; what a pass makes of its texts is kept where the batch lies on disk.

        Raises:
            DamagedError: what is on disk is not what was written.
        """
        for batch in self._held if self._held is not None else (part.batch(self._index) for part in self.parts):
            yield batch
            batch.keep()
        if self._together is not None:
            self._together.save()

    @staticmethod
    def batch(
        requests: pa.RecordBatch, outcomes: pa.RecordBatch, index: ModelIndex, strings: Strings | None = None
    ) -> Batch:
        """One batch as the kernel takes it: its models known, its tokens counted."""
        source = index.of_log(requests["model"], requests["provider"])
        inputs = CountedInput(requests)
        logged = logged_counts(requests, outcomes, inputs, source, index, strings)
        return Batch.of(requests, outcomes, source, logged, inputs)


@dataclass(frozen=True)
class _Again:
    """A log after a replay, and what it was read with."""

    stamp: object
    prepared: Prepared
    index: ModelIndex


_AGAIN: WeakKeyDictionary[Log, _Again] = WeakKeyDictionary()


def prepare(
    log: Log,
    book: PriceBook,
    problems: ProblemLog,
    temporary: Path,
    reader: Reader | None = None,
    *,
    scenarios: Sequence[Scenario] = (),
    beside: bool = True,
) -> tuple[Prepared, ModelIndex]:
    """A log ready for the kernel: from memory or from beside the log where it was read before, else read now.

    What is in memory is as long as the `Log` is, what lies beside the log longer. It is read again where a file has
    changed since, or with a price book that knows the log's models by other names.

    Args:
        log: the log.
        book: knows its models.
        problems: where rows that cannot be read go; told again where nothing is read.
        temporary: a folder for what memory does not hold and nobody keeps.
        reader: reads the log on other processes; this one does where left out.
        scenarios: ask texts that memory does not hold while they are read.
        beside: whether what is read may be kept beside the log.

    Raises:
        DamagedError: see `unless_damaged`.
    """
    stamp, again = log.stamp(), _AGAIN.get(log)
    if again is not None and again.stamp == stamp and again.index.holds_under(book):
        again.prepared.told.again(problems)
        return again.prepared, again.index
    index, store = ModelIndex(book), store_of(log, version()) if beside else None
    prepared = None if store is None else _restored(store, log, index, problems)
    if prepared is None:
        index = ModelIndex(book)
        prepared = _read(log, index, problems, store, temporary, reader, scenarios)
    if prepared.lasting and log.stamp() == stamp:
        _AGAIN[log] = _Again(stamp, prepared, index)
    return prepared, index


def unless_damaged(log: Log, run: Callable[[], Value]) -> Value:
    """Do something with a log, and once more from the beginning where what was kept of it turns out to be damaged."""
    try:
        return run()
    except DamagedError as error:
        warn.warning("note: what was kept of the log is damaged or gone, and the log is read again (%s)", error)
        _AGAIN.pop(log, None)
        if (store := store_of(log, version())) is not None:
            store.remove()
    try:
        return run()
    except DamagedError as error:
        raise BackrouteError("what is kept of the log", str(error), fix="pass --no-cache") from error


def _restored(store: Store, log: Log, index: ModelIndex, problems: ProblemLog) -> Prepared | None:
    reading = store.find()
    found = None if reading is None else restore(reading, log, index)
    if found is None:
        if reading is not None:
            discard(reading.folder)
        return None
    held = [part.batch(index) for part in found.parts] if found.nbytes <= HELD_BYTES else None
    found.told.again(problems)
    warn.warning("note: the log was read before, and is taken from %s; --no-cache reads it anew", store.folder)
    return Prepared(found, held, index, lasting=True)


def _read(
    log: Log,
    index: ModelIndex,
    problems: ProblemLog,
    store: Store | None,
    temporary: Path,
    reader: Reader | None,
    scenarios: Sequence[Scenario],
) -> Prepared:
    begun = None if store is None else store.begin()
    told = Told(problems, begun)
    held: list[Batch] | None = None
    try:
        if reader is not None:
            found = reader(index, told, begun)
        else:
            asks = partial(ask, scenarios=scenarios, index=index)
            found, held = _read_here(log, index, told, Holding(begun, temporary, asks, HELD_BYTES, _size(log)))
        if begun is None or store is None:
            return Prepared(found, held, index, lasting=not found.parts and told.whole)
        if keep(store, begun, found, log, index):
            return Prepared(found, held, index, lasting=True)
    except OSError as error:
        what = f"cannot be written ({begun or temporary}: {error.strerror or error})"
        raise BackrouteError("what is read of the log", what, fix="make room there, or pass --no-cache") from error
    except BaseException:
        if begun is not None:
            discard(begun)
        raise
    # The log changed while it was read, or is too large to be kept: it is there for this replay alone.
    prepared = Prepared(found, held, index, lasting=False)
    finalize(prepared, discard, begun)
    return prepared


def _read_here(log: Log, index: ModelIndex, told: Told, holding: Holding) -> tuple[Found, list[Batch] | None]:
    evidence, size = Evidence(), _size(log)
    try:
        for requests, outcomes in log.batches(problems=told):
            forecast.reads(requests.nbytes + outcomes.nbytes, of=size)
            batch = Prepared.batch(requests, outcomes, index, log.strings(requests))
            evidence.add(batch, outcomes, index)
            holding.add(batch, outcomes)
        parts, held = holding.end()
    finally:
        holding.stop()
    return Found(parts, holding.nbytes, evidence.observed, evidence.doubts(index), told), held


def _size(log: Log) -> int:
    """Bytes of a log's files."""
    return sum(file.stat().st_size for file in log.files())
