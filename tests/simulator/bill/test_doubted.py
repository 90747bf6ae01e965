import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import simulator
from pricing import PriceBook
from router import AlwaysUse
from simulator import Scenario, replay
from tests.simulator.bill.test_plausible import honest_input, texts, usage
from tests.simulator.conftest import Replayed, call
from workloads import read_log

SCHEMA = json.loads((Path(simulator.__file__).parent / "summary.schema.json").read_text())


def calls(count: Callable[[str], int], first: int = 0, **fields: Any) -> list[dict[str, Any]]:
    """Twenty calls with their prompts' counts, and 100 tokens out beside no text."""
    return [call(first + n, prompt=text, usage=usage(count(text), 100), **fields) for n, text in enumerate(texts(20))]


def guess(text: str) -> int:
    return len(text) // 4


def doubted(rows: list[dict[str, Any]], replayed: Replayed) -> float | None:
    _, after = replayed(rows)
    jsonschema.validate(after.summary, SCHEMA)
    pct: float | None = after.summary["log"]["doubted_usd_pct"]
    return pct


def test_the_share_of_the_spend_that_rests_on_guesses_is_their_sides_money(replayed: Replayed) -> None:
    """Guessed input on gpt-4o at $2.50, its output at $10, and honest calls of gpt-4o-mini at $0.15 and $0.60."""
    rows = calls(guess) + calls(honest_input, 20, model="gpt-4o-mini")
    guessed = 2.5 * sum(guess(text) for text in texts(20))
    honest = 0.15 * sum(honest_input(text) for text in texts(20)) + 20 * 100 * (10 + 0.6)
    assert doubted(rows, replayed) == pytest.approx(100 * guessed / (guessed + honest))
    assert doubted(rows[20:], replayed) is None


def test_of_counts_that_are_wrong_in_some_rows_as_many_are_in_doubt(replayed: Replayed) -> None:
    """One of four counts is 0 beside a text: a quarter of 3 x 1,000 x 2.50, of that and 4 x 100 x 10 in all."""
    rows = [call(n, prompt=f"{n} {'why ' * 20}", usage=usage(1000 if n else 0, 100)) for n in range(4)]
    assert doubted(rows, replayed) == pytest.approx(100 * 7500 / 4 / 11_500)


def test_without_a_price_no_share_of_the_spend_is_known(replayed: Replayed) -> None:
    assert doubted(calls(guess, model="house-model-7"), replayed) is None


def test_a_log_in_memory_replayed_again_has_the_same_share(book: PriceBook) -> None:
    log = read_log(calls(guess) + calls(honest_input, 20, model="gpt-4o-mini"))
    base = Scenario.always("openai/gpt-4o", book)
    found = [
        replay(log, base, Scenario("one", AlwaysUse(model), book))[1].summary["log"]["doubted_usd_pct"]
        for model in ("openai/gpt-4o-mini", "openai/gpt-4.1", "openai/gpt-4o-mini")
    ]
    assert found[0] is not None
    assert found == [found[0]] * 3
