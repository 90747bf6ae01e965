"""`LLMRouter.complete` end to end: the three real SDKs, a local server, the decision log, and its replay."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from llmock.scenarios import Delay, Fail, Match, StreamFault
from llmock.testing import LLMockServer

from pricing import PriceBook
from router import BadRequest, LLMRouter, ProviderFault, RoutingRule, length, mentions
from router.providers import provider
from simulator import Scenario, replay
from tests.router.providers.bodies import CHAT, MESSAGE
from tests.router.providers.conftest import KEY, MOCKED
from tests.router.providers.loopback import Loopback, Reply
from workloads import BUCKETS, read_log

LLAMA, GPT, CLAUDE = "groq/llama-3.1-8b-instant", "openai/gpt-4o", "anthropic/claude-sonnet-4-5"
RULES = [
    RoutingRule("code", mentions("sql"), *CLAUDE.split("/"), fallback=(GPT,)),
    RoutingRule("short", length() < 30, *LLAMA.split("/"), fallback=(GPT, CLAUDE)),
    RoutingRule("default", None, *GPT.split("/"), fallback=(CLAUDE,)),
]
SHORT = [{"role": "user", "content": "Hello"}]
CODE = [{"role": "user", "content": "Write SQL"}]
LONG = [{"role": "user", "content": "Tell me a story of a router, please"}]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def router(mock: LLMockServer, log: Path) -> LLMRouter:
    made = {name: provider(name, base_url=mock.url + MOCKED[name]) for name in ("openai", "anthropic", "groq")}
    return LLMRouter(RULES, providers=made, decision_log=log)


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def test_each_rule_reaches_its_own_provider(router: LLMRouter, mock: LLMockServer) -> None:
    mock.state.journal.clear()
    models = [router.complete(messages).answer.model for messages in (SHORT, CODE, LONG)]
    assert models == ["llama-3.1-8b-instant", "claude-sonnet-4-5", "gpt-4o"]
    assert [record.provider for record in mock.state.journal.records()] == ["groq", "anthropic", "openai"]


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        (Fail(429, retry_after=60, times=None, match=Match(provider="groq")), "rate_limit"),
        (Fail(500, times=None, match=Match(provider="groq")), "server"),
        (Delay(2, match=Match(provider="groq")), "timeout"),
        (Fail(404, match=Match(provider="groq")), "not_found"),
    ],
)
def test_a_fault_falls_back_and_says_so(
    scenario: Any, why: str, router: LLMRouter, mock: LLMockServer, log: Path
) -> None:
    mock.state.scenarios.add(scenario)
    done = router.complete(SHORT, timeout_s=0.8)
    assert done.answer.model == "gpt-4o"
    (line,) = lines(log)
    assert line["decision"]["fallback_from"] == [{"model": LLAMA, "why": why}]
    assert (line["model"], line["provider"], line["status"]) == ("gpt-4o", "openai", "ok")


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_bad_request_stays_with_the_provider_that_refused_it(
    status: int, router: LLMRouter, mock: LLMockServer, log: Path
) -> None:
    mock.state.scenarios.add(Fail(status, match=Match(provider="groq")))
    mock.state.journal.clear()
    with pytest.raises(BadRequest, match=f"groq: the request was refused .HTTP {status}"):
        router.complete(SHORT)
    assert len(mock.state.journal.records()) == 1
    assert lines(log)[0]["error"] == "bad_request"


def test_a_model_that_no_provider_has_is_a_bad_request(router: LLMRouter, mock: LLMockServer, log: Path) -> None:
    mock.state.scenarios.add(Fail(404, times=None))
    with pytest.raises(BadRequest, match="check the model's name"):
        router.complete(SHORT)
    assert lines(log)[0]["error"] == "not_found"


def test_all_providers_down_is_an_error_with_exit_code_4_and_a_line_in_the_log(
    router: LLMRouter, mock: LLMockServer, log: Path
) -> None:
    mock.state.scenarios.add(Fail(503, retry_after=0, times=None))
    with pytest.raises(ProviderFault, match=r"anthropic: the provider failed \(HTTP 503") as caught:
        router.complete(SHORT)
    assert caught.value.exit_code == 4
    (line,) = lines(log)
    assert (line["status"], line["error"]) == ("error", "server")
    (_, outcomes), *_ = read_log(log).batches()
    assert outcomes["status"].to_pylist() == ["error"]
    assert outcomes["recorded_usd"].to_pylist() == [None]


def test_a_stream_that_breaks_before_its_text_falls_back_and_one_that_breaks_after_does_not(
    router: LLMRouter, mock: LLMockServer, log: Path
) -> None:
    mock.state.scenarios.add(StreamFault("disconnect", after_chunks=1, match=Match(provider="groq", stream=True)))
    streaming = router.stream(SHORT)
    assert "".join(streaming)
    assert streaming.completion is not None
    assert streaming.completion.decision.model == GPT
    mock.state.scenarios.add(StreamFault("truncate", after_chunks=4, match=Match(provider="groq", stream=True)))
    with pytest.raises(ProviderFault, match="cut short"):
        list(router.stream(SHORT))
    assert [line["status"] for line in lines(log)] == ["ok", "error"]


def test_many_awaited_calls_at_once_are_all_answered_and_all_logged(router: LLMRouter, log: Path) -> None:
    async def calls() -> list[Any]:
        return await asyncio.gather(*(router.acomplete(messages) for messages in (SHORT, CODE, LONG) * 10))

    done = asyncio.run(calls())
    assert {line["request_id"] for line in lines(log)} == {each.request_id for each in done}
    assert len(done) == 30


def test_nothing_is_printed_and_no_key_reaches_the_log(
    router: LLMRouter, mock: LLMockServer, log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mock.state.scenarios.add(Fail(401, match=Match(provider="anthropic")))
    router.complete(SHORT)
    with pytest.raises(BadRequest):
        router.complete(CODE)
    assert capfd.readouterr() == ("", "")
    assert KEY not in log.read_text("utf-8")


def test_replaying_the_decision_log_reproduces_what_was_routed_and_billed(loopback: Loopback, log: Path) -> None:
    """gpt-4o: (400 x 2.50 + 800 x 1.25 + 150 x 10.00) / 1M = $0.0035.

    claude-sonnet-4-5: (400 x 3.00 + 800 x 0.30 + 10 x 3.75 + 20 x 6.00 + 150 x 15.00) / 1M = $0.0038475.
    """

    def answer(body: dict[str, Any]) -> Reply:
        return Reply.json(MESSAGE if "max_tokens" in body else CHAT)

    loopback.replies(answer)
    made = {"openai": provider("openai", base_url=loopback.url + "/v1")}
    made |= {name: provider(name, base_url=loopback.url) for name in ("anthropic", "groq")}
    router = LLMRouter(RULES, providers=made, decision_log=log)
    done = [router.complete(messages) for messages in (CODE, LONG)]
    book = PriceBook.load()
    _, after = replay(read_log(log), Scenario.always(GPT, book), Scenario("the same rules", router, book))
    rows = after.requests()
    assert list(rows["rule"]) == ["code", "default"]
    assert [book.same_model(rows["routed_model"][row], done[row].decision.model) for row in (0, 1)] == [True, True]
    for row, each in enumerate(done):
        for arm in ("logged", "routed"):
            counted = [rows[f"{arm}_{bucket}"][row] for bucket in BUCKETS]
            assert counted == [getattr(each.answer.usage, bucket) for bucket in BUCKETS]
            assert rows[f"{arm}_usd_pico"][row] == (3_847_500_000, 3_500_000_000)[row]
