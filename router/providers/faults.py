"""What an SDK's exception means: the provider's fault or the caller's, without a word of the request in it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from problems.problem import shown
from router.providers.base import BadRequest, Kind, ProviderFault

# 408 and 409 are time-outs and lock conflicts on the provider's side; 498 and 529 are Groq's and Anthropic's overload.
KINDS: dict[int, Kind] = {408: "timeout", 409: "server", 429: "rate_limit", 498: "rate_limit"}
CODE = re.compile(r"[\w.\[\]/-]{1,60}")
# Waiting does not help against these.
SPENT = ("insufficient_quota", "billing", "credit")


def failure(error: BaseException, provider: str, *, answering: bool) -> ProviderFault | BadRequest | None:
    """The failure that an exception of an SDK or of its transport stands for; None for any other exception.

    Args:
        error: as it was caught.
        provider: whose SDK it was.
        answering: whether part of the answer had come.

    The SDKs share their exceptions' names, and so do the two transports below them, but no classes.
    """
    names = _names(error)
    if "APIStatusError" in names:
        response = getattr(error, "response", None)
        return refusal(provider, response.status_code, response.headers, getattr(error, "body", None))  # type: ignore[union-attr]
    if names & {"APITimeoutError", "TimeoutException"} or isinstance(error, TimeoutError):
        return ProviderFault("timeout", provider)
    if "APIResponseValidationError" in names or "DecodingError" in names:
        return ProviderFault("malformed", provider)
    if names & {"APIConnectionError", "TransportError"}:
        # Retried only where nothing was sent: a request whose answer was lost on the way may have been billed.
        unsent = "ConnectError" in names | _names(error.__cause__)
        return ProviderFault("cut_short" if answering else "connection", provider, retry=unsent and not answering)
    return None


def _names(error: BaseException | None) -> set[str]:
    return {each.__name__ for each in type(error).__mro__}


def refusal(provider: str, status: int, headers: Mapping[str, str], body: object) -> ProviderFault | BadRequest:
    """The failure that an HTTP status of 400 or more stands for."""
    kind = KINDS.get(status) or ("server" if status >= 500 else None)
    detail = codes(body)
    if kind is None:
        return BadRequest(provider, status, detail)
    spent = any(mark in detail for mark in SPENT) or headers.get("x-should-retry") == "false"
    return ProviderFault(
        kind, provider, status=status, retry_after_s=retry_after(headers), retry=not spent, detail=detail
    )


def codes(body: object) -> str:
    """An error body's short codes; never its message, which may quote the prompt or the key."""
    held = body.get("error", body) if isinstance(body, Mapping) else None
    if not isinstance(held, Mapping):
        return ""
    said = [held.get("type"), held.get("code"), held.get("param")]
    return ", ".join(dict.fromkeys(shown(code) for code in said if isinstance(code, str) and CODE.fullmatch(code)))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a provider asks to be left alone; None where it does not say.

    Retry-After is seconds or a date (RFC 9110, section 10.2.3); `retry-after-ms` is OpenAI's and Azure's.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        said = headers.get(name)
        if said and re.fullmatch(r"\d{1,12}(\.\d*)?", said.strip()):
            return float(said) * unit
        if said and name == "retry-after":
            try:
                return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
            except (ValueError, TypeError, OverflowError):
                return None
    return None


def broken(event: Mapping[str, Any], provider: str) -> ProviderFault | None:
    """The failure that an event in mid-stream, or a body under a good status, reports."""
    error = event.get("error")
    if not error:
        return None
    detail = codes(event)
    kind: Kind = "rate_limit" if "rate_limit" in detail else "server"
    return ProviderFault(kind, provider, retry=True, detail=detail)
