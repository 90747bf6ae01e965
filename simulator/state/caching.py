"""The prompt caches of all arms over a whole log, their hit rate calibrated on what the log recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from router.baselines import uniform
from simulator.counts import THOUSAND, Array
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.state.cache_rules import cache_rule
from simulator.state.columns import LogColumns
from simulator.state.prompt_cache import Cached, Terms, settled, simulate
from simulator.state.settings import CacheSettings
from simulator.state.store import PrefixStore

ALL = ""  # the provider's name under which a hit rate for all stands
FROM_LOG, GIVEN = "the log", "given"  # the source of a hit rate: recorded, or the user
FOREVER_S = 1e12  # a lifetime longer than any log
# Why a read that the log recorded cannot be known from the log.
SHORT = "the prompt is below the provider's published minimum"
UNSEEN = "no earlier call of the log begins alike: warm before it, or its history is not in the log"
HALVES = 71  # the seed by which calls without a session are halved


@dataclass(frozen=True)
class Calibration:
    """How one provider's recorded cache reads compare with the simulated ones; tokens in thousandths.

    Args:
        provider: its name.
        requests: calls of the log that the provider counted and whose model has a cache.
        recorded, simulated: read tokens, the simulation's before any hit rate.
        unpredictable: calls and read tokens that were recorded and that no simulation of the log could know, by reason;
            the errors and the hit rate leave these calls out.
        error_pct: how far the total simulated at the hit rate is off the recorded one; None where nothing was recorded.
        held_out_error_pct: the same with each half of the sessions at the other half's hit rate; None where the rate
            is not the log's.
        row_error_pct: the same as `error_pct` call by call: the sum of absolute differences over the recorded total.
        hit_rate: the share of live prefixes taken to be read.
        source: where the hit rate is from.
        shows: whether the log records what this provider's cache read or took in.
    """

    provider: str
    requests: int
    recorded: int
    simulated: int
    unpredictable: Mapping[str, tuple[int, int]]
    error_pct: float | None
    held_out_error_pct: float | None
    row_error_pct: float | None
    hit_rate: float
    source: str
    shows: bool


class Caches:
    """Simulates the cache of one arm after another.

    Args:
        store: the prefixes of the log's prompts.
        columns: the log's own.
        settings: the user's.
        index: the run's model names.
    """

    def __init__(self, store: PrefixStore, columns: LogColumns, settings: CacheSettings, index: ModelIndex) -> None:
        self._store, self.columns, self._settings, self._index = store, columns, settings, index
        self.long = settings.lifetime == "1h"
        self._order = np.argsort(columns.at_us, kind="stable")
        self._rank = np.empty(len(self._order), np.int64)
        self._rank[self._order] = np.arange(len(self._order))
        self.marks = self._marks()
        self._inputs = np.where(columns.passes, 0, columns.input_milli)
        self._logged: tuple[Terms, Array, Array] | None = None
        self.calibration = list(self._calibrated())
        self._rates = {each.provider: each.hit_rate for each in self.calibration}
        shows = {each.provider for each in self.calibration if each.shows and each.source != GIVEN}
        self._known = columns.measured & ~columns.passes & self._of(columns.model, shows)
        self._own = self._simulated(columns.model, self._inputs) if self._known.any() else None

    def _marks(self) -> Array:
        """Bool per request: its caller marks prefixes for caches that want it.

        A call of such a provider shows in its counts whether it did. Others would, unless the log has calls of such a
        provider and none of them does.
        """
        columns, said = self.columns, self._settings.breakpoints
        if said is not None:
            return np.full(len(columns), said)
        rules = [cache_rule(name) for name in self._index.names]
        explicit = np.array([*(bool(rule and rule.explicit) for rule in rules), False])[columns.model]
        rows = explicit & columns.measured
        marks = columns.marked
        return np.where(rows, marks, not rows.any() or bool(marks[rows].any()))

    def arm(self, model: Codes, input_milli: Array) -> tuple[Cached, Array]:
        """One arm's reads and writes, in the log's order, and bool per request: they are the recorded ones.

        They are where the call stays on its model, finds as much in the cache as the simulation of the log's own arm
        does, and the log records what its provider's cache did.

        Args:
            model: int32 codes of the models that serve.
            input_milli: int64, their input.
        """
        found, own, columns = self._simulated(model, input_milli), self._own, self.columns
        if own is None:
            return found, np.zeros(len(model), bool)
        stays = self._known & self._index.same(columns.model, model) & (input_milli == self._inputs)
        kept = stays & (found.read == own.read) & (found.written == own.written)
        read, written = (
            np.where(kept, columns.read_milli, found.read),
            np.where(kept, columns.wrote_milli, found.written),
        )
        return Cached(read, written), kept

    def _simulated(self, model: Codes, input_milli: Array) -> Cached:
        terms, read, written = self._lived(model, input_milli)
        providers = [name.partition("/")[0] for name in self._index.names]
        rates = np.array([*(self.hit_rate(provider) for provider in providers), 1.0])[model]
        return settled(read, written, input_milli, terms, rates)

    def hit_rate(self, provider: str) -> float:
        """The share of live prefixes that are read: the user's, else the log's, else all of them."""
        said = self._settings.hit_rate
        return said.get(provider, said.get(ALL, self._rates.get(provider, 1.0)))

    def assumed(self, model: Codes) -> Array:
        """Bool per request: the hit rate of its model's provider is not what the log recorded."""
        known = {each.provider for each in self.calibration if each.source == FROM_LOG}
        return np.asarray((model != NO_MODEL) & ~self._of(model, known))

    def unsure(self, model: Codes) -> Array:
        """Bool per request: neither the log nor the user tells the hit rate of its model's provider."""
        said = self._settings.hit_rate
        return self.assumed(model) & ~self._of(model, said.keys()) & (ALL not in said)

    def _of(self, model: Codes, providers: Set[str]) -> Array:
        """Bool per request: its model's provider is one of some."""
        return np.array([*(name.partition("/")[0] in providers for name in self._index.names), False])[model]

    def assumed_rates(self, models: Sequence[Codes]) -> dict[str, float]:
        """The hit rates that are not what the log recorded, of the providers of some models."""
        read = np.unique(np.concatenate([model[self.assumed(model)] for model in models]))
        providers = sorted({self._index.names[code].partition("/")[0] for code in read.tolist()})
        return {provider: self.hit_rate(provider) for provider in providers}

    def _terms(self, model: Codes, input_milli: Array, lifetime_s: float | None = None) -> Terms:
        names = self._index.names
        return Terms.of(
            model, names, input_milli, breakpoints=self.marks, long_lifetime=self.long, lifetime_s=lifetime_s
        )

    def _lived(self, model: Codes, input_milli: Array) -> tuple[Terms, Array, Array]:
        """An arm's terms, and what `_live` finds under them; the arm that happened is scanned once."""
        own = np.array_equal(model, self.columns.model) and np.array_equal(input_milli, self._inputs)
        if own and self._logged is not None:
            return self._logged
        terms = self._terms(model, input_milli)
        found = (terms, *self._live(model, input_milli, terms))
        if own:
            self._logged = found
        return found

    def _live(self, model: Codes, input_milli: Array, terms: Terms) -> tuple[Array, Array]:
        order, columns = self._order, self.columns
        ordered = terms.take(order)
        read, written = np.zeros(len(order), np.int64), np.zeros(len(order), np.int64)
        for nodes in self._store.partitions(self._rank):
            part = simulate(nodes, columns.at_us[order], model[order], input_milli[order], ordered)
            read, written = np.maximum(read, part.read), np.maximum(written, part.written)
        back_read, back_written = np.empty_like(read), np.empty_like(written)
        back_read[order], back_written[order] = read, written
        return back_read, back_written

    def _calibrated(self) -> Iterator[Calibration]:
        columns = self.columns
        terms, read, written = self._lived(columns.model, self._inputs)
        every = settled(read, written, self._inputs, terms, np.ones(len(read))).read
        providers = np.array([*(name.partition("/")[0] for name in self._index.names), ""], dtype=object)[columns.model]
        counted = columns.measured & ~columns.passes & terms.known
        reads = columns.read_milli
        reasons = self._unpredictable(terms, counted & (reads > 0) & (every == 0))
        halves = self._halves()
        for provider in sorted(set(providers[counted].tolist())):
            own = counted & (providers == provider)
            apart = {why: (int((own & lost).sum()), int(reads[own & lost].sum())) for why, lost in reasons.items()}
            rows = own & ~np.any(list(reasons.values()), axis=0)
            recorded, live = int(reads[rows].sum()), int(every[rows].sum())
            rate, source, held_out = _rate(recorded, live), FROM_LOG, None
            said, shows = self._settings.hit_rate, bool(columns.marked[own].any())
            if provider in said or ALL in said:
                source, rate = GIVEN, said.get(provider, said.get(ALL, 1.0))
            elif not live or not shows:
                why = "records no cache reads" if live else "has nothing to read back"
                source, rate = f"assumed: the log {why}", 1.0
            else:
                held_out = _error_pct(_held_out(every[rows], reads[rows], halves[rows]), recorded)
            off = np.abs(every[rows] * rate - reads[rows]).sum()
            yield Calibration(
                provider,
                int(own.sum()),
                int(reads[own].sum()),
                live,
                {why: found for why, found in apart.items() if found[0]},
                _error_pct(round(live * rate), recorded),
                held_out,
                100.0 * float(off) / recorded if recorded else None,
                rate,
                source,
                shows,
            )

    def _halves(self) -> Array:
        """Bool per request: its session, or where it has none the call itself, is in one half of the log."""
        columns = self.columns
        own = columns.session & np.uint64(1) == 1
        return (
            own
            if (columns.session > 0).all()
            else np.where(columns.session > 0, own, uniform(columns.names(), HALVES) < 0.5)
        )

    def _unpredictable(self, terms: Terms, unforeseen: Array) -> dict[str, Array]:
        """Bool per request and reason, of those whose recorded read the simulation did not foresee.

        What a longer lifetime would have foreseen is not among them: there the simulation is wrong.
        """
        short = unforeseen & ~terms.cached
        unseen = unforeseen & terms.cached
        if unseen.any():
            columns = self.columns
            ever = self._terms(columns.model, self._inputs, FOREVER_S)
            read, written = self._live(columns.model, self._inputs, ever)
            unseen &= settled(read, written, self._inputs, ever, np.ones(len(read))).read == 0
        return {SHORT: short, UNSEEN: unseen}


def _rate(recorded: int, live: int) -> float:
    return min(1.0, recorded / live) if live else 1.0


def _error_pct(simulated: float, recorded: int) -> float | None:
    return 100.0 * (simulated - recorded) / recorded if recorded else None


def _held_out(live: Array, recorded: Array, halves: Array) -> float:
    """Tokens simulated where each half of the calls has the hit rate of the other."""
    total = 0.0
    for half in (halves, ~halves):
        total += int(live[half].sum()) * _rate(int(recorded[~half].sum()), int(live[~half].sum()))
    return total


@dataclass(frozen=True)
class ArmCache:
    """What the cache did for one arm.

    Args:
        name, number: the arm's.
        model: int32 codes of the models that serve.
        inputs: int64 thousandths of a token.
        cached: what was read and written.
        recorded: requests that kept what was recorded.
    """

    name: str
    number: int
    model: Codes
    inputs: Array
    cached: Cached
    recorded: int


def said(caches: Caches, arms: Sequence[ArmCache]) -> dict[str, Any]:
    """The summary's `cache`."""
    return {
        "marked_pct": 100.0 * float(caches.marks.mean()) if len(caches.marks) else None,
        "lifetime": "1h" if caches.long else "5m",
        "assumed_hit_rates": caches.assumed_rates([arm.model[arm.cached.read > 0] for arm in arms]),
        "arms": [
            {
                "arm": arm.name,
                "number": arm.number,
                "input_tokens": int(arm.inputs.sum()) // THOUSAND,
                "read_tokens": int(arm.cached.read.sum()) // THOUSAND,
                "assumed_read_tokens": int(arm.cached.read[caches.assumed(arm.model)].sum()) // THOUSAND,
                "unsure_read_tokens": int(arm.cached.read[caches.unsure(arm.model)].sum()) // THOUSAND,
                "written_tokens": int(arm.cached.written.sum()) // THOUSAND,
                "read_pct": 100.0 * int(arm.cached.read.sum()) / max(1, int(arm.inputs.sum())),
                "recorded_requests": arm.recorded,
            }
            for arm in arms
        ],
        "calibration": [
            {
                "provider": each.provider,
                "requests": each.requests,
                "recorded_read_tokens": each.recorded // THOUSAND,
                "simulated_read_tokens": each.simulated // THOUSAND,
                "unpredictable": [
                    {"reason": why, "requests": requests, "read_tokens": milli // THOUSAND}
                    for why, (requests, milli) in each.unpredictable.items()
                ],
                "hit_rate": each.hit_rate,
                "error_pct": each.error_pct,
                "held_out_error_pct": each.held_out_error_pct,
                "row_error_pct": each.row_error_pct,
                "source": each.source,
            }
            for each in caches.calibration
        ],
    }
