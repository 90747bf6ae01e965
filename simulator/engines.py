"""Where the parts of a replay run: in this process, in a pool of processes, or on a Dask cluster."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from problems import BackrouteError

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2  # tasks a worker has waiting, so that none idles and few results are held
ATTEMPTS = 3  # a task whose worker died so often would kill any

log = logging.getLogger("backroute")


class Engine(Protocol):
    """Runs a function over tasks, both picklable, in `workers` processes."""

    workers: int

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results in the tasks' order, a bounded number of tasks ahead of who takes them."""

    def close(self) -> None:
        """Let the workers go."""


class Pool:
    """Processes on this machine, started anew (spawn), as on macOS and Windows. A dead worker's batch is done again.

    Args:
        workers: how many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = self._started()

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """See `Engine.map`."""
        waiting: deque[tuple[Task, int, Future[Result]]] = deque()
        left = iter(tasks)
        while True:
            while len(waiting) < self.workers * AHEAD and (task := next(left, waiting)) is not waiting:
                waiting.append((task, 1, self._submit(function, task)))  # type: ignore[arg-type]
            if not waiting:
                return
            task, attempt, future = waiting[0]
            try:
                result = future.result()
            except BrokenProcessPool as error:
                self._again(function, waiting, attempt, error)
                continue
            waiting.popleft()
            yield result

    def _submit(self, function: Callable[[Task], Result], task: Task) -> Future[Result]:
        try:
            return self._pool.submit(function, task)
        except BrokenProcessPool as error:  # told by the result, like a death in the task itself
            future: Future[Result] = Future()
            future.set_exception(error)
            return future

    def _again(
        self,
        function: Callable[[Any], Any],
        waiting: deque[tuple[Any, int, Future[Any]]],
        attempt: int,
        error: Exception,
    ) -> None:
        if attempt == ATTEMPTS:
            what = f"a worker process died {ATTEMPTS} times over the same batch"
            fix = "use fewer workers, or give them more memory"
            raise BackrouteError("engine", what, fix=fix) from error
        log.warning("note: a worker process died; its batch is done again")
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._started()
        for at, (task, tried, future) in enumerate(waiting):
            if not future.done() or future.cancelled() or future.exception() is not None:
                waiting[at] = (task, tried + 1, self._submit(function, task))

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=_one_core_each
        )

    def close(self) -> None:
        """See `Engine.close`."""
        self._pool.shutdown(cancel_futures=True)


def _one_core_each() -> None:
    os.environ["RAYON_NUM_THREADS"] = "1"  # of fastokens
    pa.set_cpu_count(1)


class Dask:
    """A Dask cluster, by its scheduler's address; Dask itself repeats the tasks of a worker that died.

    Args:
        scheduler: for example "tcp://10.0.0.5:8786". Log and output folder must be seen alike by all workers.

    Raises:
        BackrouteError: Dask is not installed, or nothing answers there.
    """

    def __init__(self, scheduler: str) -> None:
        try:
            import distributed
        except ImportError as error:
            fix = "pip install 'backroute[dask]'"
            raise BackrouteError("engine", "Dask's distributed is not installed", fix=fix) from error
        try:
            self._client: Any = distributed.Client(scheduler, timeout="10s", set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            fix = "start one: `dask scheduler`, then `dask worker ADDRESS` on each machine"
            raise BackrouteError("--scheduler", f"no Dask scheduler answers ({scheduler})", fix=fix) from error
        self.workers = max(sum(self._client.nthreads().values()), 1)  # type: ignore[no-untyped-call]

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """See `Engine.map`."""
        waiting: deque[Any] = deque()
        left = iter(tasks)
        while True:
            while len(waiting) < self.workers * AHEAD and (task := next(left, waiting)) is not waiting:
                waiting.append(self._client.submit(function, task, pure=False))
            if not waiting:
                return
            yield waiting.popleft().result()

    def close(self) -> None:
        """See `Engine.close`."""
        self._client.close()


def engine_of(name: str, workers: int, scheduler: str | None) -> Engine | None:
    """The engine asked for; None for this one process.

    Raises:
        BackrouteError: an unknown engine, no worker, or a scheduler without Dask or the other way round.
    """
    if name not in ("local", "dask"):
        raise BackrouteError("engine", f"unknown engine ({name!r})", fix="use local or dask")
    if workers < 1:
        raise BackrouteError("workers", f"not 1 or more ({workers})", fix="1 is this process alone")
    if name == "dask":
        if scheduler is None:
            raise BackrouteError(
                "engine", "dask without a scheduler", fix="for example --scheduler tcp://127.0.0.1:8786"
            )
        return Dask(scheduler)
    if scheduler is not None:
        raise BackrouteError("--scheduler", "given without --engine dask", fix="add --engine dask")
    return Pool(workers) if workers > 1 else None
