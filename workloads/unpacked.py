"""Packed files as the bytes that they hold, as far as they can be unpacked."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import IO, Any

import zstandard

# Small, because a packed byte can stand for 32,768 others: a kilobyte unpacks to 32 MiB at most.
PACKED_BLOCK = 2**10

UNPACKERS: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    (b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor().decompressobj()),
)


class Unpacked(io.RawIOBase):
    """A packed file's bytes: all that can be unpacked are handed out, and then `fault` says what broke, if anything."""

    def __init__(self, packed: IO[bytes], fresh: Callable[[], Any]) -> None:
        self._packed, self._fresh, self._stream = packed, fresh, fresh()
        self._held = b""
        self.fault = ""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill some of `buffer`; 0 at the end of the file or of what can be read of it."""
        while not self._held and not self.fault and (block := self._block()):
            try:
                self._held = self._stream.decompress(block)
            except (zlib.error, zstandard.ZstdError) as error:
                self.fault = str(error)
        taken = self._held[: len(buffer)]
        buffer[: len(taken)] = taken
        self._held = self._held[len(taken) :]
        return len(taken)

    def _block(self) -> bytes:
        try:
            if not self._stream.eof:
                block = self._packed.read(PACKED_BLOCK)
                if not block:
                    self.fault = "it ends too early"
                return block
            # Packed files may follow one another, as `cat a.gz b.gz` writes them, and tapes pad them with zeros.
            block = self._stream.unused_data.lstrip(b"\x00")
            while not block and (more := self._packed.read(PACKED_BLOCK)):
                block = more.lstrip(b"\x00")
        except OSError as error:
            self.fault = error.strerror or str(error)
            return b""
        if block:
            self._stream = self._fresh()
        return bytes(block)
