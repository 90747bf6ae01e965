"""The headline's own comparison: its parts add up to the headline, whichever that is."""

from decimal import Decimal
from typing import Any

import pytest

from router import AlwaysUse
from tests.simulator.conftest import Replayed, call

LOGS: dict[str, list[dict[str, Any]]] = {
    "baseline": [call(n, prompt="code" if n % 3 else "talk") for n in range(12)],
    "as_logged": [call(n, model="gpt-4o-mini" if n % 2 else "o3-mini", prompt="code") for n in range(12)],
}


@pytest.mark.parametrize("which", LOGS)
def test_every_breakdown_adds_up_to_the_headline(replayed: Replayed, which: str) -> None:
    _, after = replayed(LOGS[which])
    summary = after.summary
    shown = summary["compared"]
    savings = summary["savings" if which == "baseline" else "savings_vs_as_logged"]
    assert summary["headline"] == shown["against"] == which
    saved = Decimal(savings["usd"])
    assert Decimal(shown["before_usd"]) - Decimal(shown["routed_usd"]) == saved
    assert sum(map(Decimal, shown["waterfall"].values())) == saved
    for part in ("by_rule", "by_day"):
        assert sum(Decimal(row["saving_usd"]) for row in shown[part]) == saved
        assert sum(row["requests"] for row in shown[part]) == shown["requests"]
    for side in ("before", "routed"):
        assert sum(Decimal(row[f"{side}_usd"]) for row in shown["by_model"]) == Decimal(shown[f"{side}_usd"])


def test_the_interval_of_the_whole_lies_around_the_headline(replayed: Replayed) -> None:
    _, after = replayed(LOGS["as_logged"], AlwaysUse("anthropic/claude-sonnet-4-5"))
    saved = after.summary["savings_vs_as_logged"]["pct"]
    for row in after.summary["compared"]["sensitivity"]:
        assert row["low_pct"] <= saved + 1e-9
        assert saved - 1e-9 <= row["high_pct"]


def test_the_requests_that_became_dearer_are_named_with_their_rule_worst_first(replayed: Replayed) -> None:
    """gpt-4o 1,000 in and 100 out costs $0.0035; on claude-opus-4-1 at $15 and $75 a million it costs more."""
    rows = [call(n, usage={"prompt_tokens": 1000 * (n + 1), "completion_tokens": 100}) for n in range(12)]
    _, after = replayed(rows, AlwaysUse("anthropic/claude-opus-4-1"))
    found = after.summary["compared"]["dearer"]
    assert found["requests"] == 12
    listed = found["costliest"]
    assert len(listed) == 10
    assert [Decimal(row["extra_usd"]) for row in listed] == sorted(
        (Decimal(row["extra_usd"]) for row in listed), reverse=True
    )
    assert {row["rule"] for row in listed} == {"always"}
    for row in listed:
        assert Decimal(row["routed_usd"]) - Decimal(row["before_usd"]) == Decimal(row["extra_usd"])
    together = Decimal(after.summary["compared"]["routed_usd"]) - Decimal(after.summary["compared"]["before_usd"])
    assert Decimal(found["extra_usd"]) == together


def test_where_nothing_became_dearer_nothing_is_listed(replayed: Replayed) -> None:
    _, after = replayed([call(n) for n in range(3)], AlwaysUse("openai/gpt-4o"))
    assert after.summary["compared"]["dearer"] == {"requests": 0, "extra_usd": "0", "costliest": []}
