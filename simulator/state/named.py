"""Names in state settings: one that is nobody's would leave what it is given for undone, without a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from problems import BackrouteError, nearest
from simulator.scenario import Scenario
from simulator.state.settings import State


def check_names(scenarios: Sequence[Scenario]) -> None:
    """See that every provider, model and rule that the scenarios' state names is one.

    Raises:
        BackrouteError: the price book has no such provider or model, or no scenario of the replay has such a rule.
    """
    rules = list(dict.fromkeys(rule.name for scenario in scenarios for rule in scenario.router.rules))
    _check_tiers(scenarios)
    for scenario in scenarios:
        state, models = scenario.state, scenario.book.models()
        providers = list(dict.fromkeys(name.partition("/")[0] for name in models))
        for part, name in _rules(state):
            if name not in rules:
                fix = nearest(name, rules) or f"the rules are {', '.join(map(repr, rules))}"
                raise BackrouteError(f"state: {part}: rules", f"there is no rule {name!r}", fix=fix)
        for part, name in _served(state):
            if name not in providers and name not in models:
                fix = nearest(name, [*providers, *models]) or f"the providers are {', '.join(providers)}"
                if found := scenario.book.resolve(name):
                    fix = f"the price book calls it {found!r}"
                what = f"no provider or model of the price book ({name!r})"
                raise BackrouteError(f"state: {part}", what, effect="it would never act", fix=fix)


def _check_tiers(scenarios: Sequence[Scenario]) -> None:
    for to in dict.fromkeys(scenario.state.tiers.to for scenario in scenarios if scenario.state.tiers):
        sold: set[str] = set()
        for scenario in scenarios:
            book = scenario.book
            for model in {name for rule in scenario.router.rules for name in (rule.target, *rule.fallback)}:
                sold.update(entry.tier for entry in book.entries(model))
                sold.update(rule.tier for rule in book.all_tier_rules(model))
        if to not in sold:
            tiers = sorted(sold - {"standard"})
            fix = nearest(to, tiers) or (f"they have {', '.join(tiers)}" if tiers else "leave `tiers` out")
            what = f"no model in play has such a tier ({to!r})"
            raise BackrouteError("state: tiers: to", what, effect="no request would move", fix=fix)


def _rules(state: State) -> Iterator[tuple[str, str]]:
    for part, said in (("tiers", state.tiers), ("cascade", state.cascade)):
        yield from ((part, name) for name in (said.rules if said is not None else ()))


def _served(state: State) -> Iterator[tuple[str, str]]:
    guards = state.guards
    yield from (("guards: limits", each.of) for each in guards.limits)
    yield from (("guards: outages", each.of) for each in guards.outages)
    yield from (("guards: outages", each.of) for each in guards.drawn_outages)
    yield from (("retries: error_pct", name) for name in (state.retries.error_pct if state.retries else ()))
    # The key without a name is that of all providers.
    yield from (("cache: hit_rate", name) for name in (state.caches.hit_rate if state.caches else ()) if name)
