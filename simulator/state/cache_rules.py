"""How each provider caches prompts, as dated and sourced data: see data/prompt-caches.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_DATA = Path(__file__).parent / "data" / "prompt-caches.yaml"


@dataclass(frozen=True, slots=True)
class CacheRule:
    """One provider's prompt cache.

    Args:
        explicit: the caller marks what to cache; else it happens by itself.
        minimum_tokens: shorter prompts and shorter matches are not cached.
        step_tokens: a match is cut down to a multiple of it.
        lifetime_s: seconds since the last use.
        long_lifetime_s: seconds of the lifetime that costs more to write; None where there is none.
        writes: what is cached and was not read is billed as written.
        lookback: how many message ends before a breakpoint are tried; explicit caches only.
        source: where this is published, and when it was read there.
    """

    explicit: bool
    minimum_tokens: int
    step_tokens: int
    lifetime_s: float
    long_lifetime_s: float | None
    writes: bool
    lookback: int
    source: str


@cache
def cache_rule(model: str) -> CacheRule | None:
    """The prompt cache of a model by its canonical name; None where it has none that is known."""
    for said in _rules():
        if re.search(said["models"], model):
            return CacheRule(
                explicit=said["kind"] == "explicit",
                minimum_tokens=said["minimum_tokens"],
                step_tokens=said.get("step_tokens", 1),
                lifetime_s=said["lifetime_s"],
                long_lifetime_s=said.get("long_lifetime_s"),
                writes=said.get("writes", False),
                lookback=said.get("lookback", 0),
                source=f"{said['source']}, {said['checked']}",
            )
    return None


@cache
def _rules() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = yaml.safe_load(_DATA.read_text("utf-8"))
    return rules
