"""Prometheus metrics of live calls, through `prometheus_client` (the extra `prometheus`)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pricing import AsOf, PriceBook, charge
from problems import BackrouteError
from router.decision import Decision
from router.providers import Answer
from workloads import BUCKETS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

THOUSAND = 1_000
PICO = 1e12
LATENCY_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counts calls by rule, model, arm and status, with spend, tokens, fallbacks and latency.

    Args:
        registry: where they are registered; the default one, which `start_http_server` serves, when left out.

    Raises:
        BackrouteError: prometheus_client is not installed.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        try:
            from prometheus_client import REGISTRY, Counter, Histogram
        except ImportError as error:
            fix = "pip install 'backroute[prometheus]'"
            raise BackrouteError("metrics", "prometheus_client is not installed", fix=fix) from error
        held: Any = {"registry": registry or REGISTRY}
        labels = ("rule", "model", "arm")
        self._calls = Counter("backroute_requests", "Live calls.", (*labels, "status"), **held)
        self._passed = Counter("backroute_fallbacks", "Models passed over.", ("model", "why"), **held)
        self._usd = Counter("backroute_spend_usd", "Spend at the price book's prices.", labels, **held)
        self._unpriced = Counter("backroute_unpriced_requests", "Answers whose cost is unknown.", labels, **held)
        self._tokens = Counter("backroute_tokens", "Tokens by bucket.", ("model", "bucket"), **held)
        self._latency = Histogram("backroute_latency_seconds", "Of answers.", labels, buckets=LATENCY_S, **held)

    def called(self, decision: Decision, arrived_at: datetime, answer: Answer | None, book: PriceBook) -> None:
        """Count one call, and charge its answer at the prices of the day it arrived; no answer is an error."""
        at = (decision.rule, decision.model, decision.arm or "")
        self._calls.labels(*at, "error" if answer is None else "ok").inc()
        for passed in decision.fallback_from:
            self._passed.labels(passed.model, passed.why).inc()
        if answer is None:
            return
        self._latency.labels(*at).observe(answer.latency_ms / THOUSAND)
        for bucket in BUCKETS:
            if tokens := getattr(answer.usage, bucket):
                self._tokens.labels(decision.model, bucket).inc(tokens)
        pico = spent(book, decision.model.partition("/")[0], answer, arrived_at)
        if pico is None:
            self._unpriced.labels(*at).inc()
        else:
            self._usd.labels(*at).inc(pico / PICO)


def spent(book: PriceBook, provider: str, answer: Answer, arrived_at: datetime) -> int | None:
    """Picodollars of one answer at its own day's prices; None where a count or a price is unknown."""
    counts = {bucket: getattr(answer.usage, bucket) for bucket in BUCKETS}
    cost = charge(
        book,
        pa.array([book.resolve(answer.model, provider)], pa.string()),
        pa.table({b: pa.array([None if n is None else n * THOUSAND], pa.int64()) for b, n in counts.items()}),
        at=AsOf.parse("request"),
        arrived_at=pa.array([arrived_at], pa.timestamp("us", tz="UTC")),
        tier=pa.array([answer.served_tier], pa.string()),
    )
    total: int | None = cost.total[0].as_py()
    return total
