"""Recorded calls, served again on loopback through the real SDKs, count as the log readers count them."""

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from router.providers import Answer, ProviderFault, provider
from tests.router.providers.loopback import Loopback, Reply
from workloads.bodies import Exchange, read_exchange

RECORDED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "provider_responses" / "responses.jsonl.gz"
EACH = 6  # calls of each kind: host, and whether streamed

Recorded = dict[str, Any]


def kind_of(row: Recorded, read: Exchange) -> tuple[str, bool] | None:
    """Provider and whether it was streamed; None for the APIs that no adapter speaks."""
    if row["uri"].split("?")[0].split("#")[0].endswith(("/chat/completions", "anthropic.com/v1/messages")):
        return read.provider or "gateway", isinstance(row["response"], str)
    return None


@pytest.fixture(scope="module")
def recorded() -> dict[tuple[str, bool], list[tuple[Recorded, Exchange]]]:
    if not RECORDED.exists():
        pytest.skip(f"the recorded calls are not at {RECORDED.parent}")
    kinds = defaultdict(list)
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            read = read_exchange(row["request"], row["response"], url=row["uri"], status=row["status"])
            if kind := kind_of(row, read):
                kinds[kind].append((row, read))
    return kinds


def replayed(row: Recorded, name: str, streamed: bool, loopback: Loopback) -> Answer:
    loopback.replies(
        Reply(row["response"].encode(), content_type="text/event-stream") if streamed else Reply.json(row["response"])
    )
    asked = provider(name, base_url=loopback.url + ("" if name in ("anthropic", "groq") else "/v1"))
    request = row["request"] if isinstance(row["request"], dict) else {}
    messages = request.get("messages") or [{"role": "user", "content": "not recorded"}]
    more = {key: value for key, value in request.items() if key not in ("model", "messages", "system", "stream")}
    if not streamed:
        return asked.complete(request.get("model", "m"), messages, **more)
    *pieces, answer = asked.stream(request.get("model", "m"), messages, **more)
    assert isinstance(answer, Answer)
    assert "".join(map(str, pieces)) == answer.text
    return answer


@pytest.mark.parametrize("each", [EACH, pytest.param(None, marks=pytest.mark.slow)], ids=["some", "all"])
def test_recorded_calls_count_through_the_adapters_as_through_the_readers(
    each: int | None, recorded: dict[tuple[str, bool], list[tuple[Recorded, Exchange]]], loopback: Loopback
) -> None:
    """Of every host and both ways the first six, or all; those whose recording is cut, or an error, are faults here."""
    seen: Counter[str] = Counter()
    for (name, streamed), calls in recorded.items():
        for row, read in calls[:each]:
            if read.status == "error":
                with pytest.raises(ProviderFault):
                    replayed(row, name, streamed, loopback)
                seen["failed"] += 1
                continue
            answer = replayed(row, name, streamed, loopback)
            assert answer.usage == read.usage, row["uri"]
            assert (answer.text or None, answer.finish_reason) == (read.completion, read.finish_reason)
            seen[name] += 1
    assert {"openai", "anthropic", "groq", "mistral", "openrouter", "deepseek", "together"} <= seen.keys()
    assert sum(seen.values()) > 100


@pytest.mark.parametrize("name", ["openai", "groq"])
def test_a_recorded_request_is_sent_as_it_was(
    name: str, recorded: dict[tuple[str, bool], list[tuple[Recorded, Exchange]]], loopback: Loopback
) -> None:
    """Tools, pictures, schemas and all; but `max_completion_tokens` is `max_tokens` where a model knows both."""
    for row, read in recorded[name, False][:40]:
        if read.status == "ok":
            replayed(row, name, False, loopback)
            wanted = {key: value for key, value in row["request"].items() if value is not None and key != "stream"}
            sent = loopback.asked[-1].body
            for body in (wanted, sent):
                if "max_completion_tokens" in body:
                    body["max_tokens"] = body.pop("max_completion_tokens")
            assert sent == wanted
