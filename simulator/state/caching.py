"""The prompt caches of all arms over a whole log, their hit rate calibrated on what the log recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.counts import THOUSAND, Array
from simulator.models import Codes, ModelIndex
from simulator.state.cache_rules import cache_rule
from simulator.state.columns import LogColumns
from simulator.state.prompt_cache import Cached, Terms, settled, simulate
from simulator.state.settings import CacheSettings
from simulator.state.store import PrefixStore

ALL = ""  # the provider's name under which a hit rate for all stands


@dataclass(frozen=True)
class Calibration:
    """How one provider's recorded cache reads compare with the simulated ones; tokens in thousandths.

    Args:
        provider: its name.
        requests: calls of the log that the provider counted and whose model has a cache.
        recorded, simulated: read tokens, the simulation's before any hit rate.
        error_pct: how far the total simulated at the hit rate is off the recorded one; None where nothing was recorded.
        row_error_pct: the same call by call: the sum of absolute differences over the recorded total.
        hit_rate: the share of live prefixes taken to be read.
        source: where the hit rate is from.
    """

    provider: str
    requests: int
    recorded: int
    simulated: int
    error_pct: float | None
    row_error_pct: float | None
    hit_rate: float
    source: str


class Caches:
    """Simulates the cache of one arm after another.

    Args:
        store: the prefixes of the log's prompts.
        columns: the log's own.
        settings: the user's.
        index: the run's model names.
    """

    def __init__(self, store: PrefixStore, columns: LogColumns, settings: CacheSettings, index: ModelIndex) -> None:
        self._store, self._columns, self._settings, self._index = store, columns, settings, index
        self.long = settings.lifetime == "1h"
        self._order = np.argsort(columns.at_us, kind="stable")
        self._rank = np.empty(len(self._order), np.int64)
        self._rank[self._order] = np.arange(len(self._order))
        self.marks = self._marks()
        self.calibration = list(self._calibrated())
        self._rates = {each.provider: each.hit_rate for each in self.calibration}

    def _marks(self) -> Array:
        """Bool per request: its caller marks prefixes for caches that want it.

        A call of such a provider shows in its counts whether it did. Others would, unless the log has calls of such a
        provider and none of them does.
        """
        columns, said = self._columns, self._settings.breakpoints
        if said is not None:
            return np.full(len(columns), said)
        rules = [cache_rule(name) for name in self._index.names]
        explicit = np.array([*(bool(rule and rule.explicit) for rule in rules), False])[columns.model]
        rows = explicit & columns.measured
        marks = columns.cache_milli.any(axis=1)
        return np.where(rows, marks, not rows.any() or bool(marks[rows].any()))

    def arm(self, model: Codes, input_milli: Array) -> Cached:
        """One arm's reads and writes, in the log's order.

        Args:
            model: int32 codes of the models that serve.
            input_milli: int64, their input.
        """
        terms = self._terms(model, input_milli)
        read, written = self._live(model, input_milli, terms)
        providers = [name.partition("/")[0] for name in self._index.names]
        rates = np.array([*(self.hit_rate(provider) for provider in providers), 1.0])[model]
        return settled(read, written, input_milli, terms, rates)

    def hit_rate(self, provider: str) -> float:
        """The share of live prefixes that are read: the user's, else the log's, else all of them."""
        said = self._settings.hit_rate
        return said.get(provider, said.get(ALL, self._rates.get(provider, 1.0)))

    def _terms(self, model: Codes, input_milli: Array) -> Terms:
        return Terms.of(
            model,
            self._index.names,
            input_milli,
            breakpoints=self.marks,
            long_lifetime=self.long,
        )

    def _live(self, model: Codes, input_milli: Array, terms: Terms) -> tuple[Array, Array]:
        order, columns = self._order, self._columns
        ordered = terms.take(order)
        read, written = np.zeros(len(order), np.int64), np.zeros(len(order), np.int64)
        for nodes in self._store.partitions(self._rank):
            part = simulate(nodes, columns.at_us[order], model[order], input_milli[order], ordered)
            read, written = np.maximum(read, part.read), np.maximum(written, part.written)
        back_read, back_written = np.empty_like(read), np.empty_like(written)
        back_read[order], back_written[order] = read, written
        return back_read, back_written

    def _calibrated(self) -> Iterator[Calibration]:
        columns = self._columns
        terms = self._terms(columns.model, columns.input_milli)
        read, written = self._live(columns.model, columns.input_milli, terms)
        every = settled(read, written, columns.input_milli, terms, np.ones(len(read)))
        providers = np.array([*(name.partition("/")[0] for name in self._index.names), ""], dtype=object)[columns.model]
        counted = columns.measured & ~columns.passes & terms.known
        said = self._settings.hit_rate
        for provider in sorted(set(providers[counted].tolist())):
            rows = counted & (providers == provider)
            recorded, live = int(columns.cache_milli[rows, 0].sum()), int(every.read[rows].sum())
            source, rate = "the log", min(1.0, recorded / live) if live else 1.0
            if provider in said or ALL in said:
                source, rate = "given", said.get(provider, said.get(ALL, 1.0))
            elif not recorded or not live:
                why = "records no cache reads" if live else "has nothing to read back"
                source, rate = f"assumed: the log {why}", 1.0
            off = np.abs(every.read[rows] * rate - columns.cache_milli[rows, 0]).sum()
            yield Calibration(
                provider,
                int(rows.sum()),
                recorded,
                live,
                100.0 * (live * rate - recorded) / recorded if recorded else None,
                100.0 * float(off) / recorded if recorded else None,
                rate,
                source,
            )


def said(caches: Caches, arms: Sequence[tuple[str, int, Array, Cached]]) -> dict[str, Any]:
    """The summary's `cache`.

    Args:
        caches: see `Caches`.
        arms: name and number of each arm, its input in thousandths, and what the cache did for it.
    """
    return {
        "marked_pct": 100.0 * float(caches.marks.mean()) if len(caches.marks) else None,
        "lifetime": "1h" if caches.long else "5m",
        "arms": [
            {
                "arm": name,
                "number": number,
                "input_tokens": int(inputs.sum()) // THOUSAND,
                "read_tokens": int(cached.read.sum()) // THOUSAND,
                "written_tokens": int(cached.written.sum()) // THOUSAND,
                "read_pct": 100.0 * int(cached.read.sum()) / max(1, int(inputs.sum())),
            }
            for name, number, inputs, cached in arms
        ],
        "calibration": [
            {
                "provider": each.provider,
                "requests": each.requests,
                "recorded_read_tokens": each.recorded // THOUSAND,
                "simulated_read_tokens": each.simulated // THOUSAND,
                "hit_rate": each.hit_rate,
                "error_pct": each.error_pct,
                "row_error_pct": each.row_error_pct,
                "source": each.source,
            }
            for each in caches.calibration
        ],
    }
