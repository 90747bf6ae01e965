"""How fast, as ratios against a named peer or limit measured in the same run.

    .venv/bin/python -m benchmarks.bench [--quick] [--peers PYTHON] [--json FILE]

`--peers` is the Python of an environment with pandas, tiktoken, litellm and tokencost (`python -m venv peers &&
peers/bin/pip install pandas tiktoken litellm tokencost`); without it their rows are left out. Every comparison is made
several times, ours and the other's in turn, and printed as the median ratio with its least and greatest. Texts are made
up and distinct; the tokenizer is loaded before the clock starts.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from benchmarks.texts import WORDS, write_log
from pricing import BUCKETS, AsOf, PriceBook, charge
from pricing.tokenizers import _counter
from router import LLMRouter, RoutingRule, length, load_rules, mentions
from simulator import Assumptions, ReplayResult, Scenario, replay
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
KEYWORDS = ("refactor", "sql", "forecast", "python")
VERSIONS = ("fastokens", "tiktoken", "pyarrow", "numpy", "msgspec", "genai-prices")


@dataclass(frozen=True)
class Line:
    """One row of the table: the ratio of two times or rates, or a figure of its own, with its bar."""

    what: str
    against: str
    bar: str
    values: list[float]
    note: str = ""

    def __str__(self) -> str:
        middle, low, high = statistics.median(self.values), min(self.values), max(self.values)
        return f"| {self.what} | {self.against} | {self.bar} | {middle:.3g} ({low:.3g} to {high:.3g}) | {self.note} |"


def seconds(run: Callable[[], Any]) -> float:
    """Wall time of one run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Took:
    """Seconds of a run, by the clock and of this process's cores."""

    clock: float
    cores: float


def timed(run: Callable[[], Any]) -> Took:
    """Both times of one run."""
    cores = time.process_time()
    clock = seconds(run)
    return Took(clock, time.process_time() - cores)


class Bench:
    """The measurements over one pair of logs.

    Args:
        folder: for logs and results.
        rows: of the main logs.
        times: each comparison is made.
        peers: the peers' Python, or None.
        again: rows of the log that is replayed again in one process.
    """

    def __init__(self, folder: Path, rows: int, times: int, peers: str | None, again: int = 100_000) -> None:
        self.folder, self.rows, self.times, self.peers, self.again = folder, rows, times, peers, again
        self.book = PriceBook.load()
        self.base = Scenario.always("openai/gpt-4o", self.book)
        self.case = Scenario("case", load_rules("case", book=self.book), self.book)
        self.texts = write_log(folder / "texts.jsonl", rows, counted=False)
        counter = _counter("o200k_base")
        counter._load()
        self.count = counter

    def full(self, path: Path, **options: Any) -> ReplayResult:
        """One full pass over a log not read, and texts not counted, before."""
        for name in ("o200k_base", "cl100k_base"):
            _counter(name).forget()
        return replay(read_log(path, cache=False), self.base, self.case, **options)[1]

    def lines(self) -> list[Line]:
        """Every row of the table."""
        found: list[Line] = []
        for each in (
            self.limit,
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
        the pass one for the most part.
        """
        self.full(self.texts)
        ours, limits = list[Took](), list[Took]()
        for _ in range(self.times):
            limits.append(self._scan_and_count())
            ours.append(timed(lambda: self.full(self.texts)))
        by_core = [limit.cores / own.cores for limit, own in zip(limits, ours, strict=True)]
        by_clock = [limit.clock / own.clock for limit, own in zip(limits, ours, strict=True)]
        each = statistics.median(own.cores for own in ours) / self.rows
        rate = f"{self.rows / statistics.median(own.clock for own in ours):,.0f} requests/s in one process"
        limit = "bare JSON scan + bare token count"
        return [
            Line(
                "full pass, core time", limit, "0.6 of the limit", by_core, f"{each * 1e6:.1f} µs of a core a request"
            ),
            Line("full pass, by the clock", limit, "", by_clock, rate),
        ]

    def _scan_and_count(self) -> Took:
        raw = self.texts.read_bytes().split(b"\n")[:-1]
        records: list[Any] = []
        scan = timed(lambda: records.extend([msgspec.json.decode(line) for line in raw]))
        said = [text for record in records for text in (record["messages"][1]["content"], record["response"])]
        self.count.forget()
        count = timed(lambda: self.count(said))
        return Took(scan.clock + count.clock, scan.cores + count.cores)

    def script(self) -> list[Line]:
        """A full pass against the script a competent user writes."""
        if self.peers is None:
            return []
        cache = self.folder / "tiktoken"
        cache.mkdir()
        packed = ROOT / "pricing" / "vocabularies" / "o200k_base.tiktoken.gz"
        (cache / O200K_CACHED).write_bytes(gzip.decompress(packed.read_bytes()))
        few = min(2_000, self.rows)
        command = [self.peers, str(ROOT / "benchmarks" / "users_script.py"), str(self.texts), str(few)]
        values = []
        for _ in range(self.times):
            done = subprocess.run(
                command, check=True, capture_output=True, env=os.environ | {"TIKTOKEN_CACHE_DIR": str(cache)}
            )
            theirs = json.loads(done.stdout.splitlines()[-1])
            values.append(theirs["seconds"] / theirs["rows"] * self.rows / seconds(lambda: self.full(self.texts)))
        note = f"their rate is of {few:,} requests; one process each"
        return [Line("full pass", "pandas + tiktoken + litellm.completion_cost", "20 times", values, note)]

    def workers(self) -> list[Line]:
        """Two processes against one, the pool's start included, and whether the totals are the same."""
        values, same = [], True
        for _ in range(self.times):
            results: list[ReplayResult] = []
            one = seconds(lambda: results.append(self.full(self.texts)))
            two = seconds(lambda: results.append(self.full(self.texts, workers=2)))
            values.append(one / two)
            same = same and results[0].summary == results[1].summary
        return [Line("two worker processes", "one process", "1.6 times", values, f"results identical: {same}")]

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
            "import resource, sys, time; from benchmarks.bench import Bench; from pricing import PriceBook\n"
            "from router import load_rules; from simulator import Scenario, replay; from workloads import read_log\n"
            "book = PriceBook.load(); base = Scenario.always('openai/gpt-4o', book)\n"
            "case = Scenario('case', load_rules('case', book=book), book)\n"
            "from pricing.tokenizers import _counter; _counter('o200k_base')._load()\n"
            "replay(read_log([{'model': 'gpt-4o', 'prompt': 'warm', 'response': 'up'}]), base, case)\n"
            "log = read_log(sys.argv[1], cache=sys.argv[2] == 'True')\n"
            "started, busy = time.perf_counter(), time.process_time(); replay(log, base, case)\n"
            "print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,"
            " time.process_time() - busy)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), str(cache)], check=True, capture_output=True, text=True, cwd=ROOT
        )
        took, peak, cores = map(float, done.stdout.split()[-3:])
        return took, peak, cores

    def second(self) -> list[Line]:
        """The same log again in the same process, summary included: one change of each kind a person makes."""
        log = read_log(write_log(self.folder / "again.jsonl", self.again, counted=True))
        prompts = pa.concat_arrays([requests["prompt"] for requests, _ in log.batches()])
        code, short = ("anthropic", "claude-sonnet-4-5"), ("groq", "llama-3.1-8b-instant")

        def again(
            limit: int = 200,
            words: tuple[str, ...] = KEYWORDS,
            *,
            turned: bool = False,
            short: tuple[str, str] = short,
            book: PriceBook = self.book,
            ratio: float | None = None,
        ) -> float:
            rules = [RoutingRule("code", mentions(*words), *code), RoutingRule("short", length() < limit, *short)]
            rules = [*(rules[::-1] if turned else rules), RoutingRule("default", None, "openai", "gpt-4o-mini")]
            assumed = Assumptions(output_ratio={} if ratio is None else {"/".join(short): ratio})
            base = Scenario.always("openai/gpt-4o", book)
            scenario = Scenario("again", LLMRouter(rules, name="again"), book, assumptions=assumed)
            return seconds(lambda: replay(log, base, scenario)[1].summary)

        again(100)
        counts = again()  # moves texts that no pass counted yet by the target's tokenizer
        tries = range(1, self.times + 1)
        found = {"threshold": [again(200 + 10 * n) for n in tries]}
        again()
        found["order"] = [again(turned=bool(n % 2)) for n in tries]
        again()
        found["model of a rule"] = [again(short=(short, ("openai", "gpt-4.1-nano"))[n % 2]) for n in tries]
        again()
        found["assumption"] = [again(ratio=1 + n / 10) for n in tries]
        again()
        found["price"] = [again(book=self._dearer(n)) for n in tries]
        again()
        values = []
        for n in tries:
            bare = seconds(lambda: pc.match_substring_regex(prompts, "|".join(KEYWORDS), ignore_case=True))
            values.append(again(words=(*KEYWORDS, WORDS[n])) / bare)
        what = f"second pass of {self.again:,}, new"
        lines = [Line(f"{what} {name}, s", "itself", "0.3 at 1,000,000", took) for name, took in found.items()]
        first = Line(f"second pass of {self.again:,}, first to need a tokenizer's counts, s", "itself", "", [counts])
        return [first, *lines, Line(f"{what} keyword", "bare keyword scan (RE2)", "at most 1.5", values)]

    def _dearer(self, number: int) -> PriceBook:
        """A book in which one of the second pass's models has another price."""
        path = self.folder / f"prices-{number}.yaml"
        price = {
            "effective_from": date(2020, 1, 1),
            "source": "https://example.com",
            "input_usd_per_mtok": number / 10,
            "output_usd_per_mtok": 1,
        }
        said = {"as_of": date(2026, 11, 23), "models": {"groq/llama-3.1-8b-instant": {"prices": [price]}}}
        path.write_text(yaml.safe_dump(said), "utf-8")
        return PriceBook.load([path])

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


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20,000 requests, twice each; 100,000 for the second pass")
    parser.add_argument("--peers", help="the peers' Python")
    parser.add_argument("--json", type=Path, help="write figures, machine and versions here")
    options = parser.parse_args()
    rows, times, again = (20_000, 2, 100_000) if options.quick else (200_000, 5, 1_000_000)
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
