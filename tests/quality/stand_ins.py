"""A provider that answers from a script, a small replay to verify, and a clock that does not wait."""

import asyncio
import json
import selectors
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pricing import PriceBook
from quality import Check, Redactor, Tariff
from quality.scoring import Scoring
from router.providers.base import Answer, Provider
from tests.command_line import backroute
from tests.simulator.conftest import call
from workloads import read_log
from workloads.usage import Usage

RULES = """
rules:
  - {name: code, when: {mentions: [code]}, use: openai/gpt-4o-mini}
  - {name: sums, when: {mentions: [sum]}, use: groq/llama-3.1-8b-instant}
  - {name: default, use: openai/gpt-4o}
"""

Reply = Callable[[str, str], str]  # (model, the last message's text) -> the answer; may raise


class StandIn(Provider):
    """Answers in this process. `calls` counts requests by (model, last message), `sent` keeps all messages."""

    def __init__(self, name: str, reply: Reply, *, wait: Callable[[], float] | None = None) -> None:
        self.name, self._reply, self._wait = name, reply, wait
        self.calls: Counter[tuple[str, str]] = Counter()
        self.sent: list[Sequence[Mapping[str, Any]]] = []

    async def acomplete(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        system: str | None = None,
        max_output_tokens: int | None = None,
        timeout_s: float = 60.0,
        **kwargs: Any,
    ) -> Answer:
        assert system is None
        assert not kwargs
        assert timeout_s > 0
        assert max_output_tokens
        text = messages[-1]["content"]
        self.calls[model, text] += 1
        self.sent.append(messages)
        await asyncio.sleep(self._wait() if self._wait else 0)
        said = self._reply(model, text)
        usage = Usage(len(text) // 4 + 1, 0, 0, 0, min(len(said) // 4 + 1, max_output_tokens), 0)
        return Answer(model, said, usage, "stop", 5.0, None, "id-1", None, {})

    def complete(self, model: str, messages: Sequence[Mapping[str, Any]], **_: Any) -> Answer:
        raise NotImplementedError

    def stream(self, model: str, messages: Sequence[Mapping[str, Any]], **_: Any) -> Generator[str | Answer]:
        raise NotImplementedError

    def astream(self, model: str, messages: Sequence[Mapping[str, Any]], **_: Any) -> AsyncGenerator[str | Answer]:
        raise NotImplementedError


class NoWaitLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next thing due."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self.now = 0.0

    def time(self) -> float:
        return self.now


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: NoWaitLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everything waits, and nothing is due")
        self._loop.now += timeout
        return super().select(0)


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def replayed(folder: Path, rows: Sequence[Mapping[str, Any]] | None = None, rules: str = RULES) -> tuple[Path, Path]:
    """A log and the output folder of its replay: unless given, 40 requests a kind, a third of them staying."""
    kinds = ("write code", "sum up", "talk")
    rows = rows if rows is not None else [call(n, prompt=f"{kinds[n % 3]} {n}", response=f"{n}") for n in range(120)]
    log = write_lines(folder / "log.jsonl", rows)
    (folder / "rules.yaml").write_text(rules)
    said = backroute("replay", str(log), "--rules", str(folder / "rules.yaml"), "--out", str(folder / "out"))
    assert said.exit_code == 0, said.stderr
    return log, folder / "out"


def check_of(
    log: Path, out: Path, scoring: Scoring, book: PriceBook, *, sample: int = 40, margin: float = 0.05,
    redact: Sequence[str] = (),
) -> Check:  # fmt: skip
    summary = json.loads((out / "summary.json").read_text())
    return Check(out, read_log(str(log)), summary, book, scoring, Tariff(book), sample, margin, Redactor(redact))
