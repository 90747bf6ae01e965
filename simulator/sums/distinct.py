"""Distinct keys of a log of any length, sorted now and then instead of at every batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.counts import Array


@dataclass
class Distinct:
    """A set of uint64 keys.

    Args:
        held: distinct keys, sorted.
        waiting: keys met since; as soon as they are more than those held, both are made one.
    """

    held: Array = field(default_factory=lambda: np.zeros(0, np.uint64))
    waiting: list[Array] = field(default_factory=list)

    def add(self, keys: Array) -> None:
        """Add some keys, which may repeat."""
        self._add(_distinct(keys))

    def merge(self, more: Distinct) -> None:
        """Add another set."""
        for keys in (more.held, *more.waiting):
            self._add(keys)

    def _add(self, keys: Array) -> None:
        self.waiting.append(keys)
        if sum(map(len, self.waiting)) > len(self.held):
            self.settle()

    def __len__(self) -> int:
        self.settle()
        return len(self.held)

    def settle(self) -> None:
        """Make one of those held and those waiting."""
        waiting, self.waiting = [keys for keys in self.waiting if len(keys)], []
        if waiting:
            alone = len(waiting) == 1 and not len(self.held)
            self.held = waiting[0] if alone else _distinct(np.concatenate([self.held, *waiting]))


def _distinct(keys: Array) -> Array:
    """Sorted, each once; numpy's `unique` hashes, which takes ten times as long."""
    held = np.sort(keys)
    return held[np.concatenate([[True], held[1:] != held[:-1]])] if len(held) else held
