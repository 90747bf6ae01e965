"""Langfuse: one bill for each call, whatever its integrations wrote."""

from decimal import Decimal
from typing import Any

import pytest

from tests.workloads.format_samples import CHAT_BODY, GENERATION, MESSAGES, SPAN, TRACE
from tests.workloads.reading import buckets, not_calls, read


def usage(**details: int) -> tuple[int | None, ...]:
    [row], _ = read([{**GENERATION, "usageDetails": details}])
    return buckets(row)


def test_a_trace_export_gives_its_generations_in_the_traces_session() -> None:
    [row], problems = read([TRACE])
    assert not_calls(problems) == {"span": 1}
    assert buckets(row) == (400, 600, 0, 0, 50, 0)
    assert (row["session_id"], row["user_id"], row["provider"]) == ("s1", "ann", "openai")
    assert (row["system"], row["prompt"], row["completion"]) == ("Be brief.", "Two and two?", "Four.")
    assert (row["recorded_usd"], row["max_output_tokens"]) == (Decimal("0.00225"), 64)
    assert row["meta"] == '{"team":"red","ls_provider":"openai","name":"answer","trace_name":"run"}'


def test_latency_comes_from_the_times_since_exports_write_seconds_or_milliseconds() -> None:
    for latency in (2, 2_000, None):
        [row], _ = read([{**GENERATION, "latency": latency}])
        assert (row["latency_ms"], row["ttft_ms"]) == (2_000, 500)


def test_the_total_says_whether_the_cached_part_stands_inside_the_input_or_beside_it() -> None:
    """400 + 600 + 50 = 1,050: beside. 1,000 + 50 = 1,050: inside. Without a total: beside, as documented."""
    assert usage(input=400, input_cached_tokens=600, output=50, total=1_050) == (400, 600, 0, 0, 50, 0)
    assert usage(input=1_000, cache_read_input_tokens=600, output=50, total=1_050) == (400, 600, 0, 0, 50, 0)
    assert usage(input=400, input_cache_read=600, output=50) == (400, 600, 0, 0, 50, 0)
    assert usage(input=4, input_cache_read=600, output=50, total=54) == (4, 600, 0, 0, 50, 0)


def test_reasoning_and_cache_writes_are_told_apart_likewise() -> None:
    """100 + 30 + 20 = 150: reasoning beside; 100 + 50 = 150 with 20 of reasoning: inside."""
    assert usage(input=100, output=30, output_reasoning=20, total=150) == (100, 0, 0, 0, 30, 20)
    assert usage(input=100, output=50, output_reasoning_tokens=20, total=150) == (100, 0, 0, 0, 30, 20)
    written = usage(input=10, cache_creation_input_tokens=90, input_cache_creation_1h=30, output=5, total=105)
    assert written == (10, 0, 60, 30, 5, 0)


def test_the_providers_own_block_in_the_output_wins_over_langfuses_count() -> None:
    recounted = {**GENERATION, "output": CHAT_BODY, "usageDetails": {"input": 2_500, "output": 99, "total": 2_599}}
    [row], problems = read([recounted])
    assert buckets(row) == (400, 600, 0, 0, 50, 0)
    assert problems.counts == {"usage_disagrees": 1}


def test_a_side_without_a_count_was_counted_by_langfuse_and_is_an_estimate() -> None:
    [row], problems = read([{**GENERATION, "usageDetails": {"input": 90, "total": 90}}])
    assert (row["input_uncached"], row["output_text"], row["input_provenance"]) == (90, None, "estimated")
    assert problems.counts == {"counted_by_langfuse": 1}
    [row], _ = read([{**GENERATION, "providedUsageDetails": {}}])
    assert row["input_provenance"] == "estimated"


def nested(*chain: dict[str, Any]) -> list[dict[str, Any]]:
    """Observations, each the parent of the next."""
    return [
        {**each, "id": f"n{depth}", "parentObservationId": f"n{depth - 1}" if depth else None}
        for depth, each in enumerate(chain)
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_a_generation_around_another_is_one_call_in_whichever_order_they_come(turned: bool) -> None:
    records = nested(SPAN, GENERATION, SPAN, GENERATION)
    rows, problems = read(records[::-1] if turned else records)
    assert [row["request_id"] for row in rows] == ["n3"]
    assert not_calls(problems) == {"span": 2, "wrapper of a call": 1}


def test_agents_and_empty_generations_are_no_calls() -> None:
    agent = {**GENERATION, "type": "AGENT", "id": "a"}
    empty = {key: value for key, value in GENERATION.items() if key not in ("input", "output", "usageDetails")}
    rows, problems = read([agent, {**empty, "id": "e", "usageDetails": {}}])
    assert not rows
    assert not_calls(problems) == {"agent": 1, "empty generation": 1}


def test_a_cost_of_nothing_where_no_price_was_known_is_unknown() -> None:
    [row], _ = read([{**GENERATION, "totalCost": 0, "costDetails": {}}])
    assert row["recorded_usd"] is None


def test_the_databases_spelling_and_a_failed_call_are_read_too() -> None:
    row = {
        "id": "g1",
        "trace_id": "t1",
        "type": "GENERATION",
        "start_time": "2024-06-01 10:00:00.000Z",
        "end_time": "2024-06-01 10:00:02.000Z",
        "provided_model_name": "gpt-4o",
        "input": '[{"role": "user", "content": "Hi"}]',
        "usage_details": '{"input": 5, "output": 0, "total": 5}',
        "session_id": "s9",
        "level": "ERROR",
    }
    [read_row], _ = read([row])
    assert (read_row["model"], read_row["prompt"], read_row["session_id"]) == ("gpt-4o", "Hi", "s9")
    assert (read_row["status"], read_row["latency_ms"]) == ("error", 2_000)


def test_observations_exported_as_opentelemetry_attributes_are_langfuses() -> None:
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-3.5-turbo",
        "langfuse.observation.input": {"messages": MESSAGES},
        "langfuse.observation.usage_details": {"input": 10, "output": 10, "total": 20},
        "langfuse.observation.cost_details": {"total": 2e-05},
    }
    [row], _ = read([{"name": "call", "attributes": attributes}])
    assert (row["model"], buckets(row)) == ("gpt-3.5-turbo", (10, 0, 0, 0, 10, 0))
    assert row["recorded_usd"] == Decimal("0.00002")
