"""What is set in a process for as long as it replays, or before it starts: threads, memory, Python's collector."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pyarrow as pa
from threadpoolctl import ThreadpoolController

COUNTING = {"FASTOKENS_BPE_THREADS": "1"}
# What numpy's builds and fastokens take their threads from, when they are loaded; and whether Arrow's allocator hands
# free memory back, which a worker asks for again with its next block: half a µs a request.
SETTINGS = COUNTING | {
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MIMALLOC_PURGE_DELAY": "-1",
}


@contextmanager
def replaying() -> Iterator[None]:
    """Linear algebra has one thread, and the collector passes over what was there before.

    Its products are small: threads would wait for each other longer than they work. What was there outlives a replay.
    """
    own = not gc.get_freeze_count()
    if own:
        gc.freeze()
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        if own:
            gc.unfreeze()


@cache
def _libraries() -> ThreadpoolController:
    """Those of this process with threads of their own; to look for them takes 2 ms."""
    return ThreadpoolController()


@contextmanager
def on_one_core() -> Iterator[None]:
    """The same, where several processes share a machine that others set up, as Dask's workers do."""
    for name, value in COUNTING.items():
        os.environ.setdefault(name, value)
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        with replaying():
            yield
    finally:
        pa.set_cpu_count(threads)


@contextmanager
def given_to_workers() -> Iterator[None]:
    """Processes started now have SETTINGS: each counts on one core, and keeps the memory that it freed."""
    before = {name: os.environ.get(name) for name in SETTINGS}
    os.environ.update(SETTINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def begin() -> None:
    """What a worker does once, when it has imported everything."""
    pa.set_cpu_count(1)
    gc.freeze()  # which lasts as long as the process: the collector need not go through it time and again
