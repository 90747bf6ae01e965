"""The prompt cache of one arm: which part of each prompt an earlier call of the same model had left there.

One grouped scan without a loop over rows. A prefix is alive at a request if an earlier request of the same model wrote
it and no pause since has been longer than the lifetime, since each use renews it. So the accesses to one prefix, in
order of time, fall apart into runs wherever a pause is too long, and all but the first of a run are hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from simulator.counts import THOUSAND, Array
from simulator.models import NO_MODEL, Codes
from simulator.state.cache_rules import CacheRule, cache_rule
from simulator.state.guards import SECOND_US
from simulator.state.prefixes import INNER, LAST, SYSTEM, Nodes

BLOCK = 1 << 16  # accesses; half a megabyte a column


@dataclass(frozen=True)
class Terms:
    """The cache rules of each request's model, as columns.

    Args:
        known: bool, the model has a cache, and the caller marks prefixes where it has to.
        cached: bool, the prompt is long enough for it besides.
        explicit: bool, its prefixes end at breakpoints.
        minimum_milli, step_milli: int64, thousandths of a token.
        lifetime_us: int64.
        writes: bool, what is cached anew is billed as written.
        long: bool, into the long-lived cache.
        lookback: int64, message ends tried before a breakpoint.
    """

    known: Array
    cached: Array
    explicit: Array
    minimum_milli: Array
    step_milli: Array
    lifetime_us: Array
    writes: Array
    long: Array
    lookback: Array

    @classmethod
    def of(
        cls,
        model: Codes,
        names: Sequence[str],
        input_milli: Array,
        *,
        breakpoints: Array | bool = True,
        long_lifetime: bool = False,
        lifetime_s: float | None = None,
    ) -> Terms:
        """The terms of some requests.

        Args:
            model: int32 codes into `names`, -1 where there is no model.
            names: canonical model names.
            input_milli: int64, each request's input.
            breakpoints: whether the caller marks prefixes for caches that want it, for each request or for all.
            long_lifetime: whether it asks for the long-lived cache where there is one.
            lifetime_s: seconds, instead of the providers' own; None for those.
        """
        rules = [cache_rule(name) for name in names] or [None]
        at = np.where(model == NO_MODEL, 0, model)

        def column(value: object) -> Array:
            return np.asarray([value(rule) if rule else 0 for rule in rules])[at]  # type: ignore[operator]

        def lives(rule: CacheRule) -> int:
            own = rule.long_lifetime_s if long_lifetime and rule.long_lifetime_s else rule.lifetime_s
            return round((own if lifetime_s is None else lifetime_s) * SECOND_US)

        minimum = column(lambda rule: rule.minimum_tokens * THOUSAND)
        explicit = column(lambda rule: rule.explicit).astype(bool)
        has = np.asarray([rule is not None for rule in rules])[at] & (model != NO_MODEL) & (~explicit | breakpoints)
        return cls(
            known=has,
            cached=has & (input_milli >= minimum),
            explicit=explicit,
            minimum_milli=minimum,
            step_milli=column(lambda rule: rule.step_tokens * THOUSAND),
            lifetime_us=column(lives),
            writes=column(lambda rule: rule.writes).astype(bool),
            long=column(lambda rule: bool(long_lifetime and rule.long_lifetime_s)).astype(bool),
            lookback=column(lambda rule: rule.lookback),
        )

    def take(self, which: Array) -> Terms:
        """The terms of some requests, by index."""
        return Terms(*(getattr(self, each.name)[which] for each in fields(self)))


@dataclass(frozen=True)
class Cached:
    """What the cache does for each request: int64 thousandths of a token `read` from it and `written` to it anew."""

    read: Array
    written: Array


def simulate(nodes: Nodes, at_us: Array, model: Codes, input_milli: Array, terms: Terms) -> Cached:
    """One arm's cache over a whole log, or over one partition of its prefixes.

    Args:
        nodes: prefixes; `row` counts requests in order of time.
        at_us: int64 per request, ascending microseconds.
        model: int32 per request.
        input_milli: int64 per request, the arm's input tokens.
        terms: see `Terms`.

    Returns:
        The longest live prefix of each request and the longest that a caller's breakpoints would write, before a
        minimum or a step is applied: see `settled`, which takes the two over all partitions.
    """
    read, written = np.zeros(len(at_us), np.int64), np.zeros(len(at_us), np.int64)
    marked = terms.cached & terms.explicit
    for rows, part in ((terms.cached & ~marked, _automatic), (marked, _explicit)):
        if rows.any():
            held = nodes if rows.all() else nodes.take(rows[nodes.row])
            part(held, at_us, model, input_milli, terms, read, written)
    return Cached(read, written)


def _automatic(
    nodes: Nodes, at_us: Array, model: Codes, input_milli: Array, terms: Terms, read: Array, _written: Array
) -> None:
    """Every prefix of a prompt is kept, and any can be read."""
    hit = np.flatnonzero(alive(_keys(nodes, model), nodes.row, at_us, terms.lifetime_us))
    row = nodes.row[hit]
    # The nodes of a request lie from short to long, so the last one assigned is the longest.
    read[row] = np.rint(nodes.share[hit] * input_milli[row]).astype(np.int64)


def _explicit(
    nodes: Nodes, at_us: Array, model: Codes, input_milli: Array, terms: Terms, read: Array, written: Array
) -> None:
    """Prefixes end with messages; those at breakpoints are kept, and those not far before one can be read."""
    nodes = nodes.take(nodes.kind != INNER)
    milli = np.rint(nodes.share * input_milli[nodes.row]).astype(np.int64)
    points = ((nodes.kind == LAST) | (nodes.kind == SYSTEM)) & (milli >= terms.minimum_milli[nodes.row])
    tried = points | (nodes.from_end <= terms.lookback[nodes.row])
    hit = np.flatnonzero(tried & alive(_keys(nodes, model), nodes.row, at_us, terms.lifetime_us, points))
    read[nodes.row[hit]] = milli[hit]
    point = np.flatnonzero(points)
    # A breakpoint at the prompt's end writes all of it, whatever part of it another prompt can match.
    written[nodes.row[point]] = np.where(nodes.kind[point] == LAST, input_milli[nodes.row[point]], milli[point])


def settled(read: Array, written: Array, input_milli: Array, terms: Terms, hit_rate: Array) -> Cached:
    """What is billed as read and as written.

    Args:
        read, written: from `simulate`, the longest over all partitions.
        input_milli: int64 per request.
        terms: see `Terms`.
        hit_rate: float64 per request, the share of live prefixes that are read in the end.
    """
    read = np.where(terms.cached & (read >= terms.minimum_milli), read, 0)
    step = np.maximum(terms.step_milli, 1)
    # Expected tokens, to the thousandth: a prefix that was evicted once in ten times reads nine tenths.
    read = np.rint((read // step * step) * hit_rate).astype(np.int64)
    whole = np.where(terms.explicit, np.maximum(written, read), np.where(terms.cached, input_milli, 0))
    return Cached(read, np.where(terms.writes, whole - read, 0))


def alive(key: Array, row: Array, at_us: Array, lifetime_us: Array, writes: Array | None = None) -> Array:
    """Bool per access: its key was written by an earlier request, and no pause since exceeded the lifetime.

    Args:
        key: uint64 per access; accesses lie in order of time.
        row: int64, the request of each access.
        at_us, lifetime_us: int64 microseconds per request.
        writes: bool, the access writes its key; None where all do.

    Many accesses are taken block by block, each of keys that begin alike and small enough for the processor's cache.
    """
    if len(key) <= BLOCK:
        return _alive(key, row, at_us, lifetime_us, writes)
    bits = min(16, (len(key) // BLOCK).bit_length())
    block = (key >> np.uint64(64 - bits)).astype(np.uint16)
    order = np.argsort(block, kind="stable")
    ends = np.cumsum(np.bincount(block, minlength=1 << bits))
    out = np.zeros(len(key), bool)
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        here = order[start:end]
        wrote = None if writes is None else writes[here]
        out[here] = _alive(key[here], row[here], at_us, lifetime_us, wrote)
    return out


def _alive(key: Array, row: Array, at_us: Array, lifetime_us: Array, writes: Array | None) -> Array:
    order = grouped(key)
    keys, rows = key[order], row[order]
    times = at_us[rows]
    begins = np.ones(len(order), bool)
    begins[1:] = (keys[1:] != keys[:-1]) | (times[1:] - times[:-1] > lifetime_us[rows[1:]])
    if writes is None:
        hit = ~begins
        if not (hit[1:] & (rows[1:] == rows[:-1])).any():
            return _scattered(hit, order)
        writes = np.ones(len(order), bool)  # a key twice in one request: the first of a run has to be known
    run = np.cumsum(begins) - 1
    first = np.full(int(run[-1]) + 1 if len(run) else 0, len(order), np.int64)
    wrote = np.flatnonzero(writes[order])[::-1]
    first[run[wrote]] = wrote  # assigned backwards, so that the earliest write of a run stays
    held = first[run]
    hit = held < np.arange(len(order))
    hit[hit] &= rows[held[hit]] != rows[hit]
    return _scattered(hit, order)


def _scattered(hit: Array, order: Array) -> Array:
    out = np.zeros(len(order), bool)
    out[order[hit]] = True
    return out


def grouped(key: Array) -> Array:
    """A stable order that brings equal keys together: three passes of a radix sort over 48 of their bits."""
    order = np.argsort((key >> np.uint64(16)).astype(np.uint16), kind="stable")
    for shift in (32, 48):
        order = order[np.argsort((key >> np.uint64(shift)).astype(np.uint16)[order], kind="stable")]
    return order


def _keys(nodes: Nodes, model: Codes) -> Array:
    """The prefixes' hashes, apart for each model."""
    salt = (np.arange(int(model.max(initial=0)) + 2, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (nodes.hash ^ salt[model[nodes.row]]) * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
