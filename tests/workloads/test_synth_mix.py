from pathlib import Path
from typing import Any

import pytest
import yaml

from problems import BackrouteError
from workloads.synth import generate, load_mix, preset_names

MIX: dict[str, Any] = {
    "name": "small",
    "description": "two classes",
    "start": "2026-06-01",
    "days": 2,
    "users": 5,
    "weekend": 0.5,
    "model": "openai/gpt-4o",
    "latency": {"ttft_ms": 400, "ms_per_token": 10},
    "classes": {
        "chat": {"share": 3, "prompts": "simple", "turns": {1: 1}, "completion_tokens": 50},
        "own": {"share": 1, "prompts": "own.yaml", "turns": {2: 1}, "completion_tokens": 50},
    },
}
BOOK: dict[str, Any] = {
    "slots": {"fruit": ["apple", {"say": "pear", "then": "a pear is green"}], "pie": ["<<fruit>> pie"]},
    "tables": {
        "prices": {
            "rows": [2, 3],
            "columns": {
                "day": {"days": "2026-06-01"},
                "id": {"running": "P-", "first": 10},
                "kind": {"sequence": ["a", "b"]},
                "size": {"choice": ["S", "L"]},
                "cost": {"number": [1, 9], "places": 2},
            },
        }
    },
    "themes": {
        "baking": {"openers": ["How do I bake <<pie>>?"], "follow_ups": ["And <<+fruit>>?"], "answers": ["Slowly."]}
    },
}


def written(folder: Path, mix: dict[str, Any], book: dict[str, Any] = BOOK) -> str:
    """A mix and its book as files, dates unquoted as people write them."""
    for name, content in (("mix.yaml", mix), ("own.yaml", book)):
        text = yaml.safe_dump(content, sort_keys=False).replace("'2026-06-01'", "2026-06-01")
        (folder / name).write_text(text, encoding="utf-8")
    return str(folder / "mix.yaml")


def changed(within: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    key, _, rest = path.partition("/")
    return {**within, key: changed(within[key], rest, value) if rest else value}


def test_shares_are_normalised() -> None:
    assert {one.name: one.share for one in load_mix("case-60-25-15").classes} == {
        "simple": pytest.approx(0.60),
        "analytics": pytest.approx(0.25),
        "code": pytest.approx(0.15),
    }


def test_the_presets_load_and_describe_themselves() -> None:
    assert preset_names() == ["case-60-25-15", "support-desk"]
    for name in preset_names():
        assert load_mix(name).name == name
        assert load_mix(name).description


def test_a_users_own_mix_and_book_are_read_from_files(tmp_path: Path) -> None:
    rows = list(generate(load_mix(written(tmp_path, MIX)), 80, 1))
    own = [row["messages"] for row in rows if row["label"] == "own"]
    assert {messages[0]["content"] for messages in own} <= {"How do I bake apple pie?", "How do I bake pear pie?"}
    asked_again = {(messages[0]["content"], messages[-1]["content"]) for messages in own if len(messages) == 3}
    assert asked_again <= {("How do I bake apple pie?", "And pear?"), ("How do I bake pear pie?", "And apple?")}


def test_a_table_is_pasted_with_its_header_and_rows(tmp_path: Path) -> None:
    book = changed(BOOK, "themes/baking/openers", ["<<prices>>"])
    rows = generate(load_mix(written(tmp_path, MIX, book)), 40, 1)
    pasted = next(row["messages"][0]["content"] for row in rows if row["label"] == "own").split("\n")
    assert pasted[0] == "day,id,kind,size,cost"
    assert pasted[1].startswith("2026-06-01,P-10,a,")
    assert pasted[2].startswith("2026-06-02,P-11,b,")


def test_what_belongs_to_an_option_is_said_with_it(tmp_path: Path) -> None:
    book = changed(BOOK, "slots/fruit", [{"say": "pear", "then": "a pear is green"}])
    book = changed(book, "themes/baking/openers", [{"say": "What is <<fruit>>?", "then": "Well, <<fruit.then>>."}])
    rows = list(generate(load_mix(written(tmp_path, MIX, book)), 40, 1))
    answers = {row["messages"][1]["content"] for row in rows if row["label"] == "own" and len(row["messages"]) == 3}
    assert answers == {"Well, a pear is green."}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("modle", "gpt-4o", r"unknown key \(modle\); did you mean 'model'"),
        ("classes/chat/turn", {1: 1}, r"unknown key \(turn\); did you mean 'turns'"),
        ("classes/chat/share", 0, r"classes.chat: share: not a number above 0 \(0\)"),
        ("classes/chat/share", -2, "not a number above 0"),
        ("classes/chat/share", True, "not a number above 0"),
        ("classes/chat/complex_rate", 1.5, "not a share from 0 to 1"),
        ("classes/chat/turns", {0: 1}, "not a mapping of whole numbers from 1 to 50"),
        ("classes/chat/turns", {}, "not a mapping of names to weights"),
        ("classes/chat/prompts", "simpel", r"no prompt book of that name or path; did you mean 'simple'"),
        ("classes/chat/max_tokens", ["many"], "not a list of whole numbers above 0"),
        ("classes", {}, "not a mapping of at least one class"),
        ("classes", [1], "not a mapping"),
        ("days", 0, "not a number above 0"),
        ("days", 1.5, "not a whole number above 0"),
        ("days", 10**7, "a number of days that ends before the year 10000"),
        ("start", "yesterday", "not a date like 2026-06-01"),
        ("weekend", float("nan"), "not a number above 0"),
        ("latency/ttft_ms", None, "not a number above 0"),
        ("model", {"openai/gpt-4o": -1}, "not a number above 0"),
        ("name", None, "name: not a text"),
    ],
)
def test_a_mistake_in_a_mix_is_named_with_its_place(tmp_path: Path, path: str, value: Any, said: str) -> None:
    with pytest.raises(BackrouteError, match=said):
        load_mix(written(tmp_path, changed(MIX, path, value)))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("slots/pie", ["<<friut>> pie"], r"slots.pie: no slot of that name \(friut\); did you mean 'fruit'"),
        ("slots/fruit", ["<<pie>>"], "a slot that contains itself"),
        ("slots/fruit", [{"say": "x", "than": "y"}], "then: not a text"),
        ("themes/baking/opener", ["Hello"], "did you mean 'openers'"),
        ("themes/baking/openers", [], "openers: not a list of texts"),
        ("themes/baking/tools", ["oven"], r"unknown name \(oven\)"),
        ("themes/baking/json", "yes please", "json: not true or false"),
        ("themes", {}, "not a mapping of at least one theme"),
        ("manner", {"typo_rate": 2}, "not a share from 0 to 1"),
        ("tables/prices/rows", [9, 2], "two numbers, the lower first"),
        ("tables/prices/styles", ["tab"], "did you mean 'tabs'"),
        ("tables/prices/columns/cost", {"numbr": [1, 2]}, r"unknown key \(numbr\); did you mean 'number'"),
        ("tables/prices/columns/cost", {}, "choice: not a list of texts"),
    ],
)
def test_a_mistake_in_a_book_is_named_with_its_place(tmp_path: Path, path: str, value: Any, said: str) -> None:
    with pytest.raises(BackrouteError, match=said):
        load_mix(written(tmp_path, MIX, changed(BOOK, path, value)))


def test_an_unknown_preset_gets_its_nearest() -> None:
    with pytest.raises(BackrouteError, match=r"no mix of that name or path; did you mean 'case-60-25-15'"):
        load_mix("case-60-25")


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("name: [", encoding="utf-8")
    with pytest.raises(BackrouteError, match="not YAML"):
        load_mix(tmp_path / "broken.yaml")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BackrouteError, match="cannot be read"):
        load_mix(tmp_path / "broken.yaml")
