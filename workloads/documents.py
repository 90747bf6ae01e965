"""JSON that is no JSON lines: one document, a list of records, or records printed over several lines each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

import msgspec

# A string, a quote that a string does not close yet, or a mark of structure.
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|"|[\[\]{},]', re.DOTALL)
FIRST_READ = 2**20
LONGEST_VALUE = 256 * 2**20
PADDING = b" \t\r\n,"


class TooLongError(Exception):
    """A value of more than 256 MiB, which is not held in memory."""


def is_document(head: bytes) -> bool:
    """Whether a file that begins like this is JSON over several lines, or one list."""
    text = head.lstrip()
    first, _, rest = text.partition(b"\n")
    if text.startswith(b"["):
        return not (_is_whole(first) and rest.strip())
    return text.startswith(b"{") and rest.lstrip()[:1] in (b'"', b"}") and not _is_whole(first)


def _is_whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def split_values(stream: IO[bytes]) -> Iterator[bytes]:
    """The values that follow one another in a file, or the elements of its lists, as their bytes.

    What stands between them, and what a file that was cut short ends with, comes too, for its reader to refuse.

    Raises:
        TooLongError: a value above 256 MiB.
    """
    held, at, begins, depth, base = b"", 0, 0, 0, 0  # base is 1 within a list of the file's own
    while block := stream.read(max(FIRST_READ, len(held))):  # growing, so that a long string is not scanned too often
        held, at, begins = held[begins:] + block, at - begins, 0
        while match := TOKEN.search(held, at):
            mark, start, at = match[0][:1], match.start(), match.end()
            if match[0] == b'"':  # a string that goes on in the next block
                at = start
                break
            if mark == b'"' or (depth > base and mark == b","):
                continue
            if depth > base:
                depth += 1 if mark in b"[{" else -1
                if depth == base:
                    yield held[begins:at]
                    begins = at
                continue
            if between := held[begins:start].strip(PADDING):
                yield between
            begins = start if mark in b"[{" else at
            if mark == b"{" or (mark == b"[" and base == 1):
                depth += 1
            elif mark in b"[]}":
                base, begins = (1, at) if mark == b"[" else (0, at)
                depth = base
        else:
            at = len(held)
        if len(held) - begins > LONGEST_VALUE:
            raise TooLongError
    if rest := held[begins:].strip(PADDING):
        yield rest
