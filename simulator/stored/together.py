"""What passes made of the texts of a log in memory: one file a pass for all its batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from simulator.stored.made import Made

STEM = "all"  # in the place of a batch's number


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
        """Write what is new. It is waited for: who asked may remove the log's folder as soon as they have an answer."""
        new = [batch.taken() for batch in self._batches]
        for name, kind in {name: column.type for columns in new for name, column in columns.items()}.items():
            held = [
                columns[name] if name in columns else pa.nulls(rows, kind)
                for columns, rows in zip(new, self._rows, strict=True)
            ]
            self._all.put(name, pa.concat_arrays(held))
        self._all.write(self._all.taken())
