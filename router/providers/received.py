"""What comes of one response: text as it arrives, and the Answer that it amounts to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from router.providers.base import Answer, ProviderFault
from router.providers.events import Events
from router.providers.faults import broken
from router.providers.wire import Body, Wire
from workloads.bodies import Exchange, read_exchange
from workloads.sse import DONE, Event, fold
from workloads.usage import Usage, UsageError


class Received:
    """One response.

    Args:
        provider: whose it is.
        wire: the form it has.
        body: the request that it answers.
        path: where that went.

    Made when the request is sent, so that it knows how long the answer takes.
    """

    def __init__(self, provider: str, wire: Wire, body: Body, path: str) -> None:
        self._provider, self._wire, self._request, self._path = provider, wire, body, path
        self._started = time.perf_counter()
        self._ttft_ms: float | None = None
        self._headers: Mapping[str, str] = {}
        self._streamed = False
        self._whole = bytearray()
        self._framing = Events()
        self._events: list[Event] = []

    def begin(self, headers: Mapping[str, str]) -> None:
        """The headers have come. Some servers answer whole although a stream was asked for."""
        self._headers = headers
        is_json = headers.get("content-type", "").startswith("application/json")
        self._streamed = bool(self._request.get("stream")) and not is_json

    def take(self, chunk: bytes) -> list[str]:
        """Take in some bytes; the answer's text in them, where it is streamed.

        Raises:
            ProviderFault: the stream reports an error, or cannot be read.
        """
        if not self._streamed:
            self._whole += chunk
            return []
        try:
            events = self._framing.feed(chunk)
        except ValueError:
            raise ProviderFault("malformed", self._provider) from None
        return [text for event in events if (text := self._note(event))]

    def _note(self, event: Event) -> str:
        if fault := broken(event, self._provider):
            raise fault
        if self._ttft_ms is None and self._wire.begins(event):
            self._ttft_ms = self._elapsed_ms()
        self._events.append(event)
        return self._wire.piece(event)

    def answer(self) -> Answer:
        """The Answer, once all has come.

        Raises:
            ProviderFault: it was cut short, cannot be read, or is an error under a good status.
        """
        took = self._elapsed_ms()
        body = self._folded() if self._streamed else self._decoded()
        if fault := broken(body, self._provider):
            raise fault
        exchange = self._exchange(body)
        calls = self._wire.calls(body)
        if exchange.finish_reason is None and exchange.completion is None and not calls:
            raise ProviderFault("malformed", self._provider, detail="no answer in the body")
        return Answer(
            model=exchange.model or self._request["model"],
            text=exchange.completion or "",
            usage=exchange.usage,
            finish_reason=exchange.finish_reason,
            latency_ms=took,
            ttft_ms=self._ttft_ms,
            request_id=self._headers.get("x-request-id") or self._headers.get("request-id"),
            served_tier=exchange.usage.served_tier,
            raw=body,
            tool_calls=calls,
        )

    def _folded(self) -> Body:
        # A stream that was cut short ends without a word from the SDKs: only its own end marks say that it is whole.
        for event in self._framing.rest():
            self._note(event)
        folded = fold(self._events)
        if not folded.complete:
            raise ProviderFault("cut_short", self._provider)
        self._wire.add_calls(self._events, folded.body)
        return {key: value for key, value in folded.body.items() if key not in DONE}

    def _decoded(self) -> Body:
        try:
            body: Any = msgspec.json.decode(self._whole)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise ProviderFault("malformed", self._provider)
        return body

    def _exchange(self, body: Body) -> Exchange:
        try:
            return read_exchange(self._request, body, url=self._path, provider=self._provider)
        except UsageError:  # the answer is paid for, whatever its count says
            uncounted = {key: value for key, value in body.items() if key != "usage"}
            exchange = read_exchange(self._request, uncounted, url=self._path, provider=self._provider)
            return replace(exchange, usage=Usage(notes=("impossible_count",)))

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1e3
