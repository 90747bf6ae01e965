"""Usage blocks for tests, and what they are read into."""

from typing import Any

from workloads.schema import BUCKETS
from workloads.usage import Usage, read_usage


def buckets(usage: Usage) -> tuple[int | None, ...]:
    """Uncached, read, written for 5 minutes, for an hour, text, reasoning."""
    return tuple(getattr(usage, bucket) for bucket in BUCKETS)


def read(block: dict[str, Any], **named: str) -> tuple[int | None, ...]:
    return buckets(read_usage(block, **named))


def openai_chat(**details: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 2_000,
        "completion_tokens": 150,
        "total_tokens": 2_150,
        "prompt_tokens_details": {
            name: details[name] for name in ("cached_tokens", "cache_write_tokens") if name in details
        },
        "completion_tokens_details": {"reasoning_tokens": details.get("reasoning_tokens", 0)},
    }
