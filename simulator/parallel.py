"""A replay on an engine: each block of the log is read by one worker, each part replayed by one, and sums merge.

Parts are files in a folder that all workers see: see `simulator.stored.parts`. Between the steps stands what needs
the whole log: ids met twice, the samples of each model's answers that predictions are fitted on, and state, which is
folded in order of time by one process over the few numbers a request that workers gathered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from pricing.fast_counts import forecast
from simulator.decisions import GROUP, encoded
from simulator.engines import Engine
from simulator.evidence import Evidence
from simulator.kernel import Kernel, Plan, Replayed
from simulator.models import ModelIndex
from simulator.prepared import Prepared
from simulator.scenario import Scenario
from simulator.shared import share, shared
from simulator.state.changes import Change, Changes
from simulator.state.pieces import Gather, Piece, codes_of
from simulator.stored.asked import ask
from simulator.stored.kept import Found
from simulator.stored.made import Made
from simulator.stored.memory import nbytes_of
from simulator.stored.parts import Origin, Part, without_texts, write_part
from simulator.stored.told import Told
from simulator.sums.merge import merge
from workloads import Log
from workloads.apart import Apart
from workloads.blocks import Block, RowGroups, read_block
from workloads.rows import Strings

BATCH_ROWS = 32_768  # of short requests a block holds more
TOGETHER = GROUP // BATCH_ROWS  # parts that one task replays: their sums, 1 MB each, are sent as one


@dataclass(frozen=True)
class ReadTask:
    """A block to be read and counted into parts."""

    block: Block | RowGroups
    folder: Path
    stem: str  # of the parts
    scenarios: str  # a path of theirs, pickled
    share: int  # bytes of the log that each worker will have read
    lasts: bool  # the parts are for later replays, too, which ask for other texts


@dataclass(frozen=True)
class Written:
    """A block in parts: those, bytes of their columns without texts, the models met in it, and what it shows."""

    parts: list[Part]
    nbytes: int
    models: list[tuple[str | None, str | None]]
    evidence: Evidence


@dataclass(frozen=True)
class Read:
    """A block that a worker read; one whose lines it cannot read alone has to be read in its turn."""

    ids: Apart
    written: Written


@dataclass(frozen=True)
class ReplayTask:
    """A part to be gathered, or to be replayed with what state changes in it."""

    part: Part
    plan: str  # a pickled plan's path
    changes: Mapping[int, Change] = field(default_factory=dict)
    names: Sequence[str] = ()  # of the models in `changes`


def read_blocks(
    log: Log,
    blocks: list[Block | RowGroups],
    engine: Engine,
    temporary: Path,
    scenarios: tuple[Scenario, ...],
    index: ModelIndex,
    told: Told,
    begun: Path | None,
) -> Found:
    """Read a log's blocks into parts, which last where a folder for such is given, and ask what scenarios ask of texts.

    Raises:
        OSError: a folder cannot be written.
    """
    gathering, evidence, parts, nbytes = log.gathering(told), Evidence(), list[Part](), 0
    folder, said = begun or temporary, share(scenarios, temporary / "scenarios.pickle")
    size = sum(block.size for block in blocks) // engine.workers
    own = size if engine.here else blocks[0].size

    def take(written: Written) -> None:
        nonlocal nbytes
        merge(evidence, written.evidence)
        parts.extend(written.parts)
        nbytes += written.nbytes
        for model, provider in written.models:
            index.resolve(model, provider)

    def read_here(number: int) -> None:
        forecast.reads(blocks[number].size, of=own)
        take(write_block(folder, f"{number:06}", *gathering.read(blocks[number]), scenarios, index))

    tasks = [
        ReadTask(block, folder, f"{number:06}", said, size, begun is not None) for number, block in enumerate(blocks)
    ]
    for number, read in enumerate(engine.map(read_part, tasks)):
        if read is not None and gathering.take(blocks[number], read.ids):
            take(read.written)
            continue
        for file in folder.glob(f"{number:06}-*"):  # of rows that are not all to be kept
            file.unlink(missing_ok=True)
        read_here(number)
    gathering.end()
    return Found(parts, nbytes, evidence.observed, evidence.doubts(index), told)


def read_part(task: ReadTask) -> Read | None:
    """What a worker does first: read a block, count its tokens, write its parts."""
    forecast.reads(task.block.size, of=task.share)
    found = read_block(task.block)
    if found is None:
        return None
    requests, outcomes, ids, strings = found
    scenarios = _scenarios(task.scenarios)
    origin = None if task.lasts else Origin.of(task.block, ids)
    index = ModelIndex(scenarios[0].book)
    return Read(ids, write_block(task.folder, task.stem, requests, outcomes, scenarios, index, origin, strings))


def write_block(
    folder: Path,
    stem: str,
    requests: pa.RecordBatch,
    outcomes: pa.RecordBatch,
    scenarios: Sequence[Scenario],
    index: ModelIndex,
    origin: Origin | None = None,
    strings: Strings | None = None,
) -> Written:
    """Write a block's rows in parts, observed, and asked what scenarios ask of texts: no other need be written."""
    evidence, parts, nbytes = Evidence(), list[Part](), 0
    for first in range(0, requests.num_rows, BATCH_ROWS):
        some, their = requests.slice(first, BATCH_ROWS), outcomes.slice(first, BATCH_ROWS)
        whole = strings if some.num_rows == requests.num_rows else None
        batch = replace(Prepared.batch(some, their, index, whole), made=Made(folder, f"{stem}-{len(parts)}"))
        evidence.add(batch, their, index)
        asked = ask(batch, scenarios, index)
        parts.append(write_part(batch, their, replace(origin, first=first) if origin and asked else None))
        nbytes += some.select(without_texts(some.schema)).nbytes + nbytes_of(batch)
    models = [(model, provider) for model, provider, _ in index.logged()]
    return Written(parts, nbytes, models, evidence)


class Parts:
    """The parts of a log under some scenarios, worked on by an engine.

    Args:
        parts: in the log's order.
        plan: with the observations of the whole log.
        engine: does the work.
        pickles: a folder for what the workers need besides.
        index: of the run's model names, for what state has to say of them.
    """

    def __init__(self, parts: list[Part], plan: Plan, engine: Engine, pickles: Path, index: ModelIndex) -> None:
        self._parts, self._engine, self._index = parts, engine, index
        self._plan = share(plan, pickles / "plan.pickle")
        self._rows: list[int] = []

    def gathered(self) -> Iterator[Piece]:
        """What state needs of each part, in the log's order.

        Raises:
            DamagedError: a part is not what was written.
        """
        for piece in self._engine.map(gather_part, [ReplayTask(part, self._plan) for part in self._parts]):
            self._rows.append(piece.rows)
            yield piece

    def replayed(self, changes: Changes | None) -> Iterator[Replayed]:
        """Each part's sums and decisions, in the log's order; `changes` only after all was gathered.

        Raises:
            DamagedError: a part is not what was written.
        """
        tasks = [ReplayTask(part, self._plan) for part in self._parts]
        if changes is not None:
            starts = np.cumsum([0, *self._rows]).tolist()
            tasks = [
                replace(task, changes=changes.at(start, rows), names=self._index.names)
                for task, start, rows in zip(tasks, starts, self._rows, strict=False)
            ]
        yield from self._engine.map(replay_parts, [tasks[at : at + TOGETHER] for at in range(0, len(tasks), TOGETHER)])


def gather_part(task: ReplayTask) -> Piece:
    """What a worker does where there is state: gather what that needs of a part."""
    gather, index = _gather(task.plan)
    batch = task.part.batch(index)
    piece = gather(batch)
    batch.keep()
    return piece


def replay_parts(tasks: Sequence[ReplayTask]) -> Replayed:
    """What a worker does last: replay some parts that follow each other."""
    replayed = [_replay(task) for task in tasks]
    sums = replayed[0].partial
    for each in replayed[1:]:
        sums.merge(each.partial)
    rows = {
        number: encoded(pa.concat_tables([each.decisions[number] for each in replayed]))
        for number in replayed[0].decisions
    }
    return Replayed(sums, rows)


def _replay(task: ReplayTask) -> Replayed:
    kernel, index = _kernel(task.plan)
    batch = task.part.batch(index)
    codes = codes_of(task.names, index)
    replayed = kernel.replay(batch, {number: change.recoded(codes) for number, change in task.changes.items()})
    batch.keep()
    return replayed


@lru_cache(maxsize=1)
def _gather(plan: str) -> tuple[Gather, ModelIndex]:
    held: Plan = shared(plan)
    index = ModelIndex(held.scenarios[0].book)
    return Gather(held.scenarios, held.observed, index), index


@lru_cache(maxsize=1)
def _kernel(plan: str) -> tuple[Kernel, ModelIndex]:
    held: Plan = shared(plan)
    index = ModelIndex(held.scenarios[0].book)
    return Kernel(held, index), index


@lru_cache(maxsize=1)
def _scenarios(path: str) -> tuple[Scenario, ...]:
    held: tuple[Scenario, ...] = shared(path)
    return held
