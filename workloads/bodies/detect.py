"""Whose form a recorded call has, and who was called: by its address, else by its keys."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

from workloads.bodies.content import objects

Body = Mapping[str, Any]

# In an address, the first that matches; the longer path before the one it ends with.
PATHS = (
    ("/guardrail/", "bedrock_guardrail"),
    ("/converse", "bedrock_converse"),
    ("/chat/completions", "openai_chat"),
    ("/responses", "openai_responses"),
    ("/messages", "anthropic_messages"),
    ("embedcontent", "gemini_embeddings"),
    ("generatecontent", "gemini"),
    ("/interactions", "gemini_interactions"),
    ("/cachedcontents", "gemini_cache"),
    ("/embeddings", "openai_embeddings"),
    ("/images/", "openai_images"),
    ("/audio/", "openai_audio"),
    ("/moderations", "openai_moderations"),
    ("/rerank", "rerank"),
    ("/v2/chat", "cohere_chat"),
    ("/v2/embed", "cohere_embeddings"),
    ("/api/chat", "ollama"),
    ("/api/generate", "ollama"),
)
# What an answer calls itself.
OBJECTS = {
    "chat.completion": "openai_chat",
    "text_completion": "openai_completions",
    "interaction": "gemini_interactions",
}
CALL_TYPES = {
    "openai_images": "image",
    "openai_audio": "audio",
    "openai_moderations": "other",
    "bedrock_guardrail": "other",
    "gemini_cache": "other",
    "rerank": "other",
}

# Hosts, or the first step of a gateway's path, and the price book's name of who serves them.
HOSTS = (
    ("openai.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("api.openai.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    ("amazonaws.com", "aws"),
    ("api.aws", "aws"),
    ("googleapis.com", "google"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral"),
    ("openrouter.ai", "openrouter"),
    ("api.deepseek.com", "deepseek"),
    ("api.cohere.", "cohere"),
    ("api.cerebras.ai", "cerebras"),
    ("api.together.", "together"),
    ("api.x.ai", "x-ai"),
    ("api.z.ai", "zai"),
    ("api.fireworks.ai", "fireworks"),
    ("api.perplexity.ai", "perplexity"),
    ("api.voyageai.com", "voyageai"),
    ("snowflakecomputing.com", "snowflake"),
    ("crusoecloud.com", "crusoe"),
    ("ollama.com", "ollama"),
)
GATEWAY_STEPS = {"openai": "openai", "anthropic": "anthropic", "groq": "groq", "mistral": "mistral"}
GATEWAY_STEPS |= {"bedrock": "aws", "google-vertex": "google", "google": "google"}
API_OWNERS = {"anthropic_messages": "anthropic", "gemini": "google", "gemini_embeddings": "google"}
API_OWNERS |= {"gemini_interactions": "google", "gemini_cache": "google", "bedrock_converse": "aws"}
API_OWNERS |= {"bedrock_guardrail": "aws", "cohere_chat": "cohere", "cohere_embeddings": "cohere", "ollama": "ollama"}


def api_of(url: str | None, request: Body, response: Body) -> str:
    """The API whose form the bodies have, as `Exchange` names it; "unknown" where nothing tells."""
    path = _split(url)[1].lower()
    if found := next((api for mark, api in PATHS if mark in path), None) if path else None:
        return found
    if path.endswith("/completions"):
        choices = response.get("choices")
        chat = "messages" in request or any("message" in choice for choice in objects(choices))
        return "openai_chat" if chat else "openai_completions"
    return _by_response(response) or _by_request(request) or "unknown"


def _by_response(body: Body) -> str | None:
    kind = body.get("object")
    if isinstance(kind, str) and kind in OBJECTS:
        return OBJECTS[kind]
    if kind in ("response", "response.compaction"):
        return "openai_responses"
    if "choices" in body:
        return "openai_chat"
    if "candidates" in body or "usageMetadata" in body:
        return "gemini"
    if body.get("type") == "message" or "stop_reason" in body:
        return "anthropic_messages"
    if "stopReason" in body:
        return "bedrock_converse"
    if kind == "list" and "data" in body:
        return "openai_embeddings"
    if "prompt_eval_count" in body or "done_reason" in body:
        return "ollama"
    return None


def _by_request(body: Body) -> str | None:
    if "contents" in body:
        return "gemini"
    if "anthropic_version" in body or ("messages" in body and ("system" in body or "thinking" in body)):
        return "bedrock_converse" if "inferenceConfig" in body else "anthropic_messages"
    if "inferenceConfig" in body or "toolConfig" in body:
        return "bedrock_converse"
    if "messages" in body:
        return "openai_chat"
    if "input" in body:
        return "openai_embeddings" if "embed" in str(body.get("model")) else "openai_responses"
    return "openai_completions" if "prompt" in body else None


def provider_of(url: str | None, api: str) -> str | None:
    """Who was called, by the price book's names where it knows them; null where nothing tells."""
    if not url:
        return API_OWNERS.get(api)
    host, path = _split(url)
    steps = [step.lower() for step in path.split("/") if step]
    if host == "router.huggingface.co" and steps:
        return f"huggingface_{steps[0]}"
    for mark, provider in HOSTS:
        if mark in host:
            return provider
    if host.endswith(":11434"):
        return "ollama"
    if host and steps and steps[0] in GATEWAY_STEPS:
        return GATEWAY_STEPS[steps[0]]
    return API_OWNERS.get(api)


def call_type_of(url: str | None, api: str) -> str:
    """What kind of call it is: only chat is routed. A compaction is no answer to anybody."""
    if api.endswith("_embeddings"):
        return "embedding"
    if url and _split(url)[1].rstrip("/").endswith("/responses/compact"):
        return "other"
    return CALL_TYPES.get(api, "chat" if api != "unknown" else "other")


def model_of(url: str | None) -> str | None:
    """The model that an address names: Gemini's `/models/NAME:verb`, Bedrock's `/model/NAME/verb`, a deployment."""
    if not url:
        return None
    steps = _split(url)[1].split("/")
    for step, name in pairwise(steps):
        if step in {"models", "model", "deployments"} and name:
            return unquote(name) if step == "model" else unquote(name.split(":")[0])
    return None


def _split(url: str | None) -> tuple[str, str]:
    """Host and path of an address, with or without its scheme; both empty where there is none."""
    if not url:
        return "", ""
    try:
        parts = urlsplit(url if "://" in url or url.startswith("/") else f"https://{url}")
    except ValueError:
        return "", url
    return parts.netloc.lower(), parts.path
