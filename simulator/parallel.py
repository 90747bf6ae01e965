"""A replay in parts, on any engine or in this process: each is read by one worker, replayed by one, and sums merge.

Parts are Arrow files in a folder that all workers see. Between the two steps stands what needs the whole log: ids met
twice, and the samples of each model's answers that predictions are fitted on.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import repeat
from pathlib import Path

import numpy as np
import pyarrow as pa

from pricing import PriceBook
from pricing.fast_counts import forecast
from problems import ProblemLog
from simulator.arms import Batch
from simulator.counted import CountedInput
from simulator.counts import Counts
from simulator.engines import Engine
from simulator.facts import Partial
from simulator.kernel import Kernel, Plan, Replayed
from simulator.merge import merge
from simulator.models import ModelIndex
from simulator.observed import Observed
from simulator.plausible import Doubts, Group, Side
from simulator.prepared import Prepared
from simulator.sample import id_hashes
from workloads import BUCKETS, OUTCOME, REQUEST, Log
from workloads.blocks import Block, BlockIds, RowGroups, read_block

BATCH_ROWS = 8_192


@dataclass
class Evidence:
    """What a part shows of its models' answers, and of counts that cannot be true."""

    observed: Observed = field(default_factory=Observed)
    doubts: dict[tuple[Group, str], Side] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadTask:
    """A block to be read and counted into a part."""

    block: Block | RowGroups
    part: str
    book: str  # a pickled price book's path
    share: int  # bytes of the log that each worker will have read


@dataclass(frozen=True)
class Read:
    """A block that a worker read into its part; without ids it has to be read in its turn."""

    ids: BlockIds | None
    evidence: Evidence


@dataclass(frozen=True)
class ReplayTask:
    """A part to be replayed."""

    part: str
    plan: str  # a pickled plan's path


def replay_parts(
    log: Log,
    blocks: list[Block | RowGroups],
    plan: Plan,
    engine: Engine | None,
    problems: ProblemLog,
    doubts: Doubts,
    folder: Path,
) -> Iterator[Replayed]:
    """Read a log's blocks, then replay them: each part's sums and decisions, in the log's order.

    Without an engine this process does all of it, one part in memory at a time. What was read goes to `problems` and
    `doubts`; `folder` holds the parts in between; whoever made it clears it.
    """
    parts, evidence = _read(log, blocks, plan.scenarios[0].book, engine, problems, folder)
    doubts.sides = evidence.doubts
    plan = replace(plan, observed=evidence.observed)
    found: Iterator[Replayed | None]
    if engine is None:  # nothing is pickled, which not every router can be
        index = ModelIndex(plan.scenarios[0].book)
        kernel = Kernel(plan, index)
        found = (_replayed(part, kernel, index) for part in parts)
    else:
        held = folder / "plan.pickle"
        held.write_bytes(pickle.dumps(plan))
        found = engine.map(replay_part, [ReplayTask(str(part), str(held)) for part in parts])
    for replayed in found:
        if replayed is not None:
            yield replayed


def _read(
    log: Log,
    blocks: list[Block | RowGroups],
    book: PriceBook,
    engine: Engine | None,
    problems: ProblemLog,
    folder: Path,
) -> tuple[list[Path], Evidence]:
    gathering, evidence = log.gathering(problems), Evidence()
    index = ModelIndex(book)
    parts = [folder / f"part-{number:06}.arrow" for number in range(len(blocks))]

    share = sum(block.size for block in blocks) // (1 if engine is None else engine.workers)
    own = share if engine is None or engine.here else blocks[0].size

    def read_here(number: int) -> None:
        forecast.reads(blocks[number].size, of=own)
        requests, outcomes = gathering.read(blocks[number])
        merge(evidence, write_part(parts[number], requests, outcomes, index))

    found: Iterator[Read | None] = repeat(None)
    if engine is not None:  # which begins while this process reads the first block
        held = folder / "book.pickle"
        held.write_bytes(pickle.dumps(book))
        files = zip(blocks[1:], parts[1:], strict=True)
        found = engine.map(read_part, [ReadTask(block, str(part), str(held), share) for block, part in files])
    read_here(0)  # it says what the log was recognised by
    for number, read in zip(range(1, len(blocks)), found, strict=False):
        if read is not None and read.ids is not None and gathering.take(blocks[number], read.ids):
            merge(evidence, read.evidence)
        else:
            read_here(number)
    gathering.end()
    return parts, evidence


def read_part(task: ReadTask) -> Read:
    """What a worker does first: read a block, count its tokens, write the part."""
    forecast.reads(task.block.size, of=task.share)
    found = read_block(task.block)
    if found is None:
        return Read(None, Evidence())
    requests, outcomes, ids = found
    return Read(ids, write_part(Path(task.part), requests, outcomes, ModelIndex(_pickled(task.book))))


def write_part(part: Path, requests: pa.RecordBatch, outcomes: pa.RecordBatch, index: ModelIndex) -> Evidence:
    """Write a part, whole or not at all, and observe it."""
    observed, doubts = Observed(), Doubts(index.book, index)
    columns = dict(zip(requests.schema.names, requests.columns, strict=True))
    columns |= dict(zip(outcomes.schema.names, outcomes.columns, strict=True))
    batch = Prepared.batch(requests, outcomes, index)
    observed.add(batch.logged, batch.source, batch.task, batch.cap, id_hashes(requests["request_id"]), index)
    doubts.add(requests, outcomes, batch.source)
    for at, bucket in enumerate(BUCKETS):
        columns[f"milli_{bucket}"] = pa.array(batch.logged.milli[:, at], mask=~batch.logged.known[:, at])
    columns["from_input"], columns["from_output"] = batch.logged.input_provenance, batch.logged.output_provenance
    table = pa.table(columns)
    beginning = part.with_suffix(".tmp")
    with pa.OSFile(str(beginning), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)
    beginning.replace(part)
    return Evidence(observed, doubts.sides)


def part_batches(part: Path, index: ModelIndex) -> Iterator[Batch]:
    """The batches of a part as the kernel takes them."""
    with pa.memory_map(str(part)) as source:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            held = reader.get_batch(number)
            requests, outcomes = held.select(REQUEST.names), held.select(OUTCOME.names)
            counts = [held[f"milli_{bucket}"] for bucket in BUCKETS]
            known = [column.is_valid().to_numpy(zero_copy_only=False) for column in counts]
            logged = Counts(
                np.stack([column.fill_null(0).to_numpy() for column in counts], axis=1),
                np.stack(known, axis=1),
                held["from_input"].to_numpy(),
                held["from_output"].to_numpy(),
            )
            source_codes = index.of_log(requests["model"], requests["provider"])
            yield Batch.of(requests, outcomes, source_codes, logged, CountedInput(requests["messages"]))


def replay_part(task: ReplayTask) -> Replayed | None:
    """What a worker does second: replay a part; None where it holds no rows."""
    return _replayed(Path(task.part), *_kernel(task.plan))


def _replayed(part: Path, kernel: Kernel, index: ModelIndex) -> Replayed | None:
    totals: Partial | None = None
    decisions: dict[int, list[pa.Table]] = {}
    for batch in part_batches(part, index):
        replayed = kernel(batch)
        totals = replayed.partial if totals is None else merge(totals, replayed.partial)
        for number, rows in replayed.decisions.items():
            decisions.setdefault(number, []).append(rows)
    if totals is None:
        return None
    return Replayed(totals, {number: pa.concat_tables(rows) for number, rows in decisions.items()})


@lru_cache(maxsize=1)
def _kernel(plan: str) -> tuple[Kernel, ModelIndex]:
    held: Plan = pickle.loads(Path(plan).read_bytes())
    index = ModelIndex(held.scenarios[0].book)
    return Kernel(held, index), index


@lru_cache(maxsize=1)
def _pickled(path: str) -> PriceBook:
    book: PriceBook = pickle.loads(Path(path).read_bytes())
    return book
