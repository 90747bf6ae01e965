"""Where the parts of a replay run: in this process, in a pool of processes, or on a Dask cluster."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from problems import BackrouteError
from simulator.process import begin, given_to_workers, on_one_core

Task = TypeVar("Task")
Result = TypeVar("Result")
Packed = tuple[int, bytes]  # how many bytes it was before

AHEAD = 2  # tasks a worker has waiting, so that none idles and few results are held
DONE = 16  # results that may wait for the one before them, beside those being made
ANSWERS = 3  # seconds that a Dask worker may take to answer this process
PATIENCE = 60  # seconds that it may take to hand over a result, the time until that is made included
ATTEMPTS = 3  # a task whose worker died so often would kill any
WORTH = 8  # tasks: a process takes about 3 s of a core to start, in which one reads and replays nine blocks

log = logging.getLogger("backroute")


class Engine(Protocol):
    """Runs a function over tasks, both picklable, in `workers` processes; `here`: this one is among them."""

    workers: int
    here: bool

    def suits(self, tasks: int) -> bool:
        """Whether so many tasks are worth it, perhaps with fewer workers; else this process alone is as fast."""

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """The results in the tasks' order, a bounded number of tasks ahead of who takes them; work begins at once."""

    def close(self) -> None:
        """Let the workers go."""


@dataclass
class _Asked:
    """A task, how often it was tried, and its result to come."""

    task: Any
    future: Future[Any]
    attempt: int = 1


class Pool:
    """This process and others on this machine, started anew (spawn), as on macOS and Windows.

    This process works as well: it need not start, and reads on while the others do. A worker that died is told, and its
    batch done again.

    Args:
        workers: processes, this one among them: two or more.
    """

    here = True

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def suits(self, tasks: int) -> bool:
        """See `Engine.suits`; tells where it uses fewer processes than were asked for."""
        used = min(self.workers, 1 + tasks // WORTH)
        if used < self.workers:
            said = "the log is too short for %s workers, of which each takes 3 s to start: %s used"
            log.warning(f"note: {said}", self.workers, f"{used} are" if used > 1 else "this process alone is")
            self.workers = used
        return used > 1

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """See `Engine.map`."""
        left = deque(tasks)
        asked = deque[_Asked]()
        self._ask(function, left, asked)
        return self._results(function, left, asked)

    def _results(self, function: Callable[[Task], Result], left: deque[Task], asked: deque[_Asked]) -> Iterator[Result]:
        while asked or left:
            self._ask(function, left, asked)
            if left and not (asked and asked[0].future.done()) and self._room(asked) > 0:
                asked.append(_here(function, left.popleft()))
                continue
            try:
                result = asked[0].future.result()
            except BrokenProcessPool as error:
                self._again(function, asked, error)
                continue
            asked.popleft()
            yield result

    def _ask(self, function: Callable[[Any], Any], left: deque[Any], asked: deque[_Asked]) -> None:
        """Hand out so many tasks that no other process idles."""
        waiting = sum(not each.future.done() for each in asked)
        for _ in range(min((self.workers - 1) * AHEAD - waiting, self._room(asked), len(left))):
            task = left.popleft()
            asked.append(_Asked(task, self._submit(function, task)))

    def _room(self, asked: deque[_Asked]) -> int:
        return self.workers * AHEAD + DONE - len(asked)

    def _submit(self, function: Callable[[Task], Result], task: Task) -> Future[Result]:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers - 1, mp_context=spawn, initializer=begin)
        try:
            with given_to_workers():  # the first task starts the processes
                return self._pool.submit(function, task)
        except BrokenProcessPool as error:  # told by the result, like a death in the task itself
            future: Future[Result] = Future()
            future.set_exception(error)
            return future

    def _again(self, function: Callable[[Any], Any], asked: deque[_Asked], error: Exception) -> None:
        if asked[0].attempt == ATTEMPTS:
            what = f"a worker process died {ATTEMPTS} times over the same batch"
            fix = "use fewer workers, or give them more memory"
            raise BackrouteError("engine", what, fix=fix) from error
        log.warning("note: a worker process died; its batch is done again")
        self._stop(wait=False)
        for each in asked:
            if not each.future.done() or each.future.cancelled() or each.future.exception() is not None:
                each.attempt += 1
                each.future = self._submit(function, each.task)

    def close(self) -> None:
        """See `Engine.close`."""
        self._stop(wait=True)

    def _stop(self, *, wait: bool) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait, cancel_futures=True)
            self._pool = None


def _here(function: Callable[[Task], Result], task: Task) -> _Asked:
    future: Future[Result] = Future()
    future.set_result(function(task))
    return _Asked(task, future)


class Dask:
    """A Dask cluster, by its scheduler's address; Dask itself repeats the tasks of a worker that died.

    Args:
        scheduler: for example "tcp://10.0.0.5:8786". Log and output folder must be seen alike by all workers.

    Raises:
        BackrouteError: Dask is not installed, or nothing answers there.
    """

    here = False

    def __init__(self, scheduler: str) -> None:
        try:
            import distributed
        except ImportError as error:
            fix = "pip install 'backroute[dask]'"
            raise BackrouteError("engine", "Dask's distributed is not installed", fix=fix) from error
        try:
            client: Any = distributed.Client(scheduler, timeout="10s", set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            fix = "start one: `dask scheduler`, then `dask worker ADDRESS` on each machine"
            raise BackrouteError("--scheduler", f"no Dask scheduler answers ({scheduler})", fix=fix) from error
        self._client, addresses = client, list(client.nthreads())
        self.workers = max(len(addresses), 1)
        client.direct_to_workers = client.sync(_answer, client, addresses)

    def suits(self, tasks: int) -> bool:  # noqa: ARG002 - a cluster that was asked for is used
        """See `Engine.suits`."""
        return True

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """See `Engine.map`."""
        left, asked = deque(tasks), deque[Any]()
        self._ask(function, left, asked)
        return self._results(function, left, asked)

    def _results(self, function: Callable[[Task], Result], left: deque[Task], asked: deque[Any]) -> Iterator[Result]:
        while asked:
            result: Result = _unpacked(self._fetched(asked.popleft()))
            yield result
            self._ask(function, left, asked)

    def _fetched(self, future: Any) -> Any:
        if self._client.direct_to_workers:
            try:
                return future.result(PATIENCE)
            except TimeoutError:  # only the scheduler knows when to give up a worker that lives and does not answer
                self._client.direct_to_workers = False
        return future.result()

    def _ask(self, function: Callable[[Any], Any], left: deque[Any], asked: deque[Any]) -> None:
        while left and len(asked) < self.workers * AHEAD + DONE:
            # As bytes, and a function of Python's own: the scheduler unpickles what it hands on, and would load all of
            # Backroute for it, or fail where it has none.
            call = pickle.dumps(_Call(function, left.popleft()))
            asked.append(self._client.submit(pickle.loads, call, pure=False))

    def close(self) -> None:
        """See `Engine.close`."""
        self._client.close()


async def _answer(client: Any, addresses: Sequence[str]) -> bool:
    """Whether there are workers, and all answer this process, so that results need not go through the scheduler."""
    asked = (asyncio.wait_for(client.rpc(address).identity(), ANSWERS) for address in addresses)
    said = await asyncio.gather(*asked, return_exceptions=True)
    return bool(said) and not any(isinstance(each, BaseException) for each in said)


@dataclass(frozen=True)
class _Call:
    """A task for a Dask worker; to unpickle it is to do it, and gives the packed result."""

    function: Callable[[Any], Any]
    task: Any

    def __reduce__(self) -> tuple[Callable[..., Packed], tuple[Any, ...]]:
        return _in_turn, (self.function, self.task)


_TURN = threading.Lock()


def _in_turn(function: Callable[[Task], Result], task: Task) -> Packed:
    """One task after the other in a Dask worker of many threads: what a process keeps between tasks is not shared."""
    with _TURN, on_one_core():
        return _packed(function(task))


def _packed(result: object) -> Packed:
    """A result as bytes: a fifth of them, which take less to pack than the rest to send."""
    said = pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
    return len(said), pa.compress(said, "lz4_raw", asbytes=True)


def _unpacked(packed: Packed) -> Any:
    size, held = packed
    return pickle.loads(pa.decompress(held, size, "lz4_raw"))


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
