import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from router import AlwaysUse
from tests.simulator.conftest import Replayed, call

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "simulator" / "summary.schema.json").read_text())

LOGS: dict[str, list[dict[str, Any]]] = {
    "plain": [call(n, prompt="code" if n % 3 else "talk") for n in range(30)],
    "one call without a time": [call(timestamp=None)],
    "nothing priced": [call(model="house-model-7", usage=None)],
    "an embedding alone": [call(call_type="embedding", model="text-embedding-3-small", cost=0.25)],
    "free calls": [call(n, status="error", usage=None) for n in range(3)],
}


@pytest.mark.parametrize("rows", LOGS.values(), ids=LOGS)
def test_the_summary_keeps_its_schema_whatever_the_log(replayed: Replayed, rows: list[dict[str, Any]]) -> None:
    for result in replayed(rows):
        jsonschema.validate(result.summary, SCHEMA)
        json.dumps(result.summary, allow_nan=False)


def test_the_schema_refuses_what_is_not_promised(replayed: Replayed) -> None:
    _, after = replayed([call()])
    for broken in ({"extra": 1}, {"headline": "best"}, {"savings": after.summary["savings"] | {"usd": 1.5}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(after.summary | broken, SCHEMA)


def test_a_month_is_projected_from_its_days_and_from_a_day_at_least(replayed: Replayed) -> None:
    """Two calls of $0.0035, fifteen days apart: $0.007 in 15 days is $0.014 in 30."""
    _, after = replayed([call(0), call(1, timestamp="2026-06-16T12:00:00Z")])
    assert after.summary["period"] == {
        "days": 15.0,
        "logged_usd_per_30d": "0.014",
        "baseline_usd_per_30d": "0.014",
        "routed_usd_per_30d": "0.014",
    }
    _, after = replayed([call(0), call(1, timestamp="2026-06-01T18:00:00Z")])
    assert after.summary["period"] == {
        "days": 0.25,
        "logged_usd_per_30d": None,
        "baseline_usd_per_30d": None,
        "routed_usd_per_30d": None,
    }


def test_prices_in_the_summary_are_dated_and_sourced(replayed: Replayed) -> None:
    _, after = replayed([call(prompt="code")])
    listed = {(row["model"], row["bucket"]): row for row in after.summary["prices"]}
    assert listed["openai/gpt-4o", "output_text"]["usd_per_mtok"] == "10"
    assert listed["openai/gpt-4o-mini", "input_uncached"]["usd_per_mtok"] == "0.15"
    assert all(row["source"] for row in listed.values())


def test_assumptions_about_tokens_come_before_the_prices(replayed: Replayed) -> None:
    _, after = replayed([call(n, prompt="code") for n in range(4)], AlwaysUse("anthropic/claude-sonnet-4-5"))
    names = [row["name"] for row in after.summary["assumptions"]]
    assert names[0] == "output tokens on another model"
    assert names[-1] == "prices"


def test_what_was_left_out_is_said_in_money_and_in_requests(replayed: Replayed) -> None:
    """Two known calls of $0.0035 and one on a model without a price, which no comparison can hold; it is listed."""
    _, after = replayed([call(0), call(1), call(2, model="house-model-7")])
    assert after.summary["coverage"]["requests_pct"] == pytest.approx(200 / 3)
    assert after.summary["coverage"]["priced_pct"] == pytest.approx(200 / 3)
    assert after.summary["coverage"]["logged_usd_pct"] == 100
    listed = {row["model"]: row for row in after.summary["by_model"]}
    assert listed["house-model-7"]["logged_requests"] == 1
    assert listed["house-model-7"]["logged_usd"] is None
