"""The kernel's contract: partial results are picklable, and merge exactly in any order and split."""

import pickle
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest

from pricing import PriceBook
from problems import ProblemLog
from router import load_rules
from simulator import Scenario
from simulator.kernel import Kernel, Plan
from simulator.models import ModelIndex
from simulator.prepared import Prepared, prepare
from simulator.result import Run
from simulator.summary import summarise
from simulator.sums.facts import Partial
from simulator.sums.merge import merge
from tests.simulator.conftest import call
from workloads import read_log

MODELS = ("gpt-4o", "claude-3-haiku", "gpt-4o-2024-05-13", "nobody-knows-it")


@pytest.fixture(scope="module")
def partials(book: PriceBook, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[bytes]]:
    """A run without sums, and the pickled partial results of batches of seven requests, each of its own kernel."""
    log = read_log(
        [call(n, model=MODELS[n % 4], prompt=("code " * n) or "hi", cost=0.01 * (n % 5)) for n in range(100)]
    )
    scenarios = (Scenario.always("openai/gpt-4o", book), Scenario("case", load_rules("case"), book))
    observed = prepare(log, book, ProblemLog(), tmp_path_factory.mktemp("parts"))[0].observed
    plan = pickle.loads(pickle.dumps(Plan(scenarios, 0, observed)))
    made = []
    for requests, outcomes in log.batches(rows=7):
        index = ModelIndex(book)
        batch = Prepared.batch(requests, outcomes, index)
        made.append(pickle.dumps(Kernel(plan, index)(batch).partial))
    return Run(scenarios, 0, 1.0, tmp_path_factory.mktemp("run"), Partial.of(2)), made


def test_partial_results_merge_to_the_same_summary_in_any_order(partials: tuple[Run, list[bytes]]) -> None:
    run, made = partials
    summaries = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(made)) if seed else np.arange(len(made))
        totals = reduce(merge, (pickle.loads(made[i]) for i in order), Partial.of(2))
        summaries.append(summarise(replace(run, totals=totals), 1))
    assert summaries[0]["log"]["rows"] == 100
    assert summaries[0]["as_logged"]["recorded_usd"] == "2"
    assert all(summary == summaries[0] for summary in summaries[1:])


def test_partial_results_merge_in_any_grouping(partials: tuple[Run, list[bytes]]) -> None:
    run, made = partials
    one_by_one = reduce(merge, map(pickle.loads, made), Partial.of(2))
    half = len(made) // 2
    halves = [reduce(merge, map(pickle.loads, part)) for part in (made[:half], made[half:])]
    grouped = merge(*halves)
    for totals in (one_by_one, grouped):
        assert totals.facts.sessions == 50
    assert summarise(replace(run, totals=one_by_one), 1) == summarise(replace(run, totals=grouped), 1)
