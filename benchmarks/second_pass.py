"""A log replayed again in one process, as people do all day: one change of each kind that a person makes.

.venv/bin/python -m benchmarks.second_pass [ROWS] [TIMES]
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from benchmarks.measured import Line, seconds
from benchmarks.texts import WORDS, write_log, write_talks
from pricing import PriceBook
from router import LLMRouter, RoutingRule, length, mentions
from simulator import Assumptions, Scenario, replay
from workloads import read_log

KEYWORDS = ("refactor", "sql", "forecast", "python")
RARE = ("aardvark", "capybara", "echidna", "gerbil", "narwhal", "okapi", "pangolin", "tapir")  # in no text


def second_pass(folder: Path, rows: int, times: int) -> list[Line]:
    """The same log again in the same process, summary included: one change of each kind a person makes."""
    log = read_log(write_log(folder / "again.jsonl", rows, counted=True))
    prompts = pa.concat_arrays([requests["prompt"] for requests, _ in log.batches()])
    usual = PriceBook.load()
    code, short = ("anthropic", "claude-sonnet-4-5"), ("groq", "llama-3.1-8b-instant")

    def again(
        limit: int = 200,
        words: tuple[str, ...] = KEYWORDS,
        *,
        turned: bool = False,
        short: tuple[str, str] = short,
        book: PriceBook = usual,
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
    tries = range(1, times + 1)
    found = {"threshold": [again(200 + 10 * n) for n in tries]}
    again()
    found["order"] = [again(turned=bool(n % 2)) for n in tries]
    again()
    found["model of a rule"] = [again(short=(short, ("openai", "gpt-4.1-nano"))[n % 2]) for n in tries]
    again()
    found["assumption"] = [again(ratio=1 + n / 10) for n in tries]
    again()
    found["price"] = [again(book=_dearer(folder, n)) for n in tries]
    again()

    def bare(words: tuple[str, ...]) -> float:
        return seconds(lambda: pc.match_substring_regex(prompts, "|".join(words), ignore_case=True))

    # The first of a session reads the prompts from disk, as `again(100)` did.
    added = [again(words=(*KEYWORDS, WORDS[n])) / bare(KEYWORDS) for n in tries]
    lists = [(*RARE[n % 6 : n % 6 + 3], f"animal {n}") for n in range(times + 1)]
    again(words=lists[0])
    others = [again(words=words) / bare(words) for words in lists[1:]]
    what = f"second pass of {rows:,}, new"
    lines = [Line(f"{what} {name}, s", "itself", "0.3 at 1,000,000", took) for name, took in found.items()]
    first = Line(f"second pass of {rows:,}, first to need a tokenizer's counts, s", "itself", "", [counts])
    limit, bar = "bare keyword scan (RE2)", "at most 1.5"
    added_line = Line(f"{what} keyword, added to a list", limit, bar, added)
    return [first, *lines, added_line, Line(f"{what} list of keywords, in no text", limit, bar, others)]


def second_pass_cached(folder: Path, rows: int, times: int) -> list[Line]:
    """A log of conversations, whose prompt caches are simulated, again in the same process: another threshold."""
    log, book = read_log(write_talks(folder / "talks.jsonl", rows)), PriceBook.load()

    def again(limit: int) -> float:
        rules = [
            RoutingRule("short", length() < limit, "openai", "gpt-4o-mini"),
            RoutingRule("default", None, "openai", "gpt-4o"),
        ]
        scenarios = (Scenario.always("openai/gpt-4o", book), Scenario("again", LLMRouter(rules, name="again"), book))
        return seconds(lambda: replay(log, *scenarios)[1].summary)

    again(250)
    again(400)  # moves texts that no pass counted yet
    took = [again(260 + 10 * n) for n in range(1, times + 1)]
    return [Line(f"second pass of {rows:,}, caches simulated, new threshold, s", "itself", "", took)]


def _dearer(folder: Path, number: int) -> PriceBook:
    """A book in which one of the second pass's models has another price."""
    path = folder / f"prices-{number}.yaml"
    price = {
        "effective_from": date(2020, 1, 1),
        "source": "https://example.com",
        "input_usd_per_mtok": number / 10,
        "output_usd_per_mtok": 1,
    }
    said = {"as_of": date(2026, 11, 23), "models": {"groq/llama-3.1-8b-instant": {"prices": [price]}}}
    path.write_text(yaml.safe_dump(said), "utf-8")
    return PriceBook.load([path])


def main() -> None:
    """Measure and print."""
    rows, times = (int(said) for said in (sys.argv[1:] + ["1000000", "5"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory(prefix="backroute-bench-") as folder:
        for each, many in ((second_pass, rows), (second_pass_cached, rows // 10)):
            for line in each(Path(folder), many, times):
                print(line, flush=True)


if __name__ == "__main__":
    main()
