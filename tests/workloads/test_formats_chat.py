import json
from decimal import Decimal
from typing import Any

import pytest

from problems import ProblemLog
from workloads import BUCKETS, read_log

USAGE = {"prompt_tokens": 100, "completion_tokens": 20}
HI = [{"role": "user", "content": "Hi"}]


def read(record: dict[str, Any]) -> dict[str, Any]:
    """The one row of a record, its request and outcome columns together."""
    found = ProblemLog()
    [(requests, outcomes)] = read_log([record]).batches(problems=found)
    assert found.set_aside == 0
    return {**requests.to_pylist()[0], **outcomes.to_pylist()[0]}


def refused(record: dict[str, Any]) -> tuple[str, str]:
    """Field and kind of the problem a record becomes."""
    log = read_log([record])
    assert not list(log.batches())
    [problem] = log.problems.kept
    assert problem.set_aside
    assert problem.fix
    return problem.field, problem.kind


def noted(record: dict[str, Any]) -> list[tuple[str, str]]:
    log = read_log([record])
    assert sum(requests.num_rows for requests, _ in log.batches()) == 1
    return [(problem.field, problem.kind) for problem in log.problems.kept]


@pytest.mark.parametrize("name", ["prompt", "query", "question", "user_message", "input", "request"])
def test_the_prompt_goes_by_many_names(name: str) -> None:
    row = read({name: "Hi"})
    assert (row["prompt"], row["n_messages"]) == ("Hi", 1)
    assert row["messages"] == [{"role": "user", "name": None, "text": "Hi"}]


def test_a_text_alone_is_any_log_line_but_with_a_model_it_is_a_call() -> None:
    assert refused({"text": "server started", "level": "info"}) == ("", "nothing_to_replay")
    assert read({"text": "Hi", "model": "gpt-4o"})["prompt"] == "Hi"


@pytest.mark.parametrize(
    "content",
    [
        "What is this?",
        ["What is this?"],
        [{"type": "text", "text": "What is this?"}],
        [{"type": "input_text", "text": "What is this?"}],
        {"type": "text", "text": "What is this?"},
    ],
)
def test_content_is_a_text_or_parts_and_a_prompt_likewise(content: Any) -> None:
    assert read({"messages": [{"role": "user", "content": content}]})["prompt"] == "What is this?"
    assert read({"prompt": content})["prompt"] == "What is this?"


def test_an_image_is_noticed_and_its_text_read() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    content = [{"type": "text", "text": "What?"}, image]
    row = read({"messages": [{"role": "user", "content": content}]})
    assert (row["prompt"], row["has_images"]) == ("What?", True)


def test_the_prompt_is_the_last_user_message_and_not_a_tool_result() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Oslo?"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": '{"q":1}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "4 degrees"},
    ]
    row = read({"messages": messages, "tools": [{"type": "function"}]})
    assert (row["prompt"], row["system"], row["n_messages"]) == ("Weather in Oslo?", "Be brief.", 4)
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant", "tool"]
    assert row["has_tools"]


def test_messages_may_be_json_text_as_tables_keep_them() -> None:
    assert read({"messages": json.dumps(HI)})["prompt"] == "Hi"


def test_an_input_may_be_a_conversation_or_hold_one() -> None:
    assert read({"input": [{"role": "user", "content": "a"}, *HI]})["n_messages"] == 2
    assert read({"input": {"messages": HI}})["prompt"] == "Hi"


def test_items_of_a_responses_call_are_messages_without_a_role() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "4 degrees"},
    ]
    row = read({"input": items, "instructions": "Be brief."})
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant", "tool"]
    assert row["prompt"] == "Weather?"


def test_langchain_names_its_roles_as_types() -> None:
    messages = [{"type": "human", "content": "Hi"}, {"type": "ai", "content": "Hello"}]
    row = read({"messages": messages, "response": "Ho"})
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["prompt"] == "Hi"


@pytest.mark.parametrize("name", ["system", "system_prompt", "instructions"])
def test_a_system_prompt_beside_the_messages_is_the_first_of_them(name: str) -> None:
    row = read({"messages": HI, name: "Be brief."})
    assert (row["system"], row["n_messages"]) == ("Be brief.", 2)


def test_a_system_prompt_logged_twice_is_sent_once() -> None:
    messages = [{"role": "system", "content": "Be brief."}, *HI]
    assert read({"messages": messages, "system_prompt": "Be brief."})["n_messages"] == 2


@pytest.mark.parametrize("name", ["model", "model_name", "model_id", "engine", "deployment"])
def test_the_model_goes_by_many_names(name: str) -> None:
    assert read({"prompt": "Hi", name: "gpt-4o"})["model"] == "gpt-4o"


@pytest.mark.parametrize("name", ["response", "completion", "output", "answer", "response_text"])
@pytest.mark.parametrize(
    "answer",
    [
        "Hello",
        {"role": "assistant", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        {"content": "Hello"},
        {"text": "Hello"},
        {"message": {"role": "assistant", "content": "Hello"}},
        {"choices": [{"message": {"content": "Hello"}}]},
        [{"role": "assistant", "content": "Hello"}],
        [{"type": "text", "text": "Hello"}],
        [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}],
    ],
)
def test_the_answer_is_a_text_a_message_or_parts_of_one(name: str, answer: Any) -> None:
    row = read({"prompt": "Hi", name: answer})
    assert (row["completion"], row["status"]) == ("Hello", "ok")


OPENAI_BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_717_200_000,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {**USAGE, "prompt_tokens_details": {"cached_tokens": 60}},
}
ANTHROPIC_BODY = {
    "type": "message",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "usage": {"input_tokens": 40, "cache_read_input_tokens": 60, "output_tokens": 20},
}


@pytest.mark.parametrize("body", [OPENAI_BODY, ANTHROPIC_BODY])
@pytest.mark.parametrize("packed", [dict, json.dumps])
def test_a_whole_provider_body_as_answer_gives_text_model_and_counts(body: dict[str, Any], packed: Any) -> None:
    """100 in = 40 uncached + 60 read; 20 out."""
    row = read({"prompt": "Hi", "response": packed(body)})
    assert (row["completion"], row["model"]) == ("Hello", body["model"])
    assert [row[bucket] for bucket in BUCKETS] == [40, 60, 0, 0, 20, 0]
    assert row["input_provenance"] == "provider"


def test_an_answer_that_is_json_because_it_was_asked_for_is_a_text() -> None:
    row = read({"prompt": "Hi", "response": '{"mood": "glad"}', "response_format": {"type": "json_object"}})
    assert (row["completion"], row["json_mode"]) == ('{"mood": "glad"}', True)


def test_a_recorded_stream_as_answer_is_read_and_one_cut_short_is_an_error() -> None:
    chunk = {"choices": [{"delta": {"content": "Hello"}, "finish_reason": None}]}
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE}
    whole = f"data: {json.dumps(chunk)}\n\ndata: {json.dumps(last)}\n\ndata: [DONE]\n\n"
    row = read({"prompt": "Hi", "response": whole})
    assert (row["completion"], row["output_text"], row["status"]) == ("Hello", 20, "ok")
    assert read({"prompt": "Hi", "response": f"data: {json.dumps(chunk)}\n\n"})["status"] == "error"


def test_an_error_body_as_answer_is_an_error() -> None:
    assert read({"prompt": "Hi", "response": {"error": {"message": "overloaded"}}})["status"] == "error"


@pytest.mark.parametrize(
    "counted",
    [
        {"usage": USAGE},
        {"token_usage": USAGE},
        {"tokens": {"input": 100, "output": 20}},
        {"usage": json.dumps(USAGE)},
        USAGE,
        {"input_tokens": 100, "output_tokens": 20},
        {"tokens_in": 100, "tokens_out": 20},
        {"usage": {}, **USAGE},
        {"prompt_tokens": 100.0, "total_tokens": 120},
    ],
)
def test_counts_stand_in_a_block_or_beside_the_rest(counted: dict[str, Any]) -> None:
    row = read({"prompt": "Hi", **counted})
    assert [row[bucket] for bucket in BUCKETS] == [100, 0, 0, 0, 20, 0]
    assert (row["input_provenance"], row["output_provenance"]) == ("provider", "provider")


def test_flat_cached_and_reasoning_counts_stand_within_the_totals() -> None:
    """100 in - 60 cached = 40; 20 out - 5 reasoning = 15."""
    row = read({"prompt": "Hi", **USAGE, "cached_tokens": 60, "reasoning_tokens": 5})
    assert [row[bucket] for bucket in BUCKETS] == [40, 60, 0, 0, 15, 5]


def test_counts_alone_are_a_call_without_text() -> None:
    row = read(USAGE)
    assert (row["prompt"], row["messages"], row["n_messages"], row["input_uncached"]) == (None, None, None, 100)


def test_unknown_counts_are_null_and_never_zero() -> None:
    row = read({"prompt": "Hi", "tokens": 120})
    assert [row[bucket] for bucket in BUCKETS] == [None] * 6
    assert (row["input_provenance"], row["output_provenance"]) == (None, None)


def test_counts_in_the_answer_stand_in_for_a_block_without_any() -> None:
    assert read({"prompt": "Hi", "usage": {"cost": 0.1}, "response": OPENAI_BODY})["output_text"] == 20


@pytest.mark.parametrize(
    ("counted", "field", "kind"),
    [
        ({"usage": {"prompt_tokens": -1}}, "usage.prompt_tokens", "impossible_count"),
        ({"usage": {"prompt_tokens": 10**9}}, "usage.prompt_tokens", "impossible_count"),
        ({"usage": {"prompt_tokens": "12"}}, "usage.prompt_tokens", "impossible_count"),
        ({"prompt_tokens": 1.5}, "usage.prompt_tokens", "impossible_count"),
        ({**USAGE, "cached_tokens": 101}, "usage.cached tokens", "impossible_count"),
        ({"usage": [1]}, "usage", "not_an_object"),
        ({"usage": "12 tokens"}, "usage", "not_json"),
        ({"tokens": True}, "tokens", "not_an_object"),
    ],
)
def test_a_count_that_cannot_be_sets_the_row_aside(counted: dict[str, Any], field: str, kind: str) -> None:
    assert refused({"prompt": "Hi", **counted}) == (field, kind)


@pytest.mark.parametrize(
    ("record", "field", "kind"),
    [
        ({"messages": "Hi"}, "messages", "not_json"),
        ({"messages": {"role": "user"}}, "messages", "not_a_list"),
        ({"messages": ["Hi"]}, "messages", "not_a_message"),
        ({"messages": [{"content": "Hi"}]}, "messages", "not_a_message"),
        ({"messages": [{"role": 5, "content": "Hi"}]}, "messages", "not_a_message"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.content", "not_text"),
        ({"prompt": 5}, "prompt", "not_text"),
        ({"prompt": [1, 2, 3]}, "prompt", "not_text"),
        ({"prompt": "Hi", "system": 5}, "system", "not_text"),
        ({"prompt": "Hi", "model": {"name": "gpt-4o"}}, "model", "not_text"),
        ({"prompt": "Hi", "provider": ["openai"]}, "provider", "not_text"),
        ({"prompt": "Hi", "cost": -0.1}, "cost", "bad_cost"),
        ({"prompt": "Hi", "cost": "free"}, "cost", "bad_cost"),
        ({"prompt": "Hi", "cost": True}, "cost", "bad_cost"),
        ({"prompt": "Hi", "cost": 9_000_000}, "cost", "bad_cost"),
        ({"prompt": "Hi", "metadata": "complex"}, "metadata", "not_json"),
        ({"prompt": "Hi", "metadata": [1]}, "metadata", "not_an_object"),
        ({"prompt": "Hi", "latency_budget_ms": "fast"}, "latency_budget_ms", "bad_duration"),
    ],
)
def test_what_prices_or_rules_rest_on_has_to_be_readable(record: dict[str, Any], field: str, kind: str) -> None:
    assert refused(record) == (field, kind)


@pytest.mark.parametrize(
    ("field", "value", "kind", "column"),
    [
        ("request_id", {"a": 1}, "not_text", "session_id"),
        ("session_id", [1], "not_text", "session_id"),
        ("user", {"id": 5}, "not_text", "user_id"),
        ("label", True, "not_text", "label"),
        ("latency_ms", -3, "bad_duration", "latency_ms"),
        ("latency_ms", 1e300, "bad_duration", "latency_ms"),
        ("ttft_ms", "12", "bad_duration", "ttft_ms"),
        ("max_tokens", -1, "bad_cap", "max_output_tokens"),
        ("max_tokens", "256", "bad_cap", "max_output_tokens"),
        ("call_type", ["chat"], "not_text", "session_id"),
        ("answer", True, "not_text", "completion"),
    ],
)
def test_a_row_is_kept_without_what_no_money_rests_on(field: str, value: Any, kind: str, column: str) -> None:
    record = {"prompt": "Hi", field: value}
    assert noted(record) == [(field, kind)]
    assert read(record)[column] is None


def test_the_envelope_goes_by_many_names() -> None:
    row = read(
        {
            "id": 7,
            "ts": "2026-06-01T12:00:00Z",
            "conversation_id": "c",
            "user": 42.0,
            "llm_provider": "openai",
            "task": "code",
            "spend": "0.0055",
            "duration_ms": 812,
            "time_to_first_token_ms": 100,
            "rating": {"stars": 5},
            "service_tier": "flex",
            "max_completion_tokens": 256.0,
            "prompt": "Hi",
        }
    )
    assert (row["request_id"], row["session_id"], row["user_id"], row["label"]) == ("7", "c", "42", "code")
    assert row["arrived_at"].isoformat() == "2026-06-01T12:00:00+00:00"
    assert (row["provider"], row["recorded_usd"]) == ("openai", Decimal("0.005500000000"))
    assert (row["latency_ms"], row["ttft_ms"], row["feedback"]) == (812.0, 100.0, '{"stars":5}')
    assert (row["service_tier"], row["max_output_tokens"]) == ("flex", 256)


@pytest.mark.parametrize("name", ["recorded_usd", "cost_usd", "cost", "total_cost", "spend", "response_cost"])
def test_a_cost_is_kept_exactly(name: str) -> None:
    """0.1 is a tenth and not 0.1000000000000000055 of a dollar."""
    assert read({"prompt": "Hi", name: 0.1})["recorded_usd"] == Decimal("0.1")
    assert read({"prompt": "Hi", name: 1e-12})["recorded_usd"] == Decimal("1e-12")
    assert read({"prompt": "Hi", name: 0})["recorded_usd"] == 0


def test_a_cost_that_only_the_usage_states_is_the_recorded_one() -> None:
    assert read({"prompt": "Hi", "usage": {**USAGE, "cost": 0.25}})["recorded_usd"] == Decimal("0.25")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, "ok"),
        ({"status": "success"}, "ok"),
        ({"status": 200}, "ok"),
        ({"status": "200"}, "ok"),
        ({"status_code": 429.0}, "error"),
        ({"status": "503"}, "error"),
        ({"status": "FAILED"}, "error"),
        ({"status": "timeout"}, "error"),
        ({"status": False}, "error"),
        ({"status": "ok", "error": "retried once"}, "ok"),
        ({"error": "overloaded"}, "error"),
        ({"error": None}, "ok"),
        ({"status": ""}, "ok"),
        ({"cache_hit": "True"}, "cached"),
        ({"cache_hit": "False"}, "ok"),
        ({"status": "cached"}, "cached"),
    ],
)
def test_the_status_is_ok_error_or_cached(said: dict[str, Any], status: str) -> None:
    assert read({"prompt": "Hi", **said})["status"] == status


def test_a_status_nobody_knows_is_noted() -> None:
    assert noted({"prompt": "Hi", "status": "purple"}) == [("status", "unknown_status")]


def test_metadata_may_be_json_text_and_holds_the_latency_budget() -> None:
    for metadata in ({"complex": True, "latency_budget_ms": 500}, '{"complex":true,"latency_budget_ms":500}'):
        row = read({"prompt": "Hi", "metadata": metadata})
        assert (json.loads(row["meta"])["complex"], row["latency_budget_ms"]) == (True, 500.0)
    assert read({"prompt": "Hi", "metadata": ""})["meta"] is None
    assert read({"prompt": "Hi", "meta": {}})["meta"] is None


@pytest.mark.parametrize(
    ("said", "call_type"),
    [
        ({}, "chat"),
        ({"call_type": "acompletion"}, "chat"),
        ({"call_type": "anthropic_messages"}, "chat"),
        ({"call_type": "aembedding"}, "embedding"),
        ({"call_type": "image_generation"}, "image"),
        ({"call_type": "atranscription"}, "audio"),
        ({"call_type": "aspeech"}, "audio"),
        ({"call_type": "arerank"}, "other"),
        ({"model": "text-embedding-3-small"}, "embedding"),
        ({"model": "openai/dall-e-3"}, "image"),
        ({"model": "whisper-1"}, "audio"),
        ({"model": "text-embedding-3-small", "call_type": "other"}, "other"),
    ],
)
def test_only_chat_is_routed_so_other_calls_are_told_apart(said: dict[str, Any], call_type: str) -> None:
    assert read({"input": "Hi", **said})["call_type"] == call_type
