"""The base of the book: the published list prices that the genai-prices package carries, as entries of ours."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any

from pricing.entries import RATE_NAMES, PriceEntry, Rate

# The context keys that genai-prices' variants use for what providers call a service tier.
_TIER_KEYS = ("service_tier", "processing")
# The package leaves their prices out, and a missing rate is not a free rate; these are.
FREE = "A `:free` variant costs nothing: openrouter.ai/docs/guides/routing/model-variants/free."


def snapshot_providers() -> list[Any]:
    """The providers of the installed genai-prices, offline (about half a second at first use)."""
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot().providers


@cache
def source_name() -> str:
    """How entries from the package name their source, e.g. "genai-prices 0.2.3"."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"


def published_entries(name: str, info: Any) -> Iterator[PriceEntry]:
    """The entries of one `genai_prices.types.ModelInfo`, in its own order of precedence (the last that applies wins).

    Its first price carries no date and so holds since always. Service tiers come from its `price_variants`; a variant
    states only what differs from the standard price.
    """
    note = info.price_comments or ""
    conditional = info.prices if isinstance(info.prices, list) else None
    for constraint, prices in [(p.constraint, p.prices) for p in conditional] if conditional else [(None, info.prices)]:
        yield _entry(name, constraint, prices, "standard", note)
    # The package lets its first matching variant win; here the last one does.
    for variant in reversed(info.price_variants or []):
        tier = next((variant.when[key] for key in _TIER_KEYS if set(variant.when) == {key}), None)
        if tier is not None:  # even without prices: it then says that the tier costs the same
            yield _entry(name, variant.constraint, variant.prices, tier.lower(), note)


def _entry(name: str, constraint: Any, prices: Any, tier: str, note: str) -> PriceEntry:
    day: date | None = getattr(constraint, "start_date", None)
    window = (_utc(constraint.start_time), _utc(constraint.end_time)) if hasattr(constraint, "start_time") else None
    stated = vars(prices)  # asking a ModelPrice for a price it lacks is slow
    if stated.get("requests_kcount") is not None:
        note = f"{note} A fee per request comes on top; it is not in these buckets.".strip()
    rates = {key: _rate(price) for key in RATE_NAMES if (price := stated.get(f"{key}_mtok")) is not None}
    if not rates and name.startswith("openrouter/") and name.endswith(":free"):
        rates, note = dict.fromkeys(("input", "output"), Rate(Decimal(0))), FREE
    return PriceEntry(name, rates, source_name(), effective_from=day, window=window, tier=tier, note=note)


def _rate(price: Any) -> Rate:
    if hasattr(price, "tiers"):
        return Rate(price.base, tuple((tier.start, tier.price) for tier in price.tiers))
    return Rate(price)


def _utc(clock: time) -> time:
    if clock.tzinfo is None:
        return clock
    return datetime.combine(date(1970, 1, 2), clock).astimezone(UTC).time()
