import json
import pickle
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import router
from problems import BackrouteError
from router import (
    Condition,
    Features,
    LLMRouter,
    RoutingRule,
    has_tools,
    input_tokens,
    json_mode,
    latency_budget_ms,
    length,
    max_output_tokens,
    mentions,
    meta,
    model,
    n_messages,
    user_id,
)
from tests.router.samples import DEFAULT, WORDS, batch, conditions, holds, requests, texts

TRUE, FALSE, UNKNOWN = n_messages() >= 1, n_messages() < 1, length() < 9
NO_TEXT = {"n_messages": 1, "prompt": None}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (TRUE & UNKNOWN, None),
        (FALSE & UNKNOWN, False),
        (UNKNOWN & FALSE, False),
        (UNKNOWN & TRUE, None),
        (TRUE | UNKNOWN, True),
        (UNKNOWN | TRUE, True),
        (FALSE | UNKNOWN, None),
        (UNKNOWN | FALSE, None),
        (~UNKNOWN, None),
        (~TRUE, False),
        (~FALSE, True),
        (TRUE & FALSE & UNKNOWN, False),
        (FALSE | UNKNOWN | TRUE, True),
    ],
    ids=str,
)
def test_without_text_a_condition_is_decided_only_where_the_rest_decides_it(
    condition: Condition, expected: bool | None
) -> None:
    """Kleene's three values: false wins over unknown in `&`, true in `|`, and `~` leaves unknown alone."""
    assert holds(condition, NO_TEXT) == [expected]


@pytest.mark.parametrize(
    "condition", [length() < 9, mentions("a"), input_tokens() >= 0, mentions("a", whole_word=True)]
)
def test_what_needs_the_text_is_undecidable_without_it_alone_and_among_others(condition: Condition) -> None:
    assert holds(condition, NO_TEXT) == [None]
    assert holds(condition, NO_TEXT, {"prompt": "a", "messages": []}) == [None, True]


@pytest.mark.parametrize(
    "condition",
    [
        latency_budget_ms() < 1e9,
        latency_budget_ms() >= 0,
        n_messages() >= 0,
        max_output_tokens() <= 10**9,
        meta("complex"),
        meta("tier") == "gold",
        has_tools(),
        has_tools(False),
        user_id() == "ann",
        model() == ["gpt-4o", "gpt-4o-mini"],
    ],
    ids=str,
)
def test_a_field_that_a_request_does_not_state_does_not_match(condition: Condition) -> None:
    assert holds(condition, {"prompt": "hi"}) == [False]
    assert holds(~condition, {"prompt": "hi"}) == [True]


def test_thresholds_are_exclusive_below_and_above_and_inclusive_otherwise() -> None:
    rows = [{"prompt": "x" * size} for size in (199, 200, 201)]
    assert holds(length() < 200, *rows) == [True, False, False]
    assert holds(length() <= 200, *rows) == [True, True, False]
    assert holds(length() >= 200, *rows) == [False, True, True]
    assert holds(length() > 200, *rows) == [False, False, True]
    assert holds(200 > length(), *rows) == [True, False, False]  # noqa: SIM300 - to be tried
    assert holds(length() < 199.5, *rows) == [True, False, False]


def test_length_counts_characters_and_not_bytes() -> None:
    assert holds(length() >= 3, {"prompt": "äöü"}, {"prompt": "😀😀"}, {"prompt": ""}) == [True, False, False]


def test_huge_numbers_compare_without_overflow() -> None:
    row = {"max_output_tokens": 2**60 + 1, "latency_budget_ms": 1e300}
    assert holds(max_output_tokens() > 0.5, row) == [True]
    assert holds(max_output_tokens() < 2**70, row) == [True]
    assert holds(latency_budget_ms() > 2**60, row) == [True]
    assert holds(latency_budget_ms() < float("inf"), row) == [True]


def test_a_budget_that_is_not_a_number_matches_no_threshold() -> None:
    row = {"latency_budget_ms": float("nan")}
    assert holds(latency_budget_ms() < 1, row) == holds(latency_budget_ms() >= 1, row) == [False]


@pytest.mark.parametrize("threshold", [float("nan"), "200", None, True, 10**400, [1], 1j])
def test_a_threshold_that_is_no_number_is_refused(threshold: Any) -> None:
    with pytest.raises(BackrouteError, match="compared with something that is no number"):
        length() < threshold  # noqa: B015 - raises


def test_numpy_thresholds_become_plain_numbers_so_that_sweeps_can_be_written_down() -> None:
    whole: Any = length() < np.int64(7)
    fraction: Any = length() < np.float64(0.5)
    assert (whole, fraction) == (length() < 7, length() < 0.5)
    assert whole.to_yaml() == {"length": {"below": 7}}
    assert type(fraction.to_yaml()["length"]["below"]) is float


def test_a_word_is_found_inside_others_unless_whole_words_are_asked_for() -> None:
    rows = [{"prompt": text} for text in ("classify", "a Class.", "sub_class", "class2", "класclass", "class", "no")]
    assert holds(mentions("class"), *rows) == [True, True, True, True, True, True, False]
    assert holds(mentions("class", whole_word=True), *rows) == [False, True, False, False, False, True, False]


def test_whole_words_end_at_line_breaks_and_beside_each_other() -> None:
    rows = [{"prompt": text} for text in ("a\nsql\nb", "sql sql", "(sql)", "sql٣", "\0sql\0")]
    assert holds(mentions("sql", whole_word=True), *rows) == [True, True, True, False, True]


def test_words_are_taken_literally() -> None:
    assert holds(mentions("c++", r"\d", "(", "a.b"), *({"prompt": t} for t in ("C++", "5", "(", "aXb", r"\D"))) == [
        *(True, False, True, False, True)
    ]


@pytest.mark.parametrize("words", [(), ("",), ("a", ""), (1,), (["a", "b"],), (None,), (True,)])
def test_words_to_mention_must_be_texts_that_are_not_empty(words: tuple[Any, ...]) -> None:
    with pytest.raises(BackrouteError, match="needs a list of words"):
        mentions(*words)


def every_letter() -> list[str]:
    return [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]


def test_exactly_two_letters_beyond_ascii_fold_onto_ascii_ones() -> None:
    """What the quick way of a live request rests on: RE2, asked about every character there is."""
    letters = every_letter()
    found = pc.match_substring_regex(pa.array(letters), "[a-z]", ignore_case=True)
    beyond = [letter for letter in pa.array(letters).filter(found).to_pylist() if not letter.isascii()]
    assert beyond == ["\u017f", "\u212a"]
    assert holds(mentions("s"), {"prompt": "\u017f"}) == holds(mentions("k"), {"prompt": "\u212a"}) == [True]


@given(text=texts, words=st.lists(st.sampled_from(WORDS) | st.text(min_size=1, max_size=3), min_size=1, max_size=5))
@settings(max_examples=400, deadline=None)
def test_the_case_rule_is_the_same_for_one_request_and_for_many(text: str, words: list[str]) -> None:
    condition = mentions(*words)
    alone, beside = holds(condition, {"prompt": text}), holds(condition, {"prompt": text}, {"prompt": ""})
    assert alone == beside[:1]


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        ("sql", "SQL", True),
        ("straße", "STRASSE", False),  # full folding would find it; RE2 folds letter by letter
        ("straße", "STRAẞE", True),
        ("σας", "ΣΑΣ", True),
        ("i", "İ", False),
        ("i", "ı", False),
        ("класс", "КЛАСС", True),
        ("é", "É", True),
        ("é", "E\u0301", False),
    ],
)
def test_case_folds_letter_by_letter_in_every_script(word: str, text: str, expected: bool) -> None:
    assert holds(mentions(word), {"prompt": text}) == [expected]
    assert holds(mentions(word), {"prompt": text}, {"prompt": ""}) == [expected, False]


@pytest.mark.parametrize(
    ("value", "truthy"),
    [
        *((value, False) for value in ("false", "null", "0", "0.0", '""', "[]", "{}")),
        *((value, True) for value in ("true", "1", "-0.5", '"false"', '"0"', '" "', "[0]", '{"a": null}')),
    ],
)
def test_meta_is_truthy_as_in_python(value: str, truthy: bool) -> None:
    assert holds(meta("complex"), {"meta": f'{{"complex": {value}}}'}) == [truthy]


@pytest.mark.parametrize(
    ("wanted", "held", "expected"),
    [
        (1, "1", True),
        (1, "true", False),
        (True, "true", True),
        (True, "1", False),
        (0, "false", False),
        (False, "0", False),
        (1, "1.0", True),
        (1.5, "1.5", True),
        ("1", "1", False),
        ("gold", '"gold"', True),
        ("gold", '"Gold"', False),
        ("ü", '"\\u00fc"', True),
        (0, "null", False),
        ("", '""', True),
    ],
)
def test_meta_equality_does_not_take_one_for_true(wanted: Any, held: str, expected: bool) -> None:
    assert holds(meta("k") == wanted, {"meta": f'{{"k": {held}}}'}) == [expected]
    assert holds(meta("k") != wanted, {"meta": f'{{"k": {held}}}'}) == [not expected]


@pytest.mark.parametrize("key", ["größe", 'say "so"', "a\\b", "tab\t", "a/b", "ключ", "😀", "", "\x01"])
@pytest.mark.parametrize("escape", [False, True])
def test_a_meta_key_is_found_however_its_writer_escaped_it(key: str, escape: bool) -> None:
    spelled = "".join(f"\\u{ord(unit):04x}" for unit in _utf16(key)) if escape else None
    text = f'{{"{spelled}": 1}}' if spelled is not None else json.dumps({key: 1}, ensure_ascii=False)
    assert holds(meta(key), {"meta": text}) == [True]
    assert holds(meta(key + "x"), {"meta": text}) == [False]


def _utf16(text: str) -> list[str]:
    raw = text.encode("utf-16-le")
    return [chr(int.from_bytes(raw[at : at + 2], "little")) for at in range(0, len(raw), 2)]


def test_a_meta_key_that_only_occurs_further_in_does_not_match() -> None:
    assert holds(meta("k"), {"meta": '{"a": {"k": 1}}'}, {"meta": '{"a": "k"}'}) == [False, False]


@pytest.mark.parametrize("value", [[1], {"a": 1}, float("nan"), float("inf"), b"x"])
def test_meta_is_compared_with_one_plain_value(value: Any) -> None:
    with pytest.raises(BackrouteError, match="neither a text, a number nor a boolean"):
        meta("k") == value  # noqa: B015 - raises


@pytest.mark.parametrize("make", [lambda: user_id() == 5, lambda: user_id() == [], lambda: model() == None])  # noqa: E711
def test_a_name_is_compared_with_texts(make: Any) -> None:
    with pytest.raises(BackrouteError, match="a text, or a list of such"):
        make()


def test_conditions_compare_as_data() -> None:
    assert meta("a") != (length() < 5)
    assert (meta("a") & (length() < 5)) != ((length() < 5) & meta("a"))
    assert (meta("k") == 1) != (meta("k") == True)  # noqa: E712
    same: Any = (meta("k") == "v") & has_tools()
    assert same == ((meta("k") == "v") & has_tools())
    assert len({meta("a"), meta("a"), meta("b")}) == 2
    assert (meta("a") == None) is False  # noqa: E711 - a rule without condition is not this condition


@pytest.mark.parametrize("make", [lambda: meta("a") and has_tools(), lambda: not has_tools(), lambda: 1 < length() < 5])
def test_a_condition_used_with_and_or_not_says_what_to_write(make: Any) -> None:
    with pytest.raises(TypeError, match="combine conditions with"):
        make()


def test_a_condition_does_not_combine_with_anything_else() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        has_tools() & len  # type: ignore[operator]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ((length() < 200) & ~meta("complex"), "(length() < 200) & ~meta('complex')"),
        (mentions("sql", "c++", whole_word=True), "mentions('sql', 'c++', whole_word=True)"),
        (~((meta("tier") == "gold") | has_tools(False)), "~((meta('tier') == 'gold') | has_tools(False))"),
        (length() < 1234567, "length() < 1234567"),
        (user_id() == ["ann", "bo"], "user_id() == ['ann', 'bo']"),
        (~json_mode() & (model() == "gpt-4o"), "~json_mode() & (model() == 'gpt-4o')"),
    ],
)
def test_a_condition_prints_as_the_python_that_makes_it(condition: Condition, said: str) -> None:
    assert str(condition) == said


@given(condition=conditions)
@settings(max_examples=200, deadline=None)
def test_what_a_condition_prints_makes_it_again(condition: Condition) -> None:
    again = eval(str(condition), {name: getattr(router, name) for name in router.__all__})
    assert again == condition
    assert hash(again) == hash(condition)


@given(condition=conditions, rows=st.lists(requests, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_every_condition_says_of_a_request_alone_what_it_says_of_it_among_others(
    condition: Condition, rows: list[dict[str, Any]]
) -> None:
    together = holds(condition, *rows)
    assert together == [holds(condition, row)[0] for row in rows]
    assert together == [condition.evaluate(Features.of_request(row, DEFAULT))[0].as_py() for row in rows]
    assert holds(~condition, *rows) == [None if held is None else not held for held in together]


def test_a_condition_survives_pickling_after_it_has_been_used() -> None:
    used = (length() < 9) & mentions("a", "ß") & (user_id() == "ann") & (meta("a") == 1)
    routed = LLMRouter([RoutingRule("a", used, "openai", "gpt-4o"), RoutingRule("b", None, "openai", "gpt-4o-mini")])
    requests = batch({"prompt": "ß", "user_id": "ann", "meta": '{"a": 1}'}, {"prompt": "b"})
    before = routed.route_batch(requests).chosen.tolist()
    assert pickle.loads(pickle.dumps(routed)).route_batch(requests).chosen.tolist() == before == [0, 1]
