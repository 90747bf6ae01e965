"""The decision log: a line of JSON per live call, which `workloads.read_log` reads back."""

from __future__ import annotations

import errno
import os
import threading
import warnings
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from problems import BackrouteError
from router.features import mended, plain

_ENCODER = msgspec.json.Encoder(enc_hook=plain, decimal_format="string")


class DecisionLog:
    """Appends to one file, from any number of threads and processes.

    A line is written whole, in one write at the end of the file, and is on the disk before the call returns. Where a
    writer died in mid-line, the next one begins on a line of its own.

    Raises:
        BackrouteError: the file cannot be written; found out before any call is paid for.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._torn = self._ends_torn()
        except OSError as error:
            what = f"cannot be written ({error.strerror})"
            raise BackrouteError(str(path), what, fix="give a file that can be appended to") from error

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one call. When that fails, a warning says so: the answer it belongs to is not lost for it."""
        try:
            with self._lock:
                self._append(_encoded(line) + b"\n")
        except OSError as error:
            warnings.warn(f"{self.path}: a decision was not logged ({error.strerror})", RuntimeWarning, stacklevel=2)

    def _append(self, line: bytes) -> None:
        whole = b"\n" + line if self._torn else line
        with self._open() as file:
            written = file.write(whole)
            self._torn = written != len(whole)
            if self._torn:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())

    def _ends_torn(self) -> bool:
        with self._open() as file:
            size = file.seek(0, os.SEEK_END)
            if not size:
                return False
            file.seek(size - 1)
            return file.read(1) != b"\n"

    def _open(self) -> FileIO:
        return FileIO(self.path, "a+", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # it holds what users wrote


def _encoded(line: Mapping[str, Any]) -> bytes:
    try:
        return _ENCODER.encode(line)
    except UnicodeEncodeError:
        return _ENCODER.encode(mended(line))
