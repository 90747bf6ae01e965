"""What answers live requests: the four calls that a router and an experiment share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from router.complete import AsyncStreaming, Live, Streaming
    from router.decision import Completion


class Completes(ABC):
    """Decides a request and has it answered; see `complete`."""

    @property
    @abstractmethod
    def _live(self) -> Live:
        """What asks the providers."""

    def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Completion:
        """Decide a request and have it answered by the model decided on.

        Args:
            messages: in OpenAI's chat form, whoever answers: {role, content}, content a text or a list of parts.
            system: a system prompt that goes before them.
            meta: what rules may ask about, as in a log's `meta`.
            kwargs: `session_id`, `user_id` and `latency_budget_ms` as in a log; `max_output_tokens`; `timeout_s` for
                each model tried, 60 when left out; anything else goes into the request body, tools in OpenAI's form.

        Raises:
            BadRequest: a provider refused the request or the key, and no other is asked; or none has its model.
            ProviderFault: every model of the rule's chain failed; this is the last one's fault.
            BackrouteError: none of them can serve the request, a key is missing, or an argument is wrong.
        """
        return self._live.complete(messages, system, meta=meta, **kwargs)

    async def acomplete(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Completion:
        """The same, awaited."""
        return await self._live.acomplete(messages, system, meta=meta, **kwargs)

    def stream(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Streaming:
        """The same, its text in pieces as they come. After the first one no other model can take over on a fault."""
        return self._live.stream(messages, system, meta=meta, **kwargs)

    def astream(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> AsyncStreaming:
        """The same, asynchronously."""
        return self._live.astream(messages, system, meta=meta, **kwargs)
