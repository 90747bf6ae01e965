"""The one event loop, on a thread of its own, on which every provider's connections live.

Plain calls, calls from any number of threads and calls from any event loop, a notebook's too, share the same clients
and the same exact deadlines.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_running: dict[int, asyncio.AbstractEventLoop] = {}  # by process: a fork takes no threads along


def the_loop() -> asyncio.AbstractEventLoop:
    """This process's loop, started on first use."""
    with _lock:
        loop = _running.get(os.getpid())
        if loop is None:
            loop = _running[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="backroute-providers", daemon=True).start()
        return loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it there and wait; an interrupt of the caller cancels it."""
    future = asyncio.run_coroutine_threadsafe(work, the_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def arun(work: Coroutine[Any, Any, T]) -> T:
    """Run it there and await it here; cancelling this cancels that."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, the_loop()))


def iterate(items: AsyncGenerator[T]) -> Generator[T]:
    """The items, each made there when it is asked for; left early, the rest is not made."""
    try:
        while (item := run(_next(items))) is not None:
            yield item
    finally:
        run(items.aclose())


async def aiterate(items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """The same, asynchronously."""
    try:
        while (item := await arun(_next(items))) is not None:
            yield item
    finally:
        await arun(items.aclose())


async def _next(items: AsyncGenerator[T]) -> T | None:
    return await anext(items, None)
