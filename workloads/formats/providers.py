"""Who was called, from the names that tracing tools write: a cloud's product, or a provider with its API behind it."""

from __future__ import annotations

# The AI SDK names the API after the provider: openai.responses, google.generative-ai, anthropic.messages.
APIS = (
    "chat",
    "responses",
    "completion",
    "embedding",
    "messages",
    "generative-ai",
    "vertex",
    "text-embedding",
    "image",
)
CLOUDS = {"gcp.": "google", "aws.": "aws", "azure.": "azure", "az.": "azure"}


def provider_name(name: str | None) -> str | None:
    """The provider alone, as the price book can find it; a name of no such form as it is."""
    if not name:
        return None
    said = name.lower()
    cloud = next((cloud for prefix, cloud in CLOUDS.items() if said.startswith(prefix)), None)
    maker, _, api = said.partition(".")
    return cloud or (maker if api.split(".")[0] in APIS else said)
