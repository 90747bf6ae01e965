"""What state needs of a log beyond one batch: a few numbers per request, gathered in one pass in the log's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from simulator.arms import Batch
from simulator.counts import INPUTS, PROVIDER, Array
from simulator.models import ModelIndex
from simulator.state.latency import Pace, Paces, fitted

READ = 1  # the place of cache_read among the buckets
WROTE = [2, 3]
UNTIMED = np.iinfo(np.int64).min
ARRAYS = (
    *("at_us", "session", "user", "model", "input_milli", "output_milli", "read_milli", "wrote_milli"),
    *("measured", "passes", "failed", "latency_ms", "ttft_ms", "patience_us"),
)
ENOUGH_CALLS = 30  # of a provider, before its share of failed calls is believed


@dataclass
class LogColumns:
    """Columns of the whole log, a list of parts until `join` makes each one array.

    `ids` are request ids (Arrow strings, half of what Python's take), `at_us` int64 with the last known time where a
    request has none, `session` uint64 hashes with 0 for none, `user` likewise, `said` the wanted values of meta by key;
    the others are of the logged arm: int64 thousandths of a token, float64 milliseconds (NaN where unknown).
    """

    wanted: tuple[str, ...] = ()
    ids: Any = field(default_factory=list)
    at_us: Any = field(default_factory=list)
    session: Any = field(default_factory=list)
    user: Any = field(default_factory=list)
    said: dict[str, list[Any]] = field(default_factory=dict)
    model: Any = field(default_factory=list)
    input_milli: Any = field(default_factory=list)
    output_milli: Any = field(default_factory=list)
    read_milli: Any = field(default_factory=list)  # from the prompt cache
    wrote_milli: Any = field(default_factory=list)  # to it
    measured: Any = field(default_factory=list)  # bool: the provider counted the input
    passes: Any = field(default_factory=list)
    failed: Any = field(default_factory=list)
    latency_ms: Any = field(default_factory=list)
    ttft_ms: Any = field(default_factory=list)
    patience_us: Any = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Take one batch's columns."""
        requests, logged = batch.requests, batch.logged
        # Copied, since a column may be a part of the whole batch's memory.
        self.ids.append(requests["request_id"].take(pa.array(np.arange(len(requests)))))
        arrived = requests["arrived_at"].cast(pa.int64())
        self.at_us.append(np.asarray(pc.fill_null(arrived, UNTIMED).to_numpy(), np.int64))
        self.session.append(hashed(requests["session_id"]))
        self.user.append(hashed(requests["user_id"]))
        for key in self.wanted:
            self.said.setdefault(key, []).extend(_meta_values(requests["meta"], key))
        self.model.append(batch.source)
        self.input_milli.append(logged.input_milli)
        self.output_milli.append(logged.milli[:, INPUTS:].sum(axis=1))
        self.read_milli.append(logged.milli[:, READ].copy())
        self.wrote_milli.append(logged.milli[:, WROTE].sum(axis=1))
        self.measured.append((logged.input_provenance == PROVIDER) & logged.known[:, :INPUTS].all(axis=1))
        self.passes.append(batch.passes)
        self.failed.append(batch.failed)
        self.latency_ms.append(batch.latency_ms)
        self.ttft_ms.append(batch.ttft_ms)
        patience = pc.fill_null(requests["latency_budget_ms"], -0.001).to_numpy()
        self.patience_us.append(np.rint(patience * 1000).astype(np.int64))

    def extend(self, more: LogColumns) -> None:
        """Take the columns of the part of the log that follows."""
        for name in ("ids", *ARRAYS):
            getattr(self, name).extend(getattr(more, name))
        for key, said in more.said.items():
            self.said.setdefault(key, []).extend(said)

    def join(self) -> None:
        """Make each column one array."""
        self.ids = pa.chunked_array(self.ids)
        for name in ARRAYS:
            setattr(self, name, np.concatenate(getattr(self, name)))
        # A request without a time came when the one before it in the log did, the first ones when the next did.
        known = np.flatnonzero(self.at_us != UNTIMED)
        before = np.searchsorted(known, np.arange(len(self.at_us)), side="right") - 1
        self.at_us = self.at_us[known[np.maximum(before, 0)]] if len(known) else np.zeros_like(self.at_us)

    @property
    def marked(self) -> Array:
        """Bool per request: it read or wrote the prompt cache."""
        return np.asarray((self.read_milli > 0) | (self.wrote_milli > 0))

    def __len__(self) -> int:
        return len(self.at_us)

    def names(self) -> Array:
        """The request ids as Python strings, for draws."""
        return np.asarray(self.ids.to_pylist(), dtype=object)

    def payers(self, by: Iterable[str]) -> dict[str, Array]:
        """Codes of who pays, by the name that a budget gives them; -1 where unknown."""
        found = {}
        for name in by:
            if name == "all":
                found[name] = np.zeros(len(self), np.int64)
            elif name == "user":
                found[name] = codes(self.user)
            else:
                found[name] = codes(hashed(pa.array([None if x is None else str(x) for x in self.said[name]])))
        return found

    def failing(self, index: ModelIndex) -> Mapping[str, float]:
        """The share of failed calls by provider, where the log has enough of its calls."""
        providers = self._providers(index)
        found = {}
        for name in sorted(set(providers.tolist()) - {""}):
            rows = (providers == name) & ~self.passes
            if int(rows.sum()) >= ENOUGH_CALLS:
                found[name] = float(self.failed[rows].mean())
        return found

    def paces(self, index: ModelIndex) -> Paces:
        """How fast the log's own models answered."""
        logged: dict[str, Pace] = {}
        for code in np.unique(self.model[self.model >= 0]).tolist():
            rows = (self.model == code) & ~self.failed
            pace = fitted(self.output_milli[rows], self.latency_ms[rows], self.ttft_ms[rows])
            if pace is not None:
                logged[index.names[code]] = pace
        return Paces(logged)

    def _providers(self, index: ModelIndex) -> Array:
        names = np.array([*(name.partition("/")[0] for name in index.names), ""], dtype=object)
        return np.asarray(names[self.model])


def hashed(column: pa.Array) -> Array:
    """Uint64 hashes of texts; 0 for null."""
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.uint64)
    encoded = column.dictionary_encode()
    names = np.asarray(encoded.dictionary.to_pylist(), dtype=object)
    hashes = pd.util.hash_array(names, categorize=False) if len(names) else np.zeros(0, np.uint64)
    hashes = np.append(np.maximum(np.asarray(hashes, np.uint64), np.uint64(1)), np.uint64(0))
    places = encoded.indices.cast(pa.int64()).fill_null(len(names)).to_numpy()
    return np.asarray(hashes[places])


def codes(hashes: Array) -> Array:
    """Small int64 codes of hashes; -1 for 0."""
    found = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    return np.where(hashes == 0, -1, found)


def _meta_values(meta: pa.Array, key: str) -> list[Any]:
    said: list[Any] = [None] * len(meta)
    there = pc.fill_null(pc.match_substring(meta, f'"{key}"'), False).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(there).tolist():
        held = msgspec.json.decode(meta[row].as_py())
        said[row] = held.get(key) if isinstance(held, dict) else None
    return said
