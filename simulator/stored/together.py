"""What passes made of the texts of a log in memory: one file a pass for all its batches, written while nobody waits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from simulator.stored.made import Made

STEM = "all"  # in the place of a batch's number

_writer = ThreadPoolExecutor(1, "made")  # Python ends when it has written all


class Together:
    """Keeps together what is made of several batches.

    Args:
        folder: of their parts.
        batches: what is made of each.
        rows: of each.
    """

    def __init__(self, folder: Path, batches: Sequence[Made], rows: Sequence[int]) -> None:
        self._all = Made(folder, STEM, [path.name for path in folder.glob(f"{STEM}.made.*.arrow")])
        self._batches, self._rows = batches, rows
        for batch, start, many in zip(batches, np.cumsum([0, *rows[:-1]]).tolist(), rows, strict=True):
            batch.joins(self._all, start, many)

    def save(self) -> None:
        """Write what is new, without waiting for it; what a killed process leaves unwritten is made again."""
        new = [batch.taken() for batch in self._batches]
        for name, kind in {name: column.type for columns in new for name, column in columns.items()}.items():
            held = [
                columns[name] if name in columns else pa.nulls(rows, kind)
                for columns, rows in zip(new, self._rows, strict=True)
            ]
            self._all.put(name, pa.concat_arrays(held))
        if columns := self._all.taken():
            _writer.submit(self._all.write, columns)


def finish() -> None:
    """Wait until what is to be written is."""
    _writer.submit(int).result()
