import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.bodies import read_exchange
from workloads.sse import DONE, fold, read_events

CHAT = "/v1/chat/completions"


def stream(*events: dict[str, Any], named: bool = False, done: bool = False) -> str:
    lines = []
    for event in events:
        lines += [f"event: {event.get('type')}"] if named else []
        lines += [f"data: {json.dumps(event)}", ""]
    return "\n".join(lines + (["data: [DONE]", ""] if done else []))


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {"model": "gpt-4o-2024-08-06", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
OPENAI = stream(chunk("A small "), chunk("answer"), chunk(finish="stop"), {"choices": [], "usage": USAGE}, done=True)
RESPONSES = stream(
    {"type": "response.created", "response": {"id": "r1", "model": "gpt-4.1", "status": "in_progress", "usage": None}},
    {"type": "response.output_text.delta", "delta": "A small answer"},
    {
        "type": "response.completed",
        "response": {
            "id": "r1",
            "model": "gpt-4.1",
            "status": "completed",
            "output": [
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A small answer"}]}
            ],
            "usage": {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17},
        },
    },
    named=True,
)
ANTHROPIC = stream(
    {
        "type": "message_start",
        "message": {
            "id": "m1",
            "model": "claude-sonnet-4-5",
            "usage": {
                "input_tokens": 12,
                "cache_read_input_tokens": 0,
                "cache_creation_input_tokens": 0,
                "output_tokens": 2,
                "service_tier": "standard",
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A small "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "answer"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
    named=True,
)


def gemini(text: str, prompt: int, out: int, finish: str | None = None) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}],
        "usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": out, "totalTokenCount": prompt + out},
        "modelVersion": "gemini-2.0-flash",
    }


GEMINI = stream(gemini("A small ", 15, 2), gemini("answer", 12, 5, "STOP"))
COHERE = stream(
    {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}},
    {"type": "content-delta", "delta": {"message": {"content": {"text": "A small "}}}},
    {"type": "content-delta", "delta": {"message": {"content": {"text": "answer"}}}},
    {
        "type": "message-end",
        "delta": {"finish_reason": "COMPLETE", "usage": {"billed_units": {"input_tokens": 12, "output_tokens": 5}}},
    },
)
INTERACTION = stream(
    {"event_type": "interaction.created", "interaction": {"id": "i1", "status": "in_progress"}},
    {"event_type": "step.start", "index": 0, "step": {"type": "thought"}},
    {"event_type": "step.delta", "index": 0, "delta": {"content": {"text": "hm"}, "type": "thought_summary"}},
    {"event_type": "step.start", "index": 1, "step": {"type": "model_output"}},
    {"event_type": "step.delta", "index": 1, "delta": {"text": "A small answer", "type": "text"}},
    {
        "event_type": "interaction.completed",
        "interaction": {
            "id": "i1",
            "status": "completed",
            "model": "gemini-2.5-flash",
            "usage": {"total_input_tokens": 12, "total_output_tokens": 5, "total_tokens": 17},
        },
    },
    done=True,
)
OLLAMA = "\n".join(
    json.dumps(line)
    for line in (
        {"model": "llama3.2", "message": {"content": "A small "}, "done": False},
        {"model": "llama3.2", "message": {"content": "answer"}, "done": False},
        {"model": "llama3.2", "done": True, "done_reason": "stop", "prompt_eval_count": 12, "eval_count": 5},
    )
)
STREAMS = {
    CHAT: OPENAI,
    "/v1/responses": RESPONSES,
    "/v1/messages": ANTHROPIC,
    "/v1beta/models/gemini-2.0-flash:streamGenerateContent": GEMINI,
    "/v1beta/interactions": INTERACTION,
    "https://api.cohere.com/v2/chat": COHERE,
    "/api/chat": OLLAMA,
}


@pytest.mark.parametrize("url", STREAMS)
def test_a_stream_folds_into_its_text_and_its_final_counts(url: str) -> None:
    """12 in and 5 out, once, however often the stream counts on the way."""
    exchange = read_exchange({}, STREAMS[url], url=url)
    assert exchange.completion == "A small answer"
    assert (exchange.usage.input_uncached, exchange.usage.output_text) == (12, 5)
    assert (exchange.status, exchange.usage.notes) == ("ok", ())


@pytest.mark.parametrize("url", STREAMS)
def test_line_ends_and_comments_do_not_change_what_a_stream_says(url: str) -> None:
    plain = read_exchange({}, STREAMS[url], url=url)
    for end in ("\r\n", "\r"):
        assert read_exchange({}, STREAMS[url].replace("\n", end), url=url) == plain
    if url != "/api/chat":
        assert read_exchange({}, ": keep-alive\n\n" + STREAMS[url], url=url) == plain


@pytest.mark.parametrize("url", STREAMS)
def test_a_stream_without_its_last_event_is_an_error_whose_output_is_unknown(url: str) -> None:
    cuts = {"/v1/messages": "message_delta", "/api/chat": '"done": true', CHAT: '"finish_reason": "stop"'}
    cuts |= {
        "/v1beta/models/gemini-2.0-flash:streamGenerateContent": '"answer"',
        "/v1/responses": "response.completed",
        "/v1beta/interactions": "interaction.completed",
    }
    text = STREAMS[url]
    cut = text.rindex(cuts.get(url, "message-end"))
    exchange = read_exchange({}, text[: text.rindex("\n", 0, cut)], url=url)
    assert exchange.status == "error"
    assert exchange.usage.output_text is None
    assert "stream_cut_short" in exchange.usage.notes
    assert exchange.completion in ("A small answer", "A small ")


def test_an_anthropic_stream_cut_short_still_knows_its_input_but_not_its_output() -> None:
    """The 2 output tokens of the first event are not the answer's."""
    exchange = read_exchange({}, ANTHROPIC[: ANTHROPIC.index("event: message_delta")], url="/v1/messages")
    assert (exchange.usage.input_uncached, exchange.usage.output_text, exchange.status) == (12, None, "error")


def test_an_anthropic_delta_replaces_the_counts_and_drops_a_split_that_no_longer_holds() -> None:
    """First 100 written for an hour, then 250 in all: the stale split goes, and the 250 count as five-minute writes."""
    start = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100},
        "output_tokens": 1,
    }
    events = [
        {"type": "message_start", "message": {"usage": start}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 20}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"input_tokens": 30, "cache_creation_input_tokens": 250, "output_tokens": 45},
        },
    ]
    usage = read_exchange({}, events, url="/v1/messages").usage
    assert (usage.input_uncached, usage.cache_write_5m, usage.cache_write_1h, usage.output_text) == (30, 250, 0, 45)
    unchanged = [*events[:2], {"type": "message_stop"}]
    usage = read_exchange({}, unchanged, url="/v1/messages").usage
    assert (usage.cache_write_5m, usage.cache_write_1h, usage.output_text) == (0, 100, 20)


def test_groqs_usage_is_counted_once_though_it_comes_twice() -> None:
    last = chunk(finish="stop", x_groq={"id": "g1", "usage": USAGE})
    for events in ([chunk("Hi"), last], [chunk("Hi"), last, {"choices": [], "usage": USAGE}]):
        usage = read_exchange({}, events, url=CHAT).usage
        assert (usage.input_uncached, usage.output_text) == (12, 5)


def test_a_counted_stream_that_was_ended_properly_needs_no_finish_reason() -> None:
    events = [chunk("Hi"), {"choices": [], "usage": USAGE}]
    assert not fold(events).complete
    assert fold([*events, DONE]).complete


def test_counts_given_on_the_way_are_not_those_of_a_stream_cut_short() -> None:
    events = [chunk("Hi", usage=USAGE | {"completion_tokens": 1}), chunk(" there", usage=USAGE)]
    assert read_exchange({}, events, url=CHAT).usage.notes == ("no_usage_block", "stream_cut_short")


def test_an_error_event_is_an_error() -> None:
    broken = {"type": "error", "error": {"type": "overloaded_error"}}
    for events in ([chunk("Hi"), {"choices": [], "error": {"code": 400}}, chunk(finish="stop")], [broken]):
        assert read_exchange({}, events).status == "error"


def test_bedrocks_decoded_events_fold_too() -> None:
    """433 in, 2,752 read beside them, 16 out."""
    usage = {"inputTokens": 433, "cacheReadInputTokens": 2_752, "outputTokens": 16, "totalTokens": 3_201}
    events = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": usage, "metrics": {"latencyMs": 10}}},
    ]
    exchange = read_exchange({}, events, url="/model/us.amazon.nova-micro-v1%3A0/converse-stream")
    assert (exchange.completion, exchange.finish_reason, exchange.status) == ("Hi", "end_turn", "ok")
    assert (exchange.usage.input_uncached, exchange.usage.cache_read, exchange.usage.output_text) == (433, 2_752, 16)


def test_data_over_several_lines_is_one_event() -> None:
    assert list(read_events('data: {"a":\ndata: 1}\n\n')) == [{"a": 1}]


@settings(deadline=None)
@given(st.sampled_from(sorted(STREAMS)), st.data())
def test_a_stream_cut_anywhere_still_folds(url: str, data: st.DataObject) -> None:
    text = STREAMS[url]
    cut = data.draw(st.integers(0, len(text)))
    exchange = read_exchange({}, text[:cut], url=url)
    assert "A small answer".startswith(exchange.completion or "")
    assert exchange.usage.output_text in (None, 5)


@given(st.text())
def test_any_text_folds(text: str) -> None:
    fold(read_events(text))
