"""OpenAI, and every server that speaks its chat completions: vLLM, Ollama, a gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from router.providers import chat_wire
from router.providers.sdk import SdkProvider
from router.providers.wire import Body, Messages

# The o-series and everything from gpt-5 on refuse `max_tokens`: platform.openai.com/docs/api-reference/chat. Other
# servers know that name, and not always the newer one.
NEWER = re.compile(r"(ft:)?(o\d|gpt-([5-9]|\d\d))")


class OpenAI(SdkProvider):
    """OpenAI, or a server like it at another address. The base URL ends in `/v1`."""

    sdk = "openai"
    client = "AsyncOpenAI"
    path = "/chat/completions"
    wire = chat_wire

    def body(
        self, model: str, messages: Messages, system: str | None, cap: int | None, more: Mapping[str, Any]
    ) -> Body:
        """The request body, its cap by the name that the model wants."""
        body = super().body(model, messages, system, cap, more)
        if NEWER.match(model) and chat_wire.CAP in body:
            body["max_completion_tokens"] = body.pop(chat_wire.CAP)
        return body
