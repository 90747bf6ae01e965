"""What a reading of a log is asked, and what one of some of its lines, apart from the others, came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, NamedTuple

import numpy as np

from problems import HeldProblems
from workloads.formats import FORMATS, Format

Keys = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class Way:
    """How a log is read.

    Args:
        log_format: the format asked for; None to recognise each record's.
        zone: what a time without a zone means.
        start: microseconds since 1970 UTC, when a trace whose clock starts at 0 began; None where unknown.
    """

    log_format: Format | None
    zone: tzinfo
    start: int | None = None

    def __reduce__(self) -> tuple[Callable[..., Way], tuple[Any, ...]]:
        # A format is a module as a rule, which has no pickle.
        named = next((name for name, each in FORMATS.items() if each is self.log_format), None)
        return _way, (named or self.log_format, self.zone, self.start)


def _way(log_format: Format | str | None, zone: tzinfo, start: int | None) -> Way:
    return Way(FORMATS[log_format] if isinstance(log_format, str) else log_format, zone, start)


class Recognised(NamedTuple):
    """The first record of a format: its file, its line there, and what it was recognised by."""

    source: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.why}"


class TogetherError(Exception):
    """A record that has to be read with the others of the log, not apart from them."""


@dataclass(frozen=True)
class Apart:
    """What the reading of a whole log has to know of some of its lines that were read apart from the others.

    Args:
        digests: the lines' hashes together.
        keys, contents: of each row, 64 bits of the hashes of its id and of its line.
        lines: how many, blank ones too.
        formats: rows by format.
        recognised: the first record of each format, by its line among these.
        problems: by their lines among these; what is told once a file is told once.
    """

    digests: bytes
    keys: Keys
    contents: Keys
    lines: int
    formats: Mapping[str, int]
    recognised: Mapping[str, Recognised]
    problems: HeldProblems
