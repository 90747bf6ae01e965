"""Small conversations, replayed with state and copied output tokens."""

from typing import Any

from pricing import PriceBook
from simulator import ReplayResult, Scenario, replay
from simulator.scenario import Assumptions
from simulator.state.settings import State
from tests.simulator.conftest import CODE_TO_MINI
from workloads import read_log

BOOK = PriceBook.load()
COPIED = Assumptions(output="as_logged")
LONG = "alpha beta gamma delta " * 400


def replayed(
    rows: list[dict[str, Any]], state: State, router: Any = CODE_TO_MINI, seed: int = 0
) -> tuple[ReplayResult, ReplayResult]:
    base = Scenario.always("openai/gpt-4o", BOOK, assumptions=COPIED, state=state.of_the_world)
    candidate = Scenario(router.name, router, BOOK, assumptions=COPIED, state=state)
    before, after = replay(read_log(rows), base, candidate, seed=seed)
    return before, after


def chat(number: int, *texts: str, at_s: int = 0, tokens: int = 2000, **fields: Any) -> dict[str, Any]:
    """A call of a conversation of alternating user and assistant texts, 100 tokens out."""
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]
    usage = {"prompt_tokens": tokens, "completion_tokens": 100}
    when = f"2026-06-01T12:{at_s // 60:02d}:{at_s % 60:02d}Z"
    return {
        "request_id": f"r{number}",
        "timestamp": when,
        "model": "gpt-4o",
        "messages": messages,
        "usage": usage,
    } | fields
