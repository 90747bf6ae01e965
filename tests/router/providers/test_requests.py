"""What each provider is sent: the same request, in the form that its API wants."""

from typing import Any

import pytest

from problems import BackrouteError
from router.providers import PROVIDERS, provider
from tests.router.providers.bodies import ANSWERS
from tests.router.providers.conftest import HELLO, KEY, MODELS, Make
from tests.router.providers.loopback import Loopback, Reply

TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Now", "parameters": {"type": "object", "properties": {}}},
}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}


@pytest.fixture
def sent(loopback: Loopback, scripted: Make) -> Any:
    """The body that a call of `name` puts on the wire."""

    def send(name: str, messages: Any = HELLO, model: str | None = None, **more: Any) -> dict[str, Any]:
        loopback.replies(Reply.json(ANSWERS[name]))
        scripted(name).complete(model or MODELS[name], messages, **more)
        return loopback.asked[-1].body

    return send


def test_the_system_prompt_goes_where_each_api_wants_it(sent: Any) -> None:
    first = {"role": "system", "content": "Be brief"}
    assert sent("openai", system="Be brief")["messages"] == [first, *HELLO]
    assert sent("groq", system="Be brief")["messages"] == [first, *HELLO]
    body = sent("anthropic", [{"role": "system", "content": "Be kind"}, *HELLO], system="Be brief")
    assert body["system"] == [{"type": "text", "text": "Be brief"}, {"type": "text", "text": "Be kind"}]
    assert [message["role"] for message in body["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("name", "model", "key"),
    [
        ("openai", "gpt-4o", "max_tokens"),
        ("openai", "gpt-4.1-mini", "max_tokens"),
        ("openai", "chatgpt-4o-latest", "max_tokens"),
        ("openai", "o1", "max_completion_tokens"),
        ("openai", "o3-mini", "max_completion_tokens"),
        ("openai", "o4-mini-2025-04-16", "max_completion_tokens"),
        ("openai", "gpt-5", "max_completion_tokens"),
        ("openai", "gpt-5-mini", "max_completion_tokens"),
        ("openai", "gpt-5.1", "max_completion_tokens"),
        ("openai", "gpt-10-turbo", "max_completion_tokens"),
        ("openai", "ft:o4-mini:org::x", "max_completion_tokens"),
        ("groq", "llama-3.1-8b-instant", "max_tokens"),
        ("vllm", "openai/gpt-oss-20b", "max_tokens"),
        ("anthropic", "claude-haiku-4-5", "max_tokens"),
    ],
)
@pytest.mark.parametrize("given", ["max_output_tokens", "max_tokens", "max_completion_tokens"])
def test_the_cap_has_the_name_that_the_model_knows(sent: Any, name: str, model: str, key: str, given: str) -> None:
    body = sent(name, model=model, **{given: 77})
    caps = {cap: body[cap] for cap in ("max_output_tokens", "max_tokens", "max_completion_tokens") if cap in body}
    assert caps == {key: 77}


def test_anthropic_is_always_given_a_cap_and_the_others_only_when_asked(sent: Any) -> None:
    """The price book's limits: 64,000 for claude-sonnet-4-5, 4,096 for claude-3-haiku; 4,096 for a model it lacks."""
    assert sent("anthropic")["max_tokens"] == 64_000
    assert sent("anthropic", model="claude-3-haiku-20240307")["max_tokens"] == 4_096
    assert sent("anthropic", model="a-model-of-tomorrow")["max_tokens"] == 4_096
    assert sent("openai").keys() == {"model", "messages"}


def test_pictures_reach_every_provider_in_its_own_form(sent: Any) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]}]
    assert sent("openai", messages)["messages"] == messages
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    assert sent("anthropic", messages)["messages"][0]["content"][1] == {"type": "image", "source": source}
    linked = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}]
    source = {"type": "url", "url": "https://example.org/a.png"}
    assert sent("anthropic", linked)["messages"][0]["content"] == [{"type": "image", "source": source}]


def test_anthropics_own_blocks_are_sent_to_it_as_they_are(sent: Any) -> None:
    cached = {"type": "text", "text": "A long document", "cache_control": {"type": "ephemeral"}}
    assert sent("anthropic", [{"role": "user", "content": [cached]}])["messages"][0]["content"] == [cached]


def test_tools_and_their_choice_are_put_into_anthropics_form(sent: Any) -> None:
    assert sent("groq", tools=[TOOL], tool_choice="auto")["tools"] == [TOOL]
    body = sent("anthropic", tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    schema = {"type": "object", "properties": {}}
    assert body["tools"] == [{"name": "weather", "description": "Now", "input_schema": schema}]
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    named = {"type": "function", "function": {"name": "weather"}}
    assert sent("anthropic", tools=[TOOL], tool_choice=named)["tool_choice"] == {"type": "tool", "name": "weather"}


def test_a_conversation_with_tool_calls_is_put_into_anthropics_form(sent: Any) -> None:
    """Two results in a row are one message there, and the turns alternate."""
    other = CALL | {"id": "call_2"}
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [CALL, other]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_2", "content": "warm"},
        {"role": "user", "content": "So?"},
    ]
    assert sent("openai", messages)["messages"] == messages
    turns = sent("anthropic", messages)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    use = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}
    assert turns[1]["content"] == [use, use | {"id": "call_2"}]
    assert turns[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "sunny"}]},
        {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "warm"}]},
        {"type": "text", "text": "So?"},
    ]


def test_stop_words_and_schemas_have_anthropics_names_there(sent: Any) -> None:
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    body = sent("anthropic", stop="END", response_format=wanted)
    assert body["stop_sequences"] == ["END"]
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert not {"stop", "response_format"} & body.keys()


def test_json_mode_without_a_schema_is_no_thing_of_anthropics(scripted: Make) -> None:
    with pytest.raises(BackrouteError, match=r"no such response_format \('json_object'.*give a json_schema"):
        scripted("anthropic").complete(MODELS["anthropic"], HELLO, response_format={"type": "json_object"})


def test_further_fields_are_sent_as_they_are_and_none_is_not_sent(sent: Any) -> None:
    """An SDK's own parameter list would refuse what its provider has added since."""
    body = sent("openai", temperature=0.2, a_field_of_tomorrow={"x": 1}, top_p=None)
    assert (body["temperature"], body["a_field_of_tomorrow"]) == (0.2, {"x": 1})
    assert "top_p" not in body


def test_a_stream_asks_to_be_counted(loopback: Loopback, scripted: Make) -> None:
    loopback.replies(Reply.json(ANSWERS["openai"]))
    list(scripted("openai").stream("gpt-4o", HELLO))
    assert loopback.asked[-1].body["stream_options"] == {"include_usage": True}
    list(scripted("openai").stream("gpt-4o", HELLO, stream_options=None))
    assert "stream_options" not in loopback.asked[-1].body


@pytest.mark.parametrize("name", ["openai", "anthropic", "groq"])
def test_the_key_comes_from_the_environment_and_a_retired_model_prints_nothing(
    name: str, sent: Any, loopback: Loopback, capfd: pytest.CaptureFixture[str]
) -> None:
    """Anthropic's SDK warns of models on its way out; a warning would fail this test."""
    sent(name, model="claude-2.1" if name == "anthropic" else None)
    headers = loopback.asked[-1].headers
    assert KEY in headers.get("authorization", "") + headers.get("x-api-key", "")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["openai", "anthropic", "groq"])
def test_the_address_may_come_from_the_environment(
    name: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.replies(Reply.json(ANSWERS[name]))
    monkeypatch.setenv(f"{name.upper()}_BASE_URL", loopback.url + ("/v1" if name == "openai" else ""))
    assert provider(name).complete(MODELS[name], HELLO).text == "Good day"
    paths = {"openai": "/v1/chat/completions", "groq": "/openai/v1/chat/completions", "anthropic": "/v1/messages"}
    assert loopback.asked[-1].path == paths[name]


def test_any_compatible_server_is_a_provider_and_needs_no_key(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.replies(Reply.json(ANSWERS["openai"]))
    monkeypatch.setenv("MY_VLLM_BASE_URL", loopback.url + "/v1")
    assert provider("my-vllm").complete("qwen3-8b", HELLO).usage.cache_read == 800
    assert KEY not in loopback.asked[-1].headers["authorization"], "another provider's key is not for it"


@pytest.mark.parametrize(
    ("name", "fix"), [("opnai", "did you mean 'openai'"), ("vllm", "set its address, VLLM_BASE_URL")]
)
def test_an_unknown_provider_gets_its_nearest_match_or_how_to_add_it(name: str, fix: str) -> None:
    with pytest.raises(BackrouteError, match=f"unknown provider .'{name}'.*{fix}"):
        provider(name)


# A part of no known kind is sent to OpenAI's form as it is: the server says what is wrong with it.
UNKNOWN_PART = ("anthropic", [{"role": "user", "content": [1]}])


@pytest.mark.parametrize(
    ("name", "messages"), [UNKNOWN_PART, *((name, each) for name in PROVIDERS for each in (["Hello"], [None], 7))]
)
def test_messages_of_no_known_form_are_the_callers_mistake(name: str, messages: Any, scripted: Make) -> None:
    with pytest.raises(BackrouteError, match="not in OpenAI's chat form"):
        scripted(name).complete(MODELS[name], messages)


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_json_cannot_hold_is_the_callers_mistake(name: str, scripted: Make) -> None:
    with pytest.raises(BackrouteError, match="cannot be sent as JSON"):
        scripted(name).complete(MODELS[name], HELLO, metadata=object())


@pytest.mark.parametrize("name", PROVIDERS)
def test_half_a_surrogate_pair_is_sent_mended(name: str, sent: Any) -> None:
    body = sent(name, [{"role": "user", "content": "cut \ud83d"}])
    assert "cut �" in str(body["messages"])
