"""Requests a person would write, through every bundled set: what each rule is there for, and what it gets wrong."""

from typing import Any

import pytest

from pricing import PriceBook
from router import bundled_rules, load_rules
from tests.router.samples import batch

LONG = " Please think of the people who will read it, and of those who will have to keep it running after us." * 2
CODE = "Refactor this Python class so that it can be tested."
PROOF = "Prove that the square root of two is irrational."

STARTER: dict[str, tuple[str, dict[str, Any], str]] = {
    "a greeting is simple": ("Hi, how are you?", {}, "simple_chat"),
    "a short question for code is caught by simple_chat, which comes first": (CODE, {}, "simple_chat"),
    "the same question marked complex goes to code": (CODE, {"complex": True}, "code"),
    "a long question for code goes to code": (CODE + LONG, {}, "code"),
    "a short proof marked complex goes to reasoning": (PROOF, {"complex": 1}, "reasoning"),
    "a long proof goes to reasoning": (PROOF + LONG, {}, "reasoning"),
    "a long proof about a class of numbers goes to code, as class is a word of code's": (
        PROOF + LONG + " Any class of numbers will do.",
        {},
        "code",
    ),
    "a long letter goes to the default": ("Write a kind letter to my aunt." + LONG, {}, "default"),
    "improve holds prove, and the letter goes to reasoning": ("Improve my letter." + LONG, {}, "reasoning"),
    "complex that says false in words is still complex": ("Hi", {"complex": "false"}, "default"),
    "complex that is false or empty is simple": ("Hi", {"complex": ""}, "simple_chat"),
    "no text at all is short": ("", {}, "simple_chat"),
    "199 characters are short": ("x" * 199, {}, "simple_chat"),
    "200 characters are not": ("x" * 200, {}, "default"),
}

CASE: dict[str, tuple[str, dict[str, Any], str]] = {
    "a greeting is simple": ("Hi, how are you?", {}, "simple"),
    "a short question for code goes to code, which comes first here": (CODE, {}, "code"),
    "two words stand for code as well": ("Write code for a queue.", {}, "code"),
    "a long question for code goes to code": (CODE + LONG, {}, "code"),
    "a short question about data is simple, too": ("Which month sold best?", {}, "simple"),
    "a short question marked complex is analytics": ("Which month sold best?", {"complex": True}, "analytics"),
    "a long question about data is analytics": ("Compare the two campaigns." + LONG, {}, "analytics"),
    "classify holds class, and the reviews go to code": ("Classify these reviews." + LONG, {}, "code"),
}


@pytest.mark.parametrize("case", STARTER)
@pytest.mark.parametrize("name", ["starter", "current"])
def test_starter_and_current(name: str, case: str) -> None:
    text, held, rule = STARTER[case]
    assert load_rules(name).route(text, held).name == rule


@pytest.mark.parametrize("case", CASE)
def test_case(case: str) -> None:
    text, held, rule = CASE[case]
    assert load_rules("case").route(text, held).name == rule


@pytest.mark.parametrize("name", bundled_rules())
def test_a_trace_without_texts_is_left_undecided(name: str) -> None:
    assert load_rules(name).route_batch(batch({"prompt": None}, {"prompt": "hi"})).chosen.tolist()[0] == -1


@pytest.mark.parametrize("name", bundled_rules())
def test_every_model_of_a_bundled_set_has_a_price_and_a_reason(name: str) -> None:
    book = PriceBook.load()
    for rule in load_rules(name).rules:
        assert rule.reason, rule
        for target in (rule.target, *rule.fallback):
            assert book.quote(book.require(target, rule.name), book.date) is not None, target


def test_the_starter_rules_use_the_models_the_seed_does() -> None:
    assert [rule.target for rule in load_rules("starter").rules] == [
        "groq/llama-3.1-8b-instant",
        "anthropic/claude-sonnet-4-5",
        "openai/o3-mini",
        "openai/gpt-4o",
    ]
