"""Which ids and lines a reading has met: 4 bytes of each in memory, the rest in temporary files."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

RECENT = 2**17  # entries in a dictionary before they are sorted away: some 20 MB
MERGED = 2**20  # entries of a run in memory at once when two are merged

Array = np.ndarray[Any, np.dtype[Any]]
PAIR = np.dtype([("key", np.uint64), ("content", np.uint64)])


class Met:
    """A dictionary of 64-bit keys to 64-bit contents that only grows, for more entries than memory would hold.

    The newest entries are in a dictionary. When it is full they become a sorted run, and runs merge as they double, so
    that they are few. Only a key whose upper half is met, one in 400 by chance among ten million, is read for.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._runs: list[_Run] = []

    def get(self, key: int) -> int | None:
        """The content first met with a key."""
        found = self._recent.get(key)
        if found is not None:
            return found
        keys = np.array([key], np.uint64)
        return next((held for run in self._runs if (held := run.find(keys)) is not None), None)

    def add(self, key: int, content: int) -> None:
        """Take in a key that was not met before."""
        self._recent[key] = content
        if len(self._recent) >= RECENT:
            self._put_away()

    def update(self, keys: Array, contents: Array) -> bool:
        """Take in keys that were not met before; False, and nothing done, where one was, or is there twice."""
        new = dict(zip(keys.tolist(), contents.tolist(), strict=True))
        if len(new) < len(keys) or not self._recent.keys().isdisjoint(new):
            return False
        sought = np.sort(keys)  # neighbours are found near each other
        if any(run.find(sought) is not None for run in self._runs):
            return False
        self._recent.update(new)
        if len(self._recent) >= RECENT:
            self._put_away()
        return True

    def _put_away(self) -> None:
        run = _Run([_sorted(np.fromiter(self._recent.items(), PAIR, len(self._recent)))])
        self._recent = {}
        while self._runs and self._runs[-1].size <= run.size:
            run = _merged(self._runs.pop(), run)
        self._runs.append(run)


class _Run:
    """Entries in the order of their keys: the keys' upper halves in memory, the whole in a file.

    Args:
        pieces: of entries, at least one, each after those before it.
    """

    def __init__(self, pieces: Iterable[Array]) -> None:
        self._file = tempfile.TemporaryFile(prefix="backroute-ids-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        halves = []
        for piece in pieces:
            halves.append(_half(piece["key"]))
            self._file.write(piece.tobytes())
        self._halves = np.concatenate(halves)
        self.size = len(self._halves)

    def find(self, keys: Array) -> int | None:
        """The content of the first of some keys that is here."""
        halves = _half(keys)
        begins = np.searchsorted(self._halves, halves)
        for at in np.flatnonzero(self._halves[np.minimum(begins, self.size - 1)] == halves).tolist():
            held = self.read(int(begins[at]), int(np.searchsorted(self._halves, halves[at], "right")))
            if len(found := held["content"][held["key"] == keys[at]]):
                return int(found[0])
        return None

    def before(self, halves: Array) -> Array:
        """How many entries have a smaller upper half."""
        return np.searchsorted(self._halves, halves)

    def read(self, begin: int, end: int) -> Array:
        """Some entries, from the file."""
        self._file.seek(begin * PAIR.itemsize)
        return np.frombuffer(self._file.read((end - begin) * PAIR.itemsize), PAIR)


def _merged(one: _Run, other: _Run) -> _Run:
    """Both in one, a slice of the keys at a time."""
    slices = (one.size + other.size) // MERGED + 1
    limits = np.linspace(0, 2**32, slices + 1)[1:-1].astype(np.uint32)
    cuts = [(0, *run.before(limits).tolist(), run.size) for run in (one, other)]
    return _Run(
        _sorted(np.concatenate([run.read(*each[n : n + 2]) for run, each in zip((one, other), cuts, strict=True)]))
        for n in range(slices)
    )


def _sorted(entries: Array) -> Array:
    return entries[np.argsort(entries["key"], kind="stable")]


def _half(keys: Array) -> Array:
    return (keys >> np.uint64(32)).astype(np.uint32)
