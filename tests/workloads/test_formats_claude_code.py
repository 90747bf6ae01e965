"""Claude Code's session logs: lines repeated and copied, and yet one bill a call."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.workloads.format_samples import CLAUDE_CODE, CLAUDE_USER
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


def test_the_prompt_is_what_was_last_said_in_the_same_session_and_by_the_same_agent(tmp_path: Path) -> None:
    def lines(session: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        user, answer = deepcopy(CLAUDE_USER), deepcopy(CLAUDE_CODE)
        user["message"]["content"] = answer["message"]["id"] = f"{session}{more}"
        return {**user, "sessionId": session, **more}, {**answer, "sessionId": session, **more}

    asked, answered = zip(lines("s1"), lines("s2"), lines("s1", isSidechain=True, agentId="a1"), strict=True)
    for name, held in (("a", asked), ("b", answered)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in held))
    rows, _ = read(tmp_path)
    assert [row["prompt"] for row in rows] == [row["request_id"] for row in rows]
