"""The intervals of experiments: false alarms, power, the covariate's gain, clusters, shares."""

import numpy as np
import pytest

from quality.ab.moments import Moments, difference
from quality.ab.plan import power_at, unit_variance, units_needed
from quality.group_sequential import boundary
from quality.sequential import ratio_evidence, reach
from tests.quality.ab.simulated import Sessions, crosses, daily_looks, false_alarms


def test_a_ratio_is_of_sums_and_its_variance_clusters_by_unit() -> None:
    """Two units a side: y = 2, 4 over n = 1, 3: 6 / 4 = 1.5; z = (2 - 1.5) / 2, (4 - 4.5) / 2 = +-0.25.

    The variance of z is 0.0625, of its mean over two units 0.03125, and of the difference of two such arms 0.0625.
    """
    arm = Moments.of(np.array([2.0, 4.0]), np.array([1.0, 3.0]), np.zeros(2))
    found = difference(arm, arm)
    assert (float(found.control), float(found.value)) == (1.5, 0.0)
    assert float(found.variance) == pytest.approx(0.0625)


def test_calls_of_one_session_are_not_independent() -> None:
    """Ten equal calls in each session say no more than one does: the variance of the mean is the same."""
    cost = np.random.default_rng(0).gamma(2.0, size=500)
    once = Moments.of(cost, np.ones(500), np.zeros(500))
    ten = Moments.of(10 * cost, np.full(500, 10.0), np.zeros(500))
    assert float(difference(ten, ten).variance) == pytest.approx(float(difference(once, once).variance))


def test_the_covariate_takes_out_what_it_explains() -> None:
    """A covariate of correlation r leaves 1 - r^2 of the variance; here r^2 = 4/5."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 20_000))
    y = 10 + 2 * x + rng.standard_normal(x.shape)
    arms = [Moments.of(y[at], np.ones(20_000), x[at]) for at in (0, 1)]
    found = difference(*arms)
    assert float(found.variance / found.plain) == pytest.approx(1 / 5, rel=0.05)
    assert abs(float(found.value)) < 4 * np.sqrt(float(found.variance))


def test_a_useless_covariate_changes_nothing() -> None:
    y = np.random.default_rng(2).gamma(1.0, size=400)
    arms = [Moments.of(y[at::2], np.ones(200), np.zeros(200)) for at in (0, 1)]
    found = difference(*arms)
    assert float(found.variance) == float(found.plain)


def test_an_interval_that_holds_at_every_look_is_wider_than_one_that_does_not() -> None:
    assert 1.96 < float(reach(5_000, 5_000, 0.05)) < 3.2
    assert float(reach(5_000, 5_000, 0.05)) < float(reach(500, 5_000, 0.05))


def test_aa_experiments_with_daily_looks_alarm_at_the_level_up_to_their_horizon_and_below_it_for_ever() -> None:
    """600 here, 2,000 in `make bench-production`: 5% within two standard errors; naive intervals alarm in a quarter."""
    horizon, ever, naive = false_alarms(600, seed=5)
    assert horizon == pytest.approx(0.05, abs=2 * np.sqrt(0.05 * 0.95 / 600))
    assert ever < horizon
    assert naive > 0.2


def test_power_is_as_planned() -> None:
    sessions = Sessions(seed=3)
    y, n, _ = sessions.draw(40_000)
    effect = 0.15 * y.sum() / n.sum()
    spread = unit_variance(y, y * 0.85, n, 0.5)
    units = units_needed(effect / np.sqrt(spread), 200.0, power=0.8, level=0.05)
    assert units is not None
    found = np.mean([finds(units, -0.15, number) for number in range(300)])
    assert found == pytest.approx(0.8, abs=0.07)


def finds(units: int, effect: float, number: int) -> bool:
    (y, n, x), (y2, n2, x2) = (Sessions(1_000 + 2 * number + at).draw(units // 2) for at in (0, 1))
    looks = daily_looks(units // 2, 100)
    found = difference(Moments.running(y, n, 0 * x, looks), Moments.running(y2 * (1 + effect), n2, 0 * x2, looks))
    return bool(crosses(found, boundary((2 * looks / units).tolist(), 0.05)))


def test_more_units_give_more_power() -> None:
    powers = [power_at(units, 0.05, 100.0, level=0.05) for units in (500, 2_000, 8_000)]
    assert powers == sorted(powers)
    assert powers[-1] > 0.9


def test_daily_looks_cost_a_few_percent_of_the_units() -> None:
    """One look needs ((1.960 + 0.842) / 0.05)^2 = 3,140; 32 looks by O'Brien and Fleming's boundary some 3% more."""
    assert units_needed(0.05, 10_000.0, power=0.8, level=0.05) == pytest.approx(3_140, rel=0.002)
    assert 3_200 < (units_needed(0.05, 100.0, power=0.8, level=0.05) or 0) < 3_300


def test_right_shares_are_rarely_doubted_and_wrong_ones_soon_are() -> None:
    rng = np.random.default_rng(4)
    doubted = 0
    for _ in range(300):
        arm = rng.random(2_000) < 0.1
        running = np.stack([(~arm).cumsum(), arm.cumsum()], axis=-1).astype(float)
        doubted += bool((ratio_evidence(running, np.array([0.9, 0.1])) > 20).any())
    assert doubted <= 15
    wrong = rng.random(5_000) < 0.13
    counts = np.array([(~wrong).sum(), wrong.sum()], float)
    assert float(ratio_evidence(counts, np.array([0.9, 0.1]))) > 1_000
