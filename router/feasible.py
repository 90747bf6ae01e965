"""Whether a model can serve a live request at all, by the limits that the price book knows; as replay decides it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pricing import PriceBook, count_messages
from workloads import MESSAGE

NEEDS = {"tools": "has_tools", "images": "has_images", "json_mode": "json_mode"}
MOST_TOKENS_A_MESSAGE = 16  # besides its text


def obstacle(model: str, request: Mapping[str, Any], book: PriceBook) -> str | None:
    """Why the model cannot serve the request, in a word or two; None where nothing known stands against it.

    Args:
        model: "provider/model"; one that the book does not know has no known limits.
        request: arrival columns by name, `messages` as (role, name, text).
        book: whose capabilities hold.
    """
    known = book.resolve(model)
    if known is None:
        return None
    able = book.capabilities(known)
    for ability, need in NEEDS.items():
        if getattr(able, ability) is False and request[need]:
            return f"no {ability.replace('_', ' ')}"
    if able.max_output_tokens is not None and (request["max_output_tokens"] or 0) > able.max_output_tokens:
        return "output limit"
    if able.context_window is not None and not _fits(known, request["messages"], able.context_window):
        return "context window"
    return None


def _fits(model: str, messages: list[tuple[str, str | None, str]], window: int) -> bool:
    # No token is shorter than a byte, so most requests need no counting.
    most = sum(len(text.encode("utf-8", "replace")) + MOST_TOKENS_A_MESSAGE for _, _, text in messages)
    if most <= window:
        return True
    counted = count_messages(model, pa.array([messages], pa.list_(MESSAGE))).tokens[0].as_py()
    return counted is None or counted <= window * 1000
