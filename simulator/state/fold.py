"""Guards applied in order of time: a fold over the requests that sees spend only once a call has completed.

Columns first show whether any guard could act at all; where none can, nothing is folded and decisions stay as they are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulator.counts import THOUSAND, Array
from simulator.money import PICO
from simulator.state.guards import BLOCK, MINUTE_US, PERIODS_US, Budget, Guards, Limit, Outage, covers, is_down

NONE = -1
KEPT, BUDGET, LIMIT, STICKY, LATENCY, OUTAGE = range(6)  # why a decision was amended
REASONS = ("kept", "budget", "limit", "sticky", "latency", "outage")
CHUNK = 50_000  # requests turned into Python numbers at a time


@dataclass(frozen=True)
class Proposal:
    """What a router proposed, and what each model it could come to would use; requests in order of time.

    Args:
        models: canonical names of the m models in play.
        chain: int32 (requests, k), the models to try in order, by their place in `models`; -1 where there is none.
        at_us: int64, ascending.
        session: int64 codes, -1 where none is known.
        keys: per value of a budget's `by`, int64 codes of who pays; -1 where unknown: such requests are not budgeted.
        cost: int64 (requests, m) picodollars, without what a cache would change.
        input_cost: int64 (requests, m), the input's part of it.
        tokens: int64 (requests, m) thousandths, input and output.
        able: bool (requests, m), the model can serve the request and its price is known.
        duration_us: int64 (requests, m), expected.
        patience_us: int64, how long the caller can wait; -1 where it does not say.
        cache_price: float64 (m,), a cached input token's price as a share of an uncached one's; 1 without a cache.
    """

    models: tuple[str, ...]
    chain: Array
    at_us: Array
    session: Array
    keys: dict[str, Array]
    cost: Array
    input_cost: Array
    tokens: Array
    able: Array
    duration_us: Array
    patience_us: Array
    cache_price: Array

    def of(self, table: Array, chosen: Array) -> Array:
        """One column of a (requests, m) table: each request's entry for its model, 0 where it has none."""
        return np.asarray(np.where(chosen == NONE, 0, table[np.arange(len(chosen)), np.maximum(chosen, 0)]))


@dataclass(frozen=True)
class Guarded:
    """What became of a proposal.

    Args:
        chosen: int32 place in `models` per request, -1 where it was blocked or nothing was decided.
        wait_us: int64, how long it waited before it was sent.
        reason: int8 into REASONS, the guard that amended it; waiting counts as LIMIT or OUTAGE.
    """

    chosen: Array
    wait_us: Array
    reason: Array


def guard(proposal: Proposal, guards: Guards, outages: tuple[Outage, ...]) -> Guarded:
    """Amend a proposal; `outages` are the scheduled and the drawn ones."""
    down = is_down(outages, proposal.models, proposal.at_us)
    settled = _settled(proposal, guards, outages, down)
    rows = _in_play(proposal, guards, settled)
    if not len(rows):
        return settled
    return _Fold(proposal, guards, settled, down).run(rows)


def _settled(proposal: Proposal, guards: Guards, outages: tuple[Outage, ...], down: Array) -> Guarded:
    """What follows from each request alone: outages, and models too slow for it."""
    proposed = proposal.chain[:, 0]
    slow = _too_slow(proposal, guards)
    fine = _first(proposal.chain, proposal.able & ~down & ~slow)
    late = _first(proposal.chain, proposal.able & ~down)
    held = _first(proposal.chain, proposal.able)
    chosen = np.where(fine != NONE, fine, np.where(late != NONE, late, np.where(held != NONE, held, proposed)))
    was_down = (proposed != NONE) & down[np.arange(len(proposed)), np.maximum(proposed, 0)]
    moved = (chosen != proposed) & proposal.of(proposal.able, proposed).astype(bool)
    reason = np.where(moved, np.where(was_down, OUTAGE, LATENCY), KEPT).astype(np.int8)
    wait = np.zeros(len(chosen), np.int64)
    waits = (fine == NONE) & (late == NONE) & (held != NONE)
    reason[waits] = OUTAGE
    for place in np.flatnonzero(waits).tolist():
        wait[place] = _back(outages, proposal.models[chosen[place]], int(proposal.at_us[place]))
    return Guarded(chosen.astype(np.int32), wait, reason)


def _back(outages: tuple[Outage, ...], model: str, at: int) -> int:
    """Microseconds until a model answers again."""
    until = at
    for outage in sorted(outages, key=lambda each: each.start_us):
        if covers(outage.of, model) and outage.start_us <= until < outage.end_us:
            until = outage.end_us
    return until - at


def _first(chain: Array, fit: Array) -> Array:
    """The first model of each request's chain that is fit, -1 where none is."""
    rows = np.arange(len(chain))
    found = np.full(len(chain), NONE, np.int64)
    for step in chain.T[::-1]:
        found = np.where((step != NONE) & fit[rows, np.maximum(step, 0)], step, found)
    return found


def _too_slow(proposal: Proposal, guards: Guards) -> Array:
    limit = np.full(len(proposal.at_us), np.iinfo(np.int64).max)
    if guards.max_latency_ms is not None:
        limit[:] = round(guards.max_latency_ms * 1000)
    if guards.obey_latency_budget:
        limit = np.where(proposal.patience_us >= 0, np.minimum(limit, proposal.patience_us), limit)
    return np.asarray(proposal.duration_us > limit[:, None])


def _in_play(proposal: Proposal, guards: Guards, settled: Guarded) -> Array:
    """The requests that the fold has to walk through: none where no guard with a memory could ever act."""
    chosen = settled.chosen
    if any(_overdrawn(proposal, each, chosen) for each in guards.budgets):
        return np.arange(len(chosen))
    if any(_crowded(proposal, each, settled) for each in guards.limits):
        return np.arange(len(chosen))
    if guards.sticky is None:
        return np.zeros(0, np.int64)
    known = np.flatnonzero((proposal.session != NONE) & (chosen != NONE))
    sessions, models = proposal.session[known], chosen[known]
    distinct = np.unique(np.stack([sessions, models]), axis=1)[0]
    names, counts = np.unique(distinct, return_counts=True)
    rows = known[np.isin(sessions, names[counts > 1])]
    # A bucket or a budget counts every request; sessions alone concern only those that change their model.
    return np.arange(len(chosen)) if len(rows) and (guards.budgets or guards.limits) else rows


def _overdrawn(proposal: Proposal, budget: Budget, chosen: Array) -> bool:
    """Whether any payer's calls of one period come to the budget."""
    who = payers(proposal, budget)
    counted = (who != NONE) & (chosen != NONE)
    if budget.then != BLOCK:
        counted &= chosen != proposal.models.index(budget.then)
    if not counted.any():
        return False
    _, place = np.unique(who[counted], return_inverse=True)
    spent = np.bincount(place, weights=proposal.of(proposal.cost, chosen)[counted].astype(np.float64))
    # Floats may round a sum down by a part in 10^15: a budget that close is folded, exactly.
    return bool(spent.max() * (1 + 1e-9) >= budget.usd * PICO)


def payers(proposal: Proposal, budget: Budget) -> Array:
    """Int64 per request: who pays in which period, -1 where unknown."""
    who = proposal.keys[budget.by]
    period = proposal.at_us // PERIODS_US[budget.per]
    period = period - (period.min() if len(period) else 0)
    return np.where(who == NONE, NONE, who * (int(period.max(initial=0)) + 1) + period)


def _crowded(proposal: Proposal, limit: Limit, settled: Guarded) -> bool:
    """Whether any moment asks more of a limit's bucket than it holds.

    A bucket of size b that refills at rate r is never empty if, for every i up to j, what arrives from i to j is at
    most b + r (t_j - t_i): with D = (sum so far) - r t, if D_j minus the least D before i is at most b.
    """
    inside = np.array([covers(limit.of, model) for model in proposal.models])
    chosen = settled.chosen
    rows = np.flatnonzero((chosen != NONE) & inside[np.maximum(chosen, 0)])
    sent = (proposal.at_us + settled.wait_us)[rows]  # what waited for an outage's end comes all at once
    order = np.argsort(sent, kind="stable")
    rows, at = rows[order], sent[order].astype(np.float64)
    tokens = proposal.of(proposal.tokens, chosen)[rows] / THOUSAND
    for size, amount in ((limit.rpm, np.ones(len(rows))), (limit.tpm, tokens)):
        if size is None or not len(rows):
            continue
        refilled = size / MINUTE_US * at
        drained = np.cumsum(amount) - refilled
        if (drained - np.minimum.accumulate(drained - amount) > size * (1 - 1e-9)).any():
            return True
    return False


@dataclass(slots=True)
class _Call:
    """One request on its way through the fold, in Python's own numbers."""

    at: int
    session: int
    chain: list[int]
    cost: list[int]
    input_cost: list[int]
    tokens: list[int]
    able: list[bool]
    down: list[bool]
    lasts: list[int]
    chosen: int
    wait: int
    reason: int
    payers: tuple[int, ...]


class _Fold:
    """The walk itself; what it remembers are buckets, spend, calls in flight and each session's model."""

    def __init__(self, proposal: Proposal, guards: Guards, settled: Guarded, down: Array) -> None:
        self._proposal, self._settled, self._sticky, self._down = proposal, settled, guards.sticky, down
        self._payers = [payers(proposal, budget) for budget in guards.budgets]
        self._caps = [round(budget.usd * PICO) for budget in guards.budgets]
        self._then = [NONE if b.then == BLOCK else proposal.models.index(b.then) for b in guards.budgets]
        self._spent: list[dict[int, int]] = [{} for _ in guards.budgets]
        self._flying: list[tuple[int, int, tuple[int, ...]]] = []
        buckets = [_Bucket(each) for each in guards.limits]
        self._of = [[b for b in buckets if covers(b.of, model)] for model in proposal.models] if buckets else None
        self._home: dict[int, tuple[int, int]] = {}
        self._cache_price = proposal.cache_price.tolist()

    def run(self, rows: Array) -> Guarded:
        """Walk through some requests in order."""
        chosen, wait, reason = (
            column.copy() for column in (self._settled.chosen, self._settled.wait_us, self._settled.reason)
        )
        for part, calls in self._chunks(rows):
            for call in calls:
                if call.chosen != NONE:
                    self._decide(call)
            chosen[part] = [call.chosen for call in calls]
            wait[part] = [call.wait for call in calls]
            reason[part] = [call.reason for call in calls]
        return Guarded(chosen, wait, reason)

    def _chunks(self, rows: Array) -> Iterator[tuple[Array, list[_Call]]]:
        held, settled = self._proposal, self._settled
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            columns = (held.at_us, held.session, held.chain, held.cost, held.input_cost, held.tokens, held.able,
                       self._down, held.duration_us, settled.chosen, settled.wait_us, settled.reason)  # fmt: skip
            paying = list(zip(*(who[part].tolist() for who in self._payers), strict=True)) or [()] * len(part)
            yield part, list(map(_Call, *(column[part].tolist() for column in columns), paying))

    def _decide(self, call: _Call) -> None:
        stays = self._stays(call) if self._sticky is not None else None
        if stays is not None:
            call.chosen, call.reason = stays, STICKY
        if self._payers:
            self._land(call.at)
            self._pay(call)
        if call.chosen != NONE and self._of is not None:
            self._send(call, self._of)
        if call.chosen == NONE:
            return
        if self._sticky is not None and call.session != NONE:
            self._home[call.session] = (call.chosen, call.at)
        if self._payers:
            # Its cost is seen when it lands; what the model that takes over costs is not counted.
            counted = tuple(NONE if call.chosen == then else who
                            for then, who in zip(self._then, call.payers, strict=True))  # fmt: skip
            lands = call.at + call.wait + call.lasts[call.chosen]
            heapq.heappush(self._flying, (lands, call.cost[call.chosen], counted))

    def _stays(self, call: _Call) -> int | None:
        """The model its session is with, where it should stay there."""
        sticky, held = self._sticky, self._home.get(call.session)
        if sticky is None or held is None:
            return None
        home, since = held
        if home == call.chosen or call.at - since >= sticky.within_s * 1e6 or not call.able[home] or call.down[home]:
            return None
        cached = sticky.cached_share * call.input_cost[home] * (1 - self._cache_price[home])
        pays = call.cost[call.chosen] < sticky.switch_if_saves * (call.cost[home] - cached)
        return None if sticky.switch_if_saves > 0 and pays else home

    def _pay(self, call: _Call) -> None:
        """Turn to a budget's other model, or block, where it is known to be spent."""
        for then, cap, spent, payer in zip(self._then, self._caps, self._spent, call.payers, strict=True):
            if payer != NONE and call.chosen not in (then, NONE) and spent.get(payer, 0) >= cap:
                call.chosen = then if then != NONE and call.able[then] and not call.down[then] else NONE
                call.reason = BUDGET
                call.chain = []  # nothing else of the chain is paid for either

    def _send(self, call: _Call, of: list[list[_Bucket]]) -> None:
        """Choose among the chain by what the limits let through, and take it from their buckets."""
        begun = call.at + call.wait
        best, wait = call.chosen, -1
        for model in (call.chosen, *call.chain):
            if model != call.chosen and (model == NONE or not call.able[model] or call.down[model]):
                continue
            if model == call.chosen and wait >= 0:
                continue
            needed = patience = 0
            for bucket in of[model]:
                needed = max(needed, bucket.wait(begun, call.tokens[model]))
                patience = max(patience, bucket.patience)
            if wait < 0 or needed < wait or needed <= patience:
                best, wait = model, needed
            if needed <= patience:
                break
        if wait > 0 or best != call.chosen:
            call.reason, call.chosen = LIMIT, best
            call.wait += wait
        for bucket in of[best]:
            bucket.take(begun + wait, call.tokens[best])

    def _land(self, at: int) -> None:
        """See the cost of every call that has completed by now."""
        flying = self._flying
        while flying and flying[0][0] <= at:
            _, cost, counted = heapq.heappop(flying)
            for spent, payer in zip(self._spent, counted, strict=True):
                if payer != NONE:
                    spent[payer] = spent.get(payer, 0) + cost


class _Bucket:
    """A rate limit's bucket: full at first, refilled steadily, never above a minute's worth."""

    def __init__(self, limit: Limit) -> None:
        self.of = limit.of
        self.patience = round(limit.max_wait_s * 1_000_000)
        self._sizes = (limit.rpm, None if limit.tpm is None else limit.tpm * THOUSAND)
        self._left = [float(size or 0) for size in self._sizes]
        self._at = 0

    def wait(self, at: int, tokens: int) -> int:
        """Microseconds until the bucket lets a request through; it may have promised its next tokens already."""
        longest = 0.0
        for size, left, amount in zip(self._sizes, self._left, (1, tokens), strict=True):
            if size is not None:
                now = min(size, left + (at - self._at) * size / MINUTE_US)
                # A request larger than the bucket goes once it is full.
                longest = max(longest, (min(amount, size) - now) * MINUTE_US / size)
        return max(0, int(-(-longest // 1)))

    def take(self, at: int, tokens: int) -> None:
        """Let a request through at an instant, perhaps one still to come."""
        for place, (size, amount) in enumerate(zip(self._sizes, (1, tokens), strict=True)):
            if size is not None:
                self._left[place] = min(size, self._left[place] + (at - self._at) * size / MINUTE_US) - amount
        self._at = at
