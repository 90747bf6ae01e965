"""The decision log: one line a call, read back by the log reader, replayed to what was routed and billed."""

import json
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import BackrouteError, ProblemLog
from router import BadRequest, LLMRouter, ProviderFault, RoutingRule, length, load_rules, mentions, meta
from router.decision_log import DecisionLog
from tests.router.fakes import Fake, answer
from workloads import BUCKETS, read_log
from workloads.formats.plain import read_plain

HELLO = [{"role": "user", "content": "Hello"}]
RULES = [
    RoutingRule("code", mentions("sql"), "anthropic", "claude-sonnet-4-5", fallback=("openai/gpt-4o",)),
    RoutingRule(
        "short", (length() < 30) & ~meta("complex"), "groq", "llama-3.1-8b-instant", fallback=("openai/gpt-4o",)
    ),
    RoutingRule("default", None, "openai", "gpt-4o"),
]
CLAUDES = {"input_tokens": 70, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 30, "output_tokens": 55}


def lines(log: Path) -> list[dict[str, Any]]:
    # A writer that starts while another is in mid-line begins on a line of its own, and leaves an empty one.
    return [json.loads(line) for line in log.read_text("utf-8").splitlines() if line]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


def live(log: Path, **providers: Fake) -> LLMRouter:
    fakes = {name: Fake(name) for name in ("groq", "openai", "anthropic")} | providers
    return LLMRouter(RULES, providers=fakes, decision_log=log)


def test_a_line_holds_the_call_and_the_decision(log: Path) -> None:
    before = datetime.now(UTC)
    done = live(log).complete(
        HELLO, "Be brief", meta={"team": "x"}, session_id="s1", user_id="u1", max_tokens=50, latency_budget_ms=800
    )
    (line,) = lines(log)
    assert before <= datetime.fromisoformat(line["timestamp"]) <= datetime.now(UTC)
    assert (line["messages"], line["system"], line["meta"]) == (HELLO, "Be brief", {"team": "x"})
    assert (line["session_id"], line["user_id"], line["max_output_tokens"]) == ("s1", "u1", 50)
    assert line["response"] == {"role": "assistant", "content": "Good day"}
    assert (line["model"], line["provider"], line["status"]) == ("llama-3.1-8b-instant", "groq", "ok")
    assert (line["latency_ms"], line["ttft_ms"], line["latency_budget_ms"]) == (120.5, None, 800)
    assert line["request_id"] == done.request_id
    decision = line["decision"]
    assert decision.pop("chosen_at") >= line["timestamp"]
    assert decision == {
        "rule": "short",
        "model": "groq/llama-3.1-8b-instant",
        "fallback_from": [],
        "rules_digest": LLMRouter(RULES).digest(),
        "experiment": None,
        "arm": None,
        "share": None,
        "shadow": [],
        "horizon": None,
    }


def test_lines_of_answered_calls_are_among_those_that_are_read_fast(log: Path) -> None:
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    router = live(log)
    router.complete(HELLO, "Be brief", meta={"team": "x"}, session_id="s1", user_id="u1", max_tokens=50, tools=tools)
    router.complete(HELLO, meta={"complex": 1}, response_format={"type": "json_object"}, latency_budget_ms=800)
    router.complete([{"role": "user", "content": "write SQL"}])
    assert read_plain(log.read_bytes().splitlines()).at.tolist() == [0, 1, 2]


def test_what_was_passed_over_is_said_with_its_reason(log: Path) -> None:
    live(log, anthropic=Fake("anthropic", ProviderFault("rate_limit", "anthropic"))).complete(
        [{"role": "user", "content": "select it in SQL"}]
    )
    decision = lines(log)[0]["decision"]
    assert decision["model"] == "openai/gpt-4o"
    assert decision["fallback_from"] == [{"model": "anthropic/claude-sonnet-4-5", "why": "rate_limit"}]


def test_the_log_reader_reads_back_every_call_with_its_buckets_and_its_outcome(log: Path) -> None:
    claude = answer("claude-sonnet-4-5-20250929", "SELECT 1", CLAUDES, served_tier="standard", ttft_ms=80.0)
    router = live(
        log, anthropic=Fake("anthropic", claude), openai=Fake("openai", "Good day", BadRequest("openai", 400))
    )
    router.complete([{"role": "user", "content": "write SQL"}], "Be brief", session_id="s1")
    router.complete(HELLO, meta={"complex": 1})
    with pytest.raises(BadRequest):
        router.complete([{"role": "user", "content": "x" * 40}])
    problems = ProblemLog()
    (requests, outcomes), *rest = read_log(log).batches(problems=problems)
    assert rest == []
    assert len(problems) == 0
    assert requests["model"].to_pylist() == ["claude-sonnet-4-5-20250929", "gpt-4o", "gpt-4o"]
    assert requests["provider"].to_pylist() == ["anthropic", "openai", "openai"]
    assert requests["prompt"].to_pylist() == ["write SQL", "Hello", "x" * 40]
    assert requests["system"].to_pylist() == ["Be brief", None, None]
    assert requests["session_id"].to_pylist() == ["s1", None, None]
    assert outcomes["status"].to_pylist() == ["ok", "ok", "error"]
    assert outcomes["completion"].to_pylist() == ["SELECT 1", "Good day", None]
    assert outcomes["served_tier"].to_pylist() == ["standard", None, None]
    assert outcomes["ttft_ms"].to_pylist() == [80, None, None]
    counted = [tuple(outcomes[bucket][row].as_py() for bucket in BUCKETS) for row in range(3)]
    assert counted == [(70, 900, 30, 0, 55, 0), (60, 40, 0, 0, 20, 0), (None,) * 6]


def test_the_rules_decide_again_in_replay_as_they_did_live(log: Path) -> None:
    """Whatever the messages hold: parts, tool results, pictures, metadata, a system message among them."""
    router = live(log)
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
        (HELLO, {}),
        (HELLO, {"meta": {"complex": True}}),
        (HELLO, {"meta": {"complex": 0}}),
        ([{"role": "user", "content": [{"type": "text", "text": "use"}, {"type": "text", "text": "SQL"}]}], {}),
        ([{"role": "user", "content": [picture]}], {}),
        ([*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}, tool("sql " * 30)], {"tools": [call]}),
        ([{"role": "system", "content": "Never write SQL"}, {"role": "user", "content": "x" * 31}], {}),
        ([{"role": "assistant", "content": "I speak first, of SQL"}], {}),
        ([{"role": "user", "content": "half a pair \ud83d"}], {"meta": {"of": "one \ud83d"}}),
    ]
    rules = [router.complete(messages, **more).decision.rule for messages, more in asked]
    assert set(rules) == {"code", "short", "default"}
    (requests, _), *_ = read_log(log).batches()
    chosen = router.route_batch(requests).chosen
    assert [RULES[index].name for index in chosen] == rules


def tool(content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "1", "content": content}


@settings(max_examples=30, deadline=None)
@given(
    st.text(max_size=60),
    st.dictionaries(
        st.text(max_size=8), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8), max_size=3
    ),
    st.text(max_size=40),
)
def test_any_text_survives_the_log(tmp_path_factory: Any, prompt: str, about: dict[str, Any], said: str) -> None:
    log = tmp_path_factory.mktemp("log") / "d.jsonl"
    done = live(log, groq=Fake("groq", said), openai=Fake("openai", said), anthropic=Fake("anthropic", said)).complete(
        [{"role": "user", "content": prompt}], meta=about
    )
    (requests, outcomes), *_ = read_log(log).batches()
    assert requests["prompt"].to_pylist() == [prompt]
    assert outcomes["completion"].to_pylist() == [said or None]
    assert requests["request_id"].to_pylist() == [done.request_id]
    assert json.loads(requests["meta"][0].as_py() or "{}") == about


@pytest.mark.parametrize(
    "said", ['{"choices": [], "usage": {}}', "data: [DONE]\n\n", "event: x", '{"usage": 7}', "[1]"]
)
def test_an_answer_that_looks_like_a_body_is_read_back_as_the_text_it_is(log: Path, said: str) -> None:
    live(log, groq=Fake("groq", said)).complete(HELLO)
    (_, outcomes), *_ = read_log(log).batches()
    assert outcomes["completion"].to_pylist() == [said]
    assert outcomes["status"].to_pylist() == ["ok"]
    assert outcomes["output_text"].to_pylist() == [20]


def test_an_answer_that_was_not_counted_is_of_unknown_size_and_not_free(log: Path) -> None:
    live(log, groq=Fake("groq", answer("llama-3.1-8b-instant", usage=None))).complete(HELLO)
    (_, outcomes), *_ = read_log(log).batches()
    assert [outcomes[bucket][0].as_py() for bucket in BUCKETS] == [None] * 6


def test_a_bundled_set_of_rules_can_be_run_live(log: Path) -> None:
    fakes = {name: Fake(name) for name in ("groq", "openai", "anthropic")}
    load_rules("starter", providers=fakes, decision_log=log).complete(HELLO)
    assert len(lines(log)) == 1


def test_a_log_that_cannot_be_written_stops_before_anything_is_paid(tmp_path: Path) -> None:
    groq = Fake("groq")
    with pytest.raises(BackrouteError, match="cannot be written"):
        live(tmp_path, groq=groq).complete(HELLO)
    assert groq.asked == []


class FullDisk(FileIO):
    def write(self, data: Any) -> int:
        return super().write(data[:30])


def test_a_disk_that_fills_up_loses_the_line_and_not_the_answer(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router = live(log)
    router.complete(HELLO)
    monkeypatch.setattr("router.decision_log.FileIO", FullDisk)
    with pytest.warns(RuntimeWarning, match="a decision was not logged .No space left on device"):
        assert router.complete(HELLO).text == "Good day"
    monkeypatch.undo()
    router.complete(HELLO)
    batches = list(read_log(log).batches())
    assert sum(requests.num_rows for requests, _ in batches) == 2


def test_a_torn_last_line_costs_itself_and_not_the_next(log: Path) -> None:
    live(log).complete(HELLO)
    with log.open("a") as file:
        file.write('{"request_id": "torn", "mess')
    live(log).complete(HELLO)
    problems = ProblemLog()
    batches = list(read_log(log).batches(problems=problems))
    assert sum(requests.num_rows for requests, _ in batches) == 2
    assert (problems.set_aside, problems.counts["not_json"]) == (1, 1)


def test_threads_write_whole_lines(log: Path) -> None:
    router, messages = live(log), [{"role": "user", "content": "long " * 2_000}]
    with ThreadPoolExecutor(8) as pool:
        ids = {done.request_id for done in pool.map(lambda _: router.complete(messages), range(80))}
    assert {line["request_id"] for line in lines(log)} == ids
    assert threading.active_count() < 50


def test_processes_write_whole_lines(log: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(log, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(line["number"] for line in lines(log)) == sorted([0, 1, 2] * 30)


def _write(path: Path, number: int) -> None:
    log = DecisionLog(path)
    for _ in range(30):
        log.write({"number": number, "filling": "x" * 9_000})


def test_only_its_owner_may_read_the_log(log: Path) -> None:
    live(log).complete(HELLO)
    assert log.stat().st_mode & 0o077 == 0
