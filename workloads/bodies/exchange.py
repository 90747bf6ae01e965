"""What a recorded call holds, whichever provider's bodies it was read from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from workloads.counts import Usage


class Message(NamedTuple):
    """One message as text: role is system, user, assistant or tool; name is the author's or the tool call's."""

    role: str
    name: str | None
    text: str


class Asked(msgspec.Struct):
    """What a request body holds; null where it does not say."""

    model: str | None = None
    messages: list[Message] = []
    has_tools: bool = False
    has_images: bool = False
    json_mode: bool = False
    max_output_tokens: int | None = None
    service_tier: str | None = None


class Answered(msgspec.Struct):
    """What a response body holds; null where it does not say."""

    model: str | None = None
    completion: str | None = None
    finish_reason: str | None = None
    failed: bool = False
    created: datetime | None = None
    service_tier: str | None = None
    usage: Mapping[str, Any] | None = None
    response_id: str | None = None


class Exchange(msgspec.Struct, frozen=True):
    """One recorded call, in the terms of the columns.

    Args:
        api: whose form the bodies have: openai_chat, openai_responses, openai_completions, openai_embeddings,
            openai_images, openai_audio, openai_moderations, anthropic_messages, gemini, gemini_embeddings,
            gemini_interactions, gemini_cache, bedrock_converse, bedrock_guardrail, cohere_chat,
            cohere_embeddings, rerank, ollama or unknown.
        provider: who was called, by the price book's names where it knows them; null where nothing tells.
        model: the model that served the call, else the one asked for, as the bodies name it.
        requested_model: the model asked for.
        call_type: chat, embedding, image, audio or other.
        system: the system prompt; null where there is none.
        messages: all of them as text, the system prompt first, a tool's results as messages of their own.
        prompt: the routing text: the text parts of the last user message; null where there is none.
        has_tools, has_images, json_mode: what the request needs of a model.
        max_output_tokens: the output limit asked for.
        service_tier: the tier asked for; the one served is `usage.served_tier`.
        completion: the text of the answer; null where it has none.
        finish_reason: in the provider's words.
        status: ok, or error: a failed call, a blocked prompt or a stream cut short.
        created: when the provider says it made the answer, UTC.
        usage: its tokens; never null, but its buckets may be, with the reason in `usage.notes`.
        response_id: the provider's id of the answer: the same id twice is one bill.
    """

    api: str
    provider: str | None
    model: str | None
    requested_model: str | None
    call_type: str
    system: str | None
    messages: tuple[Message, ...]
    prompt: str | None
    has_tools: bool
    has_images: bool
    json_mode: bool
    max_output_tokens: int | None
    service_tier: str | None
    completion: str | None
    finish_reason: str | None
    status: str
    created: datetime | None
    usage: Usage
    response_id: str | None

    @property
    def n_messages(self) -> int:
        """How many messages there are."""
        return len(self.messages)
