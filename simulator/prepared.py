"""A log read, counted and observed once, and its batches handed out as often as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import pyarrow as pa

from pricing import PriceBook
from problems import Problem, ProblemLog
from simulator.arms import Batch
from simulator.counted import CountedInput
from simulator.counts import Array
from simulator.incremental import Incremental
from simulator.logged import logged_counts
from simulator.memory import Memory
from simulator.models import ModelIndex
from simulator.observed import Observed
from simulator.plausible import Doubts
from simulator.sample import id_hashes
from workloads import Log

HELD_BYTES = 256 * 2**20  # of batches kept in memory between the two passes; a larger log is read again


class Prepared:
    """What the arms need of a log: its batches with their tokens, and samples of each model's answers.

    Its counts are held against their texts on the way, so that a replay can say where they cannot be true.

    Args:
        log: the log.
        index: the run's model names.
        problems: where rows that cannot be read go, once.
        observe: whether an arm predicts from the log's own answers, which takes a pass of its own before the first
            batch can be handed out.
    """

    def __init__(self, log: Log, index: ModelIndex, problems: ProblemLog, *, observe: bool) -> None:
        self._log, self._index, self._problems = log, index, problems
        self._held: list[Batch] | None = None
        self.observed = Observed()
        self.doubts = Doubts(index.book, index)
        self._looked = False
        if observe:
            self._observe()

    def _observe(self) -> None:
        held: list[Batch] | None = []
        size = 0
        for batch in self._read(self._problems):
            keys: Array = id_hashes(batch.requests["request_id"])
            self.observed.add(batch.logged, batch.source, batch.task, batch.cap, keys, self._index)
            size += batch.requests.nbytes
            held = held if held is not None and size < HELD_BYTES else None
            if held is not None:
                held.append(batch)
        memory = Memory()
        self._held = None if held is None else [replace(each, memory=memory, number=n) for n, each in enumerate(held)]
        self._problems = ProblemLog()

    @property
    def held(self) -> bool:
        """Whether the whole log is in memory, so that another replay need not read it."""
        return bool(self._held)

    @cached_property
    def incremental(self) -> Incremental:
        """Replays a log in memory from its last replay."""
        return Incremental(list(self.batches()), self._index)

    def batches(self) -> Iterator[Batch]:
        """Every batch in the log's order; problems are noted the first time only."""
        problems, self._problems = self._problems, ProblemLog()
        return iter(self._held) if self._held is not None else self._read(problems)

    def _read(self, problems: ProblemLog) -> Iterator[Batch]:
        first, self._looked = not self._looked, True
        for requests, outcomes in self._log.batches(problems=problems):
            batch = self.batch(requests, outcomes, self._index)
            if first:
                self.doubts.add(requests, outcomes, batch.source)
            yield batch

    @staticmethod
    def batch(requests: pa.RecordBatch, outcomes: pa.RecordBatch, index: ModelIndex) -> Batch:
        """One batch as the kernel takes it: its models known, its tokens counted."""
        source = index.of_log(requests["model"], requests["provider"])
        inputs = CountedInput(requests["messages"])
        logged = logged_counts(requests, outcomes, inputs, source, index)
        return Batch.of(requests, outcomes, source, logged, inputs)


@dataclass(frozen=True)
class _Again:
    """A log in memory after a replay, and what it was read with."""

    stamp: object
    prepared: Prepared
    index: ModelIndex
    problems: list[tuple[Problem, bytes | str]]


_AGAIN: WeakKeyDictionary[Log, _Again] = WeakKeyDictionary()
MOST_PROBLEMS = 10_000  # kept to be told again; a log with more is read again


class _Recording(ProblemLog):
    """Hands problems on, and keeps them to be told again."""

    def __init__(self, to: ProblemLog) -> None:
        super().__init__()
        self._to = to
        self.told: list[tuple[Problem, bytes | str]] = []

    def add(self, problem: Problem, original: bytes | str = "") -> None:
        """See `ProblemLog.add`."""
        self._to.add(problem, original)
        if len(self.told) <= MOST_PROBLEMS:
            self.told.append((problem, original))


def prepare(log: Log, book: PriceBook, problems: ProblemLog, *, observe: bool) -> tuple[Prepared, ModelIndex]:
    """A log ready for the kernel, from memory where the same `Log` was replayed before.

    A log that was observed and is small enough keeps its batches, their tokens and the recounts made of them, as long
    as the `Log` itself is kept. It is read again where a file has changed since, or with another price book.
    """
    stamp = (book.digest, log.stamp())
    again = _AGAIN.get(log)
    if again is not None and again.stamp == stamp:
        for problem, original in again.problems:
            problems.add(problem, original)
        return again.prepared, again.index
    index, recording = ModelIndex(book), _Recording(problems)
    prepared = Prepared(log, index, recording, observe=observe)
    if prepared.held and len(recording.told) <= MOST_PROBLEMS and log.stamp() == stamp[1]:
        _AGAIN[log] = _Again(stamp, prepared, index, recording.told)
    return prepared, index
