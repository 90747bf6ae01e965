"""What comes back: the same Answer, whoever gave it, whole or streamed."""

import asyncio
import threading
from typing import Any

import pytest
from llmock.scenarios import Reply as Said
from llmock.scenarios import ToolCall
from llmock.testing import LLMockServer

from router.providers import Answer, Provider
from tests.router.providers.bodies import ANSWERS, CHAT, CHAT_EVENTS, EVENTS, MESSAGE, chunk
from tests.router.providers.conftest import HELLO, MODELS, SDKS, Make
from tests.router.providers.loopback import Loopback, Reply
from workloads.schema import BUCKETS

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}

# The buckets of `bodies`: 1200 - 800 uncached, 150 - 50 text; Anthropic's input leaves the cache out, 10 + 20 written.
COUNTED = dict.fromkeys(("openai", "groq", "vllm"), (400, 800, 0, 0, 100, 50))
COUNTED["anthropic"] = (400, 800, 10, 20, 150, 0)
SERVED = {"openai": "default", "groq": "default", "vllm": "default", "anthropic": "standard"}

each_provider = pytest.mark.parametrize("name", ANSWERS)


def buckets(answer: Answer) -> tuple[int | None, ...]:
    return tuple(getattr(answer.usage, bucket) for bucket in BUCKETS)


def streamed(asked: Provider, name: str, **more: Any) -> tuple[list[str], Answer]:
    *pieces, answer = asked.stream(MODELS[name], HELLO, **more)
    assert isinstance(answer, Answer)
    assert all(isinstance(piece, str) for piece in pieces)
    return [str(piece) for piece in pieces], answer


@each_provider
def test_a_whole_answer_has_its_buckets_its_model_and_its_tier(name: str, loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.json(ANSWERS[name], headers={"x-request-id": "req_1"}))
    answer = scripted(name).complete(MODELS[name], HELLO)
    assert (answer.text, buckets(answer)) == ("Good day", COUNTED[name])
    assert (answer.model, answer.served_tier, answer.request_id) == (ANSWERS[name]["model"], SERVED[name], "req_1")
    assert answer.finish_reason in ("stop", "end_turn")
    assert answer.raw == ANSWERS[name]
    assert answer.ttft_ms is None
    assert answer.latency_ms > 0


@each_provider
def test_a_stream_says_in_pieces_what_it_says_whole(name: str, loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.events(*EVENTS[name]))
    pieces, answer = streamed(scripted(name), name)
    assert pieces == ["Good ", "day"]
    assert (answer.text, buckets(answer), answer.served_tier) == ("Good day", COUNTED[name], SERVED[name])
    assert answer.ttft_ms is not None
    assert 0 < answer.ttft_ms <= answer.latency_ms


@each_provider
def test_the_mock_of_the_true_wire_formats_is_understood(name: str, mock: LLMockServer, mocked: Make) -> None:
    mock.state.scenarios.add(Said(text="Good day", times=2))
    asked = mocked(name)
    whole = asked.complete(MODELS[name], HELLO)
    pieces, answer = streamed(asked, name)
    assert whole.text == answer.text == "".join(pieces) == "Good day"
    assert whole.usage == answer.usage
    assert whole.usage.input_total is not None
    assert whole.request_id == answer.request_id == "req_mocked"


@each_provider
def test_tool_calls_come_in_one_form_from_everybody(name: str, mock: LLMockServer, mocked: Make) -> None:
    call = ToolCall("weather", {"city": "Paris", "days": [1, 2, 3]})
    mock.state.scenarios.add(Said(tool_calls=(call, call), times=2))
    asked = mocked(name)
    whole = asked.complete(MODELS[name], HELLO, tools=[TOOL])
    _, answer = streamed(asked, name, tools=[TOOL])
    for each in (whole, answer):
        assert [held["function"]["name"] for held in each.tool_calls] == ["weather", "weather"]
        arguments = {held["function"]["arguments"].replace(" ", "") for held in each.tool_calls}
        assert arguments == {'{"city":"Paris","days":[1,2,3]}'}
        assert len({held["id"] for held in each.tool_calls}) == 2
        assert each.message["tool_calls"] == list(each.tool_calls)
        assert each.text == ""


def test_an_answer_can_be_sent_on_to_another_provider(mock: LLMockServer, mocked: Make) -> None:
    """OpenAI calls a tool, Anthropic gets its result: the conversation moves with the router's choice."""
    mock.state.scenarios.add(Said(tool_calls=(ToolCall("weather", {"city": "Paris"}),)))
    first = mocked("openai").complete("gpt-4o", HELLO, tools=[TOOL])
    result = {"role": "tool", "tool_call_id": first.tool_calls[0]["id"], "content": "sunny"}
    mock.state.scenarios.add(Said(text="Sunny in Paris"))
    second = mocked("anthropic").complete("claude-sonnet-4-5", [*HELLO, first.message, result], tools=[TOOL])
    assert second.text == "Sunny in Paris"


def test_groqs_own_place_for_a_streams_usage_is_found(loopback: Loopback, scripted: Make) -> None:
    last = chunk({}, "stop") | {"x_groq": {"id": "req_1", "usage": CHAT["usage"]}}
    loopback.replies(Reply.events(*CHAT_EVENTS[:3], last, "[DONE]"))
    _, answer = streamed(scripted("groq"), "groq")
    assert buckets(answer) == COUNTED["groq"]


def test_a_stream_without_usage_has_an_answer_of_unknown_size(loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.events(*CHAT_EVENTS[:4], "[DONE]"))
    _, answer = streamed(scripted("vllm"), "vllm")
    assert answer.text == "Good day"
    assert buckets(answer) == (None,) * 6


@each_provider
def test_an_answer_whose_count_cannot_be_is_still_an_answer(name: str, loopback: Loopback, scripted: Make) -> None:
    usage = {key: -1 for key in ANSWERS[name]["usage"] if key.endswith("_tokens")}
    loopback.replies(Reply.json(ANSWERS[name] | {"usage": usage}))
    answer = scripted(name).complete(MODELS[name], HELLO)
    assert answer.text == "Good day"
    assert buckets(answer) == (None,) * 6
    assert answer.usage.notes == ("impossible_count",)


def test_a_server_that_does_not_stream_answers_whole(loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.json(CHAT))
    pieces, answer = streamed(scripted("vllm"), "vllm")
    assert (pieces, answer.text) == ([], "Good day")


def test_reasoning_is_no_part_of_the_text_but_begins_the_answer(loopback: Loopback, scripted: Make) -> None:
    thinking = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}}
    events = [*EVENTS["anthropic"][:2], thinking, *EVENTS["anthropic"][2:]]
    loopback.replies(Reply.events(*events, pause_s=0.02))
    pieces, answer = streamed(scripted("anthropic"), "anthropic")
    assert (pieces, answer.text) == (["Good ", "day"], "Good day")
    assert answer.ttft_ms is not None
    assert answer.ttft_ms < answer.latency_ms - 80, "four events of 20 ms come after the thought"


@each_provider
def test_a_refusal_or_a_cap_reached_is_an_answer_with_its_reason(name: str, loopback: Loopback, scripted: Make) -> None:
    capped: dict[str, Any] = MESSAGE | {"stop_reason": "max_tokens"}
    if name != "anthropic":
        capped = CHAT | {"choices": [{"index": 0, "message": {"content": "Good"}, "finish_reason": "length"}]}
    loopback.replies(Reply.json(capped))
    assert scripted(name).complete(MODELS[name], HELLO).finish_reason in ("max_tokens", "length")


@each_provider
def test_awaited_calls_and_streams_say_the_same(name: str, loopback: Loopback, scripted: Make) -> None:
    asked = scripted(name)

    async def both() -> tuple[Answer, list[str | Answer]]:
        loopback.replies(Reply.json(ANSWERS[name]))
        whole = await asked.acomplete(MODELS[name], HELLO)
        loopback.replies(Reply.events(*EVENTS[name]))
        return whole, [item async for item in asked.astream(MODELS[name], HELLO)]

    whole, items = asyncio.run(both())
    assert whole.text == "Good day"
    assert items[:2] == ["Good ", "day"]
    assert isinstance(items[-1], Answer)
    assert items[-1].usage == whole.usage


def test_a_stream_left_early_is_closed_and_the_provider_still_serves(loopback: Loopback, scripted: Make) -> None:
    asked = scripted("openai")
    loopback.replies(Reply.events(*CHAT_EVENTS, pause_s=0.02))
    items = asked.stream("gpt-4o", HELLO)
    assert next(items) == "Good "
    items.close()
    loopback.replies(Reply.json(CHAT))
    assert asked.complete("gpt-4o", HELLO).text == "Good day"


@pytest.mark.parametrize("name", SDKS)
def test_one_provider_serves_threads_and_event_loops_at_once(name: str, loopback: Loopback, scripted: Make) -> None:
    """8 threads, plain and with loops of their own, 5 calls each: every caller gets the answer to its own question."""

    def echo(body: dict[str, Any]) -> Reply:
        said = str(body["messages"])
        if name == "anthropic":
            return Reply.json(MESSAGE | {"content": [{"type": "text", "text": said}]}, pause_s=0.02)
        return Reply.json(CHAT | {"choices": [{"message": {"content": said}, "finish_reason": "stop"}]}, pause_s=0.02)

    loopback.replies(echo)
    asked = scripted(name)
    wrong: list[str] = []

    def question(number: int, call: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": f"question-{number}-{call}-"}]

    def plainly(number: int) -> None:
        for call in range(5):
            answer = asked.complete(MODELS[name], question(number, call))
            if f"question-{number}-{call}-" not in answer.text:
                wrong.append(answer.text)

    def awaiting(number: int) -> None:
        async def calls() -> None:
            answers = await asyncio.gather(*(asked.acomplete(MODELS[name], question(number, c)) for c in range(5)))
            wrong.extend(a.text for c, a in enumerate(answers) if f"question-{number}-{c}-" not in a.text)

        asyncio.run(calls())

    threads = [threading.Thread(target=(plainly, awaiting)[number % 2], args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
