"""Providers' responses without their requests, pairs by other names, and tokens that have no price of texts."""

from typing import Any

import pytest

from pricing import AsOf, PriceBook
from simulator.inspection import inspect_log
from tests.workloads.format_samples import CHAT_BODY, CHAT_REQUEST, CLAUDE_RESULT
from tests.workloads.reading import buckets, read
from workloads import read_log


@pytest.mark.parametrize(
    ("body", "counted", "said"),
    [
        (CHAT_BODY, (400, 600, 0, 0, 50, 0), "Four."),
        (CLAUDE_RESULT["result"]["message"], (400, 600, 0, 0, 50, 0), "Four."),
        (
            {
                "object": "response",
                "status": "completed",
                "model": "gpt-5",
                "metadata": {},
                "service_tier": "flex",
                "output": [
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Four."}]}
                ],
                "usage": {"input_tokens": 20, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 5}},
            },
            (20, 0, 0, 0, 4, 5),
            "Four.",
        ),
        (
            {
                "candidates": [{"content": {"parts": [{"text": "Four."}]}, "finishReason": "STOP"}],
                "usageMetadata": {
                    "promptTokenCount": 20,
                    "candidatesTokenCount": 5,
                    "thoughtsTokenCount": 7,
                    "totalTokenCount": 32,
                },
                "modelVersion": "gemini-2.5-flash",
            },
            (20, 0, 0, 0, 5, 7),
            "Four.",
        ),
    ],
    ids=["chat", "messages", "responses", "gemini"],
)
def test_a_response_alone_is_read_as_its_providers(body: dict[str, Any], counted: tuple[int, ...], said: str) -> None:
    [row], problems = read([body])
    assert not problems.counts
    assert (buckets(row), row["completion"], row["prompt"], row["status"]) == (counted, said, None, "ok")
    assert row["model"]


@pytest.mark.parametrize("names", [("request_body", "response_body"), ("full_request", "full_response")])
def test_a_pair_may_go_by_other_names(names: tuple[str, str]) -> None:
    [row], _ = read([dict(zip(names, (CHAT_REQUEST, CHAT_BODY), strict=True))])
    assert (row["prompt"], buckets(row)) == ("Two and two?", (400, 600, 0, 0, 50, 0))


AUDIO = {"prompt_tokens": 120, "completion_tokens": 300, "prompt_tokens_details": {"audio_tokens": 100}}


@pytest.mark.parametrize(("cost", "priced"), [(None, 0), (0.028, 1)])
def test_tokens_of_audio_have_no_price_of_texts(cost: float | None, priced: int) -> None:
    record = {"request": CHAT_REQUEST, "response": {**CHAT_BODY, "usage": AUDIO}}
    record |= {} if cost is None else {"cost": cost}
    [row], problems = read([record, record])
    assert (row["call_type"], buckets(row)) == ("audio", (120, 0, 0, 0, 300, 0))
    assert problems.counts["billed_apart"] == 1
    [model] = inspect_log(read_log([record]), PriceBook.load(), AsOf.parse("2024-12-01")).models.values()
    assert (model.unpriced, model.recomputed) == (1 - priced, priced * 28 * 10**9)
