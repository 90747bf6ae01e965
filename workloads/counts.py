"""What one call's tokens come to: six disjoint buckets, and the refusal of counts that cannot be."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypedDict

import msgspec

from workloads.schema import PROVENANCES

MOST_TOKENS = 10_000_000  # no model's context comes near; above it the column holds something else
MOST_USD = 9_000_000  # what int64 picodollars hold
MOST_CAP = 10**9  # tokens that a call may allow its answer
FIX_PARTS = "log the provider's usage block as it came, or name the provider"


class Usage(msgspec.Struct, frozen=True):
    """The tokens of one call, each counted in one bucket only.

    The four input buckets are known together or not at all, and so are the two output buckets: a part that
    the provider names no count for is 0 once the side's total is known, and null where it is not.

    Args:
        input_uncached: input tokens billed at the full rate.
        cache_read: input tokens read from the prompt cache.
        cache_write_5m: input tokens written to it; where the provider states no lifetime, all writes are here.
        cache_write_1h: input tokens written for an hour.
        output_text: output tokens but the reasoning; all of the output where the provider does not tell them apart.
        output_reasoning: hidden reasoning tokens.
        provenance: who counted: provider, tokenizer or estimated.
        served_tier: the service tier the provider says it used.
        modality: tokens by side and kind where told apart, as {"input_audio": 44}; already inside the buckets.
        reported_input: the input count as the provider states and defines it, for checking.
        reported_output: the output count, likewise.
        reported_total: the total count, likewise.
        recorded_usd: what the provider says the call cost, to 12 decimals.
        notes: stable short names of what was decided or is unknown: see `workloads.usage`.
    """

    input_uncached: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output_text: int | None = None
    output_reasoning: int | None = None
    provenance: str = "provider"
    served_tier: str | None = None
    modality: dict[str, int] = {}
    reported_input: int | None = None
    reported_output: int | None = None
    reported_total: int | None = None
    recorded_usd: Decimal | None = None
    notes: tuple[str, ...] = ()

    @property
    def input_total(self) -> int | None:
        """All input tokens; null where unknown."""
        return _sum((self.input_uncached, self.cache_read, self.cache_write_5m, self.cache_write_1h))

    @property
    def output_total(self) -> int | None:
        """All output tokens; null where unknown."""
        return _sum((self.output_text, self.output_reasoning))

    @property
    def billed_apart(self) -> str | None:
        """What kind of call this is where tokens have rates of their own that no bucket tells: audio, or images made.

        Images that are read cost what text does; providers' price lists, November 2026.
        """
        if not self.modality:
            return None
        if any(tokens and kind.endswith("_audio") for kind, tokens in self.modality.items()):
            return "audio"
        return "image" if self.modality.get("output_image") else None


class Inputs(TypedDict, total=False):
    """The four input buckets by name; none where the input is unknown."""

    input_uncached: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int


class Outputs(TypedDict, total=False):
    """The two output buckets by name; none where the output is unknown."""

    output_text: int
    output_reasoning: int


class UsageError(Exception):
    """A count that cannot be; the log reader sets the row aside with it.

    Args:
        field: the key at fault, dotted.
        value: what it holds.
        why: why that cannot be.
        fix: what to change.
    """

    def __init__(self, field: str, value: object, why: str, fix: str) -> None:
        self.field, self.value, self.why, self.fix = field, value, why, fix
        super().__init__(f"{field}: {why} ({value!r}); {fix}")


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def part(block: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The first of these keys that holds an object; empty when none does."""
    for name in names:
        if isinstance(found := block.get(name), dict):
            return found
    return {}


def parts(block: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in the list of this key; none where it holds no list."""
    held = block.get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list | tuple) else []


def count(block: Mapping[str, Any], *names: str, most: int = MOST_TOKENS) -> int | None:
    """The largest count under these names, which are different spellings of one figure; null when none is there.

    Raises:
        UsageError: negative, not whole, NaN, a boolean, a text, or above `most` tokens.
    """
    if not block or block.keys().isdisjoint(names):  # as most are
        return None
    found = None
    for name in names:
        if (value := block.get(name)) is not None:
            whole = value if type(value) is int and 0 <= value <= most else _whole(name, value, most)
            found = whole if found is None or whole > found else found
    return found


def _whole(name: str, value: object, most: int) -> int:
    fix = "log the provider's own count, or leave the field out"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(name, value, "not a number of tokens", fix)
    if value < 0:
        raise UsageError(name, value, "a negative number of tokens", fix)
    if value > most:
        raise UsageError(name, value, f"more than {most:,} tokens in one call", fix)
    if value != value or value != int(value):  # only NaN differs from itself
        raise UsageError(name, value, "not a whole number of tokens", fix)
    return int(value)


def money(name: str, value: object) -> Decimal | None:
    """US dollars to 12 decimals; null for null.

    Raises:
        UsageError: negative, $9,000,000 and more for one call, or not a number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 <= value < MOST_USD:
        raise UsageError(name, value, "not an amount of dollars", "log the amount charged, or leave the field out")
    return Decimal(str(value)).quantize(Decimal("1e-12"))


def provenance(block: Mapping[str, Any]) -> str:
    """Who counted the block's tokens: its own `provenance`, else the provider.

    Raises:
        UsageError: a provenance nobody knows.
    """
    named = block.get("provenance", "provider")
    if named not in PROVENANCES:
        raise UsageError("provenance", named, "not a known provenance", f"use one of {', '.join(PROVENANCES)}")
    return str(named)


def inputs(uncached: int, read: int, write_5m: int, write_1h: int) -> Inputs:
    """The four input buckets by name.

    Raises:
        UsageError: more than `MOST_TOKENS` together.
    """
    if (total := uncached + read + write_5m + write_1h) > MOST_TOKENS:
        raise UsageError("input tokens", total, f"more than {MOST_TOKENS:,} tokens in one call", FIX_PARTS)
    return {"input_uncached": uncached, "cache_read": read, "cache_write_5m": write_5m, "cache_write_1h": write_1h}


def inputs_including(total: int | None, read: int, written: int, hour: int, notes: list[str]) -> Inputs:
    """The input buckets from a total that includes the cached part; none when the total is unknown.

    Raises:
        UsageError: more read, or more written, than there was input; or more than `MOST_TOKENS`.
    """
    if total is None:
        return {}
    if read > total or written > total:
        raise UsageError("cached tokens", max(read, written), f"more than the {total} input tokens", FIX_PARTS)
    if read + written > total:  # Gemini behind OpenRouter writes a prefix and reads it back in the same call
        notes.append("written_and_read")
        written = hour = 0
    return inputs(total - read - written, read, written - hour, hour)


def outputs(total: int | None, reasoning: int) -> Outputs:
    """The output buckets from a total that includes the reasoning; none when the total is unknown.

    Raises:
        UsageError: more reasoning than output, or more than `MOST_TOKENS`.
    """
    if total is None:
        return {}
    if total > MOST_TOKENS:
        raise UsageError("output tokens", total, f"more than {MOST_TOKENS:,} tokens in one call", FIX_PARTS)
    if reasoning > total:
        raise UsageError("reasoning tokens", reasoning, f"more than the {total} output tokens", FIX_PARTS)
    return {"output_text": total - reasoning, "output_reasoning": reasoning}
