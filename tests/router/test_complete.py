import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from problems import BackrouteError
from router import BadRequest, Completion, LLMRouter, ProviderFault, RoutingRule, has_images, length, meta
from router.decision import Passed
from tests.router.fakes import Fake

HELLO = [{"role": "user", "content": "Hello"}]
LLAMA, MINI, GPT = "groq/llama-3.1-8b-instant", "openai/gpt-4o-mini", "openai/gpt-4o"
CLAUDE = "anthropic/claude-sonnet-4-5"
FAULT = ProviderFault("server", "groq", status=503)
RULES = [
    RoutingRule("short", (length() < 20) & ~meta("complex"), *LLAMA.split("/"), fallback=(MINI, CLAUDE)),
    RoutingRule("default", None, *GPT.split("/"), fallback=(CLAUDE,)),
]


def complete(router: LLMRouter, *args: Any, **more: Any) -> Completion:
    return router.complete(*args, **more)


def acomplete(router: LLMRouter, *args: Any, **more: Any) -> Completion:
    return asyncio.run(router.acomplete(*args, **more))


def stream(router: LLMRouter, *args: Any, **more: Any) -> Completion:
    streaming = router.stream(*args, **more)
    text = "".join(streaming)
    assert streaming.completion is not None
    assert streaming.completion.text == text
    return streaming.completion


def astream(router: LLMRouter, *args: Any, **more: Any) -> Completion:
    async def whole() -> Completion:
        streaming = router.astream(*args, **more)
        text = "".join([piece async for piece in streaming])
        assert streaming.completion is not None
        assert streaming.completion.text == text
        return streaming.completion

    return asyncio.run(whole())


Way = Callable[..., Completion]
every_way = pytest.mark.parametrize("ask", [complete, acomplete, stream, astream])


def router(log: Path | None = None, **providers: Fake) -> LLMRouter:
    fakes = {name: Fake(name) for name in ("groq", "openai", "anthropic")} | providers
    return LLMRouter(RULES, providers=fakes, decision_log=log)


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


@every_way
def test_the_rule_that_matches_names_who_answers(ask: Way) -> None:
    groq, openai = Fake("groq", "I am a llama"), Fake("openai", "I am GPT")
    live = router(groq=groq, openai=openai)
    short = ask(live, HELLO, "Be brief", temperature=0, timeout_s=5, max_tokens=7)
    assert (short.text, short.decision.rule, short.decision.model) == ("I am a llama", "short", LLAMA)
    assert str(short) == "I am a llama"
    asked = {"model": "llama-3.1-8b-instant", "messages": HELLO, "system": "Be brief", "temperature": 0}
    assert groq.asked == [asked | {"timeout_s": 5, "max_output_tokens": 7}]
    assert ask(live, HELLO, meta={"complex": True}).decision.model == GPT
    assert openai.asked[0]["model"] == "gpt-4o"


@every_way
def test_a_providers_fault_takes_the_rules_next_model(ask: Way) -> None:
    answered = ask(router(groq=Fake("groq", FAULT)), HELLO)
    assert answered.decision.model == MINI
    assert answered.decision.fallback_from == (Passed(LLAMA, "server"),)


@every_way
@pytest.mark.parametrize("kind", ["rate_limit", "server", "timeout", "connection", "cut_short", "malformed"])
def test_every_kind_of_fault_does(ask: Way, kind: Any) -> None:
    answered = ask(router(groq=Fake("groq", ProviderFault(kind, "groq"))), HELLO)
    assert answered.decision.fallback_from == (Passed(LLAMA, kind),)


@every_way
def test_a_bad_request_is_the_callers_and_asks_nobody_else(ask: Way, tmp_path: Path) -> None:
    openai = Fake("openai")
    live = router(tmp_path / "log.jsonl", groq=Fake("groq", BadRequest("groq", 400)), openai=openai)
    with pytest.raises(BadRequest, match="HTTP 400"):
        ask(live, HELLO)
    assert openai.asked == []
    (line,) = lines(tmp_path / "log.jsonl")
    assert (line["status"], line["error"], line["model"]) == ("error", "bad_request", "llama-3.1-8b-instant")


@every_way
def test_when_all_are_down_the_last_fault_is_raised_with_those_before_it(ask: Way, tmp_path: Path) -> None:
    down = {name: Fake(name, ProviderFault("connection", name)) for name in ("groq", "openai", "anthropic")}
    with pytest.raises(ProviderFault, match="anthropic: no connection") as caught:
        ask(router(tmp_path / "log.jsonl", **down), HELLO)
    tried = f"rule 'short' tried {LLAMA}: connection; {MINI}: connection; {CLAUDE}: connection"
    assert caught.value.__notes__ == [tried]
    assert caught.value.exit_code == 4
    (line,) = lines(tmp_path / "log.jsonl")
    assert (line["status"], line["error"], line["provider"]) == ("error", "connection", "anthropic")
    assert [passed["model"] for passed in line["decision"]["fallback_from"]] == [LLAMA, MINI]


@every_way
def test_a_model_that_cannot_serve_is_passed_over_without_a_call(ask: Way) -> None:
    """llama-3.1-8b-instant takes no pictures; gpt-4o-mini answers at most 16,384 tokens; o1-mini took no tools."""
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    seen = [{"role": "user", "content": [{"type": "text", "text": "What?"}, picture]}]
    groq = Fake("groq")
    answered = ask(router(groq=groq), seen)
    assert answered.decision.model == MINI
    assert answered.decision.fallback_from == (Passed(LLAMA, "no images"),)
    assert groq.asked == []
    capped = ask(router(), seen, max_output_tokens=20_000)
    assert capped.decision.model == CLAUDE
    assert capped.decision.fallback_from[1] == Passed(MINI, "output limit")


@every_way
def test_a_request_too_long_for_a_model_is_passed_over(ask: Way) -> None:
    """gpt-4's window is 8,192 tokens; "word " 20,000 times is 20,000 of them."""
    rules = [RoutingRule("only", None, "openai", "gpt-4", fallback=(GPT,))]
    live = LLMRouter(rules, providers={"openai": Fake("openai")})
    answered = ask(live, [{"role": "user", "content": "word " * 20_000}])
    assert answered.decision.fallback_from == (Passed("openai/gpt-4", "context window"),)
    assert ask(live, [{"role": "user", "content": "word " * 2_000}]).decision.model == "openai/gpt-4"


def test_a_request_that_no_model_of_the_chain_can_serve_says_why() -> None:
    live = LLMRouter([RoutingRule("only", None, *LLAMA.split("/"))], providers={"groq": Fake("groq")})
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    with pytest.raises(
        BackrouteError, match=r"rule 'only': no model .*llama-3.1-8b-instant: no images.*add a fallback"
    ):
        live.complete([{"role": "user", "content": [picture]}])


def test_a_model_that_the_price_book_does_not_know_is_simply_asked() -> None:
    live = LLMRouter([RoutingRule("only", None, "vllm", "qwen3-8b")], providers={"vllm": Fake("vllm")})
    assert live.complete(HELLO, tools=[{"type": "function"}]).decision.model == "vllm/qwen3-8b"


def test_live_rules_see_what_replay_would_see() -> None:
    """The last user message, not the last: a tool's long result does not make a short request long."""
    rules = [
        RoutingRule("picture", has_images(), *GPT.split("/")),
        RoutingRule("short", length() < 20, *LLAMA.split("/")),
        RoutingRule("default", None, *GPT.split("/")),
    ]
    live = LLMRouter(rules, providers={"groq": Fake("groq"), "openai": Fake("openai")})
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}]
    turns.append({"role": "tool", "tool_call_id": "1", "content": "x" * 500})
    assert live.complete(turns, "A system prompt that is long enough").decision.rule == "short"


@pytest.mark.parametrize("ask", [stream, astream])
def test_after_the_first_piece_no_other_model_takes_over(ask: Way, tmp_path: Path) -> None:
    """A reader who has half of one answer cannot be given the whole of another."""
    openai = Fake("openai")
    broken = Fake("groq", ProviderFault("cut_short", "groq"), failing_after=1)
    with pytest.raises(ProviderFault, match="cut short"):
        ask(router(tmp_path / "log.jsonl", groq=broken, openai=openai), HELLO)
    assert openai.asked == []
    assert lines(tmp_path / "log.jsonl")[0]["error"] == "cut_short"


def test_a_stream_that_nobody_reads_to_its_end_is_logged_as_abandoned(tmp_path: Path) -> None:
    pieces = iter(router(tmp_path / "log.jsonl").stream(HELLO))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    (line,) = lines(tmp_path / "log.jsonl")
    assert (line["status"], line["error"]) == ("error", "abandoned")


def test_an_interrupted_call_is_logged_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        router(tmp_path / "log.jsonl", groq=Fake("groq", KeyboardInterrupt())).complete(HELLO)
    assert lines(tmp_path / "log.jsonl")[0]["error"] == "abandoned"


@every_way
@pytest.mark.parametrize("messages", ["Hello", [], [{"content": "Hello"}], ["Hello"], None, {"role": "user"}])
def test_messages_of_another_form_are_refused_before_anything_is_sent(ask: Way, messages: Any) -> None:
    with pytest.raises(BackrouteError, match="messages are not in OpenAI's chat form"):
        ask(router(), messages)


def test_stream_is_a_method_and_no_argument() -> None:
    with pytest.raises(BackrouteError, match=r"router\.stream"):
        router().complete(HELLO, stream=True)


def test_a_fallback_without_an_address_is_found_at_the_first_call_and_not_on_the_day_of_the_outage() -> None:
    live = LLMRouter([RoutingRule("only", None, "openai", "gpt-4o", fallback=("my-server/qwen3",))])
    with pytest.raises(BackrouteError, match=r"unknown provider \('my-server'.*MY_SERVER_BASE_URL"):
        live.complete(HELLO)
