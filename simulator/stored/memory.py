"""What was worked out of a log's batches and may be wanted again, within a number of bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

Value = TypeVar("Value")

MOST_BYTES = 256 * 2**20


class Memory:
    """Values by key, the least recently used forgotten first; for any number of threads.

    A key holds all that its value depends on, besides the batch; nothing is ever found out of date.

    Args:
        most: bytes of arrays to keep; MOST_BYTES when left out.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most, self._size = MOST_BYTES if most is None else most, 0
        self._held: dict[Hashable, tuple[Any, int]] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made if it is not there. It must not be changed, but by filling in what it lacks."""
        with self._lock:
            held = self._held.pop(key, None)
            if held is not None:
                self._held[key] = held  # as the latest
                return held[0]  # type: ignore[no-any-return]
        value = make()
        size = nbytes_of(value)
        with self._lock:
            self._size += size - self._held.pop(key, (None, 0))[1]
            self._held[key] = value, size
            while self._size > self._most and len(self._held) > 1:
                self._size -= self._held.pop(next(iter(self._held)))[1]
        return value


class Room:
    """So many bytes that may yet be taken; for any number of threads.

    Args:
        most: bytes.
    """

    def __init__(self, most: int) -> None:
        self._left, self._lock = most, Lock()

    def take(self, nbytes: int) -> bool:
        """Take some; False, and none are taken, where they are not there."""
        with self._lock:
            if nbytes > self._left:
                return False
            self._left -= nbytes
            return True


def nbytes_of(value: Any) -> int:
    """Bytes of the arrays within a value: a tuple, a dictionary or a dataclass of arrays."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, np.ndarray | pa.Array):
        return int(value.nbytes)
    if isinstance(value, tuple):
        return sum(map(nbytes_of, value))
    if isinstance(value, dict):
        return sum(map(nbytes_of, value.values()))
    if is_dataclass(value):
        return sum(nbytes_of(getattr(value, each.name)) for each in fields(value))
    return 0
