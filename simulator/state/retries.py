"""Calls that fail and are tried again: how often, what the failed ones cost, and who takes over in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from router.baselines import uniform
from simulator.counts import Array
from simulator.state.fold import NONE, Proposal


@dataclass(frozen=True)
class Retries:
    """How calls fail.

    Args:
        error_pct: percent of calls that fail, by model or provider; for providers not named, what the log shows.
        billed_pct: percent of a failed call's cost that is charged: 100 for answers thrown away (invalid JSON, failed
            checks, a caller that gave up), 0 for errors that the provider returns.
        attempts: calls to one model before the next of the chain takes over.
    """

    error_pct: Mapping[str, float] = field(default_factory=dict)
    billed_pct: float = 100.0
    attempts: int = 3

    def rate(self, model: str, logged: Mapping[str, float]) -> float:
        """The share of a model's calls that fail: its own, its provider's, or the log's for that provider."""
        provider = model.partition("/")[0]
        for name in (model, provider):
            if name in self.error_pct:
                return self.error_pct[name] / 100
        return logged.get(provider, 0.0)


@dataclass(frozen=True)
class Retried:
    """What retrying changed, per request.

    Args:
        chosen: int32, the model that answered in the end, or the last one tried.
        wasted: int64 picodollars charged for failed calls.
        calls: int32, calls made.
        failed: bool, no call succeeded.
    """

    chosen: Array
    wasted: Array
    calls: Array
    failed: Array


def retry(
    proposal: Proposal, chosen: Array, retries: Retries, logged: Mapping[str, float], ids: Array, seed: int
) -> Retried:
    """Draw each call's fate from its request's id, so that neither order nor batches matter, and arms share the draw.

    Args:
        proposal: costs by model, and the chain that takes over.
        chosen: int32 place in `proposal.models`, -1 where nothing is sent.
        retries: see `Retries`.
        logged: the share of failed calls in the log, by provider.
        ids: request ids, an object array of strings.
        seed: of the draws.
    """
    rates = np.array([retries.rate(model, logged) for model in proposal.models])
    wasted, calls = np.zeros(len(chosen), np.int64), np.zeros(len(chosen), np.int32)
    now, failed = chosen.astype(np.int32), chosen != NONE
    for place, tried in enumerate(_tries(proposal, chosen).T):
        open_ = np.flatnonzero(failed & (tried != NONE))
        now[open_] = tried[open_]
        for attempt in range(retries.attempts):
            calls[open_] += 1
            lot = uniform(ids[open_], seed * 10_007 + place * retries.attempts + attempt)
            fails = lot < rates[now[open_]]
            failed[open_[~fails]] = False
            open_ = open_[fails]
            if not len(open_):
                break
            cost = proposal.cost[open_, now[open_]] * (retries.billed_pct / 100)
            wasted[open_] += np.rint(cost).astype(np.int64)
    return Retried(now, wasted, calls, failed)


def _tries(proposal: Proposal, chosen: Array) -> Array:
    """The models each request tries in order, its chosen one first; -1 where there is no further one."""
    later = np.where(proposal.chain == chosen[:, None], NONE, proposal.chain)
    able = proposal.able[np.arange(len(chosen))[:, None], np.maximum(later, 0)]
    return np.concatenate([chosen[:, None], np.where(able, later, NONE)], axis=1)
