"""Two workers against one: processes of this machine, and a Dask cluster of real processes on loopback.

    .venv/bin/python -m benchmarks.workers [--rows 300000] [--times 3] [--dask]

Every run is a process of its own over a log that nothing was kept of, starts and loading included; the time is that of
the replay. With Dask, each run has a new cluster, whose workers run before the clock starts and have loaded nothing;
Dask's own profiler is off, unless DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=True is set.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.texts import write_log

ROOT = Path(__file__).parents[1]
# Python keeps compiled modules, as an installed package has them, whatever the environment of the benchmark says.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPATH": str(ROOT)
}
# As docs/performance.md starts them: without Dask's own profiler, which looks at a worker's stacks 100 times a second.
STARTED = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"} | ENVIRONMENT
RUN = """
import hashlib, json, resource, sys, time
from pricing import PriceBook
from router import load_rules
from simulator import Scenario, replay
from workloads import read_log
if __name__ == "__main__":
    book = PriceBook.load()
    base = Scenario.always("openai/gpt-4o", book)
    case = Scenario("case", load_rules("case", book=book), book)
    began = time.perf_counter()
    result = replay(read_log(sys.argv[1], cache=False), base, case, **json.loads(sys.argv[2]))[1]
    took = time.perf_counter() - began
    said = hashlib.sha256(json.dumps(result.summary, sort_keys=True, default=str).encode()).hexdigest()
    cores = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"peak_mb": round(peak), "seconds": took, "main": cores[0], "others": cores[1], "summary": said}))
"""


def replayed(log: Path, options: dict[str, Any]) -> dict[str, Any]:
    """One replay in a process of its own: seconds by the clock and of cores, and a digest of its summary."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "run.py"  # a file, which the spawned workers import again
        script.write_text(RUN, "utf-8")
        command = [sys.executable, str(script), str(log), json.dumps(options)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=ENVIRONMENT, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def cluster(folder: Path, threads: Sequence[int]) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler on loopback with one worker process of so many threads each: its address, and the workers."""
    from distributed import Client

    with tempfile.TemporaryDirectory(dir=folder) as held:
        file = Path(held) / "scheduler.json"
        named = ["--scheduler-file", str(file), "--no-dashboard", "--host", "127.0.0.1"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": STARTED}

        def start(what: str, *said: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *named, *said]
            return subprocess.Popen(command, cwd=held, **quiet)

        processes = [start("scheduler", "--port", "0")]
        try:
            address = _address(file, processes[0])
            # Without a nanny, which would start a killed worker again.
            workers = [start("worker", "--no-nanny", "--nthreads", str(count)) for count in threads]
            processes += workers
            with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
                client.wait_for_workers(len(workers), timeout=60)
            yield address, workers
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    """The address a scheduler writes to its file, once it is there whole: the file exists before it is filled."""
    for _ in range(1_200):
        try:
            return str(json.loads(file.read_text("utf-8"))["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            if scheduler.poll() is not None:
                break
        time.sleep(0.05)
    raise RuntimeError(f"the Dask scheduler wrote no address to {file}; it ended with {scheduler.poll()}")


def measured(log: Path, folder: Path, workers: int, *, dask: bool) -> dict[str, Any]:
    """One run on so many workers."""
    if not dask:
        return replayed(log, {"workers": workers})
    with cluster(folder, [1] * workers) as (address, _):
        return replayed(log, {"engine": "dask", "scheduler": address})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--dask", action="store_true", help="a Dask cluster instead of this machine's processes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backroute-bench-") as held:
        folder = Path(held)
        log = write_log(folder / "log.jsonl", options.rows, counted=False)
        ratios, said = [], set[str]()
        for _ in range(options.times):
            one, two = (measured(log, folder, workers, dask=options.dask) for workers in (1, 2))
            ratios.append(one["seconds"] / two["seconds"])
            said |= {one["summary"], two["summary"]}
            print(f"one {one}\ntwo {two}\nratio {ratios[-1]:.2f}, load {os.getloadavg()[0]:.1f}", flush=True)
        middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
        where = "Dask workers" if options.dask else "processes"
        print(f"two {where} against one, {options.rows:,} requests: {middle:.2f} times ({low:.2f} to {high:.2f});"
              f" results identical: {len(said) == 1}")  # fmt: skip


if __name__ == "__main__":
    main()
