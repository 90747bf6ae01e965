"""Reads a recorded request and response, of any provider, into one exchange."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from workloads.bodies import anthropic, bedrock, cohere, gemini, openai, responses
from workloads.bodies.detect import api_of, call_type_of, model_of, provider_of
from workloads.bodies.exchange import Answered, Asked, Exchange, Message
from workloads.counts import Usage
from workloads.sse import Folded, fold, read_events
from workloads.usage import read_usage

Body = Mapping[str, Any]

READERS: dict[str, tuple[Callable[[Body], Asked], Callable[[Body], Answered]]] = {
    "openai_responses": (responses.read_request, responses.read_response),
    "anthropic_messages": (anthropic.read_request, anthropic.read_response),
    "gemini": (gemini.read_request, gemini.read_response),
    "gemini_embeddings": (gemini.read_request, gemini.read_response),
    "gemini_cache": (gemini.read_request, gemini.read_response),
    "gemini_interactions": (gemini.read_interaction_request, gemini.read_interaction),
    "bedrock_converse": (bedrock.read_request, bedrock.read_response),
    "bedrock_guardrail": (bedrock.read_request, bedrock.read_response),
    "cohere_chat": (openai.read_request, cohere.read_response),
    "cohere_embeddings": (openai.read_request, cohere.read_response),
    "rerank": (openai.read_request, cohere.read_response),
    "ollama": (cohere.read_ollama_request, cohere.read_ollama_response),
}
OPENAI = (openai.read_request, openai.read_response)


def read_exchange(
    request: Mapping[str, Any] | str | None,
    response: Mapping[str, Any] | str | list[Any] | None,
    *,
    url: str | None = None,
    status: int | None = None,
    provider: str | None = None,
) -> Exchange:
    """One recorded call, whichever provider's bodies it holds.

    Args:
        request: the decoded request body, or its JSON; null where it was not kept.
        response: the decoded response body, its JSON, a recorded stream as text, or a stream's events.
        url: the address called, or its path alone.
        status: the HTTP status; 400 and above is an error.
        provider: who was called, where the log says so; otherwise the address tells.

    Raises:
        UsageError: the usage block holds a count that cannot be.
    """
    asked_body, (answered_body, complete) = _decoded(request), _answer(response)
    api = api_of(url, asked_body, answered_body)
    if "/invoke" in (url or ""):
        api = api_of(None, asked_body, answered_body)
    provider = provider or provider_of(url, api)
    read_request, read_response = READERS.get(api, OPENAI)
    asked, answered = read_request(asked_body), read_response(answered_body)
    requested = asked.model or model_of(url)
    failed = answered.failed or not complete or bool(answered_body.get("error")) or (status or 0) >= 400
    return Exchange(
        api=api,
        provider=provider,
        model=answered.model or requested,
        requested_model=requested,
        call_type=call_type_of(url, api),
        system=openai.system_of(asked.messages),
        messages=tuple(asked.messages),
        prompt=_prompt(asked.messages),
        has_tools=asked.has_tools,
        has_images=asked.has_images,
        json_mode=asked.json_mode,
        max_output_tokens=asked.max_output_tokens,
        service_tier=asked.service_tier,
        completion=answered.completion,
        finish_reason=answered.finish_reason,
        status="error" if failed else "ok",
        created=answered.created,
        usage=usage_of(answered, provider, api, complete=complete),
        response_id=answered.response_id,
    )


def _decoded(body: object) -> Body:
    if isinstance(body, str):
        try:
            body = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return {}
    return body if isinstance(body, dict | Mapping) else {}  # a dict is known at once


def _answer(response: object) -> tuple[Body, bool]:
    """The response as one body, and whether it is whole."""
    if isinstance(response, dict | Mapping):
        return response, True
    folded = Folded({}, complete=response is None)
    if isinstance(response, list):
        folded = fold(event for event in response if isinstance(event, dict))
    elif isinstance(response, str):
        whole = _decoded(response)
        folded = Folded(dict(whole), complete=True) if whole else fold(read_events(response))
    return folded.body, folded.complete


def _prompt(messages: list[Message]) -> str | None:
    return next((message.text for message in reversed(messages) if message.role == "user"), None)


def usage_of(answered: Answered, provider: str | None, api: str, *, complete: bool = True) -> Usage:
    """The tokens of an answer, with the tier that it was served at.

    Raises:
        UsageError: a count that cannot be.
    """
    if answered.usage is None:
        usage = Usage(notes=("no_usage_block",))
    else:
        usage = read_usage(answered.usage, provider=provider, api=api)
    if answered.service_tier and not usage.served_tier:
        usage = replace(usage, served_tier=answered.service_tier.lower())
    return usage if complete else replace(usage, notes=(*usage.notes, "stream_cut_short"))
