"""How a live request came to its model, and what it got."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from router.providers import Answer


@dataclass(frozen=True)
class Passed:
    """A model that was to serve and did not: "provider/model", and why: what it cannot do, or its fault's kind."""

    model: str
    why: str


@dataclass(frozen=True)
class Shadow:
    """What an arm that does not act would have done; an error where it could not decide."""

    arm: str
    rule: str | None
    model: str | None
    error: str | None = None


@dataclass(frozen=True)
class Decision:
    """How a live request came to its model.

    Args:
        rule: the rule that matched.
        model: "provider/model" that served it, or was tried last.
        chosen_at: when that was chosen, UTC.
        fallback_from: the models passed over before it, in order.
        rules_digest: which rules decided.
        experiment, arm: of an experiment, if one is running; no arm where the request lacks the experiment's unit.
        share: the arm's share of the units at the time.
        horizon: the units at which the experiment ends, where it says so.
        shadow: what arms that do not act would have done.
    """

    rule: str
    model: str
    chosen_at: datetime
    fallback_from: tuple[Passed, ...]
    rules_digest: str
    experiment: str | None = None
    arm: str | None = None
    share: float | None = None
    shadow: tuple[Shadow, ...] = ()
    horizon: int | None = None


@dataclass(frozen=True)
class Completion:
    """What `LLMRouter.complete` returns: the answer, and the decision behind it."""

    answer: Answer
    decision: Decision
    request_id: str

    @property
    def text(self) -> str:
        """What the model said."""
        return self.answer.text

    def __str__(self) -> str:
        return self.text
