import numpy as np
import pytest

from router import AlwaysUse
from simulator.scenario import Assumptions
from tests.simulator.conftest import Replayed, call


def test_two_equal_arms_differ_by_nothing_whatever_is_drawn(replayed: Replayed) -> None:
    """Both arms move to the same other model: they share its token error, so the saving is 0 for sure."""
    haiku = "anthropic/claude-3-haiku"
    before, after = replayed([call(n) for n in range(20)], AlwaysUse(haiku), baseline=haiku)
    found = after.savings_against(before).interval
    assert (found.low_pct, found.high_pct, found.probability_positive) == (0, 0, 0)


def test_an_arm_on_the_logged_model_has_no_token_error(replayed: Replayed) -> None:
    """All on gpt-4o as logged, except the code requests; without any of those nothing is uncertain but the sampling."""
    before, after = replayed([call(n) for n in range(20)])
    assert after.savings_against(before).interval.includes == ("which requests arrived (sessions resampled)",)


def test_the_interval_carries_the_known_token_error_and_not_sampling_alone(replayed: Replayed) -> None:
    """Every request alike, so sampling alone says nothing: what is left is the error of copied output tokens.

    On claude-sonnet-4-5 the output costs 100 x $15 = $0.0015 of the routed $0.0045 against a baseline of $0.0035; a
    factor with a log deviation of .34, and the 6% of the tokenizer, move the saving by about 1.645 x .345 x 15/35 = 24
    points either way, and the input's 1.13 x $3 and 6% by another 1.645 x .06 x 34/35 = 10; together about 26.
    """
    rows = [call(n) for n in range(400)]
    before, after = replayed(rows, AlwaysUse("anthropic/claude-sonnet-4-5"))
    savings = after.savings_against(before)
    assert "output tokens on another model" in savings.interval.includes
    low, high = savings.interval.low_pct, savings.interval.high_pct
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 26, rel=0.2)


def test_sensitivity_names_every_source_widest_first(replayed: Replayed) -> None:
    before, after = replayed([call(n, prompt="code" if n % 2 else "talk") for n in range(60)])
    found = after.savings_against(before).interval
    widths = [high - low for _, low, high in found.alone]
    assert widths == sorted(widths, reverse=True)
    assert {name for name, _, _ in found.alone} == set(found.includes)


def test_sessions_are_resampled_whole(replayed: Replayed) -> None:
    """40 sessions of 25 like requests hold the information of 40 draws, not of 1,000: the interval is 5 times wider."""
    same = [call(n, prompt="code" if (n // 25) % 2 else "talk", session_id=f"s{n // 25}") for n in range(1000)]
    own = [row | {"session_id": f"own{number}"} for number, row in enumerate(same)]
    widths = []
    for rows in (same, own):
        before, after = replayed(rows, assumptions=Assumptions(output="as_logged"))
        alone = {name: high - low for name, low, high in after.savings_against(before).interval.alone}
        widths.append(alone["which requests arrived (sessions resampled)"])
    assert widths[0] / widths[1] == pytest.approx(5, rel=0.35)


def test_a_sure_loss_has_probability_zero_of_being_a_saving(replayed: Replayed) -> None:
    before, after = replayed([call(n) for n in range(20)], AlwaysUse("anthropic/claude-opus-4-1"))
    savings = after.savings_against(before)
    assert savings.usd < 0
    assert savings.interval.probability_positive == 0


def test_another_seed_gives_nearly_the_same_interval(replayed: Replayed) -> None:
    rows = [call(n, prompt="code" if n % 2 else "talk") for n in range(200)]
    ends = []
    for seed in range(4):
        before, after = replayed(rows, seed=seed)
        found = after.savings_against(before).interval
        ends.append((found.low_pct, found.high_pct))
    assert np.ptp(np.array(ends), axis=0).max() < 3


def test_the_arms_hold_expected_costs_and_the_factors_around_them_average_one(replayed: Replayed) -> None:
    """A copied output is off by a log-normal factor of sd .34 and mean one: its 5% and 95% points lie at
    exp(-+1.645 x .34 - .34^2 / 2) = 0.539 and 1.651, not at 0.572 and 1.749. On gpt-4o-mini 1,000 tokens in cost
    $0.00015 and 100 out $0.00006 of the baseline's $0.0035: 100 x (1 - (0.00015 + 0.00006 f) / 0.0035) percent saved.
    """
    rows = [call(n) for n in range(200)]
    before, after = replayed(rows, AlwaysUse("openai/gpt-4o-mini"), assumptions=Assumptions(output="as_logged"))
    found = after.savings_against(before).interval
    saved = [100 * (1 - (0.00015 + 0.00006 * factor) / 0.0035) for factor in (1.651, 0.539)]
    assert [found.low_pct, found.high_pct] == pytest.approx(saved, abs=0.06)
