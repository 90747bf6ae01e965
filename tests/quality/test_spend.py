import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pricing import PriceBook
from quality.calls import Tariff
from quality.journal import Journal, Sent
from quality.run import NoAnswerError, Runner, in_order
from quality.spend import CapReachedError, Spend
from router.providers.base import Answer, ProviderFault
from tests.quality.stand_ins import NoWaitLoop, StandIn
from workloads.usage import Usage

MODELS = ("openai/gpt-4o", "openai/gpt-4o-mini")
FAULTS = ("rate_limit", "server", "timeout", "connection", "cut_short", "malformed")


class Billing(StandIn):
    """A provider that bills what it writes, also where the answer never arrives; `billed` is its own account."""

    def __init__(self, rng: random.Random, tariff: Tariff) -> None:
        super().__init__("openai", lambda _, text: text)
        self.rng, self.tariff, self.billed = rng, tariff, 0

    async def acomplete(
        self, model: str, messages: Sequence[Mapping[str, Any]], *, max_output_tokens: int | None = None, **_: Any
    ) -> Answer:
        await asyncio.sleep(self.rng.expovariate(0.3))
        cap = max_output_tokens or 0
        output = self.rng.choice([0, 1, cap // 2, cap])
        asked = len(messages[0]["content"].encode()) + self.rng.randrange(20)
        cost = self.tariff.price(f"openai/{model}", asked, output)
        if self.rng.random() < 0.3:
            kind = self.rng.choice(FAULTS)
            if kind not in ("rate_limit", "server"):
                self.billed += cost
            raise ProviderFault(kind, "openai", retry_after_s=self.rng.choice([None, 0.5, 90.0]), retry=True)  # type: ignore[arg-type]
        self.billed += cost
        known = self.rng.random() < 0.9  # now and then usage is missing
        usage = Usage(asked, 0, 0, 0, output, 0) if known else Usage()
        return Answer(model, "a", usage, "stop", 1.0, None, None, None, {})


def test_the_cap_holds_over_a_thousand_schedules_of_latencies_failures_and_resumes(
    tmp_path: Path, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    tariff = Tariff(book)
    reached = finished = 0
    for seed in range(1_000):
        rng = random.Random(seed)
        cap = int(rng.choice([0.001, 0.02, 0.1, 0.5]) * 10**12)
        provider = Billing(rng, tariff)
        for _ in range(rng.choice([1, 1, 2])):  # a second run resumes the first
            runner, spend = _run(tmp_path / f"{seed}.jsonl", provider, tariff, rng, cap)
            assert provider.billed <= spend.spent <= cap
            assert spend.held == 0
        reached += runner.capped
        finished += runner.complete
    assert reached > 200
    assert finished > 200


def _run(path: Path, provider: Billing, tariff: Tariff, rng: random.Random, cap: int) -> tuple[Runner, Spend]:
    journal = Journal(path, {})
    spend = Watched(cap, journal.spent)
    runner = Runner({"openai": provider}, journal, spend, tariff)

    def task(number: int) -> Any:
        async def one() -> None:
            text, model, size = "x" * rng.randrange(2_000), rng.choice(MODELS), rng.choice([16, 256, 4_000])
            call = tariff.call(f"{number}", model, [{"role": "user", "content": text}], size)
            try:
                await runner.ask(call)
            except NoAnswerError:
                return

        return one

    with asyncio.Runner(loop_factory=NoWaitLoop) as loop:
        loop.run(in_order([task(number) for number in range(12)], at_once=6, enough=lambda: runner.capped))
    journal.close()
    return runner, spend


class Watched(Spend):
    async def hold(self, pico: int) -> None:
        await super().hold(pico)
        assert self.spent + self.held <= self.cap

    async def settle(self, held: int, cost: int) -> None:
        assert cost <= held
        await super().settle(held, cost)


def test_a_call_waits_for_money_that_calls_in_flight_may_free() -> None:
    async def story() -> list[str]:
        spend, said = Spend(100), []
        await spend.hold(80)

        async def second() -> None:
            await spend.hold(50)
            said.append("second goes")

        waiting = asyncio.ensure_future(second())
        await asyncio.sleep(0)
        said.append("first ends")
        await spend.settle(80, 10)
        await waiting
        with pytest.raises(CapReachedError):
            await Spend(100, 60).hold(50)
        return said

    assert asyncio.run(story()) == ["first ends", "second goes"]


def test_the_most_a_call_can_cost_is_a_token_a_byte_and_the_whole_cap(book: PriceBook) -> None:
    """ "é" is 2 bytes, 16 for the message, 64 for the request: 82 x $2.50/M + 100 x $10/M = $0.001205."""
    call = Tariff(book).call("1", "openai/gpt-4o", [{"role": "user", "content": "é"}], 100)
    assert call.most_pico == 1_205_000_000
    assert (call.provider, call.model, call.cap) == ("openai", "gpt-4o", 100)
    assert Tariff(book).call("1", "openai/gpt-4o", []).cap == 4_096, "where the request has none of its own"
    assert (
        Tariff(book).call("1", "openai/gpt-4o", [], 10**9).cap == book.capabilities("openai/gpt-4o").max_output_tokens
    )


def test_an_answer_of_unknown_usage_or_tier_counts_at_its_most(book: PriceBook) -> None:
    """10 x $2.50/M + 20 x $10/M = $0.000225 where all is known."""
    tariff = Tariff(book)
    call = tariff.call("1", "openai/gpt-4o", [{"role": "user", "content": "a"}], 100)

    def cost(usage: Usage, tier: str | None = None) -> int:
        return tariff.cost(call, Answer("gpt-4o", "a", usage, "stop", 1.0, None, None, tier, {}))

    assert cost(Usage(10, 0, 0, 0, 20, 0)) == 225_000_000
    assert cost(Usage(10, 0, 0, 0)) == call.most_pico
    assert cost(Usage(10, 0, 0, 0, 20, 0), "no such tier") == call.most_pico


def test_a_call_that_an_earlier_run_lost_is_not_made_again(tmp_path: Path, book: PriceBook) -> None:
    tariff, provider = Tariff(book), StandIn("openai", lambda _, text: text)
    call = tariff.call("1", "openai/gpt-4o", [{"role": "user", "content": "a"}])
    with Journal(tmp_path / "verify.jsonl", {}) as journal:
        journal.sent(Sent("1", call.most_pico, call.name, "now"))
    with Journal(tmp_path / "verify.jsonl", {}) as journal:
        runner = Runner({"openai": provider}, journal, Spend(10**12, journal.spent), tariff)
        with pytest.raises(NoAnswerError):
            asyncio.run(runner.ask(call))
    assert not provider.calls
