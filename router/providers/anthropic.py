"""Anthropic."""

from __future__ import annotations

from functools import cache

from pricing import PriceBook
from router.providers import messages_wire
from router.providers.sdk import SdkProvider

# The smallest limit of any model still served; for models that the price book does not know.
LEAST_CAP = 4_096


class Anthropic(SdkProvider):
    """Anthropic. Its base URL is the host alone."""

    sdk = "anthropic"
    client = "AsyncAnthropic"
    path = "/v1/messages"
    wire = messages_wire

    def cap(self, model: str, asked: int | None) -> int | None:
        """The cap, which this API requires: the model's own limit where none is asked for."""
        return asked or _limit(model)


@cache
def _limit(model: str) -> int:
    book = PriceBook.load()
    known = book.resolve(model, "anthropic")
    return (known and book.capabilities(known).max_output_tokens) or LEAST_CAP
