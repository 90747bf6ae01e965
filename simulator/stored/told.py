"""What a reading set aside and noted, told again without reading: in memory, and on disk where that is much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from problems import Problem, ProblemLog
from workloads.checked import get, put

MOST = 10_000  # problems in memory
MOST_BYTES = 16 * 2**20  # of the lines they came from
FIELDS = Problem.__slots__


class Told(ProblemLog):
    """Hands problems on, and keeps them to be told again.

    Args:
        to: whom they are handed to.
        folder: where those go that are too many for memory; without one they are forgotten, and `whole` is False.
    """

    def __init__(self, to: ProblemLog, folder: Path | None) -> None:
        super().__init__()
        self._to, self._folder = to, folder
        self._names: dict[str, str] = {}
        self._pending: list[tuple[Problem, bytes]] = []
        self._size = 0
        self._files: list[str] = []
        self._counted: Counter[str] = Counter()
        self.whole = True

    def add(self, problem: Problem, original: bytes | str = "") -> None:
        """See `ProblemLog.add`."""
        self._to.add(problem, original)
        if not self.whole:
            return
        line = original if isinstance(original, bytes) else original.encode("utf-8", "backslashreplace")
        self._pending.append((problem, line))
        self._size += len(line)
        if len(self._pending) >= MOST or self._size >= MOST_BYTES:
            self._write()

    def count(self, kind: str) -> None:
        """See `ProblemLog.count`."""
        self._to.count(kind)
        self._counted[kind] += 1

    def _write(self) -> None:
        if self._folder is None:
            self.whole, self._pending = False, []
            return
        columns: dict[str, Any] = {name: [getattr(each, name) for each, _ in self._pending] for name in FIELDS}
        columns["original"] = pa.array([line for _, line in self._pending], pa.binary())
        self._files.append(put(self._folder, f"problems-{len(self._files):06}", columns, texts=True))
        self._pending, self._size = [], 0

    def put_away(self) -> dict[str, Any]:
        """All of it put away, as JSON can hold what is left.

        Raises:
            OSError: the folder cannot be written.
        """
        if self._pending:
            self._write()
        return {"files": self._files, "counted": dict(self._counted)}

    def again(self, to: ProblemLog) -> None:
        """Tell everything again.

        Raises:
            DamagedError: what was put away is damaged or gone.
        """
        for file in self._files:
            assert self._folder is not None
            for problem, line in _read(self._folder, file):
                named = self._names.get(problem.source, problem.source)
                to.add(replace(problem, source=named), line)
        for problem, line in self._pending:
            to.add(problem, line)
        for kind, more in self._counted.items():
            for _ in range(more):
                to.count(kind)

    @classmethod
    def of(cls, folder: Path, kept: dict[str, Any], names: dict[str, str]) -> Told:
        """What was kept before; `names` are what sources are called now, by what they were called."""
        told = cls(ProblemLog(), folder)
        told._files, told._counted, told._names = kept["files"], Counter(kept["counted"]), names
        return told


def _read(folder: Path, file: str) -> Iterator[tuple[Problem, bytes]]:
    held = get(folder, file)
    columns = [held[name].to_pylist() for name in (*FIELDS, "original")]
    for *said, line in zip(*columns, strict=True):
        yield Problem(*said), line
