"""A text as counted terms: words, pairs of words, and a few marks of its shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

HEAD, TAIL = 1500, 500  # characters looked at: a long text says what it wants at its beginning or its end
LONGEST_TERM = 24  # characters: longer ones are keys, hashes and the like, which must not reach a model file

_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_IDENTIFIER = re.compile(r"[a-z]_[a-z]|[a-z][A-Z]|\w\(\w*\)|\w\.\w+\(")


def terms(text: str) -> Iterator[str]:
    """Every term of a text, repeated as often as it occurs.

    Numbers count by their digits ("#2"), and marks of shape stand in angle brackets: how long the text is, whether it
    has several lines, and whether it names things as programs do.
    """
    said = text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"
    words = [f"#{min(len(word), 5)}" if word.isdecimal() else word for word in _WORD.findall(said.lower())]
    yield from words
    yield from map(" ".join, pairwise(words))
    yield f"<long {min(len(text), 1 << 14).bit_length()}>"
    lines = said.count("\n")
    if lines:
        yield f"<lines {min(lines.bit_length(), 4)}>"
    if _IDENTIFIER.search(said):
        yield "<identifier>"
