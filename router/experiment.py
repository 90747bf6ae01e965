"""Experiments: each unit, a session say, to one of several routers, the same one for ever and in any language."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricing import PriceBook
from problems import BackrouteError, nearest
from router.completes import Completes
from router.decision import Shadow
from router.live_decision import Chosen, Rule
from router.rules import LLMRouter, RoutingRule

if TYPE_CHECKING:
    from router.complete import Live
    from router.live_call import Clock
    from router.metrics import Metrics
    from router.providers import Provider

UNITS = ("session_id", "user_id", "request_id")


@dataclass(frozen=True)
class Arm:
    """One arm.

    Args:
        name: unique within its experiment.
        router: decides for the units of this arm.
        weight: its share of the units, against the other arms' weights; an arm of weight 0 is a shadow: it decides
            every request and is logged, but never acts.
    """

    name: str
    router: LLMRouter
    weight: float


class Experiment(Completes):
    """Assigns units to arms by a salted hash, and answers each request by its arm's router.

    Raising one arm's weight only moves units into that arm, and lowering one only out of it, so that in a ramp from 1%
    to 100% a unit once exposed stays exposed (weighted rendezvous hashing; Schindelhauer and Schomaker, "Weighted
    distributed hash tables", 2005). `docs/experiments.md` has the algorithm and test vectors.

    Args:
        name: the salt: another name, another assignment.
        arms: the first is the control; the first with a weight also serves requests that lack a unit.
        unit: the column that is assigned: session_id, user_id or request_id.
        horizon: the units at which it ends, all arms together, fixed before it begins: `backroute ab plan` says how
            many. Its intervals are then narrower; left out, it may go on for ever.
        book, providers, decision_log, metrics, clock: see `LLMRouter`.

    Raises:
        BackrouteError: arms that are none or share a name, weights below zero or all zero, a unit that is no column, a
            horizon that is no number of units.
    """

    def __init__(
        self,
        name: str,
        arms: Sequence[Arm],
        unit: str = "session_id",
        *,
        horizon: int | None = None,
        book: PriceBook | None = None,
        providers: Mapping[str, Provider] | None = None,
        decision_log: str | Path | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name, self.arms, self.unit, self.horizon = name, tuple(arms), unit, horizon
        self._book, self._providers = book, providers
        self._decision_log, self._metrics, self._clock = decision_log, metrics, clock
        _check(name, self.arms, unit, horizon)
        self._unassigned = next(arm for arm in self.arms if arm.weight > 0)
        total = math.fsum(arm.weight for arm in self.arms)
        self.shares = {arm.name: arm.weight / total for arm in self.arms}
        self._digests = {arm.name: arm.router.digest() for arm in self.arms}
        self.rules: tuple[RoutingRule, ...] = tuple(rule for arm in self.arms for rule in arm.router.rules)

    def assign(self, unit: str) -> Arm:
        """The arm of a unit, the same in any process and language.

        Each arm draws u in (0, 1) from the first 52 bits of SHA-256 over "experiment NUL arm NUL unit" in UTF-8; the
        arm of the largest weight / -ln(u) has the unit.
        """
        return max(
            (arm for arm in self.arms if arm.weight > 0), key=lambda arm: arm.weight / self._exponential(arm, unit)
        )

    def _exponential(self, arm: Arm, unit: str) -> float:
        said = "\0".join((self.name, arm.name, unit)).encode("utf-8", "replace")
        drawn = int(hashlib.sha256(said).hexdigest()[:13], 16)
        return -math.log((drawn + 0.5) / 2**52)

    def decide(self, request: Mapping[str, Any]) -> Chosen:
        """The decision for one request: its arm's, and beside it what the shadows would have decided."""
        unit = request.get(self.unit)
        arm = self._unassigned if unit is None else self.assign(str(unit))
        rule: Rule = arm.router.route_one(request)
        name, share = (None, None) if unit is None else (arm.name, self.shares[arm.name])
        shadows = tuple(_shadow(each, request) for each in self.arms if each.weight == 0)
        return Chosen(rule, self._digests[arm.name], self.name, name, share, shadows, self.horizon)

    @cached_property
    def _live(self) -> Live:
        from router.complete import Live

        book = self._book or PriceBook.load()
        return Live(self, book, self._providers, self._decision_log, self._metrics, self._clock)

    def __repr__(self) -> str:
        arms = ", ".join(f"{arm.name} {self.shares[arm.name]:.0%}" for arm in self.arms)
        return f"Experiment({self.name!r}: {arms}; by {self.unit})"


def _shadow(arm: Arm, request: Mapping[str, Any]) -> Shadow:
    try:
        rule = arm.router.route_one(request)
    except Exception as error:  # whatever a candidate does, the traffic it only watches goes on
        return Shadow(arm.name, None, None, type(error).__name__)
    return Shadow(arm.name, rule.name, rule.target)


def _check(name: str, arms: tuple[Arm, ...], unit: str, horizon: object) -> None:
    where = f"experiment {name!r}"
    if not name or "\0" in name:
        raise BackrouteError("experiment", f"no name ({name!r})", fix="name it: the name is the salt of the assignment")
    if unit not in UNITS:
        fix = nearest(unit, UNITS) or f"one of {', '.join(UNITS)}"
        raise BackrouteError(where, f"no unit to assign by ({unit!r})", fix=fix)
    if horizon is not None and (isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1):
        fix = "the units at which it ends, as `backroute ab plan` says, or none"
        raise BackrouteError(where, f"not a horizon ({horizon!r})", fix=fix)
    names = [arm.name for arm in arms]
    if len(set(names)) < len(names) or not all(names):
        raise BackrouteError(where, f"arms without names of their own ({names!r})", fix="give each arm its own name")
    weights = [arm.weight for arm in arms]
    if not arms or min(weights) < 0 or not 0 < math.fsum(weights) < math.inf:
        what = f"weights must be 0 or more, and not all 0 ({weights!r})"
        raise BackrouteError(where, what, fix="for example 99 for the control and 1 for the candidate")
