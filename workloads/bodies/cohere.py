"""Cohere's and Ollama's answers; their requests have OpenAI's form."""

from collections.abc import Mapping
from typing import Any

from workloads.bodies.content import object_or_empty, read_content, text_or_none, time_or_none, whole_or_none
from workloads.bodies.exchange import Answered, Asked
from workloads.bodies.openai import read_request as read_openai_request

OLLAMA_COUNTS = ("prompt_eval_count", "eval_count")


def read_response(body: Mapping[str, Any]) -> Answered:
    """A Cohere chat, embedding or rerank answer: usage stands in `usage` or under `meta`."""
    usage = body.get("usage") or body.get("meta")
    return Answered(
        completion=read_content(object_or_empty(body.get("message")).get("content") or body.get("text")).answer,
        finish_reason=text_or_none(body.get("finish_reason")),
        usage=usage if isinstance(usage, dict) else None,
        response_id=text_or_none(body.get("id")),
    )


def read_ollama_request(body: Mapping[str, Any]) -> Asked:
    """An Ollama request: OpenAI's, but for its format, its output limit and a generation's system prompt."""
    asked = read_openai_request(body)
    asked.json_mode = bool(body.get("format"))
    limit = whole_or_none(object_or_empty(body.get("options")).get("num_predict"))
    asked.max_output_tokens = limit or asked.max_output_tokens
    asked.has_images = asked.has_images or bool(body.get("images"))
    return asked


def read_ollama_response(body: Mapping[str, Any]) -> Answered:
    """An Ollama answer, which holds its counts beside its text."""
    said = object_or_empty(body.get("message")).get("content", body.get("response"))
    return Answered(
        model=text_or_none(body.get("model")),
        completion=text_or_none(said),
        finish_reason=text_or_none(body.get("done_reason")),
        created=time_or_none(body.get("created_at")),
        usage={key: body[key] for key in OLLAMA_COUNTS if key in body} or None,
    )
