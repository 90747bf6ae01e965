from decimal import Decimal

from pricing import PriceBook
from router import LLMRouter, RoutingRule, length, load_rules, task
from simulator import Assumptions, Scenario, replay
from tests.simulator.conftest import call
from workloads import read_log

FULL = "openai/gpt-4o"
TEXTS = ["Write a Python function that sorts tuples", "good morning", "which month had the highest sales?"]


def by_task() -> LLMRouter:
    return LLMRouter(
        [
            RoutingRule("code", (task("code") >= 0.5) | (task("reasoning") > 0.9), "openai", "gpt-4o"),
            RoutingRule("rest", None, "openai", "gpt-4o"),
        ]
    )


def test_a_model_asked_twice_scores_once_and_is_paid_once() -> None:
    """0.0003 s of a core at $0.05 an hour = 0.0003 / 3600 x 0.05 = $4.167e-9 = 4,167 picodollars."""
    assert by_task().overhead_pico == 4167
    assert load_rules("starter").overhead_pico == 0


def test_what_deciding_costs_stands_in_the_waterfall_and_adds_up(book: PriceBook) -> None:
    """Three requests to the baseline's own model: the saving is minus three decisions, and nothing else."""
    log = read_log([call(n, prompt=text) for n, text in enumerate(TEXTS)])
    base = Scenario.always(FULL, book, assumptions=Assumptions("as_logged"))
    _, after = replay(log, base, Scenario("by task", by_task(), book, assumptions=Assumptions("as_logged")))
    waterfall = after.summary["waterfall"]
    assert Decimal(waterfall["overhead_usd"]) == Decimal(-3 * 4167).scaleb(-12)
    assert {Decimal(waterfall[f"{step}_usd"]) for step in ("token", "price", "cache", "retry")} == {0}
    assert Decimal(after.summary["savings"]["usd"]) == Decimal(waterfall["overhead_usd"])


def test_rules_without_learned_scores_cost_nothing_to_decide(book: PriceBook) -> None:
    rules = LLMRouter(
        [RoutingRule("short", length() < 20, "openai", "gpt-4o-mini"), RoutingRule("rest", None, "openai", "gpt-4o")]
    )
    log = read_log([call(n, prompt=text) for n, text in enumerate(TEXTS)])
    _, after = replay(log, Scenario.always(FULL, book), Scenario("short", rules, book))
    assert Decimal(after.summary["waterfall"]["overhead_usd"]) == 0
