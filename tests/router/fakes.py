"""A provider in this process that answers, or fails, as it is told."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from typing import Any

from router.providers import Answer
from workloads.usage import read_usage

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 40}}


def answer(model: str, text: str = "Good day", usage: Mapping[str, Any] | None = USAGE, **more: Any) -> Answer:
    raw = {"model": model} | ({"usage": dict(usage)} if usage is not None else {})
    counted = read_usage(usage or {}, provider="openai", api="openai_chat")
    held: dict[str, Any] = {"finish_reason": "stop", "latency_ms": 120.5, "ttft_ms": None, "request_id": "req_1"}
    held |= {"model": model, "text": text, "usage": counted, "served_tier": None, "raw": raw} | more
    return Answer(**held)


class Fake:
    """Gives its outcomes in turn, the last again and again: a text, an Answer, or an exception to raise.

    `failing_after`: how many pieces of a stream come before its exception.
    """

    def __init__(self, name: str, *outcomes: Any, failing_after: int = 0) -> None:
        self.name, self.asked = name, list[dict[str, Any]]()
        self._outcomes, self._failing_after = list(outcomes) or ["Good day"], failing_after

    def complete(self, model: str, messages: Sequence[Mapping[str, Any]], **more: Any) -> Answer:
        self.asked.append({"model": model, "messages": list(messages)} | more)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return answer(model, outcome) if isinstance(outcome, str) else outcome

    async def acomplete(self, model: str, messages: Sequence[Mapping[str, Any]], **more: Any) -> Answer:
        return self.complete(model, messages, **more)

    def stream(self, model: str, messages: Sequence[Mapping[str, Any]], **more: Any) -> Generator[str | Answer]:
        yield from ["Good "] * self._failing_after
        whole = self.complete(model, messages, **more)
        yield from whole.text.partition(" ")
        yield whole

    async def astream(
        self, model: str, messages: Sequence[Mapping[str, Any]], **more: Any
    ) -> AsyncGenerator[str | Answer]:
        for item in self.stream(model, messages, **more):
            yield item
