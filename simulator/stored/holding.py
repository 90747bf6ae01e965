"""A log's batches while it is read: in memory as far as they fit, texts aside once they do not, and on disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from simulator.arms import Batch
from simulator.stored.made import Made
from simulator.stored.memory import nbytes_of
from simulator.stored.parts import Part, PartWriter, without_texts


class Holding:
    """Takes batches in the log's order.

    Args:
        folder: for all batches; None to write them only if memory does not hold them.
        temporary: the folder for those.
        ask: see `PartWriter`.
        most: bytes of columns in memory.
        size: bytes of the log's files; 0 where it has none.
    """

    def __init__(
        self, folder: Path | None, temporary: Path, ask: Callable[[Batch], object], most: int, size: int = 0
    ) -> None:
        self._writer = None if folder is None else PartWriter(folder, ask)
        self._temporary, self._ask, self._most, self._size = temporary, ask, most, size
        self._read = 0
        self._held: list[Batch] | None = []
        self._waiting: list[tuple[Batch, pa.RecordBatch]] = []  # with their outcomes, on no way to disk yet
        self._parts: list[Future[Part]] = []
        self._lean = 0  # batches in memory whose texts are on disk alone
        self._bytes = 0
        self.nbytes = 0  # of all, texts aside

    def add(self, batch: Batch, outcomes: pa.RecordBatch) -> None:
        """Take in a batch.

        Raises:
            OSError: the folder cannot be written.
        """
        beside = nbytes_of(batch)
        self._bytes += batch.requests.nbytes + beside
        self.nbytes += _lean(batch).nbytes + beside
        self._read += batch.requests.nbytes + outcomes.nbytes
        self._waiting.append((batch, outcomes))
        if self._held is not None:
            self._held.append(batch)
        ahead = max(self._size / self._read, 1.0)  # what memory will not hold in the end is not begun with
        if self._writer is None:
            if self._bytes * ahead <= self._most:
                return
            self._writer = PartWriter(self._temporary, self._ask)
        for each, held in self._waiting:
            self._parts.append(self._writer.add(each, held))
        self._waiting = []
        if self.nbytes * ahead > self._most:
            self._held = None
        elif self._bytes * ahead > self._most:
            self._put_texts_away()

    def _put_texts_away(self, *, all_of_them: bool = False) -> None:
        assert self._held is not None
        while self._lean < len(self._held) and (all_of_them or self._parts[self._lean].done()):
            batch, part = self._held[self._lean], self._parts[self._lean].result()
            requests = part.requests(_lean(batch))
            batch.inputs.read_from(requests)
            self._held[self._lean] = replace(batch, requests=requests)
            self._lean += 1

    def end(self) -> tuple[list[Part], list[Batch] | None]:
        """The parts, where any was written, and the batches, where memory holds them.

        Raises:
            OSError: the folder could not be written.
        """
        parts = [each.result() for each in self._parts]
        if self._held is not None and parts:
            if self._bytes > self._most:
                self._put_texts_away(all_of_them=True)
            both = zip(self._held, parts, strict=True)
            self._held = [replace(batch, made=Made(part.folder, part.stem, part.made)) for batch, part in both]
        return parts, self._held

    def stop(self) -> None:
        """Write no more."""
        if self._writer is not None:
            self._writer.stop()


def _lean(batch: Batch) -> pa.RecordBatch:
    return batch.requests.select(without_texts(batch.requests.schema))
