import json
from pathlib import Path
from typing import Any

import pytest

from problems import ProblemLog
from workloads import BUCKETS, Log, read_log

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
REQUEST = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_780_315_200,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60}},
}
CLAUDE_REQUEST = {
    "model": "claude-sonnet-4-5",
    "system": "Be brief.",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
}
CLAUDE_RESPONSE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 40, "cache_read_input_tokens": 60, "output_tokens": 20},
}
OPENAI_EVENTS: list[dict[str, Any]] = [
    {"choices": [{"delta": {"content": "Hel"}}], "model": "gpt-4o-2024-08-06"},
    {"choices": [{"delta": {"content": "lo"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": RESPONSE["usage"]},
]
CLAUDE_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**CLAUDE_RESPONSE, "content": []}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}},
    {"type": "message_stop"},
]


def stream(events: list[dict[str, Any]]) -> str:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


def read(record: dict[str, Any]) -> dict[str, Any]:
    log = read_log([record])
    [(requests, outcomes)] = log.batches()
    assert log.formats == {"request+response pairs": 1}
    return {**requests.to_pylist()[0], **outcomes.to_pylist()[0]}


@pytest.mark.parametrize(
    ("request_body", "response"),
    [
        (REQUEST, RESPONSE),
        (json.dumps(REQUEST), json.dumps(RESPONSE)),
        (REQUEST, stream(OPENAI_EVENTS)),
        (REQUEST, OPENAI_EVENTS),
        (CLAUDE_REQUEST, CLAUDE_RESPONSE),
        (CLAUDE_REQUEST, stream(CLAUDE_EVENTS)),
        (CLAUDE_REQUEST, CLAUDE_EVENTS),
    ],
)
def test_a_pair_reads_alike_whole_or_streamed_at_either_provider(request_body: Any, response: Any) -> None:
    """100 in = 40 uncached + 60 read; 20 out."""
    row = read({"request": request_body, "response": response})
    assert (row["prompt"], row["completion"], row["status"], row["call_type"]) == ("Hi", "Hello", "ok", "chat")
    assert [row[bucket] for bucket in BUCKETS] == [40, 60, 0, 0, 20, 0]
    assert row["max_output_tokens"] == 50
    assert row["model"] in ("gpt-4o-2024-08-06", "claude-sonnet-4-5-20250929")


def test_a_pair_takes_id_and_time_of_the_answer_where_the_log_has_none() -> None:
    row = read({"request": REQUEST, "response": RESPONSE})
    assert row["request_id"] == "chatcmpl-1"
    assert row["arrived_at"].isoformat() == "2026-06-01T12:00:00+00:00"
    own = {"id": "mine", "timestamp": "2026-06-02T00:00:00Z"}
    row = read({**own, "request": REQUEST, "response": RESPONSE})
    assert (row["request_id"], row["arrived_at"].day) == ("mine", 2)


def test_an_answer_that_claims_1970_has_no_time() -> None:
    assert read({"request": REQUEST, "response": {**RESPONSE, "created": 0}})["arrived_at"] is None


def test_a_stream_cut_short_is_an_error_and_its_output_unknown() -> None:
    row = read({"request": CLAUDE_REQUEST, "response": stream(CLAUDE_EVENTS[:2])})
    assert (row["status"], row["completion"], row["output_text"]) == ("error", "Hello", None)
    assert row["input_uncached"] == 40


def test_a_call_that_was_never_answered_is_kept_with_its_status() -> None:
    row = read({"request": REQUEST, "response": None, "status": 500})
    assert (row["prompt"], row["status"], row["input_uncached"]) == ("Hi", "error", None)


def test_an_answer_whose_request_was_not_kept_has_counts_and_no_text() -> None:
    for nothing in (None, ""):
        row = read({"request": nothing, "response": RESPONSE})
        assert (row["prompt"], row["input_uncached"]) == (None, 40)


def test_model_and_counts_beside_the_pair_stand_in_for_those_it_lacks() -> None:
    bare = {"request": {"messages": REQUEST["messages"]}, "response": {"choices": RESPONSE["choices"]}}
    row = read({**bare, "model": "gpt-4o", "usage": {"prompt_tokens": 100, "completion_tokens": 20}})
    assert (row["model"], row["input_uncached"]) == ("gpt-4o", 100)


def test_the_address_names_the_provider_and_the_log_has_the_last_word() -> None:
    pair = {"request": REQUEST, "response": RESPONSE}
    assert read({**pair, "url": "https://api.groq.com/openai/v1/chat/completions"})["provider"] == "groq"
    assert read({**pair, "host": "api.openai.com"})["provider"] == "openai"
    assert read({**pair, "host": "localhost", "provider": "azure"})["provider"] == "azure"


def test_request_and_response_as_texts_are_a_prompt_and_its_answer() -> None:
    log = read_log([{"request": "Hi", "response": "Hello", "model": "gpt-4o"}])
    [(requests, outcomes)] = log.batches()
    assert log.formats == {"chat JSONL": 1}
    assert (requests["prompt"].to_pylist(), outcomes["completion"].to_pylist()) == (["Hi"], ["Hello"])


def test_a_count_that_cannot_be_sets_the_pair_aside() -> None:
    log = read_log([{"request": REQUEST, "response": {**RESPONSE, "usage": {"prompt_tokens": -5}}}])
    assert not list(log.batches())
    [problem] = log.problems.kept
    assert (problem.field, problem.value, problem.kind) == ("usage.prompt_tokens", "-5", "impossible_count")


def recorded() -> Log:
    path = DATA / "provider_responses" / "responses.jsonl.gz"
    if not path.exists():
        pytest.skip("needs the recorded provider responses in ../shared/data")
    return read_log(path)


def test_no_recorded_call_is_lost() -> None:
    problems = ProblemLog()
    log = recorded()
    rows = sum(requests.num_rows for requests, _ in log.batches(problems=problems))
    assert rows + problems.set_aside == 2_080
    assert log.formats == {"request+response pairs": rows}
    # Recordings that share an answer's id, and some with audio: all kept, and said.
    assert set(problems.counts) == {"id_reused", "billed_apart"}
    assert rows == 2_080
