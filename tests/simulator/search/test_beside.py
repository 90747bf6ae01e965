from decimal import Decimal

import pytest

from pricing import PriceBook
from problems import BackrouteError
from router import Cheapest
from simulator import ReplayResult, Scenario, replay
from simulator.scenario import Assumptions
from simulator.search.beside import best_single, equal_spend, hindsight_usd, routed_usd
from tests.simulator.conftest import CODE_TO_MINI, call
from workloads import read_log

COPIED = Assumptions(output="as_logged")


@pytest.fixture(scope="module")
def results(book: PriceBook) -> tuple[ReplayResult, ...]:
    """40 calls of $0.0035 on gpt-4o and $0.00021 on gpt-4o-mini; rules send every other one to mini."""
    log = read_log([call(n, prompt="code" if n % 2 else "talk") for n in range(40)])
    mini, full = (Scenario.always(f"openai/{name}", book, assumptions=COPIED) for name in ("gpt-4o-mini", "gpt-4o"))
    rules = Scenario("rules", CODE_TO_MINI, book, assumptions=COPIED)
    return replay(log, full, rules, mini, full)


def test_the_best_single_model_is_the_cheapest_arm(results: tuple[ReplayResult, ...]) -> None:
    assert best_single(results[2:]).scenario.name == "openai/gpt-4o-mini"
    with pytest.raises(BackrouteError, match="no results"):
        best_single([])


def test_hindsight_is_at_most_the_best_single_model(results: tuple[ReplayResult, ...]) -> None:
    """Mini is the cheapest for every request: 40 x $0.00021 = $0.0084."""
    assert hindsight_usd(results[1:]) == Decimal("0.0084") == routed_usd(results[2])
    with pytest.raises(BackrouteError, match="not the baseline"):
        hindsight_usd(results)


def test_a_lottery_of_equal_spend_costs_what_the_rules_cost_on_average(
    results: tuple[ReplayResult, ...], book: PriceBook
) -> None:
    """The rules cost 20 x 0.0035 + 20 x 0.00021, the middle of the two models: half the requests each."""
    _, rules, mini, full = results
    lottery = equal_spend(rules, mini, full)
    assert lottery.name == "random 50% openai/gpt-4o, 50% openai/gpt-4o-mini"
    log = read_log([call(n) for n in range(2000)])
    _, drawn = replay(log, full.scenario, Scenario("lottery", lottery, book, assumptions=COPIED))
    assert float(routed_usd(drawn)) == pytest.approx(2000 * (0.0035 + 0.00021) / 2, rel=0.06)
    with pytest.raises(BackrouteError, match="does not lie between"):
        equal_spend(rules, full, mini)


def test_the_cheapest_model_is_chosen_by_what_is_known_at_arrival(book: PriceBook) -> None:
    """gpt-4o-mini at $0.15 and $0.60 is below claude-3-haiku at $0.25 and $1.25 whatever the lengths."""
    models = ["openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-3-haiku"]
    log = read_log([call(0), call(1, prompt=None), call(2, prompt="word " * 500, max_tokens=5)])
    base = Scenario.always("openai/gpt-4o", book)
    _, after = replay(log, base, Scenario("cheapest", Cheapest(models, book=book), book))
    chosen = after.requests().set_index("request_id")["routed_model"]
    assert chosen["r0"] == chosen["r2"] == "openai/gpt-4o-mini"
    assert chosen.isna()["r1"], "without its text nothing can be estimated"
    with pytest.raises(BackrouteError, match="no models"):
        Cheapest([])
