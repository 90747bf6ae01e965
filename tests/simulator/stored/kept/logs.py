"""Logs that readings are kept of, and all that a replay of one leaves, as bytes."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pricing import PriceBook
from router import LLMRouter, RoutingRule, length, mentions
from simulator import ReplayResult, Scenario, State, replay
from tests.simulator.conftest import call
from workloads import Log, read_log, store

RULES = [
    RoutingRule("code", mentions("code", "four"), "anthropic", "claude-sonnet-4-5"),
    RoutingRule("short", length() < 12, "groq", "llama-3.1-8b-instant"),
    RoutingRule("default", None, "openai", "gpt-4o-mini"),
]
ROUTER = LLMRouter(RULES, name="test")


def settled(path: Path, lines: list[str]) -> Path:
    """A log that has not changed for an hour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    return path


def lines() -> list[str]:
    """Calls with counts and without, and much that is not quite right."""
    rows = [
        call(n, model=("gpt-4o", "claude-3-haiku", "nobody")[n % 3], prompt=None, messages=said(n)) for n in range(60)
    ]
    for row in rows[::4]:
        del row["usage"]
    held = [json.dumps(row | {"response": "an answer " * (n % 7)}) for n, row in enumerate(rows)]
    odd = ["{oops", "", held[3], json.dumps(rows[5] | {"model": "gpt-4o-mini"}), json.dumps({"data": 1}), '"text"']
    return held[:30] + odd + held[30:]


def said(number: int) -> list[dict[str, Any]]:
    """Messages whose texts stand in the prompt, in the system prompt, in both, in neither."""
    words = "code " * (number % 9) or "hi"
    return [
        {"role": "system", "content": "Be brief." if number % 2 else words},
        {"role": "user", "content": words},
        {"role": "assistant", "content": f"answer {number}"},
        {"role": "user", "content": words if number % 3 else f"and {number}?"},
    ]


def reading(path: Path) -> Path:
    """The folder of the one reading beside a log."""
    (found,) = (each for each in (path.parent / store.FOLDER).iterdir() if each.is_dir())
    return found


def replayed(path: Path, book: PriceBook, out: Path, router: LLMRouter = ROUTER, **options: Any) -> dict[str, bytes]:
    """All that a replay of a newly opened log leaves, as bytes."""
    log = read_log(path, **{name: options.pop(name) for name in ("cache", "start", "timezone") if name in options})
    state = options.pop("state", State())
    base = Scenario.always("openai/gpt-4o", book, state=state.of_the_world)
    result = replay(log, base, Scenario("test", router, book, state=state), out=out, **options)[1]
    files = {each.name: each.read_bytes() for each in out.iterdir()}
    return files | {"summary": json.dumps(result.summary).encode(), "log": repr(vars_of(log, result)).encode()}


def vars_of(log: Log, result: ReplayResult) -> list[Any]:
    held = result.run.problems
    return [log.formats, log.recognised, log.digest, held.counts, held.set_aside, held.kept, result.run.doubts]


def alike_and_unread(
    path: Path, book: PriceBook, tmp_path: Path, unread: Callable[[], None], **options: Any
) -> dict[str, bytes]:
    fresh = replayed(path, book, tmp_path / "fresh", cache=False, **options)
    first = replayed(path, book, tmp_path / "first", **options)
    unread()
    again = replayed(path, book, tmp_path / "again", **options)
    for name, content in fresh.items():
        assert content == first[name] == again[name], name
    assert fresh.keys() == first.keys() == again.keys()
    return fresh
