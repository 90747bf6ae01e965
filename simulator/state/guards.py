"""What bounds a router in time: budgets, rate limits, outages, waiting limits, sessions that stay with their model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.counts import Array

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
PERIODS_US = {"hour": 3_600 * SECOND_US, "day": 86_400 * SECOND_US}
BLOCK = "block"


@dataclass(frozen=True)
class Budget:
    """So much and no more may be spent in a period; from then on requests go to `then`, whose own cost is not counted.

    Args:
        usd: dollars per period and per value of `by`.
        per: "hour" or "day", in UTC, of the request's arrival.
        by: "all", "user", or a key of the request's meta such as "team".
        then: the model that takes over, or "block"; what it cannot serve, or while it is down, is blocked.
    """

    usd: float
    per: str = "day"
    by: str = "all"
    then: str = BLOCK


@dataclass(frozen=True)
class Limit:
    """A provider's rate limit, as a bucket that refills steadily and holds one minute's worth.

    Args:
        of: a provider ("groq") or a model ("groq/llama-3.1-8b-instant").
        rpm: requests per minute; None for no such limit.
        tpm: tokens per minute, input and output; None for no such limit.
        max_wait_s: a request waits this long at most before it falls back; without a fallback it waits on.
    """

    of: str
    rpm: float | None = None
    tpm: float | None = None
    max_wait_s: float = 0.0


@dataclass(frozen=True)
class Outage:
    """A provider or model does not answer from `start_us` up to `end_us`, microseconds since 1970 in UTC."""

    of: str
    start_us: int
    end_us: int


@dataclass(frozen=True)
class DrawnOutages:
    """Outages drawn by lot: so many in thirty days, exponential in length.

    Args:
        of: a provider or a model.
        per_30d: how many to expect.
        mean_minutes: how long each lasts on average.
    """

    of: str
    per_30d: float
    mean_minutes: float


@dataclass(frozen=True)
class Sticky:
    """A session stays with the model that served it last, unless switching pays.

    Args:
        within_s: seconds after which a session is free again: a cache's lifetime is a good choice.
        switch_if_saves: switch where the proposed model's cost of this request, times this, is below that of staying;
            1 switches whenever it is cheaper, 0 never. Both costs are those without a cache, but staying reads
            `cached_share` of its input at the cache's price.
        cached_share: of a session's later prompts that the model it stays with reads from its cache.
    """

    within_s: float = 300.0
    switch_if_saves: float = 0.0
    cached_share: float = 0.8


@dataclass(frozen=True)
class Guards:
    """All guards of one arm; with none, decisions stay as they are.

    Args:
        budgets, limits, outages, drawn_outages: see their classes.
        sticky: None for routers that decide each request afresh.
        max_latency_ms: a request whose expected time to the last token is longer takes the first model of its chain
            that is faster. The request's own `latency_budget_ms` counts where `obey_latency_budget` is set.
        fallback: models tried after a rule's own fallbacks.
    """

    budgets: tuple[Budget, ...] = ()
    limits: tuple[Limit, ...] = ()
    outages: tuple[Outage, ...] = ()
    drawn_outages: tuple[DrawnOutages, ...] = ()
    sticky: Sticky | None = None
    max_latency_ms: float | None = None
    obey_latency_budget: bool = False
    fallback: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        watched = self.budgets or self.limits or self.outages or self.drawn_outages
        return bool(watched or self.sticky or self.max_latency_ms is not None or self.obey_latency_budget)

    @property
    def of_the_world(self) -> Guards:
        """Those that no policy can choose away, and so hold in every arm: rate limits and outages."""
        return Guards(limits=self.limits, outages=self.outages, drawn_outages=self.drawn_outages)

    @property
    def named(self) -> tuple[str, ...]:
        """Every model that a guard may send requests to."""
        return (*self.fallback, *(budget.then for budget in self.budgets if budget.then != BLOCK))


def covers(of: str, model: str) -> bool:
    """Whether a limit or an outage of a provider or a model is one of this model."""
    return of == model or of == model.partition("/")[0]


def drawn(outages: Sequence[DrawnOutages], first_us: int, last_us: int, seed: int) -> tuple[Outage, ...]:
    """Outages by lot between two instants; each 30-day month of the calendar is drawn by itself, so that the same seed
    gives the same outages whatever part of it a log covers.
    """
    month = 30 * PERIODS_US["day"]
    found = []
    for place, each in enumerate(outages):
        for number in range(first_us // month, last_us // month + 1):
            lot = np.random.default_rng([seed, place, number])
            count = int(lot.poisson(each.per_30d))
            starts = number * month + np.sort(lot.integers(0, month, count))
            lengths = np.rint(lot.exponential(each.mean_minutes * MINUTE_US, count)).astype(np.int64)
            found += [Outage(each.of, int(s), int(s + n)) for s, n in zip(starts, lengths, strict=True)]
    return tuple(found)


def is_down(outages: Sequence[Outage], models: Sequence[str], at_us: Array) -> Array:
    """Bool (requests, models): the model does not answer when the request arrives."""
    down = np.zeros((len(at_us), len(models)), bool)
    for outage in outages:
        now = (at_us >= outage.start_us) & (at_us < outage.end_us)
        for column, model in enumerate(models):
            if covers(outage.of, model):
                down[:, column] |= now
    return down
