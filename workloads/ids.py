"""What rows are known by: the id that a line states, or the hash of the line; and which of them a reading has met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

from workloads.met import Met
from workloads.rows import RowError

LATER = 0x9E3779B97F4A7C15  # tells the key of a line from that of an id

Keys = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class Ids:
    """The ids of some rows, each with a key of it and a key of its line.

    Args:
        names: strings, none null.
        keys, contents: 64 bits of the hashes of the ids, and of the lines.
    """

    names: pa.Array
    keys: Keys
    contents: Keys

    @classmethod
    def of(cls, stated: pa.Array, digests: Sequence[bytes]) -> Ids:
        """The ids that lines state, null where one states none, and the lines' hashes."""
        held = stated.to_pylist()
        if stated.null_count:
            held = [digest.hex() if name is None else name for name, digest in zip(held, digests, strict=True)]
        keys = b"".join([blake2b(name.encode(), digest_size=8).digest() for name in held])
        contents = b"".join([digest[:8] for digest in digests])
        return cls(pa.array(held, pa.string()), _keys(keys), _keys(contents))


class MetIds:
    """Which ids a reading has met, and the lines they first came with."""

    def __init__(self) -> None:
        self._met = Met()
        self._repeated: Counter[int] = Counter()

    def count(self, digest: bytes) -> int:
        """How often a line that may stand several times has come before; it is counted."""
        key = int.from_bytes(digest[:8])
        self._repeated[key] += 1
        return self._repeated[key] - 1

    def take_in(self, keys: Sequence[int], contents: Sequence[int]) -> bool:
        """Take in rows; False, and nothing done, where one of their ids was met before or is there twice."""
        return self._met.update(keys, contents)

    def is_new(self, request_id: str, key: int, content: int) -> bool:
        """Take in a row; False where its id came with another line before, and both are to be kept.

        Raises:
            RowError: the same line came before.
        """
        first = self._met.get(key)
        if first is None:
            self._met.add(key, content)
            return True
        later = content ^ LATER
        if first == content or self._met.get(later) is not None:
            fix = "nothing, if the line was logged twice; else give each request an id or a time"
            raise RowError("request_id", request_id, "duplicate", fix)
        self._met.add(later, content)
        return False


def key_of(request_id: str) -> int:
    """An id as 64 bits of its hash."""
    return int.from_bytes(blake2b(request_id.encode(), digest_size=8).digest())


def _keys(hashes: bytes) -> Keys:
    return np.frombuffer(hashes, ">u8").astype(np.uint64)
