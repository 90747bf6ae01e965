"""Coding agents' session logs: cumulative counts and repeated lines, and yet one bill a call."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.workloads.format_samples import (
    CLAUDE_CODE,
    CLAUDE_USER,
    CODEX,
    CODEX_FIRST,
    CODEX_META,
    CODEX_TURN,
    codex_count,
)
from tests.workloads.reading import buckets, not_calls, read


def part(output: int, **changed: Any) -> dict[str, Any]:
    """A line of the same message, with so much output so far."""
    line = deepcopy(CLAUDE_CODE)
    line["message"]["usage"]["output_tokens"] = output
    return line | {"uuid": f"p{output}"} | changed


def test_a_session_line_holds_its_buckets_and_the_prompt_before_it() -> None:
    [row], problems = read([CLAUDE_USER, CLAUDE_CODE])
    assert not_calls(problems) == {"user message": 1}
    assert buckets(row) == (4, 2_000, 100, 200, 50, 0)
    assert (row["prompt"], row["completion"], row["session_id"]) == ("Fix the test", "Done.", "s1")
    assert (row["request_id"], row["provider"], row["served_tier"]) == ("msg_1", "anthropic", "standard")


def test_the_lines_of_one_message_are_one_bill_the_fullest() -> None:
    rows, problems = read([part(1), CLAUDE_USER, part(50), part(50, uuid="again")])
    assert [row["output_text"] for row in rows] == [50]
    assert not_calls(problems) == {"part of a message": 2, "user message": 1}


def test_a_resumed_sessions_copies_are_not_billed_again(tmp_path: Path) -> None:
    for name, lines in (("a", [CLAUDE_CODE]), ("b", [CLAUDE_CODE | {"sessionId": "s2"}])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    rows, problems = read(tmp_path)
    assert [row["session_id"] for row in rows] == ["s1"]
    assert not_calls(problems) == {"part of a message": 1}


def test_titles_snapshots_and_the_programs_own_messages_are_no_calls() -> None:
    synthetic = part(0)
    synthetic["message"] |= {"model": "<synthetic>", "id": "x"}
    summary = {"type": "summary", "summary": "Tests", "leafUuid": "u1"}
    snapshot = {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}}
    rows, problems = read([summary, snapshot, synthetic])
    assert not rows
    assert not_calls(problems) == {"session line": 2, "synthetic message": 1}


def test_fast_mode_is_a_tier_of_its_own() -> None:
    line = deepcopy(CLAUDE_CODE)
    line["message"]["usage"]["speed"] = "fast"
    [row], _ = read([line])
    assert row["served_tier"] == "fast"


def total(**counts: int) -> dict[str, int]:
    return {**CODEX_FIRST, **counts}


SECOND = total(input_tokens=3_500, cached_input_tokens=1_600, output_tokens=90, total_tokens=3_590)


def test_cumulative_counts_are_differenced() -> None:
    """3,500 - 1,000 = 2,500 in, of them 1,600 - 600 = 1,000 cached; 90 - 50 = 40 out."""
    rows, problems = read([CODEX_META, CODEX_TURN, CODEX, codex_count(SECOND, None, 2)])
    assert [buckets(row) for row in rows] == [(400, 600, 0, 0, 50, 0), (1_500, 1_000, 0, 0, 40, 0)]
    assert {(row["model"], row["session_id"]) for row in rows} == {("gpt-5-codex", "s1")}
    assert not_calls(problems) == {"session line": 2}


def test_an_event_that_repeats_the_totals_is_no_call() -> None:
    rows, problems = read([CODEX, codex_count(CODEX_FIRST, CODEX_FIRST, 2), codex_count(None, None, 3)])
    assert len(rows) == 1
    assert not_calls(problems) == {"repeated count": 1, "limits without counts": 1}


def test_a_file_that_begins_in_mid_session_counts_its_first_call_only() -> None:
    last = {"input_tokens": 2_500, "cached_input_tokens": 1_000, "output_tokens": 40, "total_tokens": 2_540}
    [row], _ = read([codex_count(SECOND, last)])
    assert buckets(row) == (1_500, 1_000, 0, 0, 40, 0)


def test_totals_that_begin_anew_are_a_new_count() -> None:
    rows, _ = read([codex_count(SECOND, SECOND), codex_count(CODEX_FIRST, CODEX_FIRST, 2)])
    assert [row["cache_read"] for row in rows] == [1_600, 600]


def test_each_session_file_has_its_own_model_and_totals(tmp_path: Path) -> None:
    other = [{**CODEX_TURN, "payload": {"model": "gpt-5.2-codex"}}, codex_count(SECOND, SECOND)]
    for name, lines in (("a", [CODEX_TURN, CODEX]), ("b", other)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    rows, _ = read(tmp_path)
    assert [(row["model"], row["cache_read"]) for row in rows] == [("gpt-5-codex", 600), ("gpt-5.2-codex", 1_600)]


def test_the_last_thing_the_user_said_is_the_prompt() -> None:
    said = {
        "type": "response_item",
        "payload": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go"}]},
    }
    [row], _ = read([said, CODEX])
    assert row["prompt"] == "Go"
