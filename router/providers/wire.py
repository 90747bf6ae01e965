"""The two forms in which providers take a request and give an answer, behind one interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from workloads.sse import Event

Body = dict[str, Any]
Messages = Sequence[Mapping[str, Any]]


class Wire(Protocol):
    """A module that knows one API: `chat_wire` OpenAI's chat completions, `messages_wire` Anthropic's messages."""

    def request(self, model: str, messages: Messages, system: str | None, cap: int | None, more: Body) -> Body:
        """The request body.

        Raises:
            BackrouteError: the request cannot be put into this form.
        """

    def piece(self, event: Event) -> str:
        """The answer's text in one event of a stream; empty where it has none."""

    def begins(self, event: Event) -> bool:
        """Whether the model has begun to answer: with text, with a tool call or with reasoning."""

    def add_calls(self, events: Sequence[Event], body: Body) -> None:
        """Put the tool calls of a stream into the body that the stream amounts to."""

    def calls(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The tool calls of a response body, in OpenAI's form."""
