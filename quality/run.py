"""Making the calls: some at once, in a fixed order, within the cap, each answer on disk before the next call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from quality.calls import Call, Tariff
from quality.journal import Journal, Outcome, Sent, buckets
from quality.spend import CapReachedError, Spend
from router.providers.base import BadRequest, Provider, ProviderFault

AT_ONCE = 4  # calls in flight at one provider
ATTEMPTS = 3
LONGEST_WAIT_S = 60.0
DOWN_AFTER = 3  # calls in a row that failed in every attempt
TIMEOUT_S = 120.0
# Faults after which the provider may still bill what it had written.
MAYBE_BILLED = {"timeout", "connection", "cut_short", "malformed"}
# Refusals of the key, the account or the model's name: they say nothing about an answer.
OUR_MISTAKE = {401, 402, 403, 404}


class NoAnswerError(Exception):
    """This call cannot be made now: a provider is down, the cap is reached, or it was lost in an earlier run."""


class Runner:
    """Asks providers, through the journal.

    Args:
        providers: by name, those that the plan names; nothing is sent anywhere else.
        journal: where calls and answers go.
        spend: the cap.
        tariff: what answers cost.
        sleep: how to wait between attempts, in seconds.

    `down` holds the fault of every provider that was given up, `failed` counts calls without an answer by provider, and
    `capped` says whether the cap ended the run.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        journal: Journal,
        spend: Spend,
        tariff: Tariff,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._providers, self._journal, self._spend, self._tariff, self._sleep = (
            providers, journal, spend, tariff, sleep,
        )  # fmt: skip
        self._slots = {name: asyncio.Semaphore(AT_ONCE) for name in providers}
        self._in_a_row: Counter[str] = Counter()
        self.down: dict[str, ProviderFault] = {}
        self.failed: Counter[str] = Counter()
        self.capped = False

    @property
    def complete(self) -> bool:
        """Whether every call that was asked for has an answer, a refusal, or was lost in an earlier run."""
        return not self.capped and not self.failed

    async def ask(self, call: Call) -> Outcome:
        """The answer to a call, or its refusal; from the journal where it is there.

        Raises:
            NoAnswerError: there is none, and none can be had now.
            BackrouteError: the key or the model's name is wrong.
        """
        held = self._journal.outcomes.get(call.id)
        if held is not None:
            return held
        if call.id in self._journal.lost:
            raise NoAnswerError
        async with self._slots[call.provider]:
            for attempt in range(ATTEMPTS):
                if self.capped or call.provider in self.down:
                    break
                outcome = await self._once(call, attempt)
                if outcome is not None:
                    return outcome
        self.failed[call.provider] += not self.capped
        raise NoAnswerError

    async def _once(self, call: Call, attempt: int) -> Outcome | None:
        """One attempt; None where it failed, and waits where another may follow."""
        try:
            await self._spend.hold(call.most_pico)
        except CapReachedError:
            self.capped = True
            return None
        self._journal.sent(Sent(call.id, call.most_pico, call.name, datetime.now(UTC).isoformat(timespec="seconds")))
        wait = None
        try:
            answer = await self._providers[call.provider].acomplete(
                call.model, call.messages, max_output_tokens=call.cap, timeout_s=TIMEOUT_S
            )
        except BadRequest as refusal:
            outcome = Outcome(call.id, 0, refused=refusal.status)
            if refusal.status in OUR_MISTAKE:
                await self._end(call, Outcome(call.id, 0, fault=f"refused {refusal.status}"))
                raise
        except ProviderFault as fault:
            cost = call.most_pico if fault.kind in MAYBE_BILLED else 0
            outcome = Outcome(call.id, cost, fault=fault.kind)
            wait = min(fault.retry_after_s if fault.retry_after_s is not None else 2.0**attempt, LONGEST_WAIT_S)
            if attempt == ATTEMPTS - 1:
                self._in_a_row[call.provider] += 1
            # A quota that is used up does not come back by waiting.
            spent = fault.kind == "rate_limit" and not fault.retry
            if spent or self._in_a_row[call.provider] >= DOWN_AFTER:
                self.down[call.provider] = fault
        else:
            self._in_a_row[call.provider] = 0
            outcome = Outcome(
                call.id,
                self._tariff.cost(call, answer),
                text=answer.text,
                model=answer.model,
                finish_reason=answer.finish_reason,
                usage=buckets(answer.usage),
                latency_ms=answer.latency_ms,
                request_id=answer.request_id,
            )
        await self._end(call, outcome)
        if wait is None:
            return outcome
        if attempt < ATTEMPTS - 1 and call.provider not in self.down:
            await self._sleep(wait)
        return None

    async def _end(self, call: Call, outcome: Outcome) -> None:
        self._journal.ended(outcome)
        await self._spend.settle(call.most_pico, outcome.usd_pico)


async def in_order(tasks: Sequence[Callable[[], Awaitable[None]]], *, at_once: int, enough: Callable[[], bool]) -> None:
    """Start tasks in order, so many at once, until all have ended or `enough` says so; those begun are finished.

    The first exception stops further starts and is raised once the tasks begun have ended, so that what they paid for
    is kept.
    """
    slots = asyncio.Semaphore(at_once)
    running: set[asyncio.Task[None]] = set()
    errors: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        slots.release()
        running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            errors.append(error)

    for start in tasks:
        await slots.acquire()
        if errors or enough():
            slots.release()
            break
        task = asyncio.ensure_future(start())
        running.add(task)
        task.add_done_callback(ended)
    while running:
        await asyncio.wait(set(running))
        await asyncio.sleep(0)  # the callbacks of tasks that have ended run now
    if errors:
        raise errors[0]
