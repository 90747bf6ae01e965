"""The report on a log of a million requests: how large the page is, and how long each form takes to make.

The limit is 2 MB and 10 s for the page with its charts. The replay before it is not part of that; its time is printed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pricing import PriceBook
from reports.pdf import browser
from reports.summary import Summary
from reports.write import write_forms
from router import load_rules
from simulator import Scenario, replay
from workloads import read_log
from workloads.synth import load_mix, write_log

MOST_SECONDS, MOST_MB = 10.0, 2.0
ROWS, QUICK_ROWS = 1_000_000, 20_000


def timed(what: Callable[[], object]) -> tuple[float, float]:
    """Seconds a call takes, by the clock and of this process."""
    started, worked = time.perf_counter(), time.process_time()
    what()
    return time.perf_counter() - started, time.process_time() - worked


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS:,} requests instead of {ROWS:,}")
    rows = QUICK_ROWS if said.parse_args().quick else ROWS
    with tempfile.TemporaryDirectory(prefix="backroute-bench-") as made:
        folder = Path(made)
        summary = replayed(folder, rows)
        page, charts = (timed(lambda form=form: write_forms(summary, folder, [form])) for form in ("html", "charts"))  # type: ignore[misc]
        size = (folder / "report.html").stat().st_size / 1e6
        both = page[0] + charts[0]
        print(f"report.html      {page[0]:6.2f} s ({page[1]:.2f} s of the processor)  {size:.2f} MB")
        print(f"charts           {charts[0]:6.2f} s ({charts[1]:.2f} s of the processor)")
        share, of_size = f"{both / MOST_SECONDS:.0%} of {MOST_SECONDS:g} s", f"{size / MOST_MB:.0%} of {MOST_MB:g} MB"
        print(f"page and charts  {both:6.2f} s, {share}; {of_size}")
        for form in ["md", "csv", "parquet", "focus", *(["pdf"] if browser() else [])]:
            took = timed(lambda form=form: write_forms(summary, folder, [form]))  # type: ignore[misc]
            print(f"{form:16} {took[0]:6.2f} s")


def replayed(folder: Path, rows: int) -> Summary:
    """A made-up log of the 60/25/15 mix, replayed into a folder."""
    log = folder / "log.jsonl"
    write_log(load_mix("case-60-25-15"), rows, 7, log)
    book = PriceBook.load()
    base = Scenario.always("openai/gpt-4o", book)
    started = time.perf_counter()
    _, after = replay(read_log(log), base, Scenario("case", load_rules("case"), book), out=folder)
    summary: Summary = after.summary
    print(f"{rows:,} requests replayed in {time.perf_counter() - started:.1f} s")
    log.unlink()
    return summary


if __name__ == "__main__":
    main()
