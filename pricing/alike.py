"""Which texts of a column are equal, told without looking at most of what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

Array = np.ndarray[Any, np.dtype[Any]]

WORD = 8  # bytes
_OWN = np.array([2 ** (8 * size) - 1 for size in range(WORD + 1)], np.uint64)  # a word's first bytes, so many of them
_MIX = np.uint64(0x9E3779B97F4A7C15)


def distinct(texts: pa.StringArray) -> tuple[Array, pa.Array]:
    """Which texts there are, and which of them each is.

    Args:
        texts: strings.

    Returns:
        int64, the place where each distinct text stands first, in order; and int64 per text, its number among those,
        null for a null.

    Equal texts are of one length, and have the same bytes at their beginning, middle and end. A text that no other is
    like in that is not looked at any further; the others are hashed and compared as a whole.
    """
    null = texts.is_null().to_numpy(zero_copy_only=False)
    size, looks = _looks(texts)
    in_order = np.sort(looks[~null])
    several = np.isin(looks, np.unique(in_order[1:][in_order[1:] == in_order[:-1]])) & ~null
    if 2 * size[several].sum() > size.sum():  # to look at all is less than to copy those
        several = ~null
    at = np.flatnonzero(several)
    encoded = (texts if len(at) == len(texts) else texts.take(pa.array(at))).dictionary_encode().indices.to_numpy()
    begin = np.flatnonzero(np.diff(np.maximum.accumulate(encoded), prepend=-1))  # new ones are numbered as they come
    first = ~several & ~null
    first[at[begin]] = True
    number = np.cumsum(first) - 1
    number[at] = number[at[begin]][encoded]
    return np.flatnonzero(first), pa.array(number, mask=null)


def _looks(texts: pa.StringArray) -> tuple[Array, Array]:
    """Int64 bytes of each text, and uint64 that are the same for equal ones: of its length and three words of it."""
    _, ends, data = texts.buffers()
    offsets = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    begin, size = offsets[:-1], np.diff(offsets)
    held = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    if len(held) < WORD:
        held = np.concatenate([held, np.zeros(WORD, np.uint8)])
    words = np.ndarray(len(held) - WORD + 1, "<u8", held, strides=(1,))  # one from each byte on

    def word(at: Array) -> Array:
        inside = np.minimum(at, len(words) - 1)
        return (words[inside] >> (8 * (at - inside)).astype(np.uint64)) & own

    own, last = _OWN[np.minimum(size, WORD)], np.maximum(size - WORD, 0)
    found = size.astype(np.uint64)
    for at in (begin, begin + last // 2, begin + last):
        found = (found + word(at)) * _MIX
    return size, found
