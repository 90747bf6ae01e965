"""Poisson bootstrap: sessions fall into buckets by their hash, and every bucket draws its weights from a seed.

A session stays whole and its bucket is the same in any batch or worker, so that sums by bucket are all an interval
needs of a log of any size: docs/decisions/bootstrap-buckets.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Array = np.ndarray[Any, np.dtype[Any]]

REPLICATES = 200
BUCKETS = 2048
LANES = 4  # sixteen-bit draws in one 64-bit hash

# Poisson(1) by inversion of a 16-bit uniform; its error per probability is below 2^-16.
_CUMULATIVE = np.cumsum(np.exp(-1.0) / np.cumprod([1, *range(1, 12)]))
_POISSON = np.searchsorted(_CUMULATIVE, (np.arange(65536) + 0.5) / 65536).astype(np.uint8)


def row_keys(session_id: pa.Array, request_id: pa.Array) -> Array:
    """A uint64 key per request: of its session where there is one, else of the request itself."""
    own = pc.if_else(session_id.is_valid(), session_id, request_id)
    encoded = own.dictionary_encode()
    names = np.asarray(encoded.dictionary.to_pylist(), dtype=object)
    hashed = pd.util.hash_array(names, categorize=False) if len(names) else np.zeros(0, np.uint64)
    return np.take(np.asarray(hashed, np.uint64), np.asarray(encoded.indices))


def bucket_of(keys: Array) -> Array:
    """The bucket of each key, int64 in 0..BUCKETS-1."""
    return np.asarray((_mix(keys) % np.uint64(BUCKETS)).astype(np.int64))


def weights(keys: Array, seed: int, replicates: int = REPLICATES) -> Array:
    """Poisson(1) weights, uint8 of shape (rows, replicates): the same for one key and seed wherever it occurs."""
    distinct, rows = np.unique(keys, return_inverse=True)
    blocks = -(-replicates // LANES)
    steps = (np.arange(blocks, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = _mix(distinct ^ _mix(np.array([seed], np.uint64) + np.uint64(0x51ED270B)))[:, None] + steps
    draws = _mix(mixed).view(np.uint16).reshape(len(distinct), blocks * LANES)[:, :replicates]
    return np.asarray(_POISSON[draws][rows.reshape(-1)])


def _mix(x: Array) -> Array:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every input bit moves every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
