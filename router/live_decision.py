"""Who decides a live request: one router, or an experiment between several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from router.decision import Decision, Passed, Shadow


class Rule(Protocol):
    """What a decided rule says."""

    @property
    def name(self) -> str:
        """Unique within its router."""

    @property
    def fallback(self) -> tuple[str, ...]:
        """The models to take where its own cannot serve."""

    @property
    def target(self) -> str:
        """The model as "provider/model"."""


@dataclass(frozen=True)
class Chosen:
    """A decision before its model has been asked; see `Decision`."""

    rule: Rule
    rules_digest: str
    experiment: str | None = None
    arm: str | None = None
    share: float | None = None
    shadow: tuple[Shadow, ...] = ()
    horizon: int | None = None

    def decision(self, model: str, chosen_at: datetime, passed: tuple[Passed, ...]) -> Decision:
        """The decision, once it is known which model served or was tried last."""
        named = (self.rules_digest, self.experiment, self.arm, self.share, self.shadow, self.horizon)
        return Decision(self.rule.name, model, chosen_at, passed, *named)


class Decider(Protocol):
    """Decides live requests."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule that may decide."""

    def decide(self, request: Mapping[str, Any]) -> Chosen:
        """The decision for one request, given as arrival columns by name."""


class Routes(Protocol):
    """A router, as far as one live request needs it."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """In order."""

    def route_one(self, request: Mapping[str, Any]) -> Rule:
        """The rule for one request, given as arrival columns by name."""

    def digest(self) -> str:
        """A hash that changes whenever a decision could."""


class OneRouter:
    """A router that decides alone."""

    def __init__(self, router: Routes) -> None:
        self._router, self._digest = router, router.digest()
        self.rules = router.rules

    def decide(self, request: Mapping[str, Any]) -> Chosen:
        """See `Decider`."""
        return Chosen(self._router.route_one(request), self._digest)
