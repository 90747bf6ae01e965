import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.search.frontier import aiq, hull, pgr, score_curve, two_models

points = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), min_size=1, max_size=12).map(np.array)


def test_the_gap_recovered_is_0_at_the_weak_model_and_1_at_the_strong_one() -> None:
    """(0.75 - 0.7) / (0.9 - 0.7) = 0.25."""
    assert pgr(0.75, 0.7, 0.9) == pytest.approx(0.25)
    assert pgr(0.7, 0.7, 0.9) == 0.0
    assert pgr(0.75, 0.7, 0.7) is None


def test_apgr_and_cpt_of_a_curve_by_hand() -> None:
    """Shares 0, 0.25, 1 at gaps 0, 0.6, 1.

    APGR = 0.25 x (0 + 0.6) / 2 + 0.75 x (0.6 + 1) / 2 = 0.075 + 0.6 = 0.675.
    CPT(50%) = 0.25 x 0.5 / 0.6 = 0.208333; CPT(80%) = 0.25 + 0.75 x (0.8 - 0.6) / 0.4 = 0.625.
    """
    found = two_models([0, 0.25, 1], [0.7, 0.82, 0.9])
    assert found is not None
    assert found.apgr == pytest.approx(0.675)
    assert found.cpt50 == pytest.approx(0.25 * 0.5 / 0.6)
    assert found.cpt80 == pytest.approx(0.625)


def test_mixing_by_lot_scores_one_half() -> None:
    found = two_models([0, 1], [0.7, 0.9])
    assert found is not None
    assert (found.apgr, found.cpt50, found.cpt80) == (0.5, 0.5, 0.8)


def test_without_a_gap_there_is_nothing_to_recover() -> None:
    assert two_models([0, 1], [0.9, 0.9]) is None
    assert two_models([0, 1], [0.9, 0.8]) is None


def test_the_curve_of_scores_sends_the_neediest_first_and_equals_together() -> None:
    """Weak right on rows 2 and 3, strong on all: scores send row 0 first, rows 1 and 2 together, then row 3."""
    weak, strong = np.array([0.0, 0, 1, 1]), np.ones(4)
    share, quality = score_curve(np.array([0.9, 0.5, 0.5, 0.1]), weak, strong)
    assert share.tolist() == [0.0, 0.25, 0.75, 1.0]
    assert quality.tolist() == [0.5, 0.75, 1.0, 1.0]


def test_a_score_that_says_nothing_is_mixing_by_lot() -> None:
    weak, strong = np.array([0.0, 1, 0, 1]), np.ones(4)
    found = two_models(*score_curve(np.zeros(4), weak, strong))
    assert found is not None
    assert found.apgr == 0.5


def test_the_hull_keeps_what_no_mixture_beats() -> None:
    """(2, 0.55) lies below the line from (1, 0.5) to (3, 0.9), 0.7 at 2; (4, 0.8) is dearer and worse than (3, 0.9)."""
    held = hull(np.array([[3, 0.9], [1, 0.5], [2, 0.55], [4, 0.8], [1, 0.4]]))
    assert held.tolist() == [[1, 0.5], [3, 0.9]]


def test_aiq_is_the_hulls_mean_height() -> None:
    """From 0 to 4: 0.5 up to cost 1, rising to 0.9 at 3, 0.9 beyond: (0.5 + 2 x 0.7 + 0.9) / 4 = 0.7."""
    assert aiq(np.array([[1, 0.5], [3, 0.9], [2, 0.55]]), 0, 4) == pytest.approx(0.7)
    assert aiq(np.array([[1, 0.5]]), 1, 1) is None


@given(points)
def test_no_point_lies_above_the_hull(held: np.ndarray) -> None:
    line = hull(held)
    assert (np.diff(line[:, 0]) > 0).all()
    assert (np.diff(line[:, 1]) > 0).all()
    assert (held[:, 1] <= np.interp(held[:, 0], line[:, 0], line[:, 1]) + 1e-9).all()
