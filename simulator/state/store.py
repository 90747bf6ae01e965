"""Prefix nodes of a whole log, split by their hashes and kept on disk once there are many."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from simulator.counts import Array
from simulator.state.prefixes import Nodes

PARTITIONS = 32
HELD_NODES = 8_000_000  # some 200 MB; beyond it they go to disk
_COLUMNS = ("row", "hash", "share", "kind", "from_end")


class PrefixStore:
    """Takes nodes batch by batch and gives them back by partition; equal hashes are in one partition.

    Args:
        held: how many nodes may stay in memory.
    """

    def __init__(self, held: int = HELD_NODES) -> None:
        self._most, self._held = held, 0
        self._parts: list[Nodes] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._flushed = 0

    def add(self, nodes: Nodes) -> None:
        """Keep the nodes of one batch."""
        self._parts.append(nodes)
        self._held += len(nodes.row)
        if self._held > self._most:
            self._flush()

    def _flush(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="backroute-prefixes-")
            weakref.finalize(self, self._folder.cleanup)
        held, self._parts, self._held = Nodes.joined(self._parts), [], 0
        place = (held.hash % np.uint64(PARTITIONS)).astype(np.int64)
        for partition in range(PARTITIONS):
            part = held.take(place == partition)
            np.savez(self._file(partition, self._flushed), **{name: getattr(part, name) for name in _COLUMNS})
        self._flushed += 1

    def close(self) -> None:
        """Forget everything, on disk too."""
        self._parts = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _file(self, partition: int, number: int) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / f"{partition}-{number}.npz"

    def partitions(self, rank: Array) -> Iterator[Nodes]:
        """Each partition's nodes, numbered and ordered by `rank`: the place in time of each row of the log."""
        if self._folder is None:
            if self._parts:
                self._parts = [Nodes.joined(self._parts)]
                yield _ranked(self._parts[0], rank)
            return
        if self._parts:
            self._flush()
        for partition in range(PARTITIONS):
            parts = []
            for number in range(self._flushed):
                with np.load(self._file(partition, number)) as held:
                    parts.append(Nodes(*(held[name] for name in _COLUMNS)))
            yield _ranked(Nodes.joined(parts), rank)


def _ranked(nodes: Nodes, rank: Array) -> Nodes:
    row = rank[nodes.row]
    if (row[1:] >= row[:-1]).all():
        return nodes.moved(row)
    order = np.argsort(row, kind="stable")
    return nodes.take(order).moved(row[order])
