"""Growth: time per request and peak memory of a replay, on a log of ten million requests against one of a hundredth.

    .venv/bin/python -m benchmarks.long [--rows 10000000] [--workers 1] [--folder FOLDER]

Every run is a process of its own over a log that nothing was kept of. Ten million requests are a log of 9.5 GB, and as
much again while it runs.
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
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the logs go; a temporary one if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backroute-bench-", dir=options.folder) as held:
        folder = Path(held)
        found = []
        for rows in (options.rows // 100, options.rows // 10, options.rows):
            log = write_long_log(folder / "log.jsonl", rows)
            took = replayed(log, {"workers": options.workers})
            each = {name: took[name] / rows * 1e6 for name in ("seconds", "main", "others")}
            found.append((each["seconds"], took["peak_mb"]))
            print(
                f"{rows:>10,} requests, {log.stat().st_size / 1e9:.2f} GB: {each['seconds']:.1f} µs a request by the "
                f"clock, {each['main'] + each['others']:.1f} of cores, {took['peak_mb']:,} MB at most, "
                f"load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        print(f"time per request {found[-1][0] / found[0][0]:.2f}, memory {found[-1][1] / found[1][1]:.2f} times")


if __name__ == "__main__":
    main()
