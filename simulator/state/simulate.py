"""State over a whole log: one pass gathers what it needs, and what comes of it changes the arms of a second pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from simulator.counts import Array
from simulator.models import ModelIndex
from simulator.scenario import Scenario
from simulator.state import caching
from simulator.state.amend import Amended, Proposed, amend, unamended
from simulator.state.caching import ArmCache, Caches
from simulator.state.changes import LOGGED, Change, Changes
from simulator.state.columns import LogColumns
from simulator.state.latency import Paces
from simulator.state.named import check_names
from simulator.state.pieces import Piece, candidates_of
from simulator.state.store import PrefixStore
from simulator.state.tiers import can_wait, has_tier
from simulator.state.waiting import latencies, paces_said


def simulate(pieces: Iterable[Piece], scenarios: Sequence[Scenario], index: ModelIndex, seed: int) -> Changes:
    """Run all state of some scenarios over a log.

    Args:
        pieces: the log, in its order.
        scenarios: the baseline first.
        index: the run's model names.
        seed: of every draw.

    Raises:
        BackrouteError: a setting names a provider, a model or a rule that is none.
    """
    check_names(scenarios)
    gathered = _Gathered(pieces, scenarios, index)
    columns, paces = gathered.columns, gathered.columns.paces(index)
    failing = columns.failing(index)
    amended = [
        unamended(proposed) if candidates is None
        else amend(scenario, proposed, candidates, columns, index, paces, failing, seed)
        for scenario, proposed, candidates in zip(scenarios, gathered.proposed, gathered.candidates, strict=True)
    ]  # fmt: skip
    arms = {number: _change(scenario, one, proposed.rule, columns, index)
            for number, (scenario, one, proposed)
            in enumerate(zip(scenarios, amended, gathered.proposed, strict=True))}  # fmt: skip
    names = [scenario.name for scenario in scenarios]
    said = [dict(one.said) for one in amended]
    for number in range(1, len(said)):  # what the baseline's own retries and limits came to stands beside
        for part in ("guards", "retries"):
            if part in said[0] and part in said[number]:
                said[number][part] = said[number][part] | {"baseline": said[0][part]}
    settings = next((scenario.state.caches for scenario in scenarios if scenario.state.caches is not None), None)
    if settings is not None:
        _cache(Caches(gathered.store, columns, settings, index), amended, names, arms, said)
        gathered.store.close()
    if any(scenario.state.latency for scenario in scenarios):
        _latency(columns, scenarios, amended, index, paces, said, seed)
    return Changes(arms, dict(enumerate(said)))


def cached(caches: Caches, proposed: Sequence[Proposed], names: Sequence[str]) -> Changes:
    """What prompt caches alone change: see `simulate`.

    Args:
        caches: of the log.
        proposed: by scenario, what its router does.
        names: the scenarios'.
    """
    arms, said = dict[int, Change](), [dict[str, Any]() for _ in names]
    _cache(caches, [unamended(each) for each in proposed], names, arms, said)
    return Changes(arms, dict(enumerate(said)))


class _Gathered:
    """A whole log: its columns, its prompts' prefixes, and what each scenario proposes."""

    def __init__(self, pieces: Iterable[Piece], scenarios: Sequence[Scenario], index: ModelIndex) -> None:
        self.store, self.columns = PrefixStore(), LogColumns()
        self.candidates = [candidates_of(scenario) for scenario in scenarios]
        parts: list[list[tuple[Array, ...]]] = [[] for _ in scenarios]
        first = 0
        for piece in pieces:
            piece.recode(index)
            self.columns.extend(piece.columns)
            if piece.nodes is not None:
                self.store.add(piece.nodes.moved(piece.nodes.row + first))
            for candidates, tables in zip(self.candidates, piece.candidates, strict=True):
                if candidates is not None and tables is not None:
                    candidates.add(tables)
            for part, proposed in zip(parts, piece.proposed, strict=True):
                part.append(proposed)
            first += piece.rows
        self.columns.join()
        for candidates in self.candidates:
            if candidates is not None:
                candidates.join()
        self.proposed = [Proposed(*map(np.concatenate, zip(*part, strict=True))) for part in parts]


def _change(scenario: Scenario, one: Amended, rule: Array, columns: LogColumns, index: ModelIndex) -> Change:
    state, waits = scenario.state, None
    if state.tiers is not None:
        named = np.array([each.name in state.tiers.rules for each in scenario.router.rules] or [False])
        waits = can_wait(columns.said[state.tiers.meta]) | ((rule >= 0) & named[np.maximum(rule, 0)])
        sold = has_tier(one.model, index.names, scenario.book, scenario.as_of, state.tiers.to)
        waits &= sold & ~columns.passes
    tier = "" if state.tiers is None else state.tiers.to
    return Change(one.model, one.served, one.unanswered, None, None, None, waits, tier, one.overhead, one.retry)


def _cache(
    caches: Caches,
    amended: Sequence[Amended],
    names: Sequence[str],
    arms: dict[int, Change],
    said: list[dict[str, Any]],
) -> None:
    """Simulate every arm's prompt cache, and add it to the arms' changes.

    A call that stays on its model, with as much in the cache as it had in the log's own order, keeps what was recorded.
    """
    columns, shown = caches.columns, list[ArmCache]()
    for number, name in ((LOGGED, "logged"), *enumerate(names)):
        model, inputs = (columns.model, columns.input_milli) if number == LOGGED else (
            amended[number].model, np.where(amended[number].unanswered, 0, amended[number].input_milli))  # fmt: skip
        inputs = np.where(columns.passes, 0, inputs)
        cached, kept = caches.arm(model, inputs)
        arms[number] = arms.get(number, Change()).cached(cached, columns.passes | kept, long=caches.long)
        shown.append(ArmCache(name, number, model, inputs, cached, int(kept.sum())))
    for number, part in enumerate(said):
        part["cache"] = caching.said(caches, [each for each in shown if each.number in (LOGGED, 0, number)])


def _latency(
    columns: LogColumns,
    scenarios: Sequence[Scenario],
    amended: Sequence[Amended],
    index: ModelIndex,
    paces: Paces,
    said: list[dict[str, Any]],
    seed: int,
) -> None:
    limits = next(scenario.state.latency for scenario in scenarios if scenario.state.latency is not None)
    waits = np.zeros(len(columns), np.int64)
    shown = [latencies("logged", columns, columns.model, columns.output_milli, waits, ~columns.failed,
                       index, paces, limits, seed)]  # fmt: skip
    for scenario, one in zip(scenarios, amended, strict=True):
        shown.append(latencies(scenario.name, columns, one.model, one.output_milli, one.wait_us, one.served,
                               index, paces, limits, seed))  # fmt: skip
    for number, part in enumerate(said):
        arms = [shown[0], shown[1], *([shown[number + 1]] if number else [])]
        models = np.concatenate([amended[0].model, amended[number].model, columns.model])
        part["latency"] = {"limit_ms": limits.limit_ms, "arms": arms, "models": paces_said(models, index, paces)}
