"""Public traces of lengths: every row, at its time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from problems import BackrouteError
from tests.workloads.format_samples import AZURE, BURSTGPT, MOONCAKE
from tests.workloads.reading import buckets, read
from workloads import read_log

TRACES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "traces"
needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason="the public traces are not beside the project")
CSV = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def test_azures_seven_digits_are_a_time_and_not_zero_requests(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(CSV + "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109")
    rows, problems = read(path, timezone="Asia/Tokyo")  # the trace's own times are UTC
    assert not problems.counts
    assert [row["arrived_at"] for row in rows] == [
        datetime(2023, 11, 16, 18, 15, 46, 680590, UTC),
        datetime(2023, 11, 16, 18, 15, 50, 995169, UTC),
    ]
    assert [buckets(row) for row in rows] == [(374, 0, 0, 0, 44, 0), (396, 0, 0, 0, 109, 0)]
    assert all(row["prompt"] is None and row["model"] is None for row in rows)


def test_equal_rows_of_a_trace_are_different_calls_and_the_same_ones_each_time() -> None:
    log = [AZURE, AZURE, AZURE, BURSTGPT, BURSTGPT, MOONCAKE, MOONCAKE]
    rows, problems = read(log, start="2024-06-01")
    assert "duplicate" not in problems.counts
    assert len({row["request_id"] for row in rows}) == 7
    assert [row["request_id"] for row in rows] == [row["request_id"] for row in read(log)[0]]


def test_a_trace_with_a_clock_of_its_own_needs_a_start() -> None:
    [row], problems = read([MOONCAKE])
    assert (row["arrived_at"], problems.counts) == (None, {"no_start": 1})
    assert "--start" in problems.kept[0].fix
    [row], problems = read([MOONCAKE], start="2024-06-01", timezone="Europe/Berlin")
    assert row["arrived_at"] == datetime(2024, 5, 31, 22, 0, 27, 482_000, UTC)
    assert not problems.counts


def test_mooncakes_prefix_blocks_are_kept_for_a_cache() -> None:
    [row], _ = read([MOONCAKE])
    assert row["meta"] == '{"hash_ids":[46,47,48]}'
    assert buckets(row) == (6_955, 0, 0, 0, 52, 0)


def test_burstgpts_models_are_openais_and_an_answer_of_nothing_is_a_failure() -> None:
    [row], _ = read([BURSTGPT], start="2024-06-01")
    assert row["arrived_at"] == datetime(2024, 6, 1, 0, 0, 5, tzinfo=UTC)
    assert (row["model"], row["provider"], row["status"]) == ("gpt-4", "openai", "ok")
    [row], _ = read([{**BURSTGPT, "Model": "ChatGPT", "Response tokens": "0"}])
    assert (row["model"], row["status"]) == ("gpt-3.5-turbo", "error")


@pytest.mark.parametrize("start", ["noon", "1999-01-01", ""])
def test_a_start_that_is_no_time_is_an_error(start: str) -> None:
    with pytest.raises(BackrouteError, match="--start"):
        read_log([MOONCAKE], start=start)


@needs_traces
def test_every_row_of_azures_hour_is_read() -> None:
    """AzureLLMInferenceTrace_conv: 19,366 rows; the tokens are the columns' own sums."""
    log = read_log(TRACES / "azure_llm_2023_conv.csv.gz")
    requests, outcomes = log.requests(), log.outcomes()
    assert (len(requests), log.problems.set_aside) == (19_366, 0)
    assert requests["arrived_at"].min() == datetime(2023, 11, 16, 18, 15, 46, 680590, UTC)
    assert requests["arrived_at"].max() == datetime(2023, 11, 16, 19, 14, 8, 402527, UTC)
    assert (outcomes["input_uncached"].sum(), outcomes["output_text"].sum()) == (22_361_870, 4_088_665)


@needs_traces
def test_every_row_of_mooncakes_hour_is_read() -> None:
    """The conversation trace: 12,031 rows over 3,536.999 s."""
    log = read_log(TRACES / "mooncake_conversation.jsonl.gz", start="2024-06-01T00:00Z")
    requests = log.requests()
    assert (len(requests), log.problems.set_aside) == (12_031, 0)
    assert requests["arrived_at"].min() == datetime(2024, 6, 1, tzinfo=UTC)
    assert requests["arrived_at"].max() == datetime(2024, 6, 1, 0, 58, 56, 999_000, UTC)
