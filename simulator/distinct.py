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
        self.waiting.append(np.unique(keys))
        if sum(map(len, self.waiting)) > len(self.held):
            self._settle()

    def merge(self, more: Distinct) -> None:
        """Add another set."""
        for keys in (more.held, *more.waiting):
            self.add(keys)

    def __len__(self) -> int:
        self._settle()
        return len(self.held)

    def _settle(self) -> None:
        if self.waiting:
            self.held, self.waiting = np.unique(np.concatenate([self.held, *self.waiting])), []
