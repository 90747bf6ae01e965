"""Which ids and lines a reading has met: 4 bytes of each in memory, the rest in temporary files."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

RECENT = 2**17  # entries in a dictionary before they are sorted away: some 20 MB; and of a run before it is a file
MANY = 256  # keys that are worth to be sorted at once
MERGED = 2**20  # entries of a run in memory at once when two are merged

Array = np.ndarray[Any, np.dtype[Any]]
PAIR = np.dtype([("key", np.uint64), ("content", np.uint64)])


class Met:
    """A dictionary of 64-bit keys to 64-bit contents that only grows, for more entries than memory would hold.

    Entries that come one by one are in a dictionary; when it is full they become a sorted run, as many that come at
    once do right away. Runs merge as they double, so that they are few. Only a key whose upper half is met, one in 400
    by chance among ten million, is read for.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._runs: list[_Run] = []

    def get(self, key: int) -> int | None:
        """The content first met with a key."""
        found = self._recent.get(key)
        if found is not None or not self._runs:
            return found
        keys = np.array([key], np.uint64)
        return next((held for run in self._runs if (held := run.find(keys)) is not None), None)

    def add(self, key: int, content: int) -> None:
        """Take in a key that was not met before."""
        self._recent[key] = content
        self._spare_memory()

    def update(self, keys: Array, contents: Array) -> bool:
        """Take in keys that were not met before; False, and nothing done, where one was, or is there twice."""
        if len(keys) < MANY:
            return self._update_few(keys, contents)
        entries = np.empty(len(keys), PAIR)
        entries["key"], entries["content"] = keys, contents
        entries = _sorted(entries)
        sought = entries["key"].copy()  # neighbours are found near each other
        if (sought[1:] == sought[:-1]).any() or self._met_any(sought):
            return False
        self._put_away(_Run([entries], len(entries)))
        return True

    def _update_few(self, keys: Array, contents: Array) -> bool:
        new = dict(zip(keys.tolist(), contents.tolist(), strict=True))
        if len(new) < len(keys) or self._met_any(keys):
            return False
        self._recent.update(new)
        self._spare_memory()
        return True

    def _met_any(self, keys: Array) -> bool:
        """Whether any of some keys was met."""
        if self._recent and not self._recent.keys().isdisjoint(keys.tolist()):
            return True
        return any(run.find(keys) is not None for run in self._runs)

    def _spare_memory(self) -> None:
        if len(self._recent) >= RECENT:
            entries = _sorted(np.fromiter(self._recent.items(), PAIR, len(self._recent)))
            self._recent = {}
            self._put_away(_Run([entries], len(entries)))

    def _put_away(self, run: _Run) -> None:
        while self._runs and self._runs[-1].size < 2 * run.size:
            run = _merged(self._runs.pop(), run)
        self._runs.append(run)


class _Run:
    """Entries in the order of their keys; of many the keys' upper halves are in memory, the whole in a file.

    Args:
        pieces: of entries, at least one, each after those before it.
        size: of all.
    """

    def __init__(self, pieces: Iterable[Array], size: int) -> None:
        self.size = size
        self._held = np.concatenate(list(pieces)) if size < RECENT else None
        if self._held is not None:
            self._halves = _half(self._held["key"])
            return
        self._file = tempfile.TemporaryFile(prefix="backroute-ids-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        halves = []
        for piece in pieces:
            halves.append(_half(piece["key"]))
            self._file.write(piece.tobytes())
        self._halves = np.concatenate(halves)

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
        """Some entries, from the file where there is one."""
        if self._held is not None:
            return self._held[begin:end]
        self._file.seek(begin * PAIR.itemsize)
        return np.frombuffer(self._file.read((end - begin) * PAIR.itemsize), PAIR)


def _merged(one: _Run, other: _Run) -> _Run:
    """Both in one, a slice of the keys at a time."""
    size = one.size + other.size
    slices = size // MERGED + 1
    limits = np.linspace(0, 2**32, slices + 1)[1:-1].astype(np.uint32)
    cuts = [(0, *run.before(limits).tolist(), run.size) for run in (one, other)]
    pieces = (
        _sorted(np.concatenate([run.read(*each[n : n + 2]) for run, each in zip((one, other), cuts, strict=True)]))
        for n in range(slices)
    )
    return _Run(pieces, size)


def _sorted(entries: Array) -> Array:
    return entries[np.argsort(entries["key"], kind="stable")]


def _half(keys: Array) -> Array:
    return (keys >> np.uint64(32)).astype(np.uint32)
