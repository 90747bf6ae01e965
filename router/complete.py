"""Completes requests live: on a provider's fault, or a model that is gone, the rule's next one is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

from pricing import PriceBook
from router.decision import Completion
from router.decision_log import DecisionLog
from router.live_call import Call, Clock, Messages, now
from router.live_decision import Decider
from router.metrics import Metrics
from router.providers import BadRequest, Provider, ProviderFault, provider


class Streaming:
    """The answer's text in pieces as they come; `completion` holds the whole once they have ended."""

    def __init__(self, items: Generator[str | Completion]) -> None:
        self._items = items
        self.completion: Completion | None = None

    def __iter__(self) -> Iterator[str]:
        with closing(self._items):
            for item in self._items:
                if isinstance(item, Completion):
                    self.completion = item
                else:
                    yield item


class AsyncStreaming:
    """The same, asynchronously."""

    def __init__(self, items: AsyncGenerator[str | Completion]) -> None:
        self._items = items
        self.completion: Completion | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        async with aclosing(self._items):
            async for item in self._items:
                if isinstance(item, Completion):
                    self.completion = item
                else:
                    yield item


class Live:
    """Everything that the live requests of a router or an experiment share.

    Args:
        decider: decides: a router, or an experiment between several.
        book: whose limits say which model can serve what.
        providers: by name; those left out are made as `router.providers.provider` makes them.
        decision_log: the file to append each call to; none is written when left out.
        metrics: told of each call; none are kept when left out.
        clock: tells when a call came and was decided, with a zone; the real time when left out.

    Raises:
        BackrouteError: a rule, or its fallback, names an unknown provider; or the log cannot be written.
    """

    def __init__(
        self,
        decider: Decider,
        book: PriceBook,
        providers: Mapping[str, Provider] | None = None,
        decision_log: str | Path | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.decider, self.book, self.metrics, self.clock = decider, book, metrics, clock or now
        self.log = DecisionLog(decision_log) if decision_log is not None else None
        targets = [target for rule in decider.rules for target in (rule.target, *rule.fallback)]
        # All at once: on the day a fallback is needed is no time to learn that it has no address.
        names = dict.fromkeys(target.partition("/")[0] for target in targets)
        given = providers or {}
        self._providers = {name: given[name] if name in given else provider(name) for name in names}

    def complete(self, messages: Messages, system: str | None, **asked: Any) -> Completion:
        """See `LLMRouter.complete`."""
        with Call(self, messages, system, **asked) as call:
            for name, model in call.chain():
                try:
                    return call.answered(self._providers[name].complete(model, messages, **call.options))
                except (ProviderFault, BadRequest) as fault:
                    call.failed(fault)
            raise call.exhausted()

    async def acomplete(self, messages: Messages, system: str | None, **asked: Any) -> Completion:
        """See `LLMRouter.acomplete`."""
        with Call(self, messages, system, **asked) as call:
            for name, model in call.chain():
                try:
                    answer = await self._providers[name].acomplete(model, messages, **call.options)
                except (ProviderFault, BadRequest) as fault:
                    call.failed(fault)
                else:
                    return await asyncio.to_thread(call.answered, answer)
            raise call.exhausted()

    def stream(self, messages: Messages, system: str | None, **asked: Any) -> Streaming:
        """See `LLMRouter.stream`."""
        return Streaming(self._stream(Call(self, messages, system, **asked), messages))

    def astream(self, messages: Messages, system: str | None, **asked: Any) -> AsyncStreaming:
        """See `LLMRouter.astream`."""
        return AsyncStreaming(self._astream(Call(self, messages, system, **asked), messages))

    def _stream(self, call: Call, messages: Messages) -> Generator[str | Completion]:
        with call:
            for name, model in call.chain():
                try:
                    with closing(self._providers[name].stream(model, messages, **call.options)) as items:
                        for item in items:
                            yield call.received(item)
                except (ProviderFault, BadRequest) as fault:
                    call.failed(fault)
            if not call.logged:
                raise call.exhausted()

    async def _astream(self, call: Call, messages: Messages) -> AsyncGenerator[str | Completion]:
        with call:
            for name, model in call.chain():
                try:
                    async with aclosing(self._providers[name].astream(model, messages, **call.options)) as items:
                        async for item in items:
                            yield call.received(item)
                except (ProviderFault, BadRequest) as fault:
                    call.failed(fault)
            if not call.logged:
                raise call.exhausted()
