import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import BackrouteError
from router import (
    Condition,
    LLMRouter,
    RoutingRule,
    bundled_rules,
    dump_rules,
    estimated_cost_usd,
    has_images,
    has_tools,
    input_tokens,
    json_mode,
    latency_budget_ms,
    length,
    load_rules,
    max_output_tokens,
    mentions,
    meta,
    model,
    n_messages,
    parse_rules,
    task,
    user_id,
    weak_suffices,
)
from router.best_value import BestValue
from router.grammar import READERS
from router.learned.linear import LinearModel
from tests.router.samples import batch, conditions, requests

DEFAULT = "\n- {name: default, use: openai/gpt-4o}\n"


def when(text: str) -> Condition:
    """The condition of the first of two rules, with `text` under its `when`."""
    condition = parse_rules(f"- {{name: a, use: openai/gpt-4o, when: {text}}}{DEFAULT}").rules[0].condition
    assert isinstance(condition, Condition)
    return condition


LEARNED = str(Path(tempfile.mkdtemp()) / "learned.npz")
QUALITY = LinearModel(
    ("a/b", "c/d", "a/b for c/d"),
    "sigmoid",
    (),
    np.zeros(0),
    np.zeros((0, 3)),
    1.0,
    np.zeros(3),
    np.ones(3),
    np.zeros(3),
)
QUALITY.save(Path(LEARNED))

GRAMMAR = {
    "all": ("{all: [{has_tools: true}, {length: {below: 5}}]}", has_tools() & (length() < 5)),
    "any": ("{any: [{has_tools: true}, {length: {below: 5}}]}", has_tools() | (length() < 5)),
    "not": ("{not: {length: {below: 5}, has_tools: true}}", ~((length() < 5) & has_tools())),
    "length": ("{length: {below: 200, at_least: 10}}", (length() < 200) & (length() >= 10)),
    "mentions": ("{mentions: [refactor, sql]}", mentions("refactor", "sql")),
    "meta": ("{meta: {complex: truthy, tier: gold}}", meta("complex") & (meta("tier") == "gold")),
    "input_tokens": ("{input_tokens: {at_least: 1000}}", input_tokens() >= 1000),
    "estimated_cost_usd": ("{estimated_cost_usd: {below: 0.01}}", estimated_cost_usd() < 0.01),
    "latency_budget_ms": ("{latency_budget_ms: {at_most: 500}}", latency_budget_ms() <= 500),
    "n_messages": ("{n_messages: {above: 3}}", n_messages() > 3),
    "max_output_tokens": ("{max_output_tokens: {below: 1_000}}", max_output_tokens() < 1000),
    "has_tools": ("{has_tools: false}", has_tools(False)),
    "has_images": ("{has_images: true}", has_images()),
    "json_mode": ("{json_mode: [true]}", json_mode()),
    "user_id": ("{user_id: [ann, bo]}", user_id() == ["ann", "bo"]),
    "weak_suffices": (
        f"{{weak_suffices: {{weak: a/b, strong: c/d, at_least: 0.7, model: {LEARNED}}}}}",
        weak_suffices("a/b", "c/d", model=LEARNED) >= 0.7,
    ),
    "best_value": (
        f"{{best_value: {{pick: a/b, of: [a/b, c/d], quality_per_usd: 10, model: {LEARNED}}}}}",
        BestValue("a/b", ("a/b", "c/d"), 10, LEARNED),
    ),
    "task": ("{task: {code: {at_least: 0.6}}}", task("code") >= 0.6),
    "model": ("{model: gpt-4o}", model() == "gpt-4o"),
}


@pytest.mark.parametrize("key", READERS)
def test_every_key_under_when_means_what_it_does_in_python(key: str) -> None:
    text, condition = GRAMMAR[key]
    assert when(text) == condition


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("{length: {below: 5}, not: {meta: {complex: truthy}}}", (length() < 5) & ~meta("complex")),
        ("{mentions: {any: [sql], whole_word: true}}", mentions("sql", whole_word=True)),
        ("{mentions: {any: [sql]}}", mentions("sql")),
        ("{meta: {n: 1, flag: true, share: 0.5}}", (meta("n") == 1) & (meta("flag") == True) & (meta("share") == 0.5)),  # noqa: E712
        ("{all: [{has_tools: true}]}", has_tools()),
        ("{length: {below: .inf}}", length() < float("inf")),
        ("{any: &words [{mentions: [a]}, {mentions: [b]}], not: {all: *words}}", None),
    ],
)
def test_the_longer_forms_are_read_too(text: str, condition: Condition | None) -> None:
    either, both = mentions("a") | mentions("b"), mentions("a") & mentions("b")
    assert when(text) == (either & ~both if condition is None else condition)


def test_a_rule_has_all_that_its_entry_says() -> None:
    text = (
        "rules:\n- {name: a, when: {has_tools: true}, use: groq/openai/x, fallback: [p/q, r/s], reason: Why}" + DEFAULT
    )
    first, last = parse_rules(text).rules
    assert first == RoutingRule("a", has_tools(), "groq", "openai/x", "Why", ("p/q", "r/s"))
    assert last == RoutingRule("default", None, "openai", "gpt-4o")


MISTAKES = {
    "[": ("r.yaml:1", "not YAML"),
    "- {name: a\n  use: b": ("r.yaml:2", "not YAML"),
    "- {name: 'a': b}": ("r.yaml:1", "not YAML"),
    "\x00": ("r.yaml", "not YAML"),
    "- 2024-02-30": ("r.yaml", "put unusual values in quotes"),
    "- !!python/object:os.system {}": ("r.yaml:1", "not YAML"),
    "- !!bool maybe": ("r.yaml", "not YAML"),
    "a: 1\n---\nb: 2": ("r.yaml:2", "not YAML"),
    "": ("r.yaml", "no rules in it"),
    "[]": ("r.yaml", "no rules in it"),
    "rules: []": ("r.yaml", "no rules in it"),
    "rules: {a: 1}": ("r.yaml", "no rules in it"),
    "just words": ("r.yaml", "no rules in it"),
    "rulse: []": ("r.yaml", "unknown key ('rulse'); did you mean 'rules'?"),
    "- a": ("r.yaml: rule 1", "not a mapping (a); write name, when, use"),
    "- {use: openai/gpt-4o}": ("r.yaml: rule 1", "no name"),
    "- {name: 5, use: openai/gpt-4o}": ("r.yaml: rule 1", "no name (5)"),
    "- {name: a}": ("r.yaml: rule 'a', use", "not provider/model (None); for example openai/gpt-4o"),
    "- {name: a, use: gpt-4o}": ("r.yaml: rule 'a', use", "not provider/model ('gpt-4o')"),
    "- {name: a, use: /x/y}": ("r.yaml: rule 'a', use", "not provider/model"),
    "- {name: a, use: 'x/y z'}": ("r.yaml: rule 'a', use", "not provider/model"),
    "- {name: a, ues: x/y}": ("r.yaml: rule 'a'", "unknown key ('ues'); did you mean 'use'?"),
    "- {name: a, use: x/y, fallback: x/z}": ("r.yaml: rule 'a'", "`fallback` needs a list"),
    "- {name: a, use: x/y, fallback: [z]}": ("r.yaml: rule 'a', fallback", "not provider/model ('z')"),
    "- {name: a, use: x/y, reason: 5}": ("r.yaml: rule 'a'", "`reason` is a text (5)"),
    "- {name: a, use: x/y, when: {has_tools: true}}": ("r.yaml: rule 'a'", "the last rule has a `when`"),
    "- {name: a, use: x/y}" + DEFAULT: ("r.yaml: rule 'a'", "no condition, though it is not the last rule"),
    "- {name: default, when: {has_tools: true}, use: x/y}" + DEFAULT: ("r.yaml: rule 'default'", "the same name"),
    "- {name: a, use: x/y, name: b}": ("r.yaml:1", "the key 'name' stands here twice"),
    "- {name: a, use: x/y, when: {length: {below: 1, below: 2}}}": ("r.yaml:1", "the key 'below' stands here twice"),
    "- {<<: {name: a}, use: x/y}": ("r.yaml:1", "`<<` has no meaning"),
    '- {name: "\\ud800", use: x/y}': ("r.yaml", "half a character"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_a_rules_file_is_named_with_its_place_and_its_mending(text: str) -> None:
    where, said = MISTAKES[text]
    with pytest.raises(BackrouteError) as caught:
        parse_rules(text, where="r.yaml")
    assert caught.value.where == where
    assert said in str(caught.value)
    assert caught.value.fix


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = """
- {name: a, when: {lenght: {below: 200}, mentions: sql}, use: groq, fallback: [gpt-4o]}
- 5
- {name: b, when: {any: [{length: {bellow: 5}}, {not: {has_tools: 1}}]}, ues: openai/gpt-4o-mini, reason: 5}
- {name: default, use: openai/gpt-4o}
"""
    with pytest.raises(BackrouteError) as caught:
        parse_rules(text, where="r.yaml")
    assert str(caught.value).splitlines() == [
        "r.yaml: 9 mistakes",
        "- rule 'a', use: not provider/model ('groq'); for example openai/gpt-4o.",
        "- rule 'a': unknown key ('lenght'); did you mean 'length'?",
        "- rule 'a': `mentions` needs a list of words (sql); for example [refactor, sql].",
        "- rule 'a', fallback: not provider/model ('gpt-4o'); for example openai/gpt-4o.",
        "- rule 2: not a mapping (5); write name, when, use.",
        "- rule 'b': unknown key ('ues'); did you mean 'use'?",
        "- rule 'b', length: unknown key ('bellow'); did you mean 'below'?",
        "- rule 'b': `has_tools` is true or false, or a list of such (1); put texts in quotes.",
        "- rule 'b': `reason` is a text (5); put it in quotes.",
    ]


WRONG = {
    "5": "a condition is a mapping (5)",
    "{}": "a condition is a mapping ({})",
    "null": "a condition is a mapping (null)",
    "[{has_tools: true}]": "a condition is a mapping",
    "{lenght: {below: 5}}": "unknown key ('lenght'); did you mean 'length'?",
    "{5: 6}": "unknown key (5)",
    "{length: 5}": "`length` needs a comparison (5)",
    "{length: {}}": "`length` needs a comparison",
    "{length: {bellow: 5}}": "unknown key ('bellow'); did you mean 'below'?",
    "{length: {below: '5'}}": "no number ('5')",
    "{length: {below: 1e3}}": "no number ('1e3')",
    "{length: {below: true}}": "no number (True)",
    "{length: {below: null}}": "no number (None)",
    "{length: {below: .nan}}": "no number (nan)",
    "{all: {has_tools: true}}": "`all` needs a list of conditions",
    "{any: []}": "`any` needs a list of conditions",
    "{any: [5]}": "a condition is a mapping (5)",
    "{not: [{has_tools: true}]}": "a condition is a mapping",
    "{has_tools: 1}": "`has_tools` is true or false, or a list of such (1)",
    "{has_tools: []}": "`has_tools` is true or false",
    "{user_id: 5}": "`user_id` is a text, or a list of such (5)",
    "{user_id: [ann, 5]}": "`user_id` is a text, or a list of such",
    "{model: null}": "`model` is a text",
    "{mentions: sql}": "`mentions` needs a list of words (sql)",
    "{mentions: []}": "`mentions` needs a list of words",
    "{mentions: ['']}": "`mentions` needs a list of words",
    "{mentions: [no]}": "`mentions` needs a list of words ([False])",
    "{mentions: {whole_word: true}}": "`mentions` needs a list of words (null)",
    "{mentions: {any: [a], whole: true}}": "unknown key ('whole'); did you mean 'whole_word'?",
    "{mentions: {any: [a], whole_word: 1}}": "`whole_word` is no boolean (1)",
    "{meta: complex}": "`meta` needs a mapping",
    "{meta: {complex: [1]}}": "neither a text, a number nor a boolean ([1])",
    "{meta: {complex: null}}": "neither a text, a number nor a boolean (None)",
    "{meta: {since: 2024-01-01}}": "put it in quotes",
    "{meta: {5: 1}}": "the key is no text (5)",
    "{meta: {n: .inf}}": "neither a text, a number nor a boolean (inf)",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_under_when_is_named_with_its_rule_and_its_mending(text: str) -> None:
    with pytest.raises(BackrouteError) as caught:
        when(text)
    assert caught.value.where.startswith("rules: rule 'a'")
    assert WRONG[text] in str(caught.value)
    assert caught.value.fix


def nested(depth: int) -> str:
    return "{not: " * depth + "{has_tools: true}" + "}" * depth


def test_deep_nesting_is_refused_and_a_deep_thought_is_not() -> None:
    assert str(when(nested(40))).startswith("~~~")
    with pytest.raises(BackrouteError, match="nested more than 50 deep"):
        when(nested(60))
    with pytest.raises(BackrouteError, match="nested too deeply"):
        when(nested(5_000))


def test_anchors_that_multiply_or_hold_themselves_are_bounded() -> None:
    """Nine doublings of ten are 10⁹ conditions in 1 kB of YAML."""
    levels = "".join(f"b{n}: &b{n} [{', '.join([f'{{any: *b{n - 1}}}'] * 10)}]\n" for n in range(1, 10))
    bomb = f"b0: &b0 [{{has_tools: true}}]\n{levels}rules: []"
    for text in (bomb, "rules: &r [*r]", "rules: &r {rules: *r}"):
        with pytest.raises(BackrouteError, match="mind anchors"):
            parse_rules(text)


@given(text=st.text(st.sampled_from("-:{}[]\"'&*!|>%@#\n \tabnuse/0.\\xud8"), max_size=40) | st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_rules_or_a_named_mistake(text: str) -> None:
    for held in (text, f"- {{name: a, use: x/y, when: {text}}}{DEFAULT}"):
        try:
            parse_rules(held)
        except BackrouteError as error:
            assert error.fix  # noqa: PT017 - either outcome will do


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*READERS, "below", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(value=values)
@settings(max_examples=300, deadline=None)
def test_any_value_under_when_is_a_condition_or_a_named_mistake(value: Any) -> None:
    entry = {"name": "a", "use": "openai/gpt-4o", "when": value}
    text = yaml.safe_dump([entry, {"name": "b", "use": "openai/gpt-4o"}])
    try:
        routed = parse_rules(text)
    except BackrouteError as error:
        assert error.fix  # noqa: PT017 - either outcome will do
    else:
        assert routed.route("hi", {"x": "y"}).name in ("a", "b")


@given(
    tests=st.lists(conditions, min_size=1, max_size=3),
    words=st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.text(st.sampled_from(" \n\x85\u2028'\"#:-a")),
    rows=st.lists(requests, min_size=1, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_rules_written_and_read_back_are_equal_and_decide_alike(
    tests: list[Condition], words: str, rows: list[dict[str, Any]]
) -> None:
    rules = [RoutingRule(f"{words} {n}", test, "openai", "gpt-4o", words, ("p/q",)) for n, test in enumerate(tests)]
    routed = LLMRouter([*rules, RoutingRule("rest", None, "openai", "gpt-4o")])
    again = parse_rules(dump_rules(routed))
    assert again.rules == routed.rules
    assert again.digest() == routed.digest()
    assert dump_rules(again) == dump_rules(routed)
    requested = batch(*rows)
    assert again.route_batch(requested).chosen.tolist() == routed.route_batch(requested).chosen.tolist()


@pytest.mark.parametrize(
    "text", ["\x85", "\u2028", "\u2029 a", "\ufeff", "\n \n", " a ", "'", '"', "- a: b", "#", "\x00\x1b", "null", "5"]
)
def test_words_that_yaml_might_take_for_something_else_are_read_back_as_they_were(text: str) -> None:
    rules = [RoutingRule(text, mentions(text) & (meta(text) == text), "p", "q", text), RoutingRule("b", None, "p", "q")]
    assert parse_rules(dump_rules(LLMRouter(rules))).rules == tuple(rules)


@pytest.mark.parametrize("name", bundled_rules())
def test_a_bundled_set_survives_the_round_trip(name: str) -> None:
    assert parse_rules(dump_rules(load_rules(name))).rules == load_rules(name).rules


def test_a_callable_cannot_be_written_down() -> None:
    routed = LLMRouter(
        [RoutingRule("mine", lambda text, _: bool(text), "p", "1"), RoutingRule("b", None, "openai", "gpt-4o")]
    )
    with pytest.raises(BackrouteError, match="rule 'mine': its condition is a Python function"):
        dump_rules(routed)


def test_a_file_is_found_by_its_path_and_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "june.yaml"
    path.write_text("\ufeff" + DEFAULT, "utf-8")
    assert load_rules(path).name == "june"
    assert load_rules(str(path)).rules == parse_rules(DEFAULT).rules


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "rules.yaml"
    binary.write_bytes(b"\xff\xfe\x00rules")
    for source, said in (
        (binary, "not UTF-8 text"),
        (tmp_path, "cannot be read"),
        (tmp_path / "no", "no such rules file"),
    ):
        with pytest.raises(BackrouteError, match=said) as caught:
            load_rules(source)
        assert caught.value.where == str(source)
        assert caught.value.fix


def test_a_bundled_set_misspelt_is_offered_by_its_name() -> None:
    with pytest.raises(BackrouteError, match=r"starer: no such rules file; did you mean 'starter'\?"):
        load_rules("starer")
    with pytest.raises(BackrouteError, match="a bundled set: case, current, starter"):
        load_rules("zzz")
