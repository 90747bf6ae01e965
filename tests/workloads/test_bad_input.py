"""Whatever a log holds: a row, or a problem with its place and its fix, and never an exception."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from problems import Problem, ProblemLog
from workloads import read_log
from workloads.formats import chat, envelope

GOOD = b'{"prompt": "good"}'
CHAT: dict[str, Any] = {"prompt": "Hi", "model": "gpt-4o", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
PAIR: dict[str, Any] = {
    "request": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]},
    "response": {"choices": [{"message": {"content": "x"}}], "usage": CHAT["usage"]},
}
CLAUDE: dict[str, Any] = {
    "request": {"model": "claude", "system": "s", "messages": [{"role": "user", "content": "Hi"}]},
    "response": {"type": "message", "content": [], "usage": {"input_tokens": 3, "output_tokens": 4}},
}
FIELDS = {
    *(envelope.ID + envelope.TIME + envelope.SESSION + envelope.USER + envelope.PROVIDER + envelope.META),
    *(envelope.LABEL + envelope.COST + envelope.LATENCY + envelope.TTFT + envelope.FEEDBACK + envelope.STATUS),
    *(chat.MODEL + chat.PROMPT + chat.SYSTEM + chat.ANSWER + chat.USAGE + chat.CAPS + chat.FLAT),
    *("messages", "call_type", "cache_hit", "error", "latency_budget_ms", "tools", "response_format", "service_tier"),
    *("request", "url", "host"),
}
COUNTS = {
    *(*chat.FLAT, "input", "output", "cost", "cost_details", "service_tier", "provenance", "iterations"),
    *("cache_creation", "inputTokens", "outputTokens", "totalTokens", "cacheDetails", "promptTokenCount"),
    *("candidatesTokenCount", "thoughtsTokenCount", "promptTokensDetails", "billed_units", "meta", "is_byok"),
    *("prompt_eval_count", "search_units", "total_input_tokens"),
}
ASKED = {"model", "messages", "system", "max_tokens", "tools", "response_format", "input", "instructions", "prompt"}
ASKED |= {"contents", "text", "thinking", "inferenceConfig", "generationConfig", "service_tier"}
ANSWERED = {"id", "object", "created", "created_at", "model", "choices", "usage", "service_tier", "error", "type"}
ANSWERED |= {"content", "stop_reason", "candidates", "usageMetadata", "output", "status", "message", "x_groq", "data"}
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 7, 10**40, 10**400, 1.5, -2.5, 1e300),
    *("", "x", "NaN", "-1", "1e9", "\x00", "\ud800", "{}", '{"usage":5}', '{"choices":5}', "data: {", "[" * 3_000),
    *([], [1], ["a"], [None], [{}], [[[]]], {}, {"a": 1}, {"a": {"b": [1]}}),
    *([{"role": 5}], [{"role": "user", "content": [5]}], [{"role": "user", "content": [{"type": 5, "text": 6}]}]),
    *([{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}], [{"type": "tool_result", "content": {}}]),
    *({"choices": [5]}, {"choices": {}}, {"usage": [1]}, {"usage": {"prompt_tokens": "5"}}, {"message": 5}),
    *({"prompt_tokens_details": [5], "prompt_tokens": 3}, {"text": {}}, {"latency_budget_ms": "x"}),
]


def read(data: bytes, path: Path) -> tuple[int, list[Problem]]:
    """How many rows a file with these bytes gives, and all its problems."""
    path.write_bytes(data)
    problems = ProblemLog()
    rows = 0
    for requests, outcomes in read_log(path).batches(problems=problems):
        requests.validate(full=True)
        outcomes.validate(full=True)
        rows += requests.num_rows
    return rows, problems.kept


def altered() -> Iterator[dict[str, Any]]:
    """Good records with one field replaced, for every field and every kind of value."""
    for value in VALUES:
        for field in FIELDS:
            yield {**CHAT, field: value}
            yield {**PAIR, field: value}
        for field in COUNTS:
            yield {**CHAT, "usage": {field: value}}
            yield {**CHAT, "usage": {"prompt_tokens": 3, "completion_tokens": 4, field: value}}
        for pair in (PAIR, CLAUDE):
            for field in ASKED:
                yield {**pair, "request": {**pair["request"], field: value}}
            for field in ANSWERED:
                yield {**pair, "response": {**pair["response"], field: value}}


def test_any_value_in_any_field_is_a_row_or_a_problem_with_a_fix() -> None:
    lines = {json.dumps(record): None for record in altered()}  # no two alike, or they would be duplicates
    assert len(lines) > 10_000
    problems = ProblemLog(keep=len(lines) * 2)
    rows = 0
    for requests, outcomes in read_log([json.loads(line) for line in lines]).batches(problems=problems):
        requests.validate(full=True)
        outcomes.validate(full=True)
        rows += requests.num_rows
    assert rows + problems.set_aside == len(lines)
    assert "duplicate" not in problems.counts
    assert all(problem.fix and problem.effect and problem.kind for problem in problems.kept)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"prompt": "Hi"', "not_json"),
        (b'{"prompt": "Hi"} {"prompt": "Ho"}', "not_json"),
        (b"{'prompt': 'Hi'}", "not_json"),
        (b'{"prompt": NaN}', "not_json"),
        (b'{"prompt": "Hi", "cost": NaN}', "not_json"),
        (b'{"prompt": "Hi", "cost": Infinity}', "not_json"),
        (b'{"prompt": "Hi", "cost": 1e999}', "not_json"),
        (b'{"prompt": "Hi", "id": ' + b"9" * 5_000 + b"}", "not_json"),
        (b'{"prompt": "\\u12"}', "not_json"),
        (b'{"prompt": "\\ud800", "cost": NaN}', "not_json"),
        (b'{"prompt": "\xff\xfe"}', "not_json"),
        (b'{"prompt": "a\x00b"}', "not_json"),
        (b"\x00\x00\x00\x00", "not_json"),
        (b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"prompt,response", "not_json"),
        (b'[{"prompt": "Hi"}]', "not_an_object"),
        (b'"prompt"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"1", "not_an_object"),
        (b"{}", "nothing_to_replay"),
        (b'{"level": "info", "message": "started"}', "nothing_to_replay"),
        (b'{"prompt": null, "usage": null}', "nothing_to_replay"),
    ],
)
def test_a_line_that_is_no_call_is_set_aside_and_its_neighbours_are_read(
    line: bytes, kind: str, tmp_path: Path
) -> None:
    rows, [problem] = read(GOOD + b"\n" + line + b"\n" + b'{"prompt": "next"}', tmp_path / "a.jsonl")
    assert rows == 2
    assert (problem.line, problem.kind, problem.set_aside) == (2, kind, True)
    assert problem.source == str(tmp_path / "a.jsonl")
    assert len(problem.value) <= 201
    assert problem.fix.startswith("give ")


def test_a_list_in_a_file_is_read_by_its_elements(tmp_path: Path) -> None:
    rows, [problem] = read(b'[{"prompt": "Hi"}, 5, {"prompt": "Ho"}]', tmp_path / "a.json")
    assert (rows, problem.line, problem.kind) == (2, 2, "not_an_object")


def test_values_nested_deep_are_read_or_set_aside(tmp_path: Path) -> None:
    for depth in (10, 100, 500, 900, 990, 2_000):
        deep = b"[" * depth + b"]" * depth
        for field in (b"metadata", b"messages", b"prompt", b"response", b"usage", b"feedback", b"cost", b"user"):
            rows, problems = read(b'{"prompt": "Hi", "' + field + b'": ' + deep + b"}", tmp_path / "a")
            assert rows + sum(problem.set_aside for problem in problems) == 1


def test_metadata_as_deep_as_can_be_decoded_may_be_too_deep_to_write() -> None:
    kinds = set()
    for depth in range(600, 1_000):
        deep: Any = []
        for _ in range(depth):
            deep = [deep]
        problems = ProblemLog()
        log = read_log([{"prompt": "Hi", "metadata": {"a": deep}}])
        rows = sum(requests.num_rows for requests, _ in log.batches(problems=problems))
        kinds |= set(problems.counts)
        assert rows + problems.set_aside == 1
    assert "nested_too_deep" in kinds


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    record = {"prompt": "cut \ud83d", "metadata": {"k\udc00": "\ud83d\ude00"}}
    log = read_log([record])
    [(requests, _)] = log.batches()
    assert requests["prompt"].to_pylist() == ["cut �"]
    assert json.loads(requests["meta"][0].as_py()) == {"k�": "😀"}
    assert not log.problems


def test_records_that_json_cannot_hold_are_set_aside() -> None:
    circular: dict[str, Any] = {"prompt": "Hi"}
    circular["self"] = circular
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    records = [
        circular,
        {"prompt": "Hi", "metadata": deep},
        {"prompt": "Hi", "metadata": {(1, 2): 3}},
        {"prompt": "Hi", "metadata": object()},
        {"prompt": "\ud800", "metadata": object()},
        {"prompt": "\ud800", "cost": float("nan")},
        {"prompt": "Hi", "metadata": {"n": 10**5_000}},
        None,
        "text",
        ["Hi"],
        {"prompt": "good"},
    ]
    log = read_log(records)
    assert sum(requests.num_rows for requests, _ in log.batches()) == 1
    assert [problem.line for problem in log.problems.kept] == list(range(1, 11))
    assert {problem.kind for problem in log.problems.kept} == {"not_json", "not_an_object"}


def test_whole_numbers_above_64_bits_are_numbers() -> None:
    log = read_log([{"prompt": "Hi", "id": 10**40}])
    [(requests, _)] = log.batches()
    assert requests["request_id"].to_pylist() == [str(10**40)]


def test_a_problem_is_written_with_its_line_and_shown_without_its_keys(tmp_path: Path) -> None:
    secret = "sk-live-0123456789abcdef0123456789abcdef"
    bad = json.dumps({"api_key": secret, "headers": {"Authorization": f"Bearer {secret}"}})
    path = tmp_path / "a.jsonl"
    path.write_text(f'{bad}\n{bad[:-3]}\n{bad[:-1]}, "prompt": "Hi", "id": "{secret}"}}\n' * 2)
    sink = io.StringIO()
    problems = ProblemLog(sink)
    list(read_log(path).batches(problems=problems))
    assert set(problems.counts) == {"nothing_to_replay", "not_json", "duplicate"}
    assert all(secret not in str(problem) for problem in problems.kept)
    rows = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert [row["original"] for row in rows[:2]] == path.read_text().splitlines()[:2]
    assert all(secret not in row["value"] for row in rows)
