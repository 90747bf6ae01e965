"""What the price book is made of: dated rates per bucket, what a model can do, and how old each source is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import ROUND_HALF_EVEN, Decimal

BUCKETS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output_text", "output_reasoning")

# A bucket without a rate of its own is part of a wider one and is charged at that one's rate, exactly as genai-prices
# does (its `compute_leaf_values`): a missing rate is not a free rate.
CHARGED_AS: dict[str, tuple[str, ...]] = {
    "input_uncached": ("input",),
    "cache_read": ("cache_read", "input"),
    "cache_write_5m": ("cache_write_5m", "cache_write", "input"),
    "cache_write_1h": ("cache_write_1h", "cache_write", "input"),
    "output_text": ("output",),
    "output_reasoning": ("output_reasoning", "output"),
}
RATE_NAMES = ("input", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h", "output", "output_reasoning")

_SIX_DECIMALS = Decimal("0.000001")
_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Rate:
    """USD per million tokens: `base`, and from `above` on, for **all** tokens, once the total input is larger.

    Args:
        base: USD per million tokens.
        above: (total input tokens, USD per million tokens), ascending; strictly more tokens cross the step.
    """

    base: Decimal
    above: tuple[tuple[int, Decimal], ...] = ()

    def at(self, total_input_tokens: int) -> Decimal:
        """USD per million tokens for a request with this much input, cached parts included."""
        return next((usd for start, usd in reversed(self.above) if total_input_tokens > start), self.base)

    def times(self, multiplier: Decimal) -> "Rate":
        """The same rate under a discount such as the batch tier's 0.5."""
        return Rate(self.base * multiplier, tuple((start, usd * multiplier) for start, usd in self.above))

    def rounded(self) -> "Rate":
        """Rounded half-even to six decimals, so that a price per token is a whole number of picodollars."""
        return Rate(six_decimals(self.base), tuple((start, six_decimals(usd)) for start, usd in self.above))


def six_decimals(usd_per_mtok: Decimal) -> Decimal:
    """A price rounded half-even to six decimals."""
    return usd_per_mtok.quantize(_SIX_DECIMALS, ROUND_HALF_EVEN)


def picodollars_per_token(usd_per_mtok: Decimal) -> int:
    """USD per million tokens as whole picodollars (10⁻¹² USD) per token: six decimals of a dollar over a million."""
    return min(int(six_decimals(usd_per_mtok).scaleb(6)), _INT64_MAX)


@dataclass(frozen=True, slots=True)
class PriceEntry:
    """One price of one model, from a date on; the last entry that applies wins.

    Args:
        model: canonical name.
        rates: by rate name (see RATE_NAMES), only what the source states.
        effective_from: first UTC day; None: since always.
        until: first UTC day it no longer applies; None: open.
        window: (start, end) time of day in UTC, end not included, may wrap midnight; None: all day.
        tier: the service tier it is for.
        source: a URL, a file, or "genai-prices 0.2.3".
        note: what the source says beside the figures.
    """

    model: str
    rates: Mapping[str, Rate]
    source: str
    effective_from: date | None = None
    until: date | None = None
    window: tuple[time, time] | None = None
    tier: str = "standard"
    note: str = ""

    def on(self, day: date) -> bool:
        """Whether this entry applies on that UTC day, its time of day left aside."""
        return (self.effective_from is None or self.effective_from <= day) and (self.until is None or day < self.until)

    def during(self, clock: time) -> bool:
        """Whether this entry applies at that UTC time of day."""
        if self.window is None:
            return True
        start, end = self.window
        return start <= clock < end if start <= end else clock >= start or clock < end

    @property
    def usd_per_mtok(self) -> dict[str, Rate | None]:
        """Each bucket's rate after CHARGED_AS, USD per million tokens; None where the whole chain is missing."""
        return {
            bucket: next((self.rates[name] for name in chain if name in self.rates), None)
            for bucket, chain in CHARGED_AS.items()
        }


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can serve; every field is None when unknown.

    `context_window` and `max_output_tokens` are tokens; `retires_on` is the day the provider stops serving it.
    """

    context_window: int | None = None
    max_output_tokens: int | None = None
    tools: bool | None = None
    images: bool | None = None
    json_mode: bool | None = None
    reasoning: bool | None = None
    retires_on: date | None = None
    superseded_by: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class TierRule:
    """A service tier that is a plain multiple of the standard price, for some models of a provider.

    `models` empty: all of the provider's. Sourced and dated like a price.
    """

    provider: str
    tier: str
    multiplier: Decimal
    source: str
    models: tuple[str, ...] = ()
    effective_from: date | None = None


@dataclass(frozen=True, slots=True)
class Discount:
    """What a contract takes off every list price of a model or of a whole provider, dated like a price.

    `model` is the canonical name, its dated snapshots included; None: all of the provider's. `pct` is percent off, 15
    for a price of 0.85 times the list; negative for a surcharge.
    """

    provider: str
    model: str | None
    pct: Decimal
    source: str
    effective_from: date | None = None
    until: date | None = None

    def on(self, day: date) -> bool:
        """Whether it applies on that UTC day."""
        return (self.effective_from is None or self.effective_from <= day) and (self.until is None or day < self.until)


@dataclass(slots=True)
class ModelFacts:
    """What one overlay file says of one model."""

    launched: date | None = None
    names: tuple[str, ...] = ()
    same_prices_as: str | None = None
    prices: list[PriceEntry] = field(default_factory=list)
    capabilities: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Overlay:
    """One price file: the day it was checked, models, service tiers and discounts."""

    source: str
    as_of: date | None
    models: dict[str, ModelFacts]
    tiers: list[TierRule]
    discounts: list[Discount] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A bucket whose standard price differs from the day before; None: unpriced on that side."""

    model: str
    on: date
    bucket: str
    before: Rate | None
    after: Rate | None
    source: str


@dataclass(frozen=True, slots=True)
class SourceAge:
    """How long ago one source of prices was last checked; None where it does not say."""

    source: str
    as_of: date | None
    days: int | None
    models: int
