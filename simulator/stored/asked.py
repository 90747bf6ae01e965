"""What scenarios will ask of a batch's texts, asked while they are in memory, so that a replay from disk reads none."""

from __future__ import annotations

from collections.abc import Sequence

from router import AlwaysUse, LLMRouter, Router
from router.conditions import Condition
from simulator.arms import Batch, serve
from simulator.kernel import decide
from simulator.models import NO_MODEL, ModelIndex
from simulator.scenario import Scenario
from simulator.usage.logged import FALLBACK_MODEL, by_model


def ask(batch: Batch, scenarios: Sequence[Scenario], index: ModelIndex) -> bool:
    """Have rules decide a batch and requests that move recounted, so that the batch keeps the answers and the counts.

    Returns whether that was all: conditions that are functions and routers of other kinds are not asked twice, and what
    is simulated may ask for more.
    """
    known = [scenario for scenario in scenarios if _keeps_answers(scenario.router)]
    for scenario in known:
        choice = serve(batch, scenario, decide(batch, scenario.router), index)
        moves = ~(batch.passes | index.same(batch.source, choice.model)) & (choice.model != NO_MODEL)
        for models in (choice.model, batch.source):
            for name, rows in by_model(moves, models, index):
                batch.inputs.count(name or FALLBACK_MODEL, rows)
    caches = batch.logged.cached  # which are simulated where a log shows them
    return len(known) == len(scenarios) and not caches and not any(scenario.state for scenario in scenarios)


def _keeps_answers(router: Router) -> bool:
    """Whether all that a router looks at in a text is a condition, whose answers a batch keeps."""
    if type(router) is AlwaysUse:
        return True
    ours = isinstance(router, LLMRouter) and type(router).route_batch is LLMRouter.route_batch
    return ours and all(rule.condition is None or isinstance(rule.condition, Condition) for rule in router.rules)
