"""LiteLLM, Helicone and OpenRouter: what a gateway writes about the calls that went through it."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.format_samples import CHAT_BODY, HELICONE, OPENROUTER, SPEND_LOG, STANDARD
from tests.workloads.reading import buckets, read


def one(record: dict[str, Any]) -> dict[str, Any]:
    [row], problems = read([record])
    assert not problems.counts
    return row


@pytest.mark.parametrize("record", [SPEND_LOG, STANDARD, HELICONE], ids=["spend", "standard", "helicone"])
def test_a_gateways_row_holds_its_buckets_its_cost_and_its_times(record: dict[str, Any]) -> None:
    """1,000 in, of them 600 cached: 400 uncached; 0.0004 M x 2.5 + 0.0006 M x 1.25 + 0.00005 M x 10 = $0.00225."""
    row = one(record)
    assert buckets(row) == (400, 600, 0, 0, 50, 0)
    assert row["input_provenance"] == row["output_provenance"] == "provider"
    assert row["recorded_usd"] == Decimal("0.00225")
    assert row["arrived_at"] == datetime(2024, 6, 1, 10, tzinfo=UTC)
    assert (row["latency_ms"], row["ttft_ms"]) == (2_000, 500)
    assert row["model"].startswith("gpt-4o")
    assert (row["provider"], row["user_id"], row["status"]) == ("openai", "ann", "ok")
    assert '"team":"red"' in row["meta"]
    assert "0123" not in row["meta"]


def test_litellms_own_usage_object_tells_the_parts_that_its_flat_counts_leave_out() -> None:
    flat = {**SPEND_LOG, "metadata": "{}"}
    assert buckets(one(flat)) == (1_000, 0, 0, 0, 50, 0)


def test_a_spend_log_without_texts_has_none_and_one_with_them_has_the_prompt() -> None:
    assert one(SPEND_LOG)["prompt"] is None
    stored = {**SPEND_LOG, "messages": '[{"role": "user", "content": "Hi"}]', "response": CHAT_BODY}
    row = one(stored)
    assert (row["prompt"], row["completion"]) == ("Hi", "Four.")
    asked = {"messages": [{"role": "user", "content": "Ho"}], "tools": [{}], "max_tokens": 9}
    row = one({**SPEND_LOG, "proxy_server_request": asked})
    assert (row["prompt"], row["has_tools"], row["max_output_tokens"]) == ("Ho", True, 9)


def test_a_failed_spend_log_used_nothing_and_an_answer_from_the_gateways_cache_is_cached() -> None:
    failed = {**SPEND_LOG, "status": "failure", "spend": 0.0, "prompt_tokens": 0, "completion_tokens": 0}
    failed |= {"total_tokens": 0, "metadata": "{}"}
    row = one(failed)
    assert (row["status"], buckets(row)) == ("error", (None,) * 6)
    assert one({**SPEND_LOG, "cache_hit": "True"})["status"] == "cached"


def test_litellms_kind_of_call_stands() -> None:
    row = one({**SPEND_LOG, "call_type": "aembedding", "model": "text-embedding-3-small", "completion_tokens": 0})
    assert row["call_type"] == "embedding"


def test_a_logging_payload_holds_the_text_and_what_was_asked_for() -> None:
    row = one(STANDARD)
    assert (row["system"], row["prompt"], row["completion"]) == ("Be brief.", "Two and two?", "Four.")
    assert (row["has_tools"], row["max_output_tokens"], row["session_id"]) == (True, 64, "t1")


def test_helicones_flat_counts_serve_where_the_bodies_were_left_out() -> None:
    """Anthropic's prompt_tokens leave the cache out, others' include it."""
    bare = {key: value for key, value in HELICONE.items() if key != "response_body"}
    bare |= {"prompt_cache_read_tokens": 600}
    assert buckets(one(bare)) == (400, 600, 0, 0, 50, 0)
    claude = {**bare, "provider": "ANTHROPIC", "request_model": "claude-sonnet-4-5"}
    assert buckets(one(claude)) == (1_000, 600, 0, 0, 50, 0)


def test_helicone_names_the_session_in_its_properties_and_a_bucket_cache_as_a_reference() -> None:
    assert one(HELICONE)["session_id"] == "s1"
    hit = {**HELICONE, "cache_reference_id": "b2f9c0de-0000-4000-8000-000000000001"}
    assert one(hit)["status"] == "cached"
    assert one({**HELICONE, "response_status": -3})["status"] == "error"
    assert one({**HELICONE, "response_status": 429})["status"] == "error"


def test_openrouter_bills_native_tokens_and_not_the_normalised_ones() -> None:
    row = one(OPENROUTER)
    assert buckets(row) == (400, 600, 0, 0, 30, 20)
    assert (row["recorded_usd"], row["provider"], row["model"]) == (Decimal("0.00225"), "openrouter", "openai/gpt-4o")
    assert (row["ttft_ms"], row["latency_ms"]) == (500, 2_000)


def test_with_ones_own_key_the_upstreams_charge_is_part_of_openrouters_cost() -> None:
    """$0.0001 to OpenRouter and $0.00225 to the provider."""
    own = {**OPENROUTER, "is_byok": True, "total_cost": 0.0001, "upstream_inference_cost": 0.00225}
    assert one(own)["recorded_usd"] == Decimal("0.00235")


ACTIVITY = """\
generation_id,created_at,cost_total,byok_usage_inference,tokens_prompt,tokens_completion,tokens_reasoning,\
tokens_cached,model_permaslug,provider_name,variant,cancelled,streamed,user,finish_reason_normalized,\
generation_time_ms,time_to_first_token_ms,app_name
gen-1,2024-06-01 10:00:00.000,0.00225,0,1000,50,20,600,openai/gpt-4o,OpenAI,standard,false,true,ann,stop,2000,500,App
gen-2,2024-06-01 10:00:01.000,0.0001,0.00225,1000,50,0,600,openai/gpt-4o,OpenAI,standard,true,true,,,2000,500,App
gen-3,2024-06-01 10:00:02.000,0,,1000,50,0,0,openai/gpt-oss-120b,Chutes,free,false,false,,stop,2000,,App
"""


def test_openrouters_activity_export_is_read_as_its_generations(tmp_path: Path) -> None:
    path = tmp_path / "openrouter_activity_2024-06-01.csv"
    path.write_text(ACTIVITY)
    rows, problems = read(path)
    assert (len(rows), problems.set_aside) == (3, 0)
    first, own_key, free = rows
    assert buckets(first) == (400, 600, 0, 0, 30, 20)
    assert first["arrived_at"] == datetime(2024, 6, 1, 10, tzinfo=UTC)
    assert (first["request_id"], first["user_id"], first["status"]) == ("gen-1", "ann", "ok")
    assert (first["recorded_usd"], first["ttft_ms"], first["latency_ms"]) == (Decimal("0.00225"), 500, 2_000)
    assert (own_key["recorded_usd"], own_key["status"]) == (Decimal("0.00235"), "error")
    assert (free["model"], free["ttft_ms"]) == ("openai/gpt-oss-120b:free", None)
