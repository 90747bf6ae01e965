"""What is kept of a log beside it says the same as reading the log, byte for byte, or is not used."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
from router.features import answer_column
from simulator import ReplayResult, Scenario, State, kept, made, parts, prepared, replay, told
from simulator.state.settings import CacheSettings
from simulator.sweep import sweep
from simulator.together import finish
from tests.simulator.conftest import call
from tests.workloads.format_samples import CALLS
from workloads import Log, read_log, store

RULES = [
    RoutingRule("code", mentions("code", "four"), "anthropic", "claude-sonnet-4-5"),
    RoutingRule("short", length() < 12, "groq", "llama-3.1-8b-instant"),
    RoutingRule("default", None, "openai", "gpt-4o-mini"),
]
ROUTER = LLMRouter(RULES, name="test")

WITHOUT_TEXT = {"openai-batch", "anthropic-batch", "claude-code", "codex", "azure-trace", "burstgpt", "mooncake",
                "litellm-spend", "openrouter"}  # fmt: skip
LENGTHS_ALONE = LLMRouter([RoutingRule("tools", has_tools(), "openai", "gpt-4o"), RULES[2]], name="test")


@pytest.fixture(autouse=True)
def _keep_small_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SMALLEST", 0)


def settled(path: Path, lines: list[str]) -> Path:
    """A log that has not changed for an hour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return settled(tmp_path / "logs" / "log.jsonl", lines())


def lines() -> list[str]:
    """Calls with counts and without, and much that is not quite right."""
    rows = [
        call(n, model=("gpt-4o", "claude-3-haiku", "nobody")[n % 3], prompt=None, messages=said(n)) for n in range(60)
    ]
    for row in rows[::4]:
        del row["usage"]
    held = [json.dumps(row | {"response": "an answer " * (n % 7)}) for n, row in enumerate(rows)]
    odd = ["{oops", "", held[3], json.dumps(rows[5] | {"model": "gpt-4o-mini"}), json.dumps({"data": 1}), '"text"']
    return held[:30] + odd + held[30:]


def said(number: int) -> list[dict[str, Any]]:
    """Messages whose texts stand in the prompt, in the system prompt, in both, in neither."""
    words = "code " * (number % 9) or "hi"
    return [
        {"role": "system", "content": "Be brief." if number % 2 else words},
        {"role": "user", "content": words},
        {"role": "assistant", "content": f"answer {number}"},
        {"role": "user", "content": words if number % 3 else f"and {number}?"},
    ]


def reading(path: Path) -> Path:
    """The folder of the one reading beside a log."""
    (found,) = (each for each in (path.parent / store.FOLDER).iterdir() if each.is_dir())
    return found


def replayed(path: Path, book: PriceBook, out: Path, router: LLMRouter = ROUTER, **options: Any) -> dict[str, bytes]:
    """All that a replay of a newly opened log leaves, as bytes."""
    log = read_log(path, **{name: options.pop(name) for name in ("cache", "start", "timezone") if name in options})
    state = options.pop("state", State())
    base = Scenario.always("openai/gpt-4o", book, state=state.of_the_world)
    result = replay(log, base, Scenario("test", router, book, state=state), out=out, **options)[1]
    finish()
    files = {each.name: each.read_bytes() for each in out.iterdir()}
    return files | {"summary": json.dumps(result.summary).encode(), "log": repr(vars_of(log, result)).encode()}


def vars_of(log: Log, result: ReplayResult) -> list[Any]:
    held = result.run.problems
    return [log.formats, log.recognised, log.digest, held.counts, held.set_aside, held.kept, result.run.doubts]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on no log may be read."""

    def no_more() -> None:
        monkeypatch.setattr(Log, "batches", lambda *_, **__: pytest.fail("read again"))
        monkeypatch.setattr(Log, "gathering", lambda *_, **__: pytest.fail("read again"))

    return no_more


def alike_and_unread(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None], **options: Any
) -> dict[str, bytes]:
    fresh = replayed(path, book, tmp_path / "fresh", cache=False, **options)
    first = replayed(path, book, tmp_path / "first", **options)
    unread()
    again = replayed(path, book, tmp_path / "again", **options)
    for name, content in fresh.items():
        assert content == first[name] == again[name], name
    assert fresh.keys() == first.keys() == again.keys()
    return fresh


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
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    from router.parameters import read_parameter

    rules = load_rules("starter")
    wanted = [read_parameter("simple_chat.length.below=5:40:5")]
    fresh = sweep(read_log(path, cache=False), rules, wanted, Scenario("template", rules, book))
    replayed(path, book, tmp_path / "first")
    unread()
    again = sweep(read_log(path), rules, wanted, Scenario("template", rules, book))
    assert [point.all.usd for point in again.settings] == [point.all.usd for point in fresh.settings]


def broken(file: Path, how: str) -> None:
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    elif how == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        file.write_bytes(b"")
    else:
        at = len(content) // 2
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


@pytest.mark.parametrize("how", ["gone", "cut", "empty", "a bit"])
@pytest.mark.parametrize("what", ["manifest", "columns", "texts", "made", "observed", "problems"])
def test_what_is_damaged_is_read_again_and_never_believed(
    what: str, how: str, path: Path, book: PriceBook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = LLMRouter([RoutingRule("answers", mentions("answer"), "openai", "gpt-4o"), RULES[2]])
    fresh = replayed(path, book, tmp_path / "fresh", words, cache=False)
    replayed(path, book, tmp_path / "first")
    files = [each for each in reading(path).iterdir() if what in each.name]
    assert files
    for file in files:
        broken(file, how)
    caplog.clear()
    assert replayed(path, book, tmp_path / "again", words) == fresh
    if what in ("columns", "texts", "observed", "problems"):
        assert "damaged, and the log is read again" in caplog.text
    assert replayed(path, book, tmp_path / "mended", words) == fresh
    assert len(list((path.parent / store.FOLDER).glob(f"*/{store.MANIFEST}"))) == 1


def test_a_log_that_changed_is_read_again_and_the_old_reading_goes(path: Path, book: PriceBook, tmp_path: Path) -> None:
    replayed(path, book, tmp_path / "first")
    before = reading(path)
    settled(path, [*lines(), json.dumps(call(99))])
    changed = replayed(path, book, tmp_path / "changed")
    assert json.loads(changed["summary"])["log"]["rows"] == 62
    assert reading(path) != before


def test_a_change_of_one_letter_that_hides_its_time_is_noticed(path: Path, book: PriceBook, tmp_path: Path) -> None:
    first = replayed(path, book, tmp_path / "first")
    was = path.stat()
    path.write_text(path.read_text("utf-8").replace("answer 7", "answer 8"), "utf-8")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (was.st_size, was.st_mtime_ns)
    again = replayed(path, book, tmp_path / "again")
    assert json.loads(again["summary"])["manifest"] != json.loads(first["summary"])["manifest"]


def test_a_log_that_changes_while_it_is_read_or_has_just_changed_is_not_kept(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()  # just now
    replayed(path, book, tmp_path / "fresh")
    assert not [each for each in (path.parent / store.FOLDER).iterdir() if each.is_dir()]
    settled(path, lines())
    rows = Log.batches

    def grown(log: Log, **options: Any) -> Iterator[Any]:
        yield from rows(log, **options)
        settled(path, [*lines(), json.dumps(call(99))])

    monkeypatch.setattr(Log, "batches", grown)
    replayed(path, book, tmp_path / "grown")
    assert not [each for each in (path.parent / store.FOLDER).iterdir() if each.is_dir()]


def test_other_code_or_libraries_read_anew(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed(path, book, tmp_path / "first")
    before = reading(path)
    monkeypatch.setattr(prepared, "version", lambda: "another")
    replayed(path, book, tmp_path / "again")
    assert reading(path) != before


def test_the_version_speaks_of_the_code_and_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    kept.version.cache_clear()
    first = kept.version()
    for name, other in (("installed_version", lambda _: "0"), ("PACKAGES", ("problems",))):
        with monkeypatch.context() as patch:
            patch.setattr(kept, name, other)
            kept.version.cache_clear()
            assert kept.version() != first
    kept.version.cache_clear()
    assert kept.version() == first


def test_other_options_of_reading_have_a_reading_of_their_own(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    first = replayed(path, book, tmp_path / "first")
    replayed(path, book, tmp_path / "berlin", timezone="Europe/Berlin")
    unread()
    assert first == replayed(path, book, tmp_path / "again")
    assert len(list((path.parent / store.FOLDER).glob("*/manifest.json"))) == 2


def test_a_price_changes_nothing_that_is_kept_but_a_name_does(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`nobody` is no model of the book; once a price file names one so, its calls are counted and priced."""
    replayed(path, book, tmp_path / "first")
    read: list[int] = []
    rows = Log.batches
    monkeypatch.setattr(Log, "batches", lambda *given, **options: read.append(1) or rows(*given, **options))
    prices = (
        "    prices:\n      - effective_from: 2020-01-01\n        source: https://example.com/prices\n"
        "        input_usd_per_mtok: 100\n        output_usd_per_mtok: 100\n"
    )
    dear, named = tmp_path / "dear.yaml", tmp_path / "named.yaml"
    dear.write_text("as_of: 2026-11-23\nmodels:\n  openai/gpt-4o:\n" + prices, "utf-8")
    named.write_text("as_of: 2026-11-23\nmodels:\n  house/own:\n    names: [nobody]\n" + prices, "utf-8")
    for file, times in ((dear, 0), (named, 1)):
        other = PriceBook.load([file])
        found = replayed(path, other, tmp_path / file.stem)
        assert len(read) == times
        assert found == replayed(path, other, tmp_path / f"{file.stem} anew", cache=False)
        replayed(path, book, tmp_path / "again")
        read.clear()


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


def test_only_so_many_made_columns_are_kept(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "MOST", 3)
    monkeypatch.setattr(made, "FILES", 4)
    for number in range(9):
        words = LLMRouter([RoutingRule("word", mentions(f"word {number}"), "openai", "gpt-4o"), RULES[2]])
        replayed(path, book, tmp_path / "out", words)
    files = sorted(reading(path).glob("all.made.*"))
    assert len(files) <= 4
    names = [name for file in files for name in pq.read_schema(file).names]
    assert len(names) <= 6
    assert names[-1] == f"when {answer_column(mentions('word 8'))}"


SCRIPT = """
import json, sys
from pathlib import Path
from pricing import PriceBook
from router import load_rules
from simulator import Scenario, parts, replay
from workloads import read_log, store
store.SMALLEST = 0
if sys.argv[3] == "die":
    write = parts.write_part
    def die(folder, stem, *given):
        write(folder, stem, *given)
        import os; os._exit(9)
    parts.write_part = die
book = PriceBook.load()
base = Scenario.always("openai/gpt-4o", book)
after = replay(read_log(sys.argv[1]), base, Scenario("case", load_rules("case"), book), out=Path(sys.argv[2]))[1]
print(json.dumps(after.summary))
"""


def started(path: Path, out: Path, how: str = "live") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(path), str(out), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


@pytest.mark.slow
def test_two_processes_that_build_at_once_are_both_right(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None]
) -> None:
    both = [started(path, tmp_path / name) for name in ("one", "other")]
    codes, said = zip(*map(ended, both), strict=True)
    assert codes == (0, 0)
    assert said[0] == said[1] != ""
    unread()
    base, case = Scenario.always("openai/gpt-4o", book), Scenario("case", load_rules("case"), book)
    after = replay(read_log(path), base, case, out=tmp_path / "third")[1]
    assert json.loads(json.dumps(after.summary)) == json.loads(said[0])
    decisions = [(tmp_path / name / "decisions.parquet").read_bytes() for name in ("one", "other", "third")]
    assert decisions[0] == decisions[1] == decisions[2]


def test_what_a_killed_process_left_is_not_used_and_goes(path: Path, book: PriceBook, tmp_path: Path) -> None:
    assert ended(started(path, tmp_path / "dead", "die")) == (9, "")
    left = reading(path)
    assert list(left.iterdir())
    assert not (left / store.MANIFEST).exists()
    fresh = replayed(path, book, tmp_path / "first")
    assert left.exists()  # it may still be writing
    assert fresh == replayed(path, book, tmp_path / "again")
    long_ago = time.time() - 2 * store.LEFT_S
    for each in (*left.iterdir(), left):
        os.utime(each, (long_ago, long_ago))
    settled(path, [*lines(), json.dumps(call(99))])
    replayed(path, book, tmp_path / "changed")
    assert not left.exists()


def test_the_least_recently_used_goes_when_there_is_too_much(
    book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [settled(tmp_path / "logs" / f"{name}.jsonl", lines()) for name in ("a", "b", "c")]

    def of(log: Path) -> list[Path]:
        held = store.Store(read_log(log), [log], kept.version())
        return held._all()

    for log in logs[:2]:
        replayed(log, book, tmp_path / "out")
    size = sum(each.stat().st_size for each in of(logs[0])[0].iterdir())
    os.utime(of(logs[1])[0] / store.MANIFEST, (1, 1))
    replayed(logs[0], book, tmp_path / "out")  # used again
    monkeypatch.setattr(store, "MOST_BYTES", int(2.5 * size))
    replayed(logs[2], book, tmp_path / "out")
    assert [len(of(log)) for log in logs] == [1, 0, 1]
    monkeypatch.setattr(store, "MOST_BYTES", 1_000)
    replayed(logs[1], book, tmp_path / "out")
    assert not of(logs[1])


def test_where_nothing_can_be_written_the_log_is_replayed_all_the_same(
    path: Path, book: PriceBook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = replayed(path, book, tmp_path / "fresh", cache=False)
    (path.parent / store.FOLDER).write_text("a file in the way", "utf-8")
    with caplog.at_level(logging.WARNING, "backroute"):
        assert replayed(path, book, tmp_path / "out") == fresh
    assert caplog.text.count("nothing of the log is kept") == 1


def test_without_room_nothing_is_kept(
    path: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = replayed(path, book, tmp_path / "fresh", cache=False)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: os.terminal_size((0, 0)) and type("", (), {"free": 0}))
    assert replayed(path, book, tmp_path / "out") == fresh
    assert "no room" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize(("mode", "kept_mode"), [(0o600, 0o700), (0o640, 0o750), (0o644, 0o755), (0o604, 0o705)])
def test_who_may_not_read_the_log_may_not_read_what_is_kept_of_it(
    mode: int, kept_mode: int, path: Path, book: PriceBook, tmp_path: Path
) -> None:
    path.chmod(mode)
    replayed(path, book, tmp_path / "out")
    assert reading(path).stat().st_mode & 0o777 == kept_mode
    assert (path.parent / store.FOLDER / ".gitignore").read_text("utf-8") == "*\n"


def test_no_cache_keeps_nothing_and_removes_what_was_kept(path: Path, book: PriceBook, tmp_path: Path) -> None:
    replayed(path, book, tmp_path / "first")
    assert reading(path)
    replayed(path, book, tmp_path / "again", cache=False)
    assert [each.name for each in (path.parent / store.FOLDER).iterdir()] == [".gitignore"]


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
    assert fresh == replayed(path, book, tmp_path / "by two", rules, workers=2)
    by_two = reading(path)
    assert len(list(by_two.glob("*.columns.*"))) > 2
    with monkeypatch.context() as patch:
        patch.setattr(Log, "batches", lambda *_, **__: pytest.fail("read again"))
        patch.setattr(Log, "gathering", lambda *_, **__: pytest.fail("read again"))
        assert fresh == replayed(path, book, tmp_path / "by one", rules)
        assert fresh == replayed(path, book, tmp_path / "by two again", rules, workers=2)


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
