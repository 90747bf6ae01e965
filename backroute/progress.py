"""Progress of long work on stderr: how much is done and the time left, where a person is watching."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from workloads import Log

HEAD = 2**20  # bytes of a file that tell how long its lines are
PACKED = b"\x1f\x8b"


@contextmanager
def watched(log: Log, paths: Sequence[Path]) -> Iterator[None]:
    """Show how far each reading of a log has come, until the block ends; nothing where nobody watches.

    Args:
        log: the log; while the block lasts its `batches` are counted as they go by.
        paths: the files behind it, by which the time left of the first reading is estimated.
    """
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("reading"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:,.0f} requests{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    plain, rows = log.batches, [expected_rows(paths)]

    def counted(*arguments: Any, **options: Any) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        task, done = bar.add_task("", total=rows[0], rate=""), 0
        for requests, outcomes in plain(*arguments, **options):
            done += requests.num_rows
            speed = bar.tasks[-1].speed
            bar.update(task, completed=done, rate=f", {speed:,.0f} a second" if speed else "")
            yield requests, outcomes
        rows[0] = done
        bar.remove_task(task)

    log.batches = counted  # type: ignore[method-assign]
    try:
        with bar:
            yield
    finally:
        del log.batches


@contextmanager
def steps(doing: str, unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show how many of some steps are done, until the block ends; None to tell where nobody watches.

    Args:
        doing: the work, as in "learning".
        unit: its steps, as in "fits".
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    said = TextColumn("{task.completed:,.0f} of {task.total:,.0f} " + unit)
    columns = (TextColumn(doing), BarColumn(bar_width=20), said, TimeRemainingColumn(compact=True), TextColumn("left"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, visible=False)

        def told(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of, visible=True)

        yield told


def expected_rows(paths: Sequence[Path]) -> int | None:
    """About how many lines some files hold, by the first of each; None for what is no file of lines."""
    total = 0
    for path in paths:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(HEAD)
        lines = unpacked(head).count(b"\n")
        if not lines:
            return None
        total += round(lines * max(path.stat().st_size, len(head)) / len(head))
    return total or None


def unpacked(head: bytes) -> bytes:
    """The start of a file, unpacked where it is gzip."""
    return zlib.decompressobj(wbits=31).decompress(head) if head.startswith(PACKED) else head
