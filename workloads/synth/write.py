"""A synthetic log as a file: one JSON object a line, plain or gzipped, the same bytes each time."""

import gzip
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from problems import BackrouteError
from workloads.synth.mix import Mix
from workloads.synth.rows import generate

ROWS_AT_ONCE = 256


def write_log(mix: Mix, rows: int, seed: int, path: str | Path) -> None:
    """Write `generate(mix, rows, seed)` as JSONL, gzipped where the path ends in .gz.

    Raises:
        BackrouteError: the file cannot be written, or rows is below 1.
    """
    path = Path(path)
    made = generate(mix, rows, seed)
    try:
        with path.open("wb") as file:
            if path.suffix != ".gz":
                _write(made, file)
                return
            # No name and no time inside: the bytes depend on the rows alone.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _write(made, packed)
    except OSError as problem:
        raise BackrouteError(str(path), f"cannot be written ({problem})", fix="give a writable path") from None


def _write(rows: Iterator[dict[str, Any]], file: IO[bytes] | gzip.GzipFile) -> None:
    encoder = msgspec.json.Encoder()
    while chunk := list(islice(rows, ROWS_AT_ONCE)):
        file.write(encoder.encode_lines(chunk))
