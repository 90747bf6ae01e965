"""What rules ask of texts is asked while the log is read, so that a replay that keeps nothing reads none again."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pricing import PriceBook
from router import LLMRouter, RoutingRule, length, mentions
from router.conditions import Condition
from router.features import Features
from simulator import Scenario, parallel, replay
from simulator.stored import parts
from tests.simulator.conftest import call
from workloads import blocks, read_log

asked: list[str] = []


def odd(prompt: str, _: Mapping[str, Any]) -> bool:
    asked.append(prompt)
    return len(prompt) % 2 == 1


@dataclass(frozen=True, eq=False)
class Odd(Condition):
    """A condition that keeps no answers."""

    def evaluate(self, features: Features) -> pa.BooleanArray:
        return pc.equal(pc.bit_wise_and(pc.binary_length(features["prompt"]), 1), 1)

    def to_yaml(self) -> dict[str, Any]:
        return {"odd": True}


KEPT, UNKEPT = mentions("5", "8") | (length() > 40), Odd()


class Here:
    """An engine whose workers are this process."""

    here, workers = True, 2
    before: Callable[[], object] = staticmethod(lambda: None)

    def suits(self, tasks: int) -> bool:
        return tasks > 2

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        if function is parallel.replay_parts:
            Here.before()
        return map(function, tasks)

    def close(self) -> None: ...


def lines(words: str) -> str:
    said = [[{"role": "user", "content": f"{words} {n} " * (n % 4 + 1)}] for n in range(200)]
    rows = [call(n, messages=messages, response=f"answer {n}") for n, messages in enumerate(said)]
    for row in rows:
        del row["usage"], row["prompt"]
    return "".join(json.dumps(row) + "\n" for row in rows)


def summary(path: Path, book: PriceBook, condition: Any) -> dict[str, Any]:
    rules = [
        RoutingRule("some", condition, "groq", "llama-3.1-8b-instant"),
        RoutingRule("rest", None, "openai", "gpt-4"),
    ]
    base, case = Scenario.always("openai/gpt-4o", book), Scenario("case", LLMRouter(rules), book)
    return replay(read_log(path, cache=False), base, case, workers=2)[1].summary


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(blocks.blocks_of, "__defaults__", (10_000,))
    monkeypatch.setattr(sys.modules["simulator.replay"], "engine_of", lambda *_: Here())
    path = tmp_path / "log.jsonl"
    path.write_text(lines("a word"), "utf-8")
    asked.clear()
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[blocks.Block]:
    """The blocks that were read again."""
    found: list[blocks.Block] = []
    monkeypatch.setattr(parts, "read_block", lambda block: found.append(block) or blocks.read_block(block))
    return found


@pytest.fixture
def alone(path: Path, book: PriceBook) -> Callable[[Any], dict[str, Any]]:
    """The same by one process, which holds the log in memory."""

    def of(condition: Any) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys.modules["simulator.replay"], "engine_of", lambda *_: None)
            return summary(path, book, condition)

    return of


def test_answers_and_recounts_are_there_before_they_are_asked_for(
    path: Path, book: PriceBook, read: list[blocks.Block], alone: Callable[[Any], dict[str, Any]]
) -> None:
    written: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        put = parts.put
        patched.setattr(
            parts, "put", lambda to, stem, *what, **how: written.append(stem) or put(to, stem, *what, **how)
        )
        found = summary(path, book, KEPT)
    assert 0 < found["by_rule"][0]["requests"] < 200
    assert found == alone(KEPT)
    assert not read
    assert len(written) > 2
    assert not [stem for stem in written if stem.endswith(".texts")]


def test_texts_that_are_asked_for_all_the_same_are_read_from_the_log(
    path: Path, book: PriceBook, read: list[blocks.Block], alone: Callable[[Any], dict[str, Any]]
) -> None:
    assert summary(path, book, UNKEPT) == alone(UNKEPT)
    assert len(read) > 2


def test_a_log_that_changes_before_its_texts_are_asked_for_is_read_anew(
    path: Path, book: PriceBook, monkeypatch: pytest.MonkeyPatch, alone: Callable[[Any], dict[str, Any]]
) -> None:
    before = alone(UNKEPT)
    monkeypatch.setattr(Here, "before", lambda: path.write_text(lines("other words"), "utf-8"))
    found = summary(path, book, UNKEPT)
    assert found == alone(UNKEPT) != before


def test_a_function_is_asked_once(path: Path, book: PriceBook, read: list[blocks.Block]) -> None:
    summary(path, book, odd)
    assert len(asked) == 200
    assert not read  # its texts were written
