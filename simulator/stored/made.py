"""What passes made of a batch's texts, kept beside it: counts, lengths, answers of conditions, scores."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
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
Columns = Mapping[str, pa.Array]

# Keys of `Batch.kept` whose values depend on the texts, on logged counts and on what the key says alone.
LASTING = {"column", "when", "scores", "prefixes"}
MOST = 64  # columns kept; the oldest go first
FILES = 8  # as many are merged into one


class Made:
    """Columns made of one batch, by name; those that one pass made are in one file.

    Counts may be there for some rows only, null for the others; anything else is there for all of them.

    Args:
        folder, stem: where the batch's part lies, and what its files' names begin with.
        names: the files that hold what was made before.
    """

    def __init__(self, folder: Path, stem: str, names: Sequence[str] = ()) -> None:
        self.folder, self.stem, self.names = folder, stem, sorted(names)
        self._old: dict[str, pa.Array] | None = None
        self._known: set[str] | None = None if names else set()  # the names of all that is or was there
        self._new: dict[str, pa.Array] = {}
        self._place: tuple[Made, int, int] | None = None  # what keeps it together with others, its first row, its rows

    def kept(self, key: tuple[Hashable, ...], make: Callable[[], Value]) -> Value:
        """The value of a key of `Batch.kept`: read, or made."""
        name = " ".join(map(str, key))
        held = self.get(name)
        if held is None:
            value = make()
            self.put(name, _column(value))
            return value
        return _value(held)  # type: ignore[no-any-return]

    def joins(self, others: Made, start: int, rows: int) -> None:
        """From now on it is read from what is kept of several batches, too, and what is `taken` is written there."""
        self._place = others, start, rows

    def get(self, name: str) -> pa.Array | None:
        """A column; None where it was not made yet, which no file is opened for once their columns are known.

        Raises:
            DamagedError: a file is not what was written.
        """
        own = self._new.get(name)
        if own is None and (self._known is None or name in self._known):
            if self._old is None:
                self._old = self._read()
                self._known = {*self._old, *(self._known or ())}
            own = self._old.get(name)
        if self._place is None:
            return own
        others, start, rows = self._place
        whole = others.get(name)
        here = None if whole is None else whole.slice(start, rows)
        if here is None or here.null_count == rows:  # made of other batches alone
            return own
        return here if own is None else pc.coalesce(own, here)

    def numbers(self, name: str) -> NDArray[np.int64] | None:
        """A column of counts, NOT_COUNTED where there is none; None where it was not made yet."""
        held = self.get(name)
        return None if held is None else held.fill_null(NOT_COUNTED).to_numpy(zero_copy_only=False).copy()

    def put(self, name: str, column: pa.Array) -> None:
        """Take in a column that was made, or more rows of it."""
        self._new[name] = column

    def taken(self) -> dict[str, pa.Array]:
        """What was taken in since the last time, to be written; nothing that was read is held any more."""
        columns, self._new, self._old = self._new, {}, None
        if self._place is None and self._known is not None:
            self._known |= columns.keys()
        return columns

    def write(self, columns: Columns) -> None:
        """Write columns; where that cannot be, they are made again when they are next asked for."""
        if not columns:
            return
        with suppress(OSError):
            merged = [] if len(self.names) < FILES else self.names
            if merged:
                columns = self._read() | dict(columns)
            number = max((int(name.split(".")[-3]) for name in self.names), default=-1) + 1
            name = put(self.folder, f"{self.stem}.made.{number:06}", dict(list(columns.items())[-MOST:]))
            for file in merged:
                (self.folder / file).unlink(missing_ok=True)
            self.names = [*(file for file in self.names if file not in merged), *([name] if name != NOTHING else [])]
            self._old = None

    def save(self) -> None:
        """Write what is new, if anything is and others do not."""
        if self._place is None:
            self.write(self.taken())

    def _read(self) -> dict[str, pa.Array]:
        """What any process made; a file that is gone since another process merged it is not missed."""
        found: dict[str, pa.Array] = {}
        for file in self.names:
            try:
                columns = get(self.folder, file)
            except DamagedError:
                if (self.folder / file).exists():
                    raise
                continue
            for name, column in columns.items():
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
