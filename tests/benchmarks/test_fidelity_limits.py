from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks.fidelity_limits import ideal_error, limits


@dataclass(frozen=True)
class Made:
    """A cell of a pair on one task of a kind of its own, where copying says 100 tokens."""

    source: str
    target: str
    task: str
    true: float
    model: float
    copying: float = 100.0

    @property
    def kind(self) -> str:
        return self.task

    def error(self, way: str) -> float:
        return abs(float(getattr(self, way)) / self.true - 1)


def test_one_ratio_a_pair_errs_as_its_tasks_differ() -> None:
    """True totals of 110 and 220: the best single ratio is 1.1, off by 0 and a half; told the kind it is never off."""
    cells = [Made("a", "b", "one", 110.0, 121.0), Made("a", "b", "two", 220.0, 121.0)]
    found = limits(cells)
    assert found.per_pair == pytest.approx(0.25)
    assert found.per_pair_and_kind == 0.0
    assert found.copying == pytest.approx((10 / 110 + 120 / 220) / 2)
    assert found.own == pytest.approx((0.1 + 0.45) / 2)
    assert found.spread == pytest.approx(np.log(2) / np.sqrt(2))
    assert found.worse == 0


def test_a_ratio_that_never_moves_leaves_nothing_to_err() -> None:
    cells = [Made("a", "b", task, 150.0, 150.0) for task in ("one", "two", "three")]
    found = limits(cells)
    assert (found.spread, found.ideal, found.per_pair, found.worse) == (0.0, 0.0, 0.0, 0)


def test_being_worse_on_every_task_is_beyond_doubt() -> None:
    cells = [Made("a", "b", str(i), 100.0 + i, 150.0) for i in range(5)]
    found = limits(cells)
    assert (found.pairs, found.worse, found.surely_worse) == (1, 1, 1)


def test_the_ideal_error_is_that_of_a_simulation() -> None:
    """Half a million log-normal truths of sd 0.3: no ratio errs less than 2 Phi(0.3) - 1 = 0.2358."""
    truth = np.exp(np.random.default_rng(0).normal(0, 0.3, 500_000))
    errors = [np.abs(np.exp(shift) / truth - 1).mean() for shift in np.linspace(-0.3, 0.1, 41)]
    assert min(errors) == pytest.approx(ideal_error(0.3), abs=0.001)
    assert ideal_error(0.3) == pytest.approx(0.2358, abs=1e-4)
