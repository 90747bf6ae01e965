"""How fast, as ratios against a named peer or limit measured in the same run.

    .venv/bin/python -m benchmarks.bench [--quick] [--peers PYTHON] [--json FILE]

`--peers` is the Python of an environment with pandas, tiktoken, litellm and tokencost (`python -m venv peers &&
peers/bin/pip install pandas tiktoken litellm tokencost`); without it their rows are left out. Every comparison is made
several times, ours and the other's in turn, and printed as the median ratio with its least and greatest. Texts are made
up and distinct but where real ones are named; the tokenizers are loaded before the clock starts.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from benchmarks.measured import Line, Took, seconds, timed
from benchmarks.second_pass import second_pass
from benchmarks.texts import LONGER, PRODUCTION, WORDS, write_agents, write_log, write_real_log
from benchmarks.workers import replayed
from pricing import BUCKETS, AsOf, PriceBook, charge
from pricing.tokenizers import _counter
from router import load_rules
from simulator import ReplayResult, Scenario, replay
from workloads import read_log
from workloads.store import FOLDER

ROOT = Path(__file__).parents[1]
O200K_CACHED = "fb374d419588a4632f3f557e76b4b70aebbca790"  # tiktoken's name for the vocabulary in its cache
# Seconds that tokencost takes for one row: two floats from the newest list price, which is all that it knows.
TOKENCOST = """
import time
from tokencost import calculate_cost_by_tokens as cost
cost(1, "gpt-4o", "input")
began = time.perf_counter()
for _ in range(20_000):
    cost(1_000, "gpt-4o", "input") + cost(200, "gpt-4o", "output")
print((time.perf_counter() - began) / 20_000)
"""
TOKENIZERS = ("o200k_base", "cl100k_base")  # of the models that the rules choose among
DATA = ROOT.parent / "shared" / "data"
LIMIT = "bare JSON scan + bare token count"
VERSIONS = ("fastokens", "tiktoken", "pyarrow", "numpy", "msgspec", "genai-prices")


class Bench:
    """The measurements over one pair of logs.

    Args:
        folder: for logs and results.
        rows: of the main logs.
        times: each comparison is made.
        peers: the peers' Python, or None.
        again: rows of the log that two processes read, and of the one that is replayed again in one process.
    """

    def __init__(self, folder: Path, rows: int, times: int, peers: str | None, again: int = 100_000) -> None:
        self.folder, self.rows, self.times, self.peers, self.again = folder, rows, times, peers, again
        self.book = PriceBook.load()
        self.base = Scenario.always("openai/gpt-4o", self.book)
        self.case = Scenario("case", load_rules("case", book=self.book), self.book)
        self.texts = write_log(folder / "texts.jsonl", rows, counted=False)
        self.long = write_log(folder / "long.jsonl", again, counted=False)
        for name in TOKENIZERS:
            _counter(name)._load()
        self.count = _counter("o200k_base")

    def full(self, path: Path, **options: Any) -> ReplayResult:
        """One full pass over a log not read, and texts not counted, before."""
        for name in TOKENIZERS:
            _counter(name).forget()
        return replay(read_log(path, cache=False), self.base, self.case, **options)[1]

    def lines(self) -> list[Line]:
        """Every row of the table."""
        found: list[Line] = []
        for each in (
            self.limit,
            self.others,
            self.script,
            self.workers,
            self.growth,
            self.kept,
            self.second,
            self.pricing,
            self.live,
            self.start,
        ):
            print(f"measuring: {each.__name__}", file=sys.stderr, flush=True)
            for line in each():
                print(line, flush=True)
                found.append(line)
        return found

    def limit(self) -> list[Line]:
        """A full pass in one process against a bare JSON scan and a bare count of the same file.

        By the time of the cores, on which a busy machine weighs least, and by the clock: the bare count has both cores,
        the pass one for the most part. Python's collector is paused for the bare scan, as it is while we read: else it
        goes through the scan's own records again and again, and the limit is twice as slow in one run as in the next.
        """
        limits, ours = self._beside_the_limit(self.texts)
        by_clock = [limit.clock / own.clock for limit, own in zip(limits, ours, strict=True)]
        rate = f"{self.rows / statistics.median(own.clock for own in ours):,.0f} requests/s in one process"
        return [
            self._by_cores("full pass, core time", "0.6 of the limit", self.rows, limits, ours),
            Line("full pass, by the clock", LIMIT, "", by_clock, rate),
        ]

    def others(self) -> list[Line]:
        """The same by core time over others: as long as the prototype's, as in a production hour, agents', and real."""
        rows, found = min(self.rows, 20_000), list[Line]()
        path = self.folder / "other.jsonl"
        logs: list[tuple[str, Callable[[], object]]] = [
            ("", lambda: write_log(path, rows, counted=False, lengths=LONGER)),
            ("", lambda: write_log(path, rows, counted=False, lengths=PRODUCTION)),
            ("tools and whole answers, ", lambda: write_agents(path, rows)),
            *([("real texts, ", lambda: write_real_log(path, DATA))] if DATA.is_dir() else []),
        ]
        for name, write in logs:
            write()
            held = path.read_bytes().count(b"\n")
            what = f"full pass, {name}{path.stat().st_size // held:,} bytes a line, core time"
            found.append(self._by_cores(what, "0.6 of the limit", held, *self._beside_the_limit(path)))
            path.unlink()
        return found

    def _beside_the_limit(self, path: Path) -> tuple[list[Took], list[Took]]:
        self.full(path)
        limits, ours = list[Took](), list[Took]()
        for _ in range(self.times):
            limits.append(self._scan_and_count(path))
            ours.append(timed(lambda: self.full(path)))
        return limits, ours

    def _by_cores(self, what: str, bar: str, rows: int, limits: list[Took], ours: list[Took]) -> Line:
        ratios = [limit.cores / own.cores for limit, own in zip(limits, ours, strict=True)]
        each = statistics.median(own.cores for own in ours) / rows
        return Line(what, LIMIT, bar, ratios, f"{each * 1e6:.1f} µs of a core a request")

    def _scan_and_count(self, path: Path) -> Took:
        raw = path.read_bytes().split(b"\n")[:-1]
        records: list[Any] = []
        gc.disable()
        try:
            scan = timed(lambda: records.extend([msgspec.json.decode(line) for line in raw]))
        finally:
            gc.enable()
        said = [text for record in records for text in _said(record)]
        self.count.forget()
        count = timed(lambda: self.count(said))
        return Took(scan.clock + count.clock, scan.cores + count.cores)

    def script(self) -> list[Line]:
        """A full pass against the script a competent user writes: in one process, and over a longer log in two."""
        if self.peers is None:
            return []
        cache = self.folder / "tiktoken"
        cache.mkdir()
        packed = ROOT / "pricing" / "vocabularies" / "o200k_base.tiktoken.gz"
        (cache / O200K_CACHED).write_bytes(gzip.decompress(packed.read_bytes()))
        few = min(2_000, self.rows)
        command = [self.peers, str(ROOT / "benchmarks" / "users_script.py"), str(self.texts), str(few)]
        one, two = list[float](), list[float]()
        for _ in range(self.times):
            done = subprocess.run(
                command, check=True, capture_output=True, env=os.environ | {"TIKTOKEN_CACHE_DIR": str(cache)}
            )
            theirs = json.loads(done.stdout.splitlines()[-1])
            each = theirs["seconds"] / theirs["rows"]
            one.append(each * self.rows / seconds(lambda: self.full(self.texts)))
            two.append(each * self.again / replayed(self.long, {"workers": 2})["seconds"])
        script, note = "pandas + tiktoken + litellm.completion_cost", f"their rate is of {few:,} requests"
        return [
            Line("full pass, one process", script, "", one, note),
            Line(f"full pass, two processes, {self.again:,} requests", script, "20 times", two, note),
        ]

    def workers(self) -> list[Line]:
        """Two processes against one, all that they load included, and whether the totals are the same."""
        values, said = list[float](), set[str]()
        for _ in range(self.times):
            one, two = (replayed(self.long, {"workers": workers}) for workers in (1, 2))
            values.append(one["seconds"] / two["seconds"])
            said |= {one["summary"], two["summary"]}
        what = f"two processes, {self.again:,} requests"
        return [Line(what, "one process", "1.6 times", values, f"results identical: {len(said) == 1}")]

    def growth(self) -> list[Line]:
        """Time per request, and peak memory of a process of its own, on a log ten times as long."""
        small = write_log(self.folder / "small.jsonl", self.rows // 10, counted=True)
        large = write_log(self.folder / "large.jsonl", self.rows, counted=True)
        per_request, memory = [], []
        for _ in range(self.times):
            (few, few_mb, _), (many, many_mb, _) = self._alone(small), self._alone(large)
            per_request.append(many / few / 10)
            memory.append(many_mb)
            note = f"{few_mb:,.0f} to {many_mb:,.0f} MB at its peak"
        return [
            Line("time per request, ten times the log", "the shorter log", "within 1.15", per_request, note),
            Line("peak memory, MB", f"{self.rows:,} requests", "under 1,024", memory),
        ]

    def kept(self) -> list[Line]:
        """Passes over one log, each in a process of its own: without the cache beside it, writing that, and from it."""
        writing, reading, took = list[float](), list[float](), list[float]()
        for _ in range(self.times):
            plain, first, again = (self._alone(self.texts, cache=cache)[2] for cache in (False, True, True))
            writing.append(first / plain)
            reading.append(plain / again)
            took.append(again / self.rows * 1e6)
        beside = sum(file.stat().st_size for file in (self.texts.parent / FOLDER).rglob("*.*.parquet"))
        share = f"{beside / self.texts.stat().st_size:.2f} of the log's size on disk"
        note = f"{statistics.median(took):.1f} µs of a core a request"
        return [
            Line(
                "first pass, keeping what it reads, core time", "one that keeps nothing", "at most 1.1", writing, share
            ),
            Line("pass in a new process, from what is kept, core time", "one that reads", "times less", reading, note),
        ]

    def _alone(self, path: Path, *, cache: bool = False) -> tuple[float, float, float]:
        """Seconds, megabytes at the peak, and core seconds of a pass in a process of its own."""
        code = (
            "import sys, time; from benchmarks.measured import peak_mb; from pricing import PriceBook\n"
            "from router import load_rules; from simulator import Scenario, replay; from workloads import read_log\n"
            "book = PriceBook.load(); base = Scenario.always('openai/gpt-4o', book)\n"
            "case = Scenario('case', load_rules('case', book=book), book)\n"
            "from pricing.tokenizers import _counter; _counter('o200k_base')._load()\n"
            "replay(read_log([{'model': 'gpt-4o', 'prompt': 'warm', 'response': 'up'}]), base, case)\n"
            "log = read_log(sys.argv[1], cache=sys.argv[2] == 'True')\n"
            "started, busy = time.perf_counter(), time.process_time(); replay(log, base, case)\n"
            "print(time.perf_counter() - started, peak_mb(), time.process_time() - busy)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), str(cache)], check=True, capture_output=True, text=True, cwd=ROOT
        )
        took, peak, cores = map(float, done.stdout.split()[-3:])
        return took, peak, cores

    def second(self) -> list[Line]:
        """See `second_pass`."""
        return second_pass(self.folder, self.again, self.times)

    def pricing(self) -> list[Line]:
        """Pricing alone against calc_price, row by row, and against a numpy multiply of the same columns."""
        from genai_prices import Usage, calc_price

        rows, few = 1_000_000, 300
        draw = np.random.default_rng(1)
        used = {bucket: np.zeros(rows, np.int64) for bucket in BUCKETS}
        used["input_uncached"] = draw.integers(1, 5_000, rows) * 1000
        used["output_text"] = draw.integers(1, 1_000, rows) * 1000
        usage, at = pa.table(used), AsOf.parse("latest")
        models = pa.DictionaryArray.from_arrays(
            pa.array(draw.integers(0, 2, rows), pa.int32()), pa.array(["openai/gpt-4o", "openai/gpt-4o-mini"])
        )
        ratios, limits, equal, beside = [], [], True, list[float]()
        for _ in range(self.times):
            charged: list[Any] = []
            ours = seconds(lambda: charged.append(charge(self.book, models, usage, at=at)))
            names = [name.removeprefix("openai/") for name in models[:few].to_pylist()]
            theirs: list[Decimal] = []
            tokens = [(int(used["input_uncached"][n]) // 1000, int(used["output_text"][n]) // 1000) for n in range(few)]
            took = seconds(
                lambda: theirs.extend(
                    calc_price(Usage(input_tokens=i, output_tokens=o), name, provider_id="openai").total_price
                    for name, (i, o) in zip(names, tokens, strict=True)
                )
            )
            equal = (
                equal
                and [int(price.scaleb(12).to_integral_value()) for price in theirs]
                == charged[0].total[:few].to_pylist()
            )
            ratios.append(took / few * rows / ours)
            limits.append(seconds(lambda: [column * 2_500_000 for column in used.values()]) / ours)
            if self.peers is not None:
                done = subprocess.run([self.peers, "-c", TOKENCOST], check=True, capture_output=True)
                beside.append(float(done.stdout.split()[-1]) * rows / ours)
        note = f"equal to the picodollar: {equal}"
        return [
            Line("pricing alone", "genai_prices.calc_price per row", "1,000 times", ratios, note),
            Line("pricing alone", "a numpy multiply of the six columns", "of the limit", limits),
            *([Line("pricing alone", "tokencost, input and output, per row", "", beside)] if beside else []),
        ]

    def live(self) -> list[Line]:
        """One live decision."""
        router = load_rules("case", book=self.book)
        texts = [" ".join(WORDS[n % 80 : n % 80 + 60]) for n in range(5_000)]
        p50, p99 = [], []
        for _ in range(self.times):
            took = sorted(seconds(lambda text=text: router.route(text, {"complex": False})) for text in texts)  # type: ignore[misc]
            p50.append(took[len(took) // 2] * 1e6)
            p99.append(took[len(took) * 99 // 100] * 1e6)
        return [
            Line("live route, p50 µs", "itself", "under 50", p50),
            Line("live route, p99 µs", "itself", "under 200", p99),
        ]

    def start(self) -> list[Line]:
        """How long `--help` takes."""
        command = [sys.executable, "-m", "backroute", "--help"]
        values = [
            seconds(lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT))
            for _ in range(self.times)
        ]
        return [Line("backroute --help, s", "itself", "under 0.3", values)]


def _said(record: dict[str, Any]) -> Iterator[str]:
    """The texts of a call but its system prompt, which is everyone's."""
    yield from (text for message in record["messages"][1:] if (text := message["content"]) is not None)
    answer = record["response"]
    yield answer if isinstance(answer, str) else answer["choices"][0]["message"]["content"]


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="20,000 requests, twice each; 300,000 for two processes and the second pass",
    )
    parser.add_argument("--peers", help="the peers' Python")
    parser.add_argument("--json", type=Path, help="write figures, machine and versions here")
    options = parser.parse_args()
    rows, times, again = (20_000, 2, 300_000) if options.quick else (200_000, 5, 1_000_000)
    print("| what | against | bar | median (least to greatest) | |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="backroute-bench-") as folder:
        lines = Bench(Path(folder), rows, times, options.peers, again).lines()
    machine = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        "requests": rows,
    }
    print(json.dumps(machine))
    if options.json:
        held = [vars(line) for line in lines]
        options.json.write_text(json.dumps(machine | {"lines": held}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
