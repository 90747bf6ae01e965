import gzip
import json
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import BackrouteError
from workloads import read_log
from workloads.synth import Mix, generate, load_mix, preset_names, write_log
from workloads.synth import rows as rows_module
from workloads.synth.mix import PRESETS

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CASE = load_mix("case-60-25-15")
DESK = load_mix("support-desk")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(generate(CASE, 3_000, 7))


@pytest.fixture(scope="module")
def desk() -> list[Row]:
    return list(generate(DESK, 4_000, 3))


def when(row: Row) -> datetime:
    return datetime.fromisoformat(row["timestamp"])


def sessions(rows: list[Row]) -> list[list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[row["session_id"]].append(row)
    return list(found.values())


def test_the_bundled_log_is_what_the_generator_makes(rows: list[Row]) -> None:
    packed = (PRESETS / "case-60-25-15.jsonl.gz").read_bytes()
    assert len(packed) < 700_000
    assert gzip.decompress(packed) == msgspec.json.Encoder().encode_lines(rows)


def test_the_bundled_log_reads_without_a_problem() -> None:
    log = read_log(PRESETS / "case-60-25-15.jsonl.gz")
    requests = log.requests()
    assert len(requests) == 3_000
    assert requests["prompt"].notna().all()
    assert len(log.problems) == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shares_of_rows_are_the_mixs(seed: int) -> None:
    """60% of 3,000 has a binomial standard deviation of sqrt(3000 x .6 x .4) = 27 rows; three of them are allowed."""
    counts = Counter(row["label"] for row in generate(CASE, 3_000, seed))
    for one in CASE.classes:
        deviation = (3_000 * one.share * (1 - one.share)) ** 0.5
        assert abs(counts[one.name] - 3_000 * one.share) < 3 * deviation


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 400), seed=st.integers(0, 2**63), preset=st.sampled_from(preset_names()))
def test_any_number_of_rows_comes_out_exactly_in_order_and_in_time(rows: int, seed: int, preset: str) -> None:
    mix = {"case-60-25-15": CASE, "support-desk": DESK}[preset]
    made = list(generate(mix, rows, seed))
    assert len(made) == len({row["request_id"] for row in made}) == rows
    start = datetime(mix.start.year, mix.start.month, mix.start.day, tzinfo=UTC)
    times = [when(row) for row in made]
    assert times == sorted(times)
    assert start <= times[0]
    assert times[-1] < start + timedelta(days=mix.days)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("a.gz", 5), ("b.gz", 5), ("c.gz", 6)):
        write_log(CASE, 300, seed, tmp_path / name)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert (tmp_path / "a.gz").read_bytes() != (tmp_path / "c.gz").read_bytes()
    assert (tmp_path / "a.gz").read_bytes()[4:8] == bytes(4), "the time of writing is inside"


def test_a_plain_file_holds_what_the_gzipped_one_does(tmp_path: Path) -> None:
    write_log(DESK, 300, 5, tmp_path / "a.jsonl")
    write_log(DESK, 300, 5, tmp_path / "a.jsonl.gz")
    plain = (tmp_path / "a.jsonl").read_bytes()
    assert plain == gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes())
    assert [json.loads(line) for line in plain.splitlines()] == list(generate(DESK, 300, 5))


def peak_memory(rows: int) -> int:
    tracemalloc.start()
    try:
        for _ in islice(generate(CASE, 10**9, 1), rows):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_billion_rows_begin_at_once_and_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A billion rows in a month are 385 a second, far more conversations at once than are kept open."""
    monkeypatch.setattr(rows_module, "OPEN_AT_ONCE", 100)
    assert peak_memory(1) < 2_000_000
    assert peak_memory(6_000) < 1.5 * peak_memory(1_500)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_conversation_that_begins_late_still_ends_within_the_log(seed: int) -> None:
    crowded = replace(CASE, days=1)
    made = list(generate(crowded, 5_000, seed))
    assert len(made) == 5_000
    assert max(row["timestamp"] for row in made) < "2026-06-02"


def test_weekends_and_nights_are_quieter() -> None:
    """June 2026 has 8 weekend days of 30, so they carry 8 x .35 / (22 + 8 x .35) = 11.3% of the traffic."""
    times = [when(row) for row in generate(CASE, 12_000, 1)]
    assert mean(time.weekday() >= 5 for time in times) == pytest.approx(0.113, abs=0.015)
    hours = Counter(time.hour for time in times)
    assert hours[20] > 1.7 * hours[5]


def test_a_later_turn_holds_the_whole_conversation_before_it(rows: list[Row]) -> None:
    talks = sessions(rows)
    assert max(len(talk) for talk in talks) >= 4
    for talk in talks:
        for before, after in pairwise(talk):
            kept = len(before["messages"])
            assert after["messages"][:kept] == before["messages"]
            assert [message["role"] for message in after["messages"][kept:]] == ["assistant", "user"]
            assert when(before) <= when(after)
            assert before["model"] == after["model"]


def test_nobody_says_the_same_thing_twice_in_a_row(rows: list[Row]) -> None:
    for row in rows:
        asked = [message["content"] for message in row["messages"] if message["role"] == "user"]
        assert all(one != next_one for one, next_one in pairwise(asked))


def test_first_turns_are_nearly_all_different(rows: list[Row]) -> None:
    for label in ("simple", "analytics", "code"):
        first = [talk[0]["messages"][-1]["content"] for talk in sessions(rows) if talk[0]["label"] == label]
        assert len(set(first)) > 0.85 * len(first)


def test_no_slot_is_left_unfilled(rows: list[Row], desk: list[Row]) -> None:
    for row in rows + desk:
        assert "<<" not in json.dumps(row["messages"])


def test_usage_is_the_completion_alone_and_says_that_it_is_drawn(rows: list[Row]) -> None:
    """Completions are log-normal around each class's median: 95, 240 and 330 tokens."""
    for row in rows:
        assert set(row["usage"]) == {"completion_tokens", "provenance"}
        assert row["usage"]["provenance"] == "estimated"
        assert row["metadata"]["synthetic"] is True
    for one in CASE.classes:
        drawn = [row["usage"]["completion_tokens"] for row in rows if row["label"] == one.name]
        assert median(drawn) == pytest.approx(one.completion_tokens, rel=0.15)


def test_complex_is_usual_for_analytics_and_code_and_rare_for_simple(rows: list[Row]) -> None:
    rate = {label: mean(r["metadata"]["complex"] for r in rows if r["label"] == label) for label in ("simple", "code")}
    assert rate["simple"] < 0.1
    assert rate["code"] > 0.7


def test_some_code_prompts_are_as_short_as_chat_and_some_chat_is_long(rows: list[Row]) -> None:
    """The seed's rules tell chat by length below 200; both kinds of collision have to occur."""
    lengths = [(row["label"], len(row["messages"][-1]["content"]), row["metadata"]["complex"]) for row in rows]
    assert sum(label == "code" and length < 200 and not is_complex for label, length, is_complex in lengths) > 10
    assert sum(label == "simple" and length >= 200 for label, length, _ in lengths) > 50


def test_the_support_desk_has_what_other_readers_trip_over(desk: list[Row]) -> None:
    assert len({row["model"] for row in desk}) == 4
    assert any(row["messages"][-1]["role"] == "tool" and row["messages"][-2]["tool_calls"] for row in desk)
    assert any("response_format" in row for row in desk)
    assert any("tools" in row for row in desk)
    assert any("latency_budget_ms" in row for row in desk)
    assert any(isinstance(row["messages"][-1]["content"], list) for row in desk)
    assert any(len(row["messages"][0]["content"]) > 1_500 for row in desk)
    for row in desk:
        assert row["usage"]["completion_tokens"] <= row.get("max_tokens", 10**6) if "usage" in row else True


def test_a_failed_call_has_no_usage_and_is_sent_again_as_it_was(desk: list[Row]) -> None:
    failed = 0
    for talk in sessions(desk):
        for before, after in pairwise(talk):
            if before["status"] == "error":
                failed += 1
                assert "usage" not in before
                assert after["messages"] == before["messages"]
    assert failed > 5


def test_no_text_of_the_shared_prompts_is_in_the_log(rows: list[Row], desk: list[Row]) -> None:
    path = SHARED / "prompts" / "labelled_prompts.jsonl.gz"
    if not path.exists():
        pytest.skip("the shared prompts are not beside this checkout")

    def shingles(text: str) -> set[tuple[str, ...]]:
        words = text.lower().split()
        return set(zip(*(words[at:] for at in range(8)), strict=False))

    ours: set[tuple[str, ...]] = set()
    for row in rows + desk:
        content = row["messages"][-1]["content"]
        ours |= shingles(content if isinstance(content, str) else content[0]["text"])
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            shared = ours & shingles(json.loads(line)["prompt"])
            assert not shared


def test_rows_below_one_are_refused_at_once() -> None:
    with pytest.raises(BackrouteError, match="rows: not a whole number above 0"):
        generate(CASE, 0, 1)


def test_a_path_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="cannot be written"):
        write_log(CASE, 1, 1, tmp_path / "missing" / "log.jsonl")


def test_a_mix_of_one_class_gives_only_that_class() -> None:
    only: Mix = replace(CASE, classes=[replace(CASE.classes[2], share=1.0)])
    assert {row["label"] for row in generate(only, 50, 1)} == {"code"}
