"""What passes made of a batch's texts, kept beside it: counts, lengths, answers of conditions, scores."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pricing.counting import NOT_COUNTED
from workloads.checked import NOTHING, DamagedError, get, put

Value = TypeVar("Value")

# Keys of `Batch.kept` whose values depend on the texts and on what the key says alone.
LASTING = {"column", "when", "scores"}
MOST = 64  # columns kept; the oldest go first


class Made:
    """Columns made of one batch, by name.

    Counts may be there for some rows only, null for the others; anything else is there for all of them.

    Args:
        folder, stem: where the batch's part lies, and what its files' names begin with.
        names: the files that hold what was made before.
    """

    def __init__(self, folder: Path, stem: str, names: Sequence[str] = ()) -> None:
        self._folder, self._stem, self.names = folder, stem, list(names)
        self._old: dict[str, pa.Array] | None = None
        self._new: dict[str, pa.Array] = {}

    def kept(self, key: tuple[Hashable, ...], make: Callable[[], Value]) -> Value:
        """The value of a key of `Batch.kept`: read, or made."""
        name = " ".join(map(str, key))
        held = self.get(name)
        if held is None:
            value = make()
            self.put(name, _column(value))
            return value
        return _value(held)  # type: ignore[no-any-return]

    def get(self, name: str) -> pa.Array | None:
        """A column; None where it was not made yet."""
        if name in self._new:
            return self._new[name]
        if self._old is None:
            self._old = self._read()
        return self._old.get(name)

    def numbers(self, name: str) -> NDArray[np.int64] | None:
        """A column of counts, NOT_COUNTED where there is none; None where it was not made yet."""
        held = self.get(name)
        return None if held is None else held.fill_null(NOT_COUNTED).to_numpy(zero_copy_only=False).copy()

    def put(self, name: str, column: pa.Array) -> None:
        """Take in a column that was made, or more rows of it."""
        self._new[name] = column

    def save(self) -> None:
        """Write what is new, if anything is; where that cannot be, it is made again when it is next asked for."""
        if self._new:
            columns = (self._read() if self._old is None else self._old) | self._new
            with suppress(OSError):
                name = put(self._folder, f"{self._stem}.made", dict(list(columns.items())[-MOST:]))
                for file in self.names:
                    if file != name:
                        (self._folder / file).unlink(missing_ok=True)
                self.names = [name] if name != NOTHING else []
        self._old, self._new = None, {}

    def _read(self) -> dict[str, pa.Array]:
        """What any process made; a file that is damaged, or gone since another process merged it, is not missed."""
        found: dict[str, pa.Array] = {}
        for file in self.names:
            with suppress(DamagedError):
                for name, column in get(self._folder, file).items():
                    found[name] = pc.coalesce(found[name], column) if name in found else column
        return found


def _column(value: Any) -> pa.Array:
    if not isinstance(value, np.ndarray):
        return value
    return pa.FixedSizeListArray.from_arrays(pa.array(value.reshape(-1)), value.shape[1])


def _value(column: pa.Array) -> Any:
    """What `_column` was given."""
    if not pa.types.is_fixed_size_list(column.type):
        return column
    return column.flatten().to_numpy().reshape(len(column), -1)
