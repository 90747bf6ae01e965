"""Growth: time per request and peak memory of a replay, on a log of ten million requests against one of a hundredth.

    .venv/bin/python -m benchmarks.long [--rows 10000000] [--folder FOLDER]

Every run is a process of its own, and then one with a second worker, over a log that nothing was kept of, all that they
load included. Ten million requests are a log of 9.5 GB, and half as much again while it is replayed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.texts import write_long_log
from benchmarks.workers import replayed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the logs go; a temporary one if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backroute-bench-", dir=options.folder) as held:
        alone = []
        for rows in (options.rows // 100, options.rows // 10, options.rows):
            log = write_long_log(Path(held) / "log.jsonl", rows)
            one, two = (replayed(log, {"workers": workers}) for workers in (1, 2))
            alone.append((one["seconds"] / rows, one["peak_mb"]))
            print(f"{rows:>10,} requests, {log.stat().st_size / 1e9:.2f} GB, load {os.getloadavg()[0]:.1f}")
            for name, took in (("one process", one), ("two", two)):
                clock, cores = (spent / rows * 1e6 for spent in (took["seconds"], took["main"] + took["others"]))
                print(f"  {name}: {clock:.1f} µs a request by the clock, {cores:.1f} of cores, {took['peak_mb']:,} MB")
            same = one["summary"] == two["summary"]
            print(f"  {one['seconds'] / two['seconds']:.2f} times as fast; results identical: {same}", flush=True)
        growth, more = alone[-1][0] / alone[0][0], alone[-1][1] / alone[1][1]
        print(
            f"one process, greatest against least: time per request {growth:.2f}; against the middle: memory {more:.2f}"
        )


if __name__ == "__main__":
    main()
