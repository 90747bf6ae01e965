"""Picodollars in exact sums, and decimal dollars for people."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

PICO = 10**12
Int64s = np.ndarray[Any, np.dtype[np.int64]]
Ints = np.ndarray[Any, Any]  # int64, or Python integers as objects where int64 might not hold them
_EXACT_ROWS = 2**21  # halves of 32 bits, so many at once, stay below float64's 2**53


def exact_sum(values: Int64s) -> int:
    """The sum of int64 values as a Python integer, exact however large."""
    if _largest(values) * len(values) < 2**63:
        return int(values.sum())
    return int(np.sum(values >> 32, dtype=np.int64)) * 2**32 + int(np.sum(values & 0xFFFFFFFF, dtype=np.int64))


def exact_sums(codes: np.ndarray[Any, Any], values: Int64s, groups: int) -> Ints:
    """The sum of int64 values of each group 0..groups-1, exact however large."""
    largest = _largest(values) * len(values)
    # Integers add up exactly in float64, the fastest grouped sum there is, as long as they are small.
    if largest < 2**53 or (largest < 2**63 and int(np.abs(values).sum()) < 2**53):
        return np.bincount(codes, values, groups).astype(np.int64)
    sums = np.zeros(groups, object)
    for start in range(0, len(values), _EXACT_ROWS):
        at, part = codes[start : start + _EXACT_ROWS], values[start : start + _EXACT_ROWS]
        high, low = np.bincount(at, part >> 32, groups), np.bincount(at, part & 0xFFFFFFFF, groups)
        sums += np.array([int(h) * 2**32 + int(lo) for h, lo in zip(high, low, strict=True)], object)
    return sums if largest >= 2**63 else sums.astype(np.int64)


def regrouped(codes: np.ndarray[Any, Any], sums: Ints, groups: int) -> list[int]:
    """The sums of groups, summed again into fewer."""
    held = np.zeros(groups, sums.dtype)
    np.add.at(held, codes, sums)
    return [int(each) for each in held.tolist()]


def _largest(values: Int64s) -> int:
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def grouped(keys: Int64s) -> tuple[Int64s, np.ndarray[Any, Any]]:
    """The first row of each distinct int64 key, keys in order, and each row's group; sorts only where it must."""
    if not len(keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low = keys.min()
    span = int(keys.max()) - int(low) + 1
    if span > 4 * len(keys) + 1024:
        _, first, where = np.unique(keys, return_index=True, return_inverse=True)
        return first, where
    offset = keys - low
    first = np.full(span, -1, np.int64)
    first[offset[::-1]] = np.arange(len(keys) - 1, -1, -1)  # the last written stays, which is the first row
    present = first >= 0
    return first[present], (np.cumsum(present) - 1)[offset]


def picodollars(usd: pa.Array) -> Int64s:
    """Decimals of twelve places, below $9 million, as int64 picodollars; 0 where null."""
    filled = usd.fill_null(0)
    # A decimal128 is its unscaled integer, the low 64 bits first.
    words = np.frombuffer(filled.buffers()[1], np.int64)[2 * filled.offset :: 2]
    return words[: len(filled)]


def dollars(pico: int) -> str:
    """Picodollars as a decimal string in USD, without trailing zeros: 5_500_000_000 is "0.0055"."""
    text = f"{Decimal(pico).scaleb(-12):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Scale:
    """Sums of a sampled log, scaled to the whole traffic and rounded once to a picodollar."""

    def __init__(self, sample_rate: float) -> None:
        numerator, denominator = sample_rate.as_integer_ratio()
        nearest = round(1 / sample_rate)
        # 0.01 means one in a hundred, not the binary fraction next to it.
        exact = abs(sample_rate * nearest - 1) < 1e-12
        self.up, self.down = (nearest, 1) if exact else (denominator, numerator)

    def __call__(self, pico: int) -> int:
        """The scaled sum."""
        return round(Fraction(pico * self.up, self.down))
