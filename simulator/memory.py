"""What was worked out of a log's batches and may be wanted again, within a number of bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

Value = TypeVar("Value")

MOST_BYTES = 256 * 2**20


class Memory:
    """Values by key, the least recently used forgotten first.

    A key holds all that its value depends on, besides the batch; nothing is ever found out of date.

    Args:
        most: bytes of arrays to keep; MOST_BYTES when left out.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most, self._size = MOST_BYTES if most is None else most, 0
        self._held: dict[Hashable, tuple[Any, int]] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made if it is not there. It must not be changed, but by filling in what it lacks."""
        value, size = self._held.pop(key, (None, -1))
        if size < 0:
            value = make()
            size = nbytes_of(value)
            self._size += size
        self._held[key] = value, size  # as the latest
        while self._size > self._most and len(self._held) > 1:
            self._size -= self._held.pop(next(iter(self._held)))[1]
        return value  # type: ignore[no-any-return]


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
