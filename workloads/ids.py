"""What rows are known by: the id that a line states, or the hash of the line; and which of them a reading has met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest, xxh3_128_digest

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
        held, names = stated.view(pa.binary()).to_pylist(), stated
        if stated.null_count:
            held = [digest.hex().encode() if name is None else name for name, digest in zip(held, digests, strict=True)]
            names = pa.array(held, pa.string())
        keys = np.fromiter(map(xxh3_64_intdigest, held), np.uint64, len(held))
        return cls(names, keys, np.frombuffer(b"".join(digests), ">u8")[::2].astype(np.uint64))


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

    def take_in(self, keys: Keys, contents: Keys) -> bool:
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


class GatheredIds(MetIds):
    """The ids of lines that are read apart: all of them are new, until a reading that has met the others takes them."""

    def __init__(self) -> None:
        super().__init__()
        self._keys, self._contents = list[Keys](), list[Keys]()

    def take_in(self, keys: Keys, contents: Keys) -> bool:
        """See `MetIds.take_in`."""
        self._keys.append(keys)
        self._contents.append(contents)
        return True

    def is_new(self, request_id: str, key: int, content: int) -> bool:  # noqa: ARG002 - see `MetIds`
        """See `MetIds.is_new`."""
        return self.take_in(np.array([key], np.uint64), np.array([content], np.uint64))

    def all(self) -> tuple[Keys, Keys]:
        """64 bits of the hashes of the rows' ids, and of their lines."""
        none = [np.zeros(0, np.uint64)]
        return np.concatenate(self._keys or none), np.concatenate(self._contents or none)


def key_of(request_id: str) -> int:
    """An id as 64 bits of its hash."""
    return xxh3_64_intdigest(request_id.encode())


def digests_of(lines: Sequence[bytes]) -> list[bytes]:
    """16 bytes of each line's hash: XXH3, a twentieth of the time of a cryptographic one, which nobody here needs."""
    return list(map(xxh3_128_digest, lines))
