"""What a model provider offers the rest of the program, and how its failures are told apart."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from problems import BackrouteError
from workloads.usage import Usage

Given = TypeVar("Given", covariant=True)
Kind = Literal["rate_limit", "server", "timeout", "connection", "cut_short", "malformed"]

SAID: dict[Kind, str] = {
    "rate_limit": "too many requests, or no quota left",
    "server": "the provider failed",
    "timeout": "no answer in time",
    "connection": "no connection",
    "cut_short": "the answer was cut short",
    "malformed": "the answer cannot be read",
}


@dataclass(frozen=True)
class Answer:
    """One complete answer of a model.

    Args:
        model: the model that answered, as the provider names it.
        text: what it said; empty where it only called tools.
        usage: its tokens in the six buckets, read as the log readers read them; never null, but its buckets may be.
        finish_reason: in the provider's words.
        latency_ms: from sending the request to the last byte, of the attempt that succeeded.
        ttft_ms: from sending it to the first piece of the answer; None where the answer was not streamed.
        request_id: the provider's own, from its headers.
        served_tier: the service tier that the provider says it used.
        raw: the response body; of a stream, the body that it amounts to.
        tool_calls: in OpenAI's form, whoever answered: {id, type, function{name, arguments}}.
        retries: failed attempts before this one, which the provider does not bill.
    """

    model: str
    text: str
    usage: Usage
    finish_reason: str | None
    latency_ms: float
    ttft_ms: float | None
    request_id: str | None
    served_tier: str | None
    raw: Mapping[str, Any]
    tool_calls: Sequence[Mapping[str, Any]] = field(default=())
    retries: int = 0

    @property
    def message(self) -> dict[str, Any]:
        """The answer as the next turn's messages hold it, in OpenAI's form."""
        calls = {"tool_calls": [dict(call) for call in self.tool_calls]} if self.tool_calls else {}
        return {"role": "assistant", "content": self.text or None, **calls}


class Call(Protocol[Given]):
    """One call of a model; what it gives depends on whether it is awaited and streamed.

    Args:
        model: the provider's own name for it.
        messages: in OpenAI's chat form; the adapter puts them into the provider's.
        system: a system prompt that goes before them.
        max_output_tokens: the cap on the answer; where the provider requires one, the model's own limit.
        timeout_s: for the whole call, its retries included.
        kwargs: further fields of the request body, sent as they are; tools in OpenAI's form.

    Raises:
        BadRequest: the caller's own fault.
        ProviderFault: the provider's, after the retries that it allows.
        BackrouteError: no key in the environment, or the SDK is not installed.
    """

    def __call__(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        system: str | None = None,
        max_output_tokens: int | None = None,
        timeout_s: float = ...,
        **kwargs: Any,
    ) -> Given:
        """The answer, in one form or another."""


class Provider(Protocol):
    """Whoever answers. Safe to use from several threads and tasks at once."""

    name: str

    @property
    def complete(self) -> Call[Answer]:
        """The answer, once it is complete."""

    @property
    def acomplete(self) -> Call[Coroutine[Any, Any, Answer]]:
        """The same, awaited."""

    @property
    def stream(self) -> Call[Generator[str | Answer]]:
        """The answer's text in pieces as they come; then, as the last item, the Answer."""

    @property
    def astream(self) -> Call[AsyncGenerator[str | Answer]]:
        """The same, asynchronously."""


class ProviderFault(BackrouteError):  # noqa: N818
    """The provider failed, so that another may serve. Holds no part of the request, and no key.

    Args:
        kind: which way: rate_limit, server, timeout, connection, cut_short or malformed.
        provider: whose fault.
        retry_after_s: how long the provider asks to be left alone; None where it does not say.
        status: the HTTP status, where there was one.
        retry: whether the same request may succeed soon.
        detail: the provider's short codes for it.
    """

    exit_code = 4

    def __init__(
        self,
        kind: Kind,
        provider: str,
        *,
        retry_after_s: float | None = None,
        status: int | None = None,
        retry: bool = False,
        detail: str = "",
    ) -> None:
        self.kind, self.provider, self.retry_after_s = kind, provider, retry_after_s
        self.status, self.retry, self.detail = status, retry, detail
        said = ", ".join(part for part in (f"HTTP {status}" if status else "", detail) if part)
        wait = "" if retry_after_s is None else f"it asks to wait {retry_after_s:g} s"
        super().__init__(provider, f"{SAID[kind]} ({said or kind})", effect=wait)


class BadRequest(BackrouteError):  # noqa: N818
    """The provider refused the request itself, or its key: never retried, never sent to another provider.

    One exception: where its model is gone (404, 410), the rule's next model is asked.

    Args:
        provider: who refused.
        status: the HTTP status.
        detail: the provider's short codes for it; never its message, which may quote the request.
    """

    def __init__(self, provider: str, status: int, detail: str = "") -> None:
        self.provider, self.status, self.detail = provider, status, detail
        said = ", ".join(part for part in (f"HTTP {status}", detail) if part)
        fix = {401: "check the key in the environment", 404: "check the model's name"}.get(status, "mend the request")
        super().__init__(provider, f"the request was refused ({said})", fix=fix)

    @property
    def kind(self) -> str:
        """In the decision log's words: bad_request, or not_found where the provider does not have the model."""
        return "not_found" if self.status in (404, 410) else "bad_request"
