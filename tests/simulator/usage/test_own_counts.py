import pytest

from router import AlwaysUse
from simulator.sums.interval import ESTIMATES
from tests.simulator.conftest import Replayed, call

TEXT = {"prompt": "How many apples are left?", "response": "Four apples are left, and two pears."}


def test_estimated_counts_of_the_logged_model_widen_the_interval(replayed: Replayed) -> None:
    """Claude 3 Haiku without usage is counted by a ratio of log sd .06, kept by the routed side and left by the
    baseline, which is counted exactly: the saving moves by at least 1.645 x .06 = 10% of what Haiku costs.
    """
    rows = [call(n, model="claude-3-haiku-20240307", usage=None, **TEXT) for n in range(40)]
    before, after = replayed(rows, AlwaysUse("anthropic/claude-3-haiku"), baseline="openai/gpt-4o")
    found = after.savings_against(before).interval
    assert ESTIMATES in found.includes
    low, high = next((low, high) for name, low, high in found.alone if name == ESTIMATES)
    routed, base = (float(after.summary[arm]["usd"]) for arm in ("routed", "baseline"))
    # Input and output draw one error each.
    assert 0.7 * 2 * 1.645 * 0.06 < (high - low) / 100 * base / routed < 2 * 1.645 * 0.06
    named = {row["name"] for row in after.summary["assumptions"]}
    assert ESTIMATES in named


def test_counts_that_both_arms_keep_cancel(replayed: Replayed) -> None:
    rows = [call(n, model="claude-3-haiku-20240307", usage=None, **TEXT) for n in range(40)]
    haiku = "anthropic/claude-3-haiku"
    _, after = replayed(rows, AlwaysUse(haiku), baseline=haiku)
    found = after.savings_against_log().interval
    assert (found.low_pct, found.high_pct) == pytest.approx((0, 0), abs=1e-9)


def test_counts_of_the_provider_are_sure(replayed: Replayed) -> None:
    rows = [call(n, model="claude-3-haiku-20240307") for n in range(40)]
    before, after = replayed(rows, AlwaysUse("anthropic/claude-3-haiku"), baseline="openai/gpt-4o")
    assert ESTIMATES not in after.savings_against(before).interval.includes
