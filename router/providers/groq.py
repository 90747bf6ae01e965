"""Groq."""

from __future__ import annotations

from router.providers import chat_wire
from router.providers.sdk import SdkProvider


class Groq(SdkProvider):
    """Groq. Its base URL is the host alone."""

    sdk = "groq"
    client = "AsyncGroq"
    path = "/openai/v1/chat/completions"
    wire = chat_wire
