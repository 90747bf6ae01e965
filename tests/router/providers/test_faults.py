"""The three real SDKs against servers that fail in every way a provider can."""

import asyncio
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from llmock.scenarios import Delay, Fail, StreamFault
from llmock.testing import LLMockServer

from problems import BackrouteError
from router.providers import Answer, BadRequest, ProviderFault, provider
from router.providers.faults import codes, retry_after
from tests.router.providers.bodies import ANSWERS, EVENTS
from tests.router.providers.conftest import HELLO, KEY, MODELS, SDKS, Make
from tests.router.providers.loopback import Loopback, Reply

SECRET = [{"role": "user", "content": "my-very-secret-prompt"}]

each_sdk = pytest.mark.parametrize("name", SDKS)


@each_sdk
def test_a_rate_limit_is_waited_out_as_the_provider_asks(name: str, mock: LLMockServer, mocked: Make) -> None:
    asked = mocked(name)
    asked.complete(MODELS[name], HELLO)
    mock.state.scenarios.add(Fail(429, retry_after=0.3))
    started = time.monotonic()
    assert asked.complete(MODELS[name], HELLO).retries == 1
    assert 0.3 <= time.monotonic() - started < 20


@each_sdk
def test_a_provider_that_asks_for_a_long_wait_is_not_called_again(name: str, mock: LLMockServer, mocked: Make) -> None:
    mock.state.scenarios.add(Fail(429, retry_after=75, times=None))
    started = time.monotonic()
    with pytest.raises(ProviderFault, match="asks to wait 75 s") as caught:
        mocked(name).complete(MODELS[name], HELLO, timeout_s=200)
    assert (caught.value.kind, caught.value.retry_after_s, caught.value.status) == ("rate_limit", 75, 429)
    assert time.monotonic() - started < 20


@each_sdk
def test_a_wait_that_the_deadline_does_not_allow_is_not_begun(name: str, mock: LLMockServer, mocked: Make) -> None:
    mock.state.scenarios.add(Fail(429, retry_after=15, times=None))
    started = time.monotonic()
    with pytest.raises(ProviderFault, match="asks to wait 15 s"):
        mocked(name).complete(MODELS[name], HELLO, timeout_s=10)
    assert time.monotonic() - started < 8


@each_sdk
def test_a_server_error_is_retried_twice_and_no_more(name: str, loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.json({"error": {"type": "server_error"}}, status=503))
    with pytest.raises(ProviderFault, match="HTTP 503, server_error") as caught:
        scripted(name).complete(MODELS[name], HELLO)
    assert caught.value.kind == "server"
    assert len(loopback.asked) == 3


@each_sdk
def test_an_overloaded_provider_that_recovers_has_answered(name: str, loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.json({}, status=529), Reply.json({}, status=500), Reply.json(ANSWERS[name]))
    assert scripted(name).complete(MODELS[name], HELLO).retries == 2


@each_sdk
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_the_callers_own_fault_is_never_retried(name: str, status: int, loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.json({"error": {"type": "invalid_request_error", "code": "x"}}, status=status))
    with pytest.raises(BadRequest, match=f"HTTP {status}, invalid_request_error") as caught:
        scripted(name).complete(MODELS[name], HELLO)
    assert caught.value.status == status
    assert len(loopback.asked) == 1


@each_sdk
def test_a_spent_quota_is_not_asked_again(name: str, loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.json({"error": {"type": "insufficient_quota"}}, status=429))
    with pytest.raises(ProviderFault, match="insufficient_quota"):
        scripted(name).complete(MODELS[name], HELLO)
    assert len(loopback.asked) == 1


@each_sdk
@pytest.mark.parametrize("streamed", [False, True])
def test_the_deadline_is_kept_whatever_the_sdk_thinks_of_time(
    name: str, streamed: bool, mock: LLMockServer, mocked: Make
) -> None:
    mock.state.scenarios.add(Delay(3))
    started = time.monotonic()
    with pytest.raises(ProviderFault, match="no answer in time"):
        ask(mocked(name), name, streamed, timeout_s=0.4)
    assert 0.4 <= time.monotonic() - started < 3


@each_sdk
def test_a_body_that_drips_cannot_outlast_the_deadline(name: str, loopback: Loopback, scripted: Make) -> None:
    """Forty bytes, each within the SDKs' own read time-out, 6 s in all."""
    loopback.replies(Reply([b" "] * 40, pause_s=0.15))
    started = time.monotonic()
    with pytest.raises(ProviderFault, match="no answer in time"):
        scripted(name).complete(MODELS[name], HELLO, timeout_s=0.5)
    assert time.monotonic() - started < 5


@each_sdk
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>Bad gateway</html>", "malformed"),
        (b"", "malformed"),
        (b'{"id": "chatcmpl-1", "choi', "malformed"),
        (b"[1, 2]", "malformed"),
        (b"{}", "no answer in the body"),
        (b'{"choices": [], "content": []}', "no answer in the body"),
    ],
)
def test_a_body_that_is_no_answer_is_malformed(
    name: str, body: bytes, why: str, loopback: Loopback, scripted: Make
) -> None:
    loopback.replies(Reply(body))
    with pytest.raises(ProviderFault, match=rf"the answer cannot be read \({why}"):
        scripted(name).complete(MODELS[name], HELLO)
    assert len(loopback.asked) == 1, "the provider has billed it; another attempt would be billed again"


@each_sdk
def test_an_error_under_a_good_status_is_an_error(name: str, loopback: Loopback, scripted: Make) -> None:
    """OpenRouter answers so when the provider behind it fails."""
    loopback.replies(Reply.json({"error": {"code": "upstream", "message": "no"}}), Reply.json(ANSWERS[name]))
    assert scripted(name).complete(MODELS[name], HELLO).retries == 1


@each_sdk
def test_a_connection_cut_within_the_body_is_cut_short(name: str, loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply(b'{"id": ', cut=True))
    with pytest.raises(ProviderFault, match="cut short") as caught:
        scripted(name).complete(MODELS[name], HELLO)
    assert caught.value.kind == "cut_short"
    assert len(loopback.asked) == 1


@each_sdk
def test_a_request_whose_answer_never_came_is_not_sent_twice(name: str, loopback: Loopback, scripted: Make) -> None:
    """It may have been answered and billed."""
    loopback.replies(Reply(b"", mute=True))
    with pytest.raises(ProviderFault, match="no connection"):
        scripted(name).complete(MODELS[name], HELLO)
    assert len(loopback.asked) == 1


@each_sdk
def test_a_server_that_comes_up_meanwhile_is_reached(
    name: str, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent while nobody listened, so it is tried again."""
    late: list[Loopback] = []

    class Chance:  # asked for the length of the wait
        def uniform(self, *_: float) -> float:
            late.append(Loopback(unused_port))
            late[0].replies(Reply.json(ANSWERS[name]))
            return 1

    monkeypatch.setattr("router.providers.sdk.random", Chance())
    address = f"http://127.0.0.1:{unused_port}" + ("/v1" if name == "openai" else "")
    assert provider(name, base_url=address).complete(MODELS[name], HELLO).retries == 1
    late[0].close()


@each_sdk
def test_nobody_listening_is_a_connection_fault(name: str, unused_port: int) -> None:
    nobody = provider(name, base_url=f"http://127.0.0.1:{unused_port}")
    with pytest.raises(ProviderFault, match="no connection") as caught:
        nobody.complete(MODELS[name], HELLO)
    assert caught.value.kind == "connection"


@each_sdk
@pytest.mark.parametrize("fault", ["disconnect", "truncate"])
def test_a_stream_cut_short_is_said_to_be(name: str, fault: Any, mock: LLMockServer, mocked: Make) -> None:
    """After "truncate" all three SDKs end the stream without a word."""
    mock.state.scenarios.add(StreamFault(fault, after_chunks=4))
    pieces: list[Any] = []
    with pytest.raises(ProviderFault, match="cut short"):
        pieces.extend(mocked(name).stream(MODELS[name], HELLO))
    assert not any(isinstance(piece, Answer) for piece in pieces)


@each_sdk
@pytest.mark.parametrize("kept", range(1, 6))
def test_a_stream_is_whole_only_with_its_end_mark(name: str, kept: int, loopback: Loopback, scripted: Make) -> None:
    """Kept: all events before the finish reason. Its own end marks are the last two or three events."""
    before_the_end = EVENTS[name][: min(kept, 3 if name != "anthropic" else 5)]
    loopback.replies(Reply.events(*before_the_end))
    with pytest.raises(ProviderFault, match="cut short"):
        list(scripted(name).stream(MODELS[name], HELLO))


@each_sdk
def test_an_event_that_cannot_be_read_is_not_passed_over(name: str, mock: LLMockServer, mocked: Make) -> None:
    """Anthropic's SDK ignores it, and the text in it is lost."""
    mock.state.scenarios.add(StreamFault("malformed", after_chunks=3))
    with pytest.raises(ProviderFault, match="cannot be read"):
        list(mocked(name).stream(MODELS[name], HELLO))


@each_sdk
def test_a_stream_that_stalls_ends_at_the_deadline(name: str, mock: LLMockServer, mocked: Make) -> None:
    mock.state.scenarios.add(StreamFault("stall", after_chunks=3, stall_seconds=3))
    with pytest.raises(ProviderFault, match="no answer in time"):
        list(mocked(name).stream(MODELS[name], HELLO, timeout_s=0.5))


@each_sdk
def test_an_error_event_in_mid_stream_is_a_fault(name: str, loopback: Loopback, scripted: Make) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "my-very-secret-prompt"}}
    loopback.replies(Reply.events(*EVENTS[name][:3], error))
    with pytest.raises(ProviderFault, match=r"the provider failed \(overloaded_error") as caught:
        list(scripted(name).stream(MODELS[name], HELLO))
    assert "secret" not in str(caught.value)
    assert len(loopback.asked) == 1, "its text has been handed on, so it cannot begin anew"


@each_sdk
def test_a_stream_refused_at_first_is_asked_for_again(name: str, loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.json({}, status=500), Reply.events(*EVENTS[name]))
    answer = list(scripted(name).stream(MODELS[name], HELLO))[-1]
    assert isinstance(answer, Answer)
    assert answer.retries == 1


@each_sdk
@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_prompt_and_no_key_is_in_an_error(name: str, status: int, loopback: Loopback, scripted: Make) -> None:
    """Not in its words, and not in those of any exception behind it: providers quote both."""
    quoting = {"error": {"type": "invalid_request_error", "message": f"my-very-secret-prompt {KEY}", "code": KEY}}
    loopback.replies(Reply.json(quoting, status=status))
    with pytest.raises(BackrouteError) as caught:
        scripted(name).complete(MODELS[name], SECRET)
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "secret" not in said
    assert KEY not in said
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@each_sdk
@pytest.mark.parametrize("key", ["sk-with-a-line\nin-it", "sk-ключ"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(
    name: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{name.upper()}_API_KEY", key)
    with pytest.raises(BackrouteError, match=f"{name.upper()}_API_KEY holds what no key can") as caught:
        provider(name).complete(MODELS[name], HELLO)
    assert "sk-" not in "".join(traceback.format_exception(caught.value))


@each_sdk
def test_a_missing_key_names_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"{name.upper()}_API_KEY")
    with pytest.raises(BackrouteError, match=f"no key in the environment; set {name.upper()}_API_KEY"):
        provider(name).complete(MODELS[name], HELLO)


@each_sdk
def test_a_cancelled_call_is_dropped_at_once(name: str, mock: LLMockServer, mocked: Make) -> None:
    mock.state.scenarios.add(Delay(5))

    async def impatient() -> None:
        async with asyncio.timeout(0.3):
            await mocked(name).acomplete(MODELS[name], HELLO)

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    assert time.monotonic() - started < 5


def test_retry_after_is_seconds_or_a_date_or_milliseconds() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "0.5"}) == 0.5
    assert retry_after({"retry-after-ms": "1500", "retry-after": "2"}) == 1.5
    assert retry_after({"retry-after": in_a_minute}) == pytest.approx(60, abs=30)
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


@pytest.mark.parametrize("said", ["soon", "", "-3", "nan", "inf", "1e9", "9" * 400])
def test_a_retry_after_that_means_nothing_is_none(said: str) -> None:
    assert retry_after({"retry-after": said}) is None


@pytest.mark.parametrize("body", [None, "text", [], {"error": "text"}, {"error": None}, {"error": {"code": 429}}])
def test_an_error_body_without_codes_says_nothing(body: Any) -> None:
    assert codes(body) == ""


def ask(asked: Any, name: str, streamed: bool, **more: Any) -> Any:
    if streamed:
        return list(asked.stream(MODELS[name], HELLO, **more))[-1]
    return asked.complete(MODELS[name], HELLO, **more)
