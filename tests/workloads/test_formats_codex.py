"""Codex's session logs: cumulative counts, repeated events and copied histories, and yet one bill a call."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.format_samples import CODEX, CODEX_FIRST, CODEX_META, CODEX_TURN, codex_count
from tests.workloads.reading import buckets, not_calls, read


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


LAST = {"input_tokens": 2_500, "cached_input_tokens": 1_000, "output_tokens": 40, "total_tokens": 2_540}


def test_a_file_that_begins_in_mid_session_counts_its_first_call_only_and_says_so() -> None:
    [row], problems = read([codex_count(SECOND, LAST)])
    assert buckets(row) == (1_500, 1_000, 0, 0, 40, 0)
    assert problems.counts == {"begins_in_mid_session": 1}


def test_totals_alone_in_mid_session_are_set_aside() -> None:
    rows, problems = read([codex_count(SECOND, None)])
    assert (rows, problems.counts) == ([], {"cumulative_count": 1})


def written(folder: Path, **files: list[dict[str, Any]]) -> Path:
    for name, lines in files.items():
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return folder


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_session_cut_into_two_files_reads_as_in_one(cut: int, tmp_path: Path) -> None:
    lines = [CODEX_META, CODEX_TURN, CODEX, codex_count(CODEX_FIRST, CODEX_FIRST, 2), codex_count(SECOND, LAST, 3)]
    whole, _ = read(written(tmp_path, a=lines))
    parts, problems = read(written(tmp_path, a=lines[:cut], b=lines[cut:]))
    assert whole == parts
    assert problems.set_aside == problems.counts["begins_in_mid_session"] == 0


def test_a_file_that_does_not_follow_the_one_before_is_no_part_of_its_session(tmp_path: Path) -> None:
    rows, problems = read(written(tmp_path, a=[CODEX_META, CODEX_TURN, CODEX], b=[codex_count(SECOND, CODEX_FIRST, 3)]))
    assert [(row["session_id"], row["model"]) for row in rows] == [("s1", "gpt-5-codex"), (None, None)]
    assert problems.counts["begins_in_mid_session"] == 1


def meta(name: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    return {**CODEX_META, "payload": {"id": name, "forked_from_id": parent, **more}}


PARENT = [meta("s1"), CODEX_TURN, CODEX, codex_count(SECOND, LAST, 2)]
THIRD = {**SECOND, "input_tokens": 5_000, "output_tokens": 100, "total_tokens": 5_100}
OWN = {"input_tokens": 1_500, "cached_input_tokens": 0, "output_tokens": 10, "total_tokens": 1_510}
FORKS = {
    "forked": meta("s2", "s1"),
    "spawned": meta("s2", source={"subagent": {"thread_spawn": {"parent_thread_id": "s1"}}}),
}


@pytest.mark.parametrize("begins", FORKS.values(), ids=FORKS)
def test_a_fork_copies_its_parents_counts_under_new_times_and_they_are_one_bill(
    begins: dict[str, Any], tmp_path: Path
) -> None:
    copies = [{**line, "timestamp": "2025-06-02T00:00:00Z"} for line in PARENT]
    fork = [begins, *copies, codex_count(THIRD, OWN, 9)]
    rows, problems = read(written(tmp_path, a=PARENT, b=fork))
    assert [(row["session_id"], row["input_uncached"]) for row in rows] == [("s1", 400), ("s1", 1_500), ("s2", 1_500)]
    assert not_calls(problems)["repeated count"] == 2
    # Without its parent, the history is billed once, and the log says that its times are the fork's.
    rows, problems = read(written(tmp_path, a=fork, b=[meta("s3", "s1"), *copies]))
    assert [row["input_uncached"] for row in rows] == [400, 1_500, 1_500]
    assert problems.counts["copied_from_parent"] == 1


def test_a_fork_that_opens_on_its_parents_total_counts_its_own_work_only() -> None:
    zeros = dict.fromkeys(OWN, 0)
    rows, _ = read([meta("s2", "s1"), codex_count(SECOND, zeros), codex_count(THIRD, OWN, 2)])
    assert [buckets(row) for row in rows] == [(1_500, 0, 0, 0, 10, 0)]


def test_sessions_of_other_families_may_count_the_same(tmp_path: Path) -> None:
    rows, _ = read(written(tmp_path, a=[meta("s1"), CODEX], b=[meta("s2"), {**CODEX, "timestamp": "2025-07-01"}]))
    assert [row["session_id"] for row in rows] == ["s1", "s2"]


def record(usage: dict[str, int], response: str, total: dict[str, int] | None = None) -> dict[str, Any]:
    payload = {"thread_id": "s1", "response_id": response, "usage": usage, "thread_token_usage": total}
    return {"timestamp": "2026-09-01T10:00:00Z", "type": "token_usage_record", "payload": payload}


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("turned", [False, True])
def test_a_call_written_as_a_record_and_as_an_event_is_one_call(totals: bool, turned: bool) -> None:
    """The second call: 2,500 in, 1,000 of them cached and 200 written: 1,300 uncached; 40 out."""
    last = {**LAST, "cache_write_input_tokens": 200}
    total = {**SECOND, "cache_write_input_tokens": 200}
    calls = [
        [record(CODEX_FIRST, "r1", CODEX_FIRST if totals else None), CODEX],
        [record(last, "r2", total if totals else None), codex_count(total, last, 2)],
    ]
    lines = [line for call in calls for line in call[:: -1 if turned else 1]]
    rows, problems = read([meta("s1"), CODEX_TURN, *lines, record(last, "r2")])
    assert [buckets(row) for row in rows] == [(400, 600, 0, 0, 50, 0), (1_300, 1_000, 200, 0, 40, 0)]
    assert not_calls(problems)["repeated count"] == 3


def test_totals_of_a_long_session_may_exceed_what_one_call_can() -> None:
    total = dict(zip(CODEX_FIRST, (405_297_300, 388_208_896, 1_265_849, 406_563_149), strict=True))
    [row], _ = read([codex_count(total, LAST)])
    assert row["output_text"] == 40


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
