"""Plain logs in the shapes that databases, gateways and transcripts give them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.workloads.format_samples import MESSAGES
from tests.workloads.reading import buckets, read


def test_counts_written_as_texts_are_counts() -> None:
    [row], problems = read([{"prompt": "Hi", "input_tokens": "1000", "cached_tokens": "600", "output_tokens": "50"}])
    assert (buckets(row), problems.set_aside) == ((400, 600, 0, 0, 50, 0), 0)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"cached": True, "cost": 0}, "cached"),
        ({"cached": True, "cost": 0.01}, "ok"),  # the provider's own cache, then
        ({"cached": True}, "ok"),
        ({"cached": False, "cost": 0}, "ok"),
        ({"cache_status": "HIT"}, "cached"),
        ({"cache_status": "SEMANTIC HIT"}, "cached"),
        ({"cache_status": "MISS"}, "ok"),
    ],
)
def test_a_gateways_own_cache_is_told_from_the_providers(fields: dict[str, Any], status: str) -> None:
    [row], _ = read([{"prompt": "Hi", "tokens_in": 20, "tokens_out": 5, **fields}])
    assert row["status"] == status


@pytest.mark.parametrize("name", ["@timestamp", "datetime_utc", "requested_at", "logging_time"])
def test_times_go_by_many_names(name: str) -> None:
    [row], _ = read([{"prompt": "Hi", name: "2025-06-01T10:00:00Z"}])
    assert row["arrived_at"] == datetime(2025, 6, 1, 10, tzinfo=UTC)


ANSWER = {"role": "assistant", "content": "Four."}


def test_a_transcript_that_ends_with_the_assistants_message_holds_the_answer() -> None:
    [first, second], problems = read([{"messages": [*MESSAGES, ANSWER]}, {"id": "b", "messages": [*MESSAGES, ANSWER]}])
    assert (first["prompt"], first["completion"], first["n_messages"]) == ("Two and two?", "Four.", 2)
    assert second["completion"] == "Four."
    assert problems.counts == {"answer_in_messages": 1}


@pytest.mark.parametrize("record", [{"messages": [*MESSAGES, ANSWER], "response": "Five."}, {"messages": [ANSWER]}])
def test_an_answer_begun_in_the_request_stays_there_where_the_rest_is_logged(record: dict[str, Any]) -> None:
    [row], problems = read([record])
    assert (row["n_messages"], row["completion"]) == (len(record["messages"]), record.get("response"))
    assert not problems.counts


def test_an_answer_format_of_a_type_that_cannot_be_asks_for_no_json() -> None:
    lines = [{"prompt": "Hi", "response_format": {"type": kind}} for kind in ("json_object", ["json_object"], {}, None)]
    rows, _ = read(lines)
    assert [row["json_mode"] for row in rows] == [True, False, False, False]
