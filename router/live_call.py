"""One live request, from its decision to its line in the decision log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol
from uuid import uuid4

from pricing import PriceBook
from problems import BackrouteError
from router.decision import Completion, Decision, Passed
from router.decision_log import DecisionLog
from router.feasible import obstacle
from router.live_decision import Decider, Rule
from router.metrics import Metrics
from router.providers import Answer, BadRequest, ProviderFault
from router.providers.sdk import CAPS, TIMEOUT_S
from workloads.bodies import read_exchange

Messages = Sequence[Mapping[str, Any]]
Clock = Callable[[], datetime]

# Of the request body, what the log keeps beside the messages: rules and replay look at these.
KEPT = ("tools", "response_format", "service_tier")


def now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


class Shared(Protocol):
    """What live requests of one router share."""

    decider: Decider
    book: PriceBook
    log: DecisionLog | None
    metrics: Metrics | None

    def clock(self) -> datetime:
        """The time, with a zone."""


class Call:
    """One request, from its decision to its line in the log. Whatever ends it, it is logged once, on leaving."""

    def __init__(
        self,
        shared: Shared,
        messages: Messages,
        system: str | None,
        *,
        meta: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        latency_budget_ms: float | None = None,
        timeout_s: float = TIMEOUT_S,
        **body: Any,
    ) -> None:
        if "stream" in body:
            raise BackrouteError("complete", "`stream` is no argument", fix="call router.stream(...) or astream(...)")
        _check(messages)
        self._shared = shared
        self._request_id = uuid4().hex
        self._arrived_at = shared.clock()
        cap = next((body.pop(name) for name in CAPS if body.get(name) is not None), None)
        self.options = {**body, "system": system, "max_output_tokens": cap, "timeout_s": timeout_s}
        self._said = {
            "request_id": self._request_id,
            "timestamp": self._arrived_at,
            "session_id": session_id,
            "user_id": user_id,
            "system": system,
            "messages": list(messages),
            **{name: body[name] for name in KEPT if body.get(name) is not None},
            "max_output_tokens": cap,
            "latency_budget_ms": latency_budget_ms,
            "meta": dict(meta) if meta else None,
        }
        self._request = self._columns()
        self._chosen = shared.decider.decide(self._request)
        self.rule: Rule = self._chosen.rule
        self._begun = False  # text has been handed on, so no other model may start over
        self._passed: list[Passed] = []
        self._faults: list[ProviderFault | BadRequest] = []
        self._model = self.rule.target
        self._chosen_at = self._arrived_at
        self.logged = False

    def _columns(self) -> dict[str, Any]:
        """The arrival columns, by the reader that will read the log's line back: live and replay decide alike."""
        said = self._said
        systems = [] if said["system"] is None else [{"role": "system", "content": said["system"]}]
        body = {**said, "messages": systems + said["messages"], "max_tokens": said["max_output_tokens"]}
        read = read_exchange(body, None)
        columns = {name: said[name] for name in ("request_id", "session_id", "user_id", "meta")}
        if said["latency_budget_ms"] is not None:  # else meta may hold one
            columns["latency_budget_ms"] = said["latency_budget_ms"]
        return columns | {
            "arrived_at": self._arrived_at,
            "system": read.system,
            "prompt": read.prompt or "",
            "messages": [tuple(message) for message in read.messages],
            "n_messages": read.n_messages,
            "has_tools": read.has_tools,
            "has_images": read.has_images,
            "json_mode": read.json_mode,
            "max_output_tokens": read.max_output_tokens,
            "service_tier": read.service_tier,
        }

    def chain(self) -> Iterator[tuple[str, str]]:
        """(provider, model) to try in turn: the rule's, then its fallbacks, without those that cannot serve."""
        for target in (self.rule.target, *self.rule.fallback):
            if self._begun:
                return
            if why := obstacle(target, self._request, self._shared.book):
                self._passed.append(Passed(target, why))
                continue
            self._model, self._chosen_at = target, self._shared.clock()
            name, _, model = target.partition("/")
            yield name, model

    def able(self) -> list[str]:
        """The models of the chain that can serve the request, for a gateway that tries them itself; see `went`."""
        chain = (self.rule.target, *self.rule.fallback)
        return [target for target in chain if not obstacle(target, self._request, self._shared.book)]

    def went(self, served: str | None, faults: Mapping[str, str]) -> None:
        """A gateway went along the chain: `served` answered, or none did; `faults` says how the others failed."""
        for target in (self.rule.target, *self.rule.fallback):
            if why := obstacle(target, self._request, self._shared.book):
                self._passed.append(Passed(target, why))
                continue
            self._model, self._chosen_at = target, self._shared.clock()
            if target == served:
                return
            self._passed.append(Passed(target, faults.get(target, "server")))

    @property
    def provider(self) -> str:
        """Who serves it, or was tried last."""
        return self._model.partition("/")[0]

    def received(self, item: str | Answer) -> str | Completion:
        """An item of a stream, to hand on."""
        self._begun = True
        return item if isinstance(item, str) else self.answered(item)

    def failed(self, fault: ProviderFault | BadRequest) -> None:
        """The provider failed, or does not have the model; the chain goes on.

        Raises:
            BadRequest: it refused the request, as any other would.
        """
        if fault.kind == "bad_request":
            raise fault
        self._faults.append(fault)
        self._passed.append(Passed(self._model, fault.kind))

    def exhausted(self) -> BackrouteError:
        """What to raise when nobody served: the last fault, with a note of those before it."""
        said = "; ".join(f"{passed.model}: {passed.why}" for passed in self._passed)
        if not self._faults:
            what = f"no model of its chain can serve the request ({said})"
            return BackrouteError(f"rule {self.rule.name!r}", what, fix="add a fallback that can")
        fault = self._faults[-1]
        fault.add_note(f"rule {self.rule.name!r} tried {said}")
        return fault

    def answered(self, answer: Answer, status: str = "ok") -> Completion:
        """The end of a call that was answered; `status` is "cached" where a gateway's own cache did."""
        decision = self._decision()
        usage = answer.raw.get("usage")
        if isinstance(usage, Mapping) and answer.served_tier:
            usage = {**usage, "service_tier": answer.served_tier}
        self._write(
            decision,
            answer,
            model=answer.model,
            response=answer.message,
            usage=usage,
            finish_reason=answer.finish_reason,
            latency_ms=answer.latency_ms,
            ttft_ms=answer.ttft_ms,
            retries=answer.retries,
            provider_request_id=answer.request_id,
            status=status,
        )
        return Completion(answer, decision, self._request_id)

    def __enter__(self) -> Call:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.logged:
            self.ended(_reason(error))

    def ended(self, reason: str) -> None:
        """The end of a call without an answer: a fault's kind, bad_request, not_found, not_served or abandoned."""
        self._write(self._decision(), None, model=self._model.partition("/")[2], status="error", error=reason)

    def _decision(self) -> Decision:
        passed = self._passed[:-1] if self._passed and self._passed[-1].model == self._model else self._passed
        return self._chosen.decision(self._model, self._chosen_at, tuple(passed))

    def _write(self, decision: Decision, answer: Answer | None, **outcome: Any) -> None:
        self.logged = True
        who = {"provider": self.provider}
        if self._shared.log is not None:
            self._shared.log.write(self._said | who | outcome | {"decision": asdict(decision)})
        if self._shared.metrics is not None:
            self._shared.metrics.called(decision, self._arrived_at, answer, self._shared.book)


def _reason(error: BaseException | None) -> str:
    if isinstance(error, ProviderFault | BadRequest):
        return error.kind
    return "not_served" if isinstance(error, BackrouteError) else "abandoned"


def _check(messages: Any) -> None:
    listed = isinstance(messages, Sequence) and not isinstance(messages, str | bytes) and len(messages) > 0
    if not listed or not all(isinstance(each, Mapping) and isinstance(each.get("role"), str) for each in messages):
        what = f"messages are not in OpenAI's chat form (a {type(messages).__name__})"
        raise BackrouteError("complete", what, fix='for example [{"role": "user", "content": "Hello"}]')
