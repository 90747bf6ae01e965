"""A hook for the LiteLLM proxy: each chat request to the model that the rules file says, and into the decision log.

    # backroute_hook.py, beside the proxy's config.yaml, which says  litellm_settings: {callbacks: backroute_hook.proxy}
    from router.gateways.litellm import BackrouteHook
    proxy = BackrouteHook("rules.yaml", decision_log="decisions.jsonl")

Only this module imports litellm, and nothing else imports this module.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from litellm.integrations.custom_logger import CustomLogger

from pricing import PriceBook
from problems import BackrouteError
from router.decision_log import DecisionLog
from router.experiment_files import is_experiment, load_experiment
from router.live_call import KEPT, Call, Clock, now
from router.live_decision import Decider, OneRouter
from router.metrics import Metrics
from router.providers import Answer, BadRequest
from router.providers.sdk import CAPS
from router.rule_files import load_rules
from workloads.usage import read_usage

CHAT = ("completion", "acompletion")
WAITING = 10_000  # calls under way at most; beyond it the oldest is logged as abandoned
PROXYS = ("headers", "used_client_oauth_token")  # what the proxy writes even into its copy of the client's metadata
KEY = "backroute"  # under which a request's metadata holds our id of it
# LiteLLM's exceptions by class name, in the words of `router.providers`.
FAULTS = {
    "RateLimitError": "rate_limit",
    "InternalServerError": "server",
    "ServiceUnavailableError": "server",
    "BadGatewayError": "server",
    "Timeout": "timeout",
    "APIConnectionError": "connection",
    "MidStreamFallbackError": "cut_short",
    "APIResponseValidationError": "malformed",
    "NotFoundError": "not_found",
}
REFUSALS = (
    "BadRequestError",
    "AuthenticationError",
    "PermissionDeniedError",
    "ContextWindowExceededError",
)


@dataclass
class _Shared:
    decider: Decider
    book: PriceBook
    log: DecisionLog | None
    metrics: Metrics | None
    clock: Clock


class BackrouteHook(CustomLogger):  # type: ignore[misc]  # litellm is not installed where types are checked
    """Decides, and logs, each chat request of the proxy.

    Args:
        rules: a rules file, a bundled set, or an experiment file; the same file that `backroute replay` takes.
        decision_log: the file to append each call to.
        models: the models that clients may ask for and have routed; a request for another one passes untouched. All
            are routed when left out.
        metrics: counts calls for Prometheus.

    Raises:
        BackrouteError: the rules or the log cannot be used; the proxy does not start then.
    """

    def __init__(
        self,
        rules: str | Path,
        *,
        decision_log: str | Path | None = None,
        models: Sequence[str] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        book = PriceBook.load()
        path = Path(rules)
        decider: Decider = (
            load_experiment(path, book=book)
            if path.suffix in (".yaml", ".yml") and is_experiment(path)
            else OneRouter(load_rules(rules, book=book))
        )
        log = DecisionLog(decision_log) if decision_log is not None else None
        self._shared = _Shared(decider, book, log, metrics, now)
        self._models = None if models is None else frozenset(models)
        self._calls: OrderedDict[str, tuple[Call, dict[str, str]]] = OrderedDict()

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,  # noqa: ARG002
        cache: Any,  # noqa: ARG002
        data: dict[str, Any],
        call_type: str,
    ) -> Any:
        """Set the model, and the rule's fallbacks, of a chat request."""
        if call_type not in CHAT or (self._models is not None and data.get("model") not in self._models):
            return data
        try:
            call = self._call(data)
            able = call.able()
            if not able:
                raise call.exhausted()
        except BackrouteError as error:
            # A request that no rule can place is the proxy's to refuse or to serve as it was asked.
            logging.getLogger("backroute").warning("%s; the request passes as it is", error)
            return data
        data["model"], data["fallbacks"] = able[0], able[1:]
        if data.get("stream"):  # else the provider does not say what it counted, and so what it bills
            data["stream_options"] = {**(data.get("stream_options") or {}), "include_usage": True}
        own = uuid4().hex
        data["metadata"] = {**(data.get("metadata") or {}), KEY: own}
        self._calls[own] = call, {}
        if len(self._calls) > WAITING:
            _, (oldest, _) = self._calls.popitem(last=False)
            await asyncio.to_thread(oldest.__exit__, None, None, None)
        return data

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """Log an answered call."""
        metadata = _metadata(kwargs)
        held = self._calls.pop(metadata.get(KEY, ""), None)
        if held is None:
            return
        call, faults = held
        call.went(str(metadata.get("model_group") or ""), faults)
        answer = _answer(kwargs, response_obj, call.provider, start_time, end_time)
        await asyncio.to_thread(call.answered, answer, "cached" if kwargs.get("cache_hit") else "ok")

    async def async_log_failure_event(
        self,
        kwargs: dict[str, Any],
        response_obj: Any,  # noqa: ARG002
        start_time: Any,  # noqa: ARG002
        end_time: Any,  # noqa: ARG002
    ) -> None:
        """Note which model of the chain failed, and how."""
        metadata = _metadata(kwargs)
        held = self._calls.get(metadata.get(KEY, ""))
        if held is not None:
            held[1][str(metadata.get("model_group") or "")] = _kind(kwargs.get("exception"))

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,  # noqa: ARG002
        traceback_str: str | None = None,  # noqa: ARG002
    ) -> None:
        """Log a call that the whole chain failed."""
        held = self._calls.pop((request_data.get("metadata") or {}).get(KEY, ""), None)
        if held is None:
            return
        call, faults = held
        kind = _kind(original_exception)
        call.went(None, faults)
        error = BadRequest(call.provider, 400) if kind == "bad_request" else None
        await asyncio.to_thread(call.ended, "bad_request" if error else kind)

    def _call(self, data: Mapping[str, Any]) -> Call:
        asked = (data.get("proxy_server_request") or {}).get("body") or data
        meta = _clients((data.get("metadata") or {}).get("requester_metadata", asked.get("metadata")))
        session = data.get("litellm_session_id") or asked.get("litellm_session_id") or meta.get("session_id")
        user = asked.get("user") or meta.get("user_id")
        body = {name: data[name] for name in (*KEPT, *CAPS) if data.get(name) is not None}
        return Call(
            self._shared,
            data.get("messages") or (),
            None,
            meta=meta or None,
            session_id=None if session is None else str(session),
            user_id=None if user is None else str(user),
            **body,
        )


def _clients(metadata: object) -> dict[str, Any]:
    """The client's own metadata: the proxy keeps what it knows of keys, budgets and headers beside it."""
    held = metadata if isinstance(metadata, Mapping) else {}
    return {name: value for name, value in held.items() if name not in PROXYS}


def _metadata(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (kwargs.get("litellm_params") or {}).get("metadata") or {}
    return found


def _kind(error: object) -> str:
    names = [each.__name__ for each in type(error).__mro__]
    if any(name in REFUSALS for name in names):
        return "bad_request"
    return next((FAULTS[name] for name in names if name in FAULTS), "server")


def _answer(kwargs: Mapping[str, Any], response: Any, provider: str, start: datetime, end: datetime) -> Answer:
    body = response.model_dump() if hasattr(response, "model_dump") else dict(response)
    choice = (body.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    hidden = getattr(response, "_hidden_params", None) or {}
    # The body names the model as the client asked for it; who answered is beside it.
    model = str(hidden.get("provider_response_model") or kwargs.get("model") or "").removeprefix(f"{provider}/")
    usage = {name: count for name, count in (body.get("usage") or {}).items() if count is not None}
    first = kwargs.get("completion_start_time")
    ttft = None
    with suppress(TypeError):  # times with and without a zone
        ttft = (first - start).total_seconds() * 1_000 if kwargs.get("stream") and first is not None else None
    return Answer(
        model=model,
        text=message.get("content") or "",
        usage=read_usage(usage, provider=provider, api="openai_chat"),
        finish_reason=choice.get("finish_reason"),
        latency_ms=(end - start).total_seconds() * 1_000,
        ttft_ms=ttft,
        request_id=body.get("id"),
        served_tier=body.get("service_tier"),
        raw={"usage": usage, "model": model},
        tool_calls=tuple(message.get("tool_calls") or ()),
    )
