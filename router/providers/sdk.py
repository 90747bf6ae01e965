"""A provider reached through its own SDK: the ways to ask it, its retries, and its one client."""

from __future__ import annotations

import asyncio
import os
import random
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, TypeVar, cast

import msgspec

from problems import BackrouteError
from router.features import mended
from router.providers.base import Answer, Provider, ProviderFault
from router.providers.faults import failure
from router.providers.loop import aiterate, arun, iterate, run, the_loop
from router.providers.received import Received
from router.providers.wire import Body, Messages, Wire

T = TypeVar("T")

TIMEOUT_S = 60.0
RETRIES = 2
FIRST_WAIT_S = 0.5  # doubled with every retry
LONGEST_WAIT_S = 20.0  # a provider that asks for more is left alone, and the caller told

CAPS = ("max_output_tokens", "max_completion_tokens", "max_tokens")


class SdkProvider(Provider):
    """Keeps `Provider`'s promises for one SDK. A provider's file says which, and how its requests look.

    Args:
        name: what rules call the provider; in capitals, the prefix of its variables in the environment.
        base_url: where it is; `NAME_BASE_URL` when left out, else the SDK's own address.

    The key is `NAME_API_KEY`, read when it is first needed. At an address of one's own, none is needed.
    """

    sdk: str  # the package
    client: str  # its asynchronous client
    path: str
    wire: Wire

    def __init__(self, name: str, *, base_url: str | None = None) -> None:
        self.name = name
        prefix = "".join(letter if letter.isalnum() else "_" for letter in name).upper()
        self.base_url_name, self._key_name = f"{prefix}_BASE_URL", f"{prefix}_API_KEY"
        self.base_url = base_url or os.environ.get(self.base_url_name) or None
        self._client: tuple[Any, Any] | None = None

    def complete(
        self,
        model: str,
        messages: Messages,
        *,
        system: str | None = None,
        max_output_tokens: int | None = None,
        timeout_s: float = TIMEOUT_S,
        **kwargs: Any,
    ) -> Answer:
        """See `Provider`."""
        body = self._prepared(model, messages, system, max_output_tokens, kwargs)
        return run(_last(self._attempts(body, timeout_s)))

    async def acomplete(
        self,
        model: str,
        messages: Messages,
        *,
        system: str | None = None,
        max_output_tokens: int | None = None,
        timeout_s: float = TIMEOUT_S,
        **kwargs: Any,
    ) -> Answer:
        """See `Provider`."""
        body = self._prepared(model, messages, system, max_output_tokens, kwargs)
        return await arun(_last(self._attempts(body, timeout_s)))

    def stream(
        self,
        model: str,
        messages: Messages,
        *,
        system: str | None = None,
        max_output_tokens: int | None = None,
        timeout_s: float = TIMEOUT_S,
        **kwargs: Any,
    ) -> Generator[str | Answer]:
        """See `Provider`."""
        body = self._prepared(model, messages, system, max_output_tokens, {**kwargs, "stream": True})
        return iterate(self._attempts(body, timeout_s))

    def astream(
        self,
        model: str,
        messages: Messages,
        *,
        system: str | None = None,
        max_output_tokens: int | None = None,
        timeout_s: float = TIMEOUT_S,
        **kwargs: Any,
    ) -> AsyncGenerator[str | Answer]:
        """See `Provider`."""
        body = self._prepared(model, messages, system, max_output_tokens, {**kwargs, "stream": True})
        return aiterate(self._attempts(body, timeout_s))

    def body(
        self, model: str, messages: Messages, system: str | None, cap: int | None, more: Mapping[str, Any]
    ) -> Body:
        """The request body; fields given as None are left out.

        Raises:
            BackrouteError: the request is not in OpenAI's chat form, or cannot be sent as JSON.
        """
        caps = [given for given in (cap, *(more.get(name) for name in CAPS)) if given is not None]
        rest = {key: value for key, value in more.items() if key not in CAPS}
        try:
            body = self.wire.request(model, messages, system, self.cap(model, next(iter(caps), None)), rest)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            what = f"messages or tools not in OpenAI's chat form ({type(error).__name__})"
            raise BackrouteError(self.name, what, fix="give messages as a list of {role, content}") from None
        return _sendable({key: value for key, value in body.items() if value is not None}, self.name)

    def cap(self, model: str, asked: int | None) -> int | None:  # noqa: ARG002
        """The output cap to send."""
        return asked

    def _prepared(self, model: str, messages: Messages, system: str | None, cap: int | None, more: Body) -> Body:
        """The request body, once nothing is missing here. An SDK takes a second to import, and that on this thread."""
        self._key()
        try:
            import_module(self.sdk)
        except ImportError:
            what = f"its SDK is not installed ({self.sdk})"
            raise BackrouteError(self.name, what, fix="pip install 'backroute[live]'") from None
        return self.body(model, messages, system, cap, more)

    async def _attempts(self, body: Body, timeout_s: float) -> AsyncGenerator[str | Answer]:
        """One attempt after another, until one succeeds or may not be repeated; never after text has been given."""
        patience, retries, begun = Patience(timeout_s), 0, False
        while True:
            try:
                async for item in self._attempt(body, patience):
                    begun = True
                    yield item if isinstance(item, str) else replace(item, retries=retries)
                return
            except ProviderFault as error:
                fault = error
            wait = fault.retry_after_s
            if wait is None:
                wait = FIRST_WAIT_S * 2**retries * random.uniform(0.5, 1)
            if begun or not fault.retry or retries == RETRIES or wait > min(LONGEST_WAIT_S, patience.left_s):
                raise fault
            retries += 1
            await patience.wait(asyncio.sleep(wait))

    async def _attempt(self, body: Body, patience: Patience) -> AsyncGenerator[str | Answer]:
        """The answer's text as it comes, where it is streamed; then the Answer."""
        client = self._connected()
        received = Received(self.name, self.wire, body, self.path)
        failed: Exception | None = None
        stream = None
        try:
            stream = await patience.wait(self._post(client, body, patience.left_s))
            received.begin(stream.response.headers)
            chunks = stream.response.aiter_bytes()
            while (chunk := await patience.wait(anext(chunks, None))) is not None:
                for text in received.take(chunk):
                    yield text
        except Exception as error:
            failed = failure(error, self.name, answering=stream is not None) or error
        finally:
            if stream is not None:
                await stream.close()
        if failed is not None:  # raised out here, as the SDKs' exceptions hold the request and the key
            raise failed
        yield received.answer()

    async def _post(self, client: Any, body: Body, timeout_s: float) -> Any:
        """The SDK's stream, not yet read. Its own retries, parameter lists and warnings are kept out of it."""
        unread = import_module(self.sdk).AsyncStream[object]
        options = {"timeout": timeout_s}
        return await client.post(self.path, cast_to=object, body=body, options=options, stream=True, stream_cls=unread)

    def _connected(self) -> Any:
        """The SDK's client, made on the providers' loop when it is first needed there."""
        loop = the_loop()
        if self._client is None or self._client[0] is not loop:
            make = getattr(import_module(self.sdk), self.client)
            client = make(api_key=self._key(), base_url=self.base_url, max_retries=0, timeout=TIMEOUT_S)
            self._client = (loop, client)
            weakref.finalize(self, _close, loop, client)
        return self._client[1]

    def _key(self) -> str:
        key = os.environ.get(self._key_name, "").strip()
        if not key and self.base_url is None:
            raise BackrouteError(self.name, "no key in the environment", fix=f"set {self._key_name}")
        if not key.isascii() or not key.isprintable():
            raise BackrouteError(self.name, f"{self._key_name} holds what no key can", fix="copy the key again")
        return key or "none"  # the SDKs want one, a server of one's own may not


class Patience:
    """The time a call may still take. A stream's reader may take its own between pieces: that is not counted."""

    def __init__(self, timeout_s: float) -> None:
        self.left_s = timeout_s

    async def wait(self, work: Awaitable[T]) -> T:
        """Await it for no longer than is left.

        Raises:
            TimeoutError: it took longer.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(max(self.left_s, 0)):
                return await work
        finally:
            self.left_s -= time.monotonic() - started


async def _last(items: AsyncIterator[str | Answer]) -> Answer:
    return cast(Answer, [item async for item in items][-1])


def _sendable(body: Body, where: str) -> Body:
    try:
        msgspec.json.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair, as JavaScript cuts strings: U+FFFD, as in the log reader
        return cast(Body, mended(body))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BackrouteError(where, f"the request cannot be sent as JSON ({error})", fix="give plain values") from None
    return body


def _close(loop: asyncio.AbstractEventLoop, client: Any) -> None:
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(client.close(), loop)
