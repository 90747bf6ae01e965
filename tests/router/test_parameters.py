import pytest

from problems import BackrouteError
from router import LLMRouter, RoutingRule, has_tools, length, load_rules, mentions, n_messages, task
from router.parameters import Parameter, paths, read_parameter, settings, with_values

RULES = LLMRouter(
    [
        RoutingRule("simple.chat", (length() < 200) & ~has_tools(), "openai", "gpt-4o-mini"),
        RoutingRule("code", (task("code") >= 0.6) | (mentions("sql") & (n_messages() > 2)), "openai", "gpt-4o"),
        RoutingRule("rest", None, "openai", "gpt-4o"),
    ]
)


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("a.length.below=100:400:50", (100, 150, 200, 250, 300, 350, 400)),
        ("a.task.code.at_least=0.1:0.4:0.1", (0.1, 0.2, 0.3, 0.4)),
        ("a.length.below=100:120:50", (100,)),
        ("a.length.below=5,7.5", (5, 7.5)),
    ],
)
def test_values_are_a_range_with_both_ends_or_a_list(said: str, values: tuple[float, ...]) -> None:
    assert read_parameter(said) == Parameter(said.partition("=")[0], values)


@pytest.mark.parametrize("said", ["a", "a=", "a=x", "=1", "a=1:2", "a=1:2:0", "a=2:1:1", "a=0:1:1e-9", "a=nan"])
def test_anything_else_is_an_error_with_an_example(said: str) -> None:
    with pytest.raises(BackrouteError, match=r"simple_chat\.length\.below=100:400:50"):
        read_parameter(said)


def test_every_number_of_the_rules_has_a_path() -> None:
    assert paths(RULES) == [
        "simple.chat.length.below",
        "code.any.0.task.code.at_least",
        "code.any.1.n_messages.above",
    ]


def test_a_value_takes_the_place_of_the_number_at_its_path_alone() -> None:
    changed = with_values(RULES, {"simple.chat.length.below": 9, "code.any.1.n_messages.above": 7})
    assert changed.rules[0].condition == (length() < 9) & ~has_tools()
    assert changed.rules[1].condition == (task("code") >= 0.6) | (mentions("sql") & (n_messages() > 7))
    assert (changed.rules[2], changed.name) == (RULES.rules[2], RULES.name)
    assert RULES.rules[0].condition == (length() < 200) & ~has_tools()


def test_a_star_speaks_of_every_rule_that_has_the_path() -> None:
    router = LLMRouter([RoutingRule(n, length() < 5, "openai", n) for n in "ab"] + [RoutingRule("c", None, "x", "y")])
    changed = with_values(router, {"*.length.below": 9})
    assert [rule.condition for rule in changed.rules] == [length() < 9, length() < 9, None]


def test_every_combination_is_tried() -> None:
    wanted = [Parameter("simple.chat.length.below", (1, 2)), Parameter("code.any.1.n_messages.above", (3, 4))]
    assert [tuple(values.values()) for values, _ in settings(RULES, wanted)] == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_a_wrong_path_is_answered_with_the_nearest_or_all() -> None:
    with pytest.raises(BackrouteError, match=r"simple_chat\.length\.below"):
        with_values(load_rules("starter"), {"simple_chat.lenght.below": 1})
    with pytest.raises(BackrouteError, match="0 to 1"):
        with_values(RULES, {"code.any.0.task.code.at_least": 2})
    with pytest.raises(BackrouteError, match="1,000 at most"):
        list(settings(RULES, [Parameter("simple.chat.length.below", tuple(range(1001)))]))
