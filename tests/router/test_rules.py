from typing import Any

import numpy as np
import pytest

from problems import BackrouteError
from router import LLMRouter, RoutingRule, dump_rules, has_tools, length, load_rules, mentions, meta, n_messages
from tests.router.samples import batch

DEFAULT = RoutingRule("default", None, "openai", "gpt-4o", "General purpose")


def test_the_seeds_own_calls_work_as_they_stand() -> None:
    routed = LLMRouter(
        [
            RoutingRule(
                name="simple_chat",
                condition=lambda text, meta: len(text) < 200 and not meta.get("complex"),
                provider="groq",
                model="llama-3.1-8b-instant",
                reason="Short simple query using fast inference",
            ),
            DEFAULT,
        ]
    )
    assert routed.route("hi") is routed.rules[0]
    assert routed.route("hi", {"complex": True}) is routed.rules[1]
    assert routed.route("x" * 200, {}).target == "openai/gpt-4o"
    assert routed.route("hi").reason == "Short simple query using fast inference"


def test_a_router_without_arguments_has_the_starter_rules() -> None:
    assert LLMRouter().rules == load_rules("starter").rules
    assert LLMRouter().name == "starter"
    assert LLMRouter().digest() == load_rules("starter").digest()


def test_the_first_rule_that_matches_wins() -> None:
    routed = LLMRouter(
        [RoutingRule("a", mentions("x"), "p", "1"), RoutingRule("b", mentions("x", "y"), "p", "2"), DEFAULT]
    )
    chosen = routed.route_batch(batch({"prompt": "xy"}, {"prompt": "y"}, {"prompt": "z"})).chosen
    assert chosen.tolist() == [0, 1, 2]


def test_the_last_rule_is_the_default_even_where_its_condition_fails_or_cannot_be_decided() -> None:
    routed = LLMRouter([RoutingRule("a", has_tools(), "p", "1"), RoutingRule("b", length() < 5, "p", "2")])
    requests = batch({"prompt": "a long one"}, {"prompt": None}, {"prompt": None, "has_tools": True})
    assert routed.route_batch(requests).chosen.tolist() == [1, 1, 0]
    only = LLMRouter([RoutingRule("only", length() < 5, "p", "1")])
    assert only.route("a long one").name == "only"


def test_where_a_rule_needs_a_text_that_is_not_there_nothing_is_decided() -> None:
    """Not even by a later rule that does match: with the text, the earlier one might have won."""
    routed = LLMRouter(
        [
            RoutingRule("talk", n_messages() > 5, "p", "0"),
            RoutingRule("short", length() < 5, "p", "1"),
            RoutingRule("tools", has_tools(), "p", "2"),
            DEFAULT,
        ]
    )
    requests = batch(
        {"has_tools": True}, {"n_messages": 6}, {"prompt": "hi"}, {"prompt": "hi there", "has_tools": True}
    )
    assert routed.route_batch(requests).chosen.tolist() == [-1, 0, 1, 2]
    with pytest.raises(BackrouteError, match="a rule needs the request's text"):
        routed.route_one({"has_tools": True})
    with pytest.raises(BackrouteError, match="a rule needs the request's text"):
        routed.route(None)  # type: ignore[arg-type]


def test_an_empty_text_is_a_text() -> None:
    assert LLMRouter().route("").name == "simple_chat"


def test_callables_run_in_columns_are_timed_and_see_only_what_is_still_undecided() -> None:
    seen: list[str] = []

    def slow(text: str, held: dict[str, Any]) -> bool:
        seen.append(text)
        return bool(held.get("go"))

    routed = LLMRouter([RoutingRule("quick", length() < 3, "p", "1"), RoutingRule("slow", slow, "p", "2"), DEFAULT])
    rows = [{"prompt": "hi"}, {"prompt": "hello", "meta": '{"go": 1}'}, {"prompt": "hello again"}]
    decided = routed.route_batch(batch(*rows))
    assert decided.chosen.tolist() == [0, 1, 2]
    assert seen == ["hello", "hello again"]
    assert set(decided.seconds) == {"slow"}
    assert decided.seconds["slow"] > 0
    assert LLMRouter([RoutingRule("quick", length() < 3, "p", "1"), DEFAULT]).route_batch(batch(*rows)).seconds == {}


def test_a_callable_may_answer_with_anything_that_has_a_truth() -> None:
    answers: dict[str, Any] = {"yes": np.True_, "zero": 0, "none": None, "word": "x"}
    routed = LLMRouter([RoutingRule("a", lambda text, _: answers[text], "p", "1"), DEFAULT])
    assert [routed.route(text).name for text in answers] == ["a", "default", "default", "a"]


@pytest.mark.parametrize("broken", [lambda _text, held: held["absent"], lambda _text: True, has_tools, (1).__add__])
def test_a_callable_that_fails_is_named_and_not_taken_for_false(broken: Any) -> None:
    routed = LLMRouter([RoutingRule("mine", broken, "p", "1"), DEFAULT])
    with pytest.raises(BackrouteError, match="rule 'mine': its condition failed"):
        routed.route("hi")
    with pytest.raises(BackrouteError, match="rule 'mine': its condition failed"):
        routed.route_batch(batch({"prompt": "hi"}))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "no rules in it; add at least one"),
        (
            [RoutingRule("a", has_tools(), "p", "1"), RoutingRule("a", None, "p", "2")],
            "an earlier rule has the same",
        ),
        ([RoutingRule("a", None, "p", "1"), DEFAULT], "no condition, though it is not the last"),
        ([RoutingRule("a", length(), "p", "1"), DEFAULT], "neither a condition nor a callable"),  # type: ignore[arg-type]
        ([RoutingRule("a", False, "p", "1"), DEFAULT], "neither a condition nor a callable"),  # type: ignore[arg-type]
        (["starter"], "not a RoutingRule"),
    ],
)
def test_rules_that_cannot_stand_together_are_refused(rules: list[RoutingRule], said: str) -> None:
    with pytest.raises(BackrouteError, match=said):
        LLMRouter(rules, name="mine")


def test_matches_tells_every_condition_whatever_came_before_it() -> None:
    routed = LLMRouter([RoutingRule("a", length() < 5, "p", "1"), RoutingRule("b", mentions("x"), "p", "2"), DEFAULT])
    rows: list[dict[str, Any]] = [{"prompt": "x"}, {"prompt": "long x"}, {"prompt": "longer"}, {"prompt": None}]
    holds, unknown = routed.matches(batch(*rows))
    assert holds.tolist() == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, True],
    ]
    assert unknown.tolist() == [[False, False, False, True], [False, False, False, True], [False] * 4]


def test_the_digest_changes_with_whatever_could_change_a_decision() -> None:
    def one(text: str, held: dict[str, Any]) -> bool:
        return bool(text or held)

    def two(text: str, held: dict[str, Any]) -> bool:
        return bool(text and held)

    rule = RoutingRule("a", length() < 5, "p", "m")
    variants = [
        [rule, DEFAULT],
        [RoutingRule("b", length() < 5, "p", "m"), DEFAULT],
        [RoutingRule("a", length() < 6, "p", "m"), DEFAULT],
        [RoutingRule("a", length() <= 5, "p", "m"), DEFAULT],
        [RoutingRule("a", length() < 5, "p", "n"), DEFAULT],
        [RoutingRule("a", length() < 5, "p", "m", fallback=("p/n",)), DEFAULT],
        [RoutingRule("a", meta("k") == 1, "p", "m"), DEFAULT],
        [RoutingRule("a", meta("k") == True, "p", "m"), DEFAULT],  # noqa: E712
        [RoutingRule("a", one, "p", "m"), DEFAULT],
        [RoutingRule("a", two, "p", "m"), DEFAULT],
        [DEFAULT],
    ]
    assert len({LLMRouter(rules).digest() for rules in variants}) == len(variants)
    assert LLMRouter([rule, DEFAULT], name="x").digest() == LLMRouter([rule, DEFAULT], name="y").digest()


def test_a_router_shows_its_rules_in_order() -> None:
    assert repr(LLMRouter([RoutingRule("a", length() < 5, "p", "m"), DEFAULT], name="mine")).splitlines() == [
        "LLMRouter('mine'):",
        "  a: length() < 5 -> p/m",
        "  default: otherwise -> openai/gpt-4o",
    ]


def test_a_default_with_a_condition_is_written_as_the_default_it_is() -> None:
    routed = LLMRouter([RoutingRule("a", has_tools(), "p", "1"), RoutingRule("b", length() < 5, "p", "2")])
    assert "when" not in dump_rules(routed).split("name: b")[1]
