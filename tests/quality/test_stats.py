import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.stats import STAKES, bounds, chance, draws_to_settle, log_evidence, rejected

EQUAL = np.array([1.0] * 5 + [-1.0] * 5 + [0.0] * 90)
WORSE_BY_5 = np.array([-1.0] * 10 + [1.0] * 5 + [0.0] * 85)
scores = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), max_size=40)


def test_evidence_is_the_mean_wealth_of_the_stakes() -> None:
    """One win against "at most -0.05" with reach 1: stake f gains f x (1 + 0.05) / 0.95, so wealth is 1 + 1.10526 f."""
    wealth = np.mean([1 + f * 1.05 / 0.95 for f in STAKES])
    assert log_evidence(np.array([1.0]), -0.05, 1.0) == pytest.approx(math.log(wealth))


def test_without_pairs_there_is_no_evidence() -> None:
    assert log_evidence(np.array([]), -0.05, 1.0) == 0.0
    assert bounds(np.array([]), 1.0, 0.05) == (-1.0, 1.0)


@given(scores, st.randoms(use_true_random=False))
def test_the_order_of_the_answers_does_not_matter(seen: list[float], random: object) -> None:
    mixed = list(seen)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert log_evidence(np.array(mixed), -0.05, 1.5) == pytest.approx(log_evidence(np.array(seen), -0.05, 1.5))


@given(scores.filter(len), st.integers(0, 39))
def test_a_better_answer_never_weakens_the_evidence(seen: list[float], which: int) -> None:
    better = list(seen)
    better[which % len(seen)] = 1.0
    assert log_evidence(np.array(better), -0.05, 1.0) >= log_evidence(np.array(seen), -0.05, 1.0) - 1e-9


@settings(max_examples=30)
@given(scores.filter(len))
def test_bounds_hold_the_mean_seen_and_are_where_evidence_ends(seen: list[float]) -> None:
    low, high = bounds(np.array(seen), 1.0, 0.05)
    assert low <= np.mean(seen) <= high
    if low > -0.999:
        assert log_evidence(np.array(seen), low + 1e-6, 1.0) <= -math.log(0.05) + 1e-3


def test_someone_who_looks_after_every_pair_passes_a_model_at_the_margin_at_most_at_the_level() -> None:
    """2,000 looks at a model that is worse by exactly the margin: at most 5% of 400 runs may ever pass."""
    assert chance(WORSE_BY_5, 2_000, -0.05, 1.0, 0.05, seed=1) <= 0.05


def test_a_model_that_is_as_good_passes_with_the_power_that_the_plan_states() -> None:
    needed = draws_to_settle(EQUAL, -0.05, 1.0, 0.05, share=0.8, most=10_000, seed=0)
    assert needed is not None
    assert chance(EQUAL, needed, -0.05, 1.0, 0.05, seed=7) == pytest.approx(0.8, abs=0.1)


def test_the_bounds_cover_the_truth_however_often_one_looks() -> None:
    rng, missed = np.random.default_rng(3), 0
    for _ in range(100):
        seen = rng.choice(WORSE_BY_5, 300)
        missed += any(
            not bounds(seen[:n], 1.0, 0.05)[0] <= -0.05 <= bounds(seen[:n], 1.0, 0.05)[1] for n in (50, 150, 300)
        )
    assert missed <= 10


def test_one_slice_among_three_needs_three_times_the_evidence_unless_the_others_help() -> None:
    """Alone 20 is enough at 5%. Beside two of none, (60 + 0 + 0) / 3 = 20. A strong one helps."""
    log = [math.log(21), math.log(1e-9), math.log(1e-9)]
    assert rejected(log[:1], 0.05) == [True]
    assert rejected(log, 0.05) == [False, False, False]
    assert rejected([math.log(61), *log[1:]], 0.05) == [True, False, False]
    assert rejected([math.log(30), math.log(90)], 0.05) == [True, True]
    assert rejected([], 0.05) == []


def test_a_difference_at_the_margin_is_never_settled() -> None:
    assert draws_to_settle(WORSE_BY_5, -0.05, 1.0, 0.01, share=0.5, most=500, seed=0) is None


def test_what_is_already_seen_counts_towards_settling() -> None:
    options = {"share": 0.5, "most": 5_000, "seed": 0}
    fresh = draws_to_settle(EQUAL, -0.05, 1.0, 0.05, **options)  # type: ignore[arg-type]
    later = draws_to_settle(EQUAL, -0.05, 1.0, 0.05, held=np.zeros(60), **options)  # type: ignore[arg-type]
    assert fresh is not None
    assert later is not None
    assert later < fresh
