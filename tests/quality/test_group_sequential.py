"""The boundary of a stated horizon: published values, its level at unequal looks, its power."""

import numpy as np
import pytest

from quality.group_sequential import boundary, crossing, spent


def test_five_equal_looks_have_the_published_boundary() -> None:
    """5% on two sides: 4.88, 3.36, 2.68, 2.29, 2.03.

    Reboussin, DeMets, Kim and Lan, "Computations for group sequential boundaries using the Lan-DeMets spending
    function method", 2000.
    """
    assert boundary([0.2, 0.4, 0.6, 0.8, 1.0], 0.05) == pytest.approx(
        [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4
    )


def test_a_single_look_is_the_usual_interval() -> None:
    assert boundary([1.0], 0.05) == pytest.approx([1.959964], abs=1e-6)
    assert float(spent(np.array(1.0), 0.05)) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "information",
    [
        [0.05, 0.06, 0.3, 0.31, 0.9, 0.999, 1.0],
        [0.4, 0.4, 0.4, 0.7, 1.0],
        [1e-6, 0.5, 0.999999, 1.0],
        [(day + 1) / 200 for day in range(200)],
    ],
    ids=["unequal", "days without units", "two looks at the end", "200 days"],
)
def test_however_the_looks_lie_the_whole_level_is_spent_and_no_more(information: list[float]) -> None:
    reach = boundary(information, 0.05)
    assert crossing(information, reach, 0.0) == pytest.approx(0.05, abs=1e-6)
    assert reach.max() <= 8.0


def test_what_a_look_reaches_does_not_depend_on_later_looks() -> None:
    assert boundary([0.2, 0.5, 0.7], 0.05)[:2] == pytest.approx(boundary([0.2, 0.5], 0.05), abs=1e-8)


def test_simulated_experiments_cross_as_often_as_the_recursion_says() -> None:
    """20,000 paths of 12 looks: a standard error of 0.15 points without a drift, 0.3 with one of 2.8."""
    times = np.array([0.02, 0.1, 0.11, 0.3, 0.4, 0.45, 0.6, 0.7, 0.8, 0.85, 0.99, 1.0])
    reach = boundary(times.tolist(), 0.05)
    steps = np.random.default_rng(0).standard_normal((20_000, 12)) * np.sqrt(np.diff(times, prepend=0))
    for drift, tolerance in ((0.0, 0.006), (2.8, 0.012)):
        z = (steps.cumsum(axis=1) + drift * times) / np.sqrt(times)
        found = (np.abs(z) > reach).any(axis=1).mean()
        assert crossing(times.tolist(), reach, drift) == pytest.approx(found, abs=tolerance)
