from collections.abc import Callable
from typing import Any

import pytest

from pricing import PriceBook
from router import LLMRouter, Router, RoutingRule, mentions
from simulator import ReplayResult, Scenario, replay
from simulator.scenario import Assumptions
from workloads import read_log


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook.load()


def call(number: int = 0, **fields: Any) -> dict[str, Any]:
    """One logged call on gpt-4o: 1,000 tokens in, 100 out, unless told otherwise."""
    return {
        "request_id": f"r{number}",
        "timestamp": f"2026-06-{1 + number % 28:02d}T12:00:00Z",
        "session_id": f"s{number // 2}",
        "model": "gpt-4o",
        "prompt": f"question {number}",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    } | fields


CODE_TO_MINI = LLMRouter(
    [
        RoutingRule("code", mentions("code"), "openai", "gpt-4o-mini"),
        RoutingRule("default", None, "openai", "gpt-4o"),
    ],
    name="code to mini",
)

Replayed = Callable[..., tuple[ReplayResult, ReplayResult]]


@pytest.fixture(scope="session")
def replayed(book: PriceBook) -> Replayed:
    """Replay rows under always-gpt-4o and a router, with tokens copied unless told otherwise."""

    def run(
        rows: list[dict[str, Any]],
        router: Router = CODE_TO_MINI,
        baseline: str = "openai/gpt-4o",
        assumptions: Assumptions | None = None,
        **options: Any,
    ) -> tuple[ReplayResult, ReplayResult]:
        said = assumptions or Assumptions(output="as_logged")
        base = Scenario.always(baseline, book, assumptions=said)
        before, after = replay(read_log(rows), base, Scenario(router.name, router, book, assumptions=said), **options)
        return before, after

    return run
