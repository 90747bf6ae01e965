"""A log: any number of sources, read as often as wanted, in batches of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from problems import BackrouteError, ProblemLog
from workloads.formats import Format, format_named
from workloads.reading import Line, Reading
from workloads.rows import Row, to_batches
from workloads.schema import OUTCOME, REQUEST
from workloads.sources import RecordSource, Source, as_records, open_source

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 8_192
BATCH_BYTES = 32 * 2**20

Batches = Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]


def read_log(
    source: str | Path | Sequence[Any] | pd.DataFrame, *, log_format: str | None = None, timezone: str = "UTC"
) -> Log:
    """A log to replay; nothing is read until it is used.

    Args:
        source: a path (`-` for standard input; gzip and zstd are unpacked), several paths, a DataFrame with a row
            per call, or a list of dicts.
        log_format: a name in `workloads.formats.FORMATS`; recognised record by record when left out.
        timezone: what times without a zone mean, for example "Europe/Berlin".

    Raises:
        BackrouteError: a file that is not there, an unknown format or time zone.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        what = f"unknown time zone ({timezone!r})"
        raise BackrouteError("--timezone", what, fix="for example UTC or Europe/Berlin") from error
    chosen = format_named(log_format) if log_format else None
    if isinstance(source, str | Path):
        return Log([open_source(source)], chosen, zone)
    held = as_records(source)
    if held and all(isinstance(part, str | Path) for part in held):
        return Log([open_source(part) for part in held], chosen, zone)
    return Log([RecordSource(held)], chosen, zone)


class Log:
    """What `read_log` returns. After `batches` has run to its end, `formats` and `digest` speak of what was read."""

    def __init__(self, sources: Sequence[Source], log_format: Format | None, zone: tzinfo) -> None:
        self._sources = sources
        self._format = log_format
        self._zone = zone
        self.formats: Counter[str] = Counter()  # rows by format
        self.recognised: dict[str, str] = {}  # why a format was chosen, from its first record
        self.digest = ""

    @property
    def name(self) -> str:
        """The sources as the user named them."""
        return ", ".join(source.name for source in self._sources)

    def batches(self, *, problems: ProblemLog | None = None, rows: int = BATCH_ROWS) -> Batches:
        """(requests, outcomes) in the columns of `workloads.REQUEST` and `workloads.OUTCOME`, row by row the same call.

        Args:
            problems: where rows that cannot be read go; forgotten when left out.
            rows: at most this many in a batch.
        """
        reading = Reading(self._format, self._zone, ProblemLog() if problems is None else problems)
        digest, waiting, size = blake2b(digest_size=16), list[Row](), 0
        for source in self._sources:
            for number, content in source.lines(reading.problems):
                line = Line(source.name, number, content, blake2b(content, digest_size=16).digest())
                digest.update(line.digest)
                row = reading.row(line)
                if row is None:
                    continue
                waiting.append(row)
                size += len(content)
                if len(waiting) >= rows or size >= BATCH_BYTES:
                    yield to_batches(waiting)
                    waiting, size = [], 0
        self.formats, self.recognised, self.digest = reading.formats, reading.recognised, digest.hexdigest()
        if waiting:
            yield to_batches(waiting)

    @cached_property
    def problems(self) -> ProblemLog:
        """Everything set aside or noted, from a reading of the whole log."""
        found = ProblemLog()
        for _ in self.batches(problems=found):
            pass
        return found

    def requests(self) -> pd.DataFrame:
        """What was known when each request arrived, one row each; the whole log in memory."""
        return _frame([requests for requests, _ in self.batches()], REQUEST)

    def outcomes(self) -> pd.DataFrame:
        """What was known afterwards, in the order of `requests`."""
        return _frame([outcomes for _, outcomes in self.batches()], OUTCOME)

    def __repr__(self) -> str:
        return f"Log({self.name})"


def _frame(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pd.DataFrame:
    frame: pd.DataFrame = pa.Table.from_batches(batches, schema=schema).to_pandas()
    return frame
