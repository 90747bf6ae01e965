"""What is kept of a log beside it says the same as reading the log, byte for byte where one process writes."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing import PriceBook
from problems import BackrouteError
from router import Decisions, LLMRouter, RoutingRule, has_tools, length, load_rules, mentions, task
from simulator import Scenario, State, prepared, replay
from simulator.search.sweep import sweep
from simulator.state.settings import CacheSettings
from simulator.stored import parts, told
from tests.simulator.conftest import call
from tests.simulator.stored.kept.logs import ROUTER, RULES, alike_and_unread, reading, replayed, settled
from tests.workloads.format_samples import CALLS
from workloads import Log, read_log, store

WITHOUT_TEXT = {"openai-batch", "anthropic-batch", "claude-code", "codex", "azure-trace", "burstgpt", "mooncake",
                "litellm-spend", "openrouter"}  # fmt: skip
LENGTHS_ALONE = LLMRouter([RoutingRule("tools", has_tools(), "openai", "gpt-4o"), RULES[2]], name="test")


def test_a_replay_from_what_is_kept_equals_one_that_reads_to_the_last_byte(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    found = alike_and_unread(path, book, tmp_path, unread)
    assert len(found["problems.jsonl"].splitlines()) >= 5


@pytest.mark.parametrize("name", CALLS)
def test_every_format_is_kept_as_it_is_read(
    name: str, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    log = settled(tmp_path / "logs" / "log.jsonl", [json.dumps(CALLS[name])] * 2 + ["{oops"])
    router = LENGTHS_ALONE if name in WITHOUT_TEXT else ROUTER
    options: dict[str, Any] = {"start": "2024-06-01T00:00Z", "timezone": "Europe/Berlin"}
    alike_and_unread(log, book, tmp_path, unread, router=router, **options)


def test_with_state_what_is_kept_says_the_same(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    alike_and_unread(path, book, tmp_path, unread, state=State(cache=CacheSettings()))


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant"]), "content": st.one_of(TEXT, st.none())},
    optional={"name": TEXT},
)
ROW = st.fixed_dictionaries(
    {"model": st.sampled_from(["gpt-4o", "gpt-4o-mini", "o3", "who"])},
    optional={
        "messages": st.lists(MESSAGE, max_size=4),
        "prompt": st.one_of(TEXT, st.none()),
        "response": st.one_of(TEXT, st.none()),
        "usage": st.fixed_dictionaries({"prompt_tokens": st.integers(-1, 9), "completion_tokens": st.integers(0, 9)}),
        "request_id": st.sampled_from(["a", "b"]),
        "session_id": st.one_of(TEXT, st.none()),
        "metadata": st.dictionaries(TEXT, st.integers(0, 3), max_size=2),
        "cost": st.floats(0, 1),
        "status": st.sampled_from(["ok", "error", "cached"]),
        "timestamp": st.sampled_from(["2026-06-01T12:00:00Z", "yesterday", 1_717_236_000]),
        "label": TEXT,
    },
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.one_of(ROW.map(json.dumps), TEXT), max_size=12))
def test_whatever_a_log_holds_it_is_kept_as_it_is_read(
    rows: list[str], book: PriceBook, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    log = settled(folder / "logs" / "log.jsonl", [json.dumps(call(0)), *(row.replace("\n", " ") for row in rows)])
    fresh = replayed(log, book, folder / "fresh", cache=False)
    assert fresh == replayed(log, book, folder / "first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Log, "batches", lambda *_, **__: pytest.fail("read again"))
        assert fresh == replayed(log, book, folder / "again")


def test_a_pass_that_asks_for_nothing_new_reads_no_text(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed(path, book, tmp_path / "first")
    read: list[str] = []
    get = parts.get
    monkeypatch.setattr(parts, "get", lambda folder, name, *only: read.append(name) or get(folder, name, *only))
    other = LLMRouter([RULES[0], RoutingRule("short", length() < 30, "groq", "llama-3.1-8b-instant"), RULES[2]])
    changed = replayed(path, book, tmp_path / "changed", other)
    assert read
    assert not [name for name in read if ".texts." in name]
    word = LLMRouter([RoutingRule("code", mentions("answer"), "anthropic", "claude-sonnet-4-5"), *RULES[1:]])
    replayed(path, book, tmp_path / "word", word)
    assert [name for name in read if ".texts." in name]
    assert changed == replayed(path, book, tmp_path / "fresh", other, cache=False)


class Own(LLMRouter):
    """A router of somebody else's, that takes its batch for pyarrow's."""

    def route_batch(self, requests: Any) -> Decisions:
        words = requests.slice(0).to_pandas()["prompt"].str.contains("code").fillna(False)
        return Decisions(np.where(words, 0, len(self.rules) - 1).astype(np.int32))


def test_a_router_that_takes_a_batch_for_a_record_batch_may(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    alike_and_unread(path, book, tmp_path, unread, router=Own(RULES, name="test"))


def test_scores_of_texts_are_kept(path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router = LLMRouter([RoutingRule("code", task("code") >= 0.3, "openai", "gpt-4o"), RULES[2]], name="test")
    first = replayed(path, book, tmp_path / "first", router)
    scorer = next(rule.condition for rule in router.rules if rule.condition is not None).scorer
    monkeypatch.setattr(type(scorer), "scores", lambda *_: pytest.fail("scored again"))
    assert first == replayed(path, book, tmp_path / "again", router)


def test_a_sweep_uses_what_a_replay_kept(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    from router.parameters import read_parameter

    rules = load_rules("starter")
    wanted = [read_parameter("simple_chat.length.below=5:40:5")]
    fresh = sweep(read_log(path, cache=False), rules, wanted, Scenario("template", rules, book))
    replayed(path, book, tmp_path / "first")
    assert "taken from" not in caplog.text
    unread()
    again = sweep(read_log(path), rules, wanted, Scenario("template", rules, book))
    assert [point.all.usd for point in again.settings] == [point.all.usd for point in fresh.settings]
    assert f"the log was read before, and is taken from {path.parent / store.FOLDER}" in caplog.text


def test_a_log_of_another_name_or_place_tells_its_problems_by_that(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: Callable[[], None]
) -> None:
    replayed(path, book, tmp_path / "first")
    monkeypatch.chdir(path.parent)
    fresh = replayed(Path("log.jsonl"), book, tmp_path / "fresh", cache=True)
    assert b'"source":"log.jsonl"' in fresh["problems.jsonl"]
    unread()
    assert fresh == replayed(Path("log.jsonl"), book, tmp_path / "again")


def test_a_link_whose_name_says_table_is_read_as_one(tmp_path: Path, book: PriceBook) -> None:
    text = settled(tmp_path / "calls.txt", ["prompt", "hello", "again"])
    with pytest.raises(BackrouteError, match="no request to replay"):
        replayed(text, book, tmp_path / "lines")
    (table := tmp_path / "calls.csv").symlink_to(text)
    log = read_log(table)
    assert replay(log, Scenario.always("openai/gpt-4o", book))[0].run.facts.rows == 2


def test_many_problems_are_told_again_from_disk(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: Callable[[], None]
) -> None:
    monkeypatch.setattr(told, "MOST", 2)
    alike_and_unread(path, book, tmp_path, unread)
    assert len(list(reading(path).glob("problems-*"))) > 1


@pytest.mark.parametrize("most", [3_000, 30_000])
def test_a_log_that_memory_does_not_hold_is_kept_alike(
    most: int, path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: Callable[[], None]
) -> None:
    """Neither its texts nor, with the lower limit, its other columns; 66 rows take 20 kB without texts."""
    fresh = replayed(path, book, tmp_path / "whole", cache=False)
    monkeypatch.setattr(prepared, "HELD_BYTES", most)
    monkeypatch.setattr(Log.batches, "__kwdefaults__", {"problems": None, "rows": 10})
    found = alike_and_unread(path, book, tmp_path, unread)
    assert found == fresh


def test_a_folder_of_logs_does_not_hold_what_is_kept_of_it(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    settled(path.parent / "more.jsonl", [json.dumps(call(n)) for n in range(100, 110)])
    first = replayed(path.parent, book, tmp_path / "first")
    assert json.loads(first["summary"])["log"]["rows"] == 71
    unread()
    assert replayed(path.parent, book, tmp_path / "again") == first


@pytest.mark.slow
def test_workers_use_what_one_process_kept_and_the_other_way_round(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulator import engines
    from workloads import blocks

    monkeypatch.setattr(engines, "WORTH", 1)
    monkeypatch.setattr(blocks.blocks_of, "__defaults__", (4_000,))
    rules = load_rules("case")
    fresh = replayed(path, book, tmp_path / "fresh", rules, cache=False)
    assert by_rows(fresh) == by_rows(replayed(path, book, tmp_path / "by two", rules, workers=2))
    by_two = reading(path)
    assert len(list(by_two.glob("*.columns.*"))) > 2
    with monkeypatch.context() as patch:
        patch.setattr(Log, "batches", lambda *_, **__: pytest.fail("read again"))
        patch.setattr(Log, "gathering", lambda *_, **__: pytest.fail("read again"))
        assert fresh == replayed(path, book, tmp_path / "by one", rules)
        assert by_rows(fresh) == by_rows(replayed(path, book, tmp_path / "by two again", rules, workers=2))


def by_rows(files: dict[str, bytes]) -> dict[str, Any]:
    """What a replay leaves, with the rows of its decisions, whose groups are the tasks' where workers made them."""
    return files | {"decisions.parquet": pq.read_table(io.BytesIO(files["decisions.parquet"])).to_pylist()}


def test_a_log_kept_in_memory_survives_that_its_folder_goes(path: Path, book: PriceBook, tmp_path: Path) -> None:
    import shutil

    log = read_log(path)
    base, test = Scenario.always("openai/gpt-4o", book), Scenario("test", ROUTER, book)
    first = replay(log, base, test, out=tmp_path / "first")[1].summary
    log = read_log(path)
    assert replay(log, base, test)[1].summary == first
    shutil.rmtree(path.parent / store.FOLDER)
    words = LLMRouter([RoutingRule("answers", mentions("answer"), "openai", "gpt-4o"), RULES[2]])
    changed = replay(log, base, Scenario("words", words, book))[1]
    assert changed.summary == replay(read_log(path, cache=False), base, Scenario("words", words, book))[1].summary
