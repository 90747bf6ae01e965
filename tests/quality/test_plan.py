from collections import Counter

import numpy as np
import pytest

from quality.plan import make_plan
from quality.population import Population, Slice


def population(sizes: tuple[int, ...] = (600, 250, 150), seed: int = 0) -> Population:
    """Slices of heavy-tailed costs."""
    code = np.repeat(np.arange(len(sizes)), sizes)
    cost = np.random.default_rng(seed).lognormal(20, 1.5, len(code))
    slices = tuple(Slice(f"s{n}", f"s{n}", "a/b", "c/d", size, size, 0) for n, size in enumerate(sizes))
    return Population(np.arange(len(code)), code, cost, np.zeros(len(code), bool), slices, Counter())


def test_a_larger_sample_begins_with_the_smaller_one() -> None:
    small, large = (make_plan(population(), n, margin=0.05, level=0.05, seed=5) for n in (50, 400))
    assert small.draws.tolist() == large.draws[:50].tolist()
    other = make_plan(population(), 50, margin=0.05, level=0.05, seed=6)
    assert other.draws.tolist() != small.draws.tolist()


def test_no_request_counts_more_than_twice_over_all_traffic() -> None:
    plan = make_plan(population(), 10, margin=0.05, level=0.05, seed=0)
    assert 0 < plan.overall_weight.min() <= plan.overall_weight.max() == plan.reach(None) <= 2


def test_weights_undo_the_preference_for_dear_requests() -> None:
    """Over many draws, the weighted mean of anything is its plain mean over the traffic and over each slice."""
    people = population()
    plan = make_plan(people, 200_000, margin=0.05, level=0.05, seed=0)
    anything = np.log(people.cost) - 20
    drawn = anything[plan.draws]
    assert np.mean(plan.overall_weight[plan.draws] * drawn) == pytest.approx(anything.mean(), abs=0.02)
    for which in range(3):
        mine = people.slice[plan.draws] == which
        weighted = plan.slice_weight[plan.draws][mine] * drawn[mine]
        assert weighted.mean() == pytest.approx(anything[people.slice == which].mean(), abs=0.05)


def test_dear_requests_are_drawn_more_often_than_cheap_ones() -> None:
    people = population()
    plan = make_plan(people, 5_000, margin=0.05, level=0.05, seed=0)
    assert people.cost[plan.draws].mean() > 2 * people.cost.mean()


def test_the_plan_states_cost_and_power_before_anything_is_spent() -> None:
    people = population()
    plan = make_plan(people, 2_000, margin=0.05, level=0.05, seed=0)
    assert plan.cost_pico == pytest.approx(people.cost[plan.rows].sum(), rel=1e-9)
    assert sum(needs.draws for needs in plan.needs) == plan.overall.draws == 2_000
    assert plan.overall.power > 0.9
    assert all((needs.needed or 0) > (plan.overall.needed or 0) > 0 for needs in plan.needs), "a slice has less level"
    few = make_plan(people, 20, margin=0.05, level=0.05, seed=0)
    assert few.overall.power < 0.1
    assert few.overall.needed == plan.overall.needed


def test_a_replay_of_one_request_can_be_planned() -> None:
    plan = make_plan(population((1,)), 5, margin=0.05, level=0.05, seed=0)
    assert plan.rows == [0]
    assert plan.reach(0) == plan.reach(None) == pytest.approx(1)
