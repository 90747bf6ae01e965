"""Words are looked for in texts that nothing is known of yet, and what is known is the same as if all were read."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing import PriceBook
from router import LLMRouter, RoutingRule, length, mentions
from router.conditions import Mentions
from simulator import Scenario, prepared, replay
from simulator.arms import Batch
from simulator.models import ModelIndex
from simulator.prepared import _AGAIN, Prepared
from simulator.stored import parts
from simulator.stored.words import Words
from tests.simulator.conftest import call
from workloads import Log, read_log, store

WORDS = ("sql", "SQL", "ſql", "code", "od", "a.b", "é", "ko", "kode", " ")
TEXTS = (
    "write SQL",
    "code",
    "",
    None,
    "decode a.b",
    "aXb",
    "\u212aode",
    "É",
    "e\u0301",
    "sql code",
    "ko kode",
    "_sql",
    "sql_",
)


def batches(texts: list[str | None], book: PriceBook) -> list[Batch]:
    """Three batches of calls with these texts."""
    log, index = read_log([call(n, prompt=text) for n, text in enumerate(texts)]), ModelIndex(book)
    return [Prepared.batch(*both, index) for both in log.batches(rows=-(-len(texts) // 3))]


def router(*conditions: Any) -> LLMRouter:
    rules = [RoutingRule(f"rule {n}", each, "openai", "gpt-4o") for n, each in enumerate(conditions)]
    return LLMRouter([*rules, RoutingRule("default", None, "openai", "gpt-4o-mini")])


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), st.booleans()), max_size=6),
    texts=st.lists(st.sampled_from(TEXTS), min_size=3, max_size=30),
)
def test_whatever_lists_were_asked_before_the_answers_are_those_of_reading_every_text(
    asked: list[tuple[list[str], bool]], texts: list[str | None], book: PriceBook
) -> None:
    held = batches(texts, book)
    words = Words(held)
    for said, whole_word in asked:
        condition = Mentions(tuple(said), whole_word)
        words.ask(router(condition))
        found = [pa.concat_arrays(words._known[condition])]
        assert found[0].to_pylist() == condition.found_in(pa.array(texts, pa.string())).to_pylist()


def test_a_list_that_grows_or_shrinks_is_asked_only_of_texts_it_can_change(
    book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = batches(["sql", "code", "both sql and code", None, "neither", "python"], book)
    words, asked = Words(held), list[tuple[tuple[str, ...], list[str | None]]]()
    found_in = Mentions.found_in

    def seen(condition: Mentions, texts: pa.Array) -> pa.BooleanArray:
        asked.append((condition.words, texts.to_pylist()))
        return found_in(condition, texts)

    monkeypatch.setattr(Mentions, "found_in", seen)

    def texts_asked(*said: str) -> dict[tuple[str, ...], list[str | None]]:
        asked.clear()
        words.ask(router(length() < 3, ~mentions(*said) & mentions("sql")))
        found: dict[tuple[str, ...], list[str | None]] = {}
        for name, texts in sorted(asked, key=str):
            found[name] = sorted([*found.get(name, []), *texts], key=str)
        return found

    all_of_them = sorted(["sql", "code", "both sql and code", None, "neither", "python"], key=str)
    assert texts_asked("sql") == {("sql",): all_of_them}
    assert texts_asked("sql", "code") == {("code",): ["code", "neither", "python"]}
    assert texts_asked("sql") == {}
    assert texts_asked("code") == {("code",): ["both sql and code", "code", "sql"]}  # where "sql, code" had found one
    assert texts_asked("code", "sql") == {}
    assert texts_asked("python", "code", "sql") == {("python",): ["neither", "python"]}


def test_prompts_read_once_for_a_keyword_are_in_memory_for_the_next_as_far_as_there_is_room(
    book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"the text {n} " * 9 for n in range(30)]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(call(n, prompt=text)) for n, text in enumerate(texts)), "utf-8")
    os.utime(path, (1, 1))
    monkeypatch.setattr(store, "SMALLEST", 0)
    monkeypatch.setattr(prepared, "HELD_BYTES", 8_000)
    monkeypatch.setattr(prepared, "PROMPT_BYTES", 3_000)  # of two batches in three
    monkeypatch.setattr(Log.batches, "__kwdefaults__", {"problems": None, "rows": 10})
    read: list[str] = []
    get = parts.get
    monkeypatch.setattr(parts, "get", lambda folder, name, *only: read.append(name) or get(folder, name, *only))
    log, base, found = read_log(path), Scenario.always("openai/gpt-4o", book), []
    for word in ("text 1", "2", "5 the"):
        read.clear()
        rules = [RoutingRule("word", mentions(word), "openai", "gpt-4o"), RoutingRule("rest", None, "openai", "gpt-4o")]
        after = replay(log, base, Scenario("words", LLMRouter(rules), book))[1]
        requests = {each["rule"]: each["requests"] for each in after.summary["by_rule"]}
        assert requests["word"] == sum(word in text for text in texts) == 30 - requests["rest"]
        found.append(len([name for name in read if ".texts." in name]))
    assert found == [0, 3, 1]  # the first word is asked while the log is read
    # A replay that writes decisions ends with its process, as a rule, and holds none.
    again = read_log(path)
    replay(again, base, Scenario("words", LLMRouter(rules), book), out=tmp_path / "out")
    assert all(batch.requests._prompt is None for batch in _AGAIN[again].prepared.batches())
