"""A scenario: who decides, at which prices, under which assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pricing import AsOf, PriceBook
from router import AlwaysUse, Router
from simulator.state.cached_input import CachedInput
from simulator.state.settings import State


@dataclass(frozen=True)
class Assumptions:
    """What a replay supposes of tokens it cannot know.

    Args:
        output: "fitted" for the counterfactual model's expected tokens, or "as_logged" to copy the log's.
        output_ratio: your own ratio of output tokens by target model, e.g. {"groq/llama-3.1-8b-instant": 1.3}; it wins
            over `output` for that target and is taken as given within 5%.
        calibration: a parameter file of your own for "fitted", as `backroute calibrate` writes it.
    """

    output: Literal["fitted", "as_logged"] = "fitted"
    output_ratio: Mapping[str, float] = field(default_factory=dict)
    calibration: Path | None = None


@dataclass(frozen=True)
class Scenario:
    """One arm of a replay.

    Args:
        name: what reports call it.
        router: decides from arrival columns only.
        book: prices and capabilities.
        as_of: which date's prices: `latest` (the book's own date), `request` (each request's), or a date.
        assumptions: see `Assumptions`.
        state: what of caches, limits, failures and waiting is simulated: caches where the log shows them, the others
            only where asked for.
    """

    name: str
    router: Router
    book: PriceBook
    as_of: AsOf = field(default_factory=lambda: AsOf.parse("latest"))
    assumptions: Assumptions = field(default_factory=Assumptions)
    state: State = field(default_factory=State)

    @classmethod
    def always(
        cls,
        model: str,
        book: PriceBook,
        as_of: AsOf | None = None,
        assumptions: Assumptions | None = None,
        state: State | None = None,
    ) -> Scenario:
        """Everything to one model: the usual baseline.

        Raises:
            BackrouteError: the book does not know the model.
        """
        name = book.require(model, "baseline")
        policy = as_of or AsOf.parse("latest")
        return cls(
            name, AlwaysUse(name), book, policy, assumptions or Assumptions(), State() if state is None else state
        )

    def decided(self, cached_input: CachedInput) -> Scenario:
        """The scenario over one log: see `State.decided`."""
        return replace(self, state=self.state.decided(cached_input))
