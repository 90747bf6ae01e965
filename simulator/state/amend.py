"""One scenario's decisions amended over the whole log: cascade, then guards, then retries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from router import RoutingRule
from simulator.counts import Array
from simulator.models import ModelIndex
from simulator.money import PICO, exact_sum
from simulator.scenario import Scenario
from simulator.state.candidates import Candidates
from simulator.state.cascades import Cascade, break_even, escalates, scores, sweep
from simulator.state.columns import LogColumns, codes
from simulator.state.fold import NONE, REASONS, Guarded, Proposal, guard
from simulator.state.guards import drawn, is_down
from simulator.state.latency import Paces
from simulator.state.retries import Retried, retry


@dataclass(frozen=True)
class Proposed:
    """What one scenario's router proposed, over the whole log in its order; see `arms.Choice` and `arms.Use`."""

    rule: Array
    model: Array
    served: Array
    input_milli: Array
    output_milli: Array


@dataclass
class Amended:
    """What became of it.

    Args:
        model: int32 codes of the run's index.
        served, unanswered: see `changes.Change`.
        input_milli, output_milli: int64, of the models that serve.
        wait_us: int64, before the call was sent.
        overhead, retry: int64 picodollars.
        said: parts of summary.json.
    """

    model: Array
    served: Array
    unanswered: Array
    input_milli: Array
    output_milli: Array
    wait_us: Array
    overhead: Array
    retry: Array
    said: dict[str, Any] = field(default_factory=dict)


def unamended(proposed: Proposed) -> Amended:
    """As the router proposed it."""
    rows = len(proposed.model)
    none, never = np.zeros(rows, np.int64), np.zeros(rows, bool)
    return Amended(
        proposed.model, proposed.served, never, proposed.input_milli, proposed.output_milli, none, none, none
    )


def amend(
    scenario: Scenario,
    proposed: Proposed,
    candidates: Candidates,
    columns: LogColumns,
    index: ModelIndex,
    paces: Paces,
    failing: Mapping[str, float],
    seed: int,
) -> Amended:
    """Apply a scenario's cascade, guards and retries, in this order."""
    state, order = scenario.state, np.argsort(columns.at_us, kind="stable")
    found = unamended(proposed)
    chain = _chain(proposed, candidates)
    routed = (proposed.rule >= 0) & proposed.served & (chain[:, 0] != NONE)
    overhead, retried = np.zeros(len(routed), np.int64), np.zeros(len(routed), np.int64)
    if state.cascade is not None:
        chain, said = _cascade(
            state.cascade, scenario.router.rules, proposed, candidates, columns, chain, routed, overhead, retried, seed
        )
        found.said["cascade"] = said
    chain[~routed] = NONE
    proposal = _proposal(scenario, candidates, columns, chain, paces, order)
    outages = (*state.guards.outages, *drawn(state.guards.drawn_outages, *_ends(columns.at_us), seed))
    guarded = guard(proposal, state.guards, outages)
    if state.guards:
        found.said["guards"] = _guards_said(guarded, routed[order])
    chosen, failed = guarded.chosen, np.zeros(len(order), bool)
    if state.retries is not None:
        up = replace(proposal, able=proposal.able & ~is_down(outages, proposal.models, proposal.at_us))
        result = retry(up, chosen, state.retries, failing, columns.names()[order], seed)
        chosen, failed = result.chosen, result.failed
        retried[order] += result.wasted
        found.said["retries"] = _retries_said(result, proposal, state.retries.rate, failing, scenario.name)
    blocked = (chosen == NONE) & routed[order]
    _settle(found, candidates, index, order, chosen, failed | blocked, routed)
    found.wait_us = np.zeros(len(order), np.int64)
    found.wait_us[order] = guarded.wait_us
    found.overhead, found.retry = overhead, retried
    return found


def _chain(proposed: Proposed, candidates: Candidates) -> Array:
    """The models each request would try in order: the first of its rule's chain that can serve it, then the rest."""
    chain = candidates.chains[np.maximum(proposed.rule, 0)]
    rows = np.arange(len(chain))[:, None]
    able = candidates.able[rows, np.maximum(chain, 0)] & (chain != NONE)
    # A stable sort moves what cannot serve to the end, where it is blanked out.
    order = np.argsort(~able, axis=1, kind="stable")
    return np.asarray(np.where(np.take_along_axis(able, order, 1), np.take_along_axis(chain, order, 1), NONE))


def _cascade(
    cascade: Cascade,
    rules: tuple[RoutingRule, ...],
    proposed: Proposed,
    candidates: Candidates,
    columns: LogColumns,
    chain: Array,
    routed: Array,
    overhead: Array,
    retried: Array,
    seed: int,
) -> tuple[Array, dict[str, Any]]:
    """Put the cheap model first, charge its checks, and its answers where the strong one answers again."""
    first = candidates.first
    wanted = np.array([not cascade.rules or rule.name in cascade.rules for rule in rules])
    rows = routed & wanted[np.maximum(proposed.rule, 0)] & (chain[:, 0] != first) & candidates.able[:, first]
    key = cascade.score or cascade.correct
    values = columns.said[key] if key else [None] * len(rows)
    up = rows & escalates(cascade, values, columns.names(), seed)
    check = round(cascade.check_usd * PICO)
    overhead[rows] += check
    cheap = candidates.cost[:, first]
    strong = candidates.cost[np.arange(len(rows)), np.maximum(chain[:, 0], 0)]
    retried[up] += cheap[up]
    stays = rows & ~up
    beside = np.full((len(rows), 1), first), np.full((len(rows), 1), NONE)
    put = np.concatenate([beside[0], chain], axis=1), np.concatenate([chain, beside[1]], axis=1)
    chain = np.where(stays[:, None], *put)
    said: dict[str, Any] = {
        "first": candidates.models[first],
        "requests": int(rows.sum()),
        "escalated": int(up.sum()),
        "escalated_pct": 100.0 * int(up.sum()) / max(1, int(rows.sum())),
        "kept_pico": exact_sum((strong - cheap)[stays]),
        "checks_pico": check * int(rows.sum()),
        "break_even_pct": break_even(cheap[rows], strong[rows], check),
        "sweep": [],
    }
    if cascade.score is not None:
        points = sweep(scores(values)[rows], cheap[rows], strong[rows], check)
        said["sweep"] = [
            {"below": p["below"] if np.isfinite(p["below"]) else None, "escalated": p["escalated"],
             "pico": int(p["pico"])} for p in points
        ]  # fmt: skip
    return chain, said


def _ends(at_us: Array) -> tuple[int, int]:
    return (int(at_us.min()), int(at_us.max())) if len(at_us) else (0, 0)


def _proposal(
    scenario: Scenario, candidates: Candidates, columns: LogColumns, chain: Array, paces: Paces, order: Array
) -> Proposal:
    lasts = [paces.of(name).expected_us(candidates.output_milli[:, m]) for m, name in enumerate(candidates.models)]
    payers = columns.payers(budget.by for budget in scenario.state.guards.budgets)
    return Proposal(
        candidates.models,
        chain[order],
        columns.at_us[order],
        codes(columns.session)[order],
        {name: who[order] for name, who in payers.items()},
        candidates.cost[order],
        candidates.input_cost[order],
        (candidates.input_milli + candidates.output_milli)[order],
        candidates.able[order],
        np.stack(lasts, axis=1)[order],
        columns.patience_us[order],
        candidates.cache_price(scenario),
    )


def _settle(
    found: Amended,
    candidates: Candidates,
    index: ModelIndex,
    order: Array,
    chosen: Array,
    lost: Array,
    routed: Array,
) -> None:
    """Write what was chosen, in order of time, back into the log's order; the others stay as they were proposed."""
    place = np.full(len(order), NONE, np.int64)
    place[order] = chosen
    rows, there = np.arange(len(order)), place != NONE
    names = np.array([index.code(name) for name in candidates.models], np.int32)
    found.model = np.where(there, names[np.maximum(place, 0)], found.model).astype(np.int32)
    at = (rows, np.maximum(place, 0))
    found.input_milli = np.where(there, candidates.input_milli[at], found.input_milli)
    found.output_milli = np.where(there, candidates.output_milli[at], found.output_milli)
    found.unanswered = np.zeros(len(order), bool)
    found.unanswered[order] = lost
    found.served = np.where(routed, there & ~found.unanswered, found.served)


def _guards_said(guarded: Guarded, routed: Array) -> dict[str, Any]:
    waited = guarded.wait_us[guarded.wait_us > 0] / 1_000_000
    by_reason = np.bincount(guarded.reason[routed], minlength=len(REASONS)).tolist()
    return {
        "amended": dict(zip(REASONS[1:], by_reason[1:], strict=True)),
        "blocked": int(((guarded.chosen == NONE) & routed).sum()),
        "waited": len(waited),
        "wait_p50_s": float(np.quantile(waited, 0.5)) if len(waited) else None,
        "wait_max_s": float(waited.max()) if len(waited) else None,
    }


def _retries_said(
    result: Retried, proposal: Proposal, rate: Any, failing: Mapping[str, float], name: str
) -> dict[str, Any]:
    return {
        "arm": name,
        "calls": int(result.calls.sum()),
        "retried": int((result.calls > 1).sum()),
        "failed": int(result.failed.sum()),
        "wasted_pico": exact_sum(result.wasted),
        "error_pct": {model: 100.0 * rate(model, failing) for model in proposal.models},
    }
