"""What the tests give worker processes to do, in a module of its own that they are quick to import."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path


def dies_once(task: tuple[int, str]) -> tuple[int, bool]:
    """Kills the worker that sees the number 1 first; a number squared, and whether a worker did it."""
    number, folder = task
    mark, worker = Path(folder) / "died", multiprocessing.parent_process() is not None
    if number == 1 and worker and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01 if worker else 0.2)
    return number * number, worker


def always_dies(task: int) -> int:
    if multiprocessing.parent_process() is not None:
        os._exit(1)
    return task


class Counted:
    """A number that notes in this process, and no other, that it was asked for."""

    def __init__(self, number: int, done: list[int]) -> None:
        self.number, self.done = number, done

    def __reduce__(self) -> tuple[object, ...]:
        return Counted, (self.number, [])


def told(task: Counted) -> int:
    task.done.append(task.number)
    return task.number
