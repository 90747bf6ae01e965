"""Usage times price: what one arm of a replay is charged, exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pricing.asof import AsOf
from pricing.book import PriceBook
from pricing.entries import BUCKETS
from pricing.schedule import UNPRICED, Ints, Schedule
from problems import BackrouteError

Flags = NDArray[np.bool_]

_INPUT = BUCKETS[:4]
_ROWS_AT_ONCE = 1 << 15  # so that a block's columns stay in the processor's cache
_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Charges:
    """What requests cost, in picodollars (10⁻¹² USD), one row per request.

    Args:
        buckets: one int64 column per bucket; null where the bucket is in use but has no count or no price.
        total: int64; null where any bucket is.
        undated: rows without a time under the policy `request`, for which the book's date served; else 0.
    """

    buckets: pa.Table
    total: pa.Array
    undated: int = 0


def charge(
    book: PriceBook,
    models: pa.Array | pa.ChunkedArray,
    usage: pa.Table,
    *,
    at: AsOf,
    arrived_at: pa.Array | pa.ChunkedArray | None = None,
    tier: pa.Array | pa.ChunkedArray | None = None,
) -> Charges:
    """Charge every request at its own model's prices.

    Args:
        book: the prices.
        models: string or dictionary array of model names; null, or a name the book does not know, is unpriced.
        usage: one int64 column per bucket (BUCKETS), in thousandths of a token, zero or more; null where unknown.
        at: whose day's prices; see AsOf.
        arrived_at: timestamps in UTC, or null; None where the log has no times.
        tier: service tiers as providers name them; null or None is standard.

    Returns:
        Each bucket rounded half-even once to a whole picodollar, so that totals do not depend on how a log was split.
        A bucket with a count of exactly 0 costs 0 whoever the model; a bucket in use without a rate of its own is
        charged as the wider one it is part of (`entries.CHARGED_AS`).

    Raises:
        BackrouteError: a charge leaves int64, that is, one request above $9.2 million.
    """
    schedule, pair = _schedule(book, models, tier, at)
    counts = [_flat(usage[bucket]) for bucket in BUCKETS]
    seconds = None if arrived_at is None or not schedule.needs_times else schedule.seconds(_flat(arrived_at))
    undated = len(pair) if arrived_at is None else arrived_at.null_count
    costs = cost(schedule, pair, [_numbers(column) for column in counts], [_null_mask(c) for c in counts], seconds)
    zeros = np.zeros(len(pair), np.int64)
    columns = {
        bucket: pa.array(zeros if pico is None else pico, mask=missing)
        for bucket, pico, missing in zip(BUCKETS, costs.buckets, costs.missing, strict=True)
    }
    total = pa.array(costs.total, mask=costs.unpriced)
    return Charges(pa.table(columns), total, undated if at.policy == "request" else 0)


@dataclass(frozen=True, slots=True)
class Costs:
    """What requests cost, as arrays: int64 picodollars, and bool masks of what is not known; None for all zero.

    Args:
        buckets, missing: in BUCKETS' order; a bucket's picodollars say nothing where it is missing.
        total: likewise says nothing where `unpriced`.
        unpriced: some bucket is missing.
    """

    buckets: tuple[Ints | None, ...]
    missing: tuple[Flags | None, ...]
    total: Ints
    unpriced: Flags | None


def cost(
    schedule: Schedule,
    pair: NDArray[np.intp],
    counts: Sequence[Ints],
    missing: Sequence[Flags | None],
    seconds: Ints | None,
) -> Costs:
    """`charge` on arrays.

    Args:
        schedule: the compiled prices.
        pair: per request, which of the schedule's pairs.
        counts: thousandths of a token by bucket, 0 where unknown.
        missing: bool by bucket, the count is unknown; None where all are known.
        seconds: see `Schedule.rows`.
    """
    rows = len(pair)
    used = [bool(column.any()) for column in counts]
    costs = [np.empty(rows, np.int64) if some else None for some in used]
    unknown = list(missing)
    inputs = [counts[bucket] for bucket in range(len(_INPUT)) if used[bucket]]
    unknown_input = _any_mask(missing[: len(_INPUT)]) if schedule.by_size else None
    total = np.zeros(rows, np.int64)
    for part in _blocks(rows):
        size: Ints | None = None
        if schedule.by_size:
            size = sum((column[part] for column in inputs), np.zeros(len(pair[part]), np.int64))
            size = size if unknown_input is None else np.where(unknown_input[part], -1, size)
        row = schedule.rows(pair[part], None if seconds is None else seconds[part], size)
        bound = 0
        for bucket, into in enumerate(costs):
            if into is None:
                continue
            count = counts[bucket][part]
            price = schedule.prices[bucket].take(row)
            if schedule.unpriced[bucket] and (without := (price == UNPRICED) & (count != 0)).any():
                given, marked = missing[bucket], unknown[bucket]
                if marked is None or marked is given:  # the caller's mask stays as it is
                    marked = unknown[bucket] = np.zeros(rows, bool) if given is None else given.copy()
                marked[part] |= without
                price[without] = 0
            pico = _times(count, price, schedule.dearest[bucket], whole=schedule.whole[bucket])
            into[part] = pico
            bound += int(pico.max(initial=0))
            if bound > _INT64_MAX:
                _add_checked(total[part], pico)
            total[part] += pico
    return Costs(tuple(costs), tuple(unknown), total, _any_mask(unknown))


def _times(count: Ints, price: Ints, dearest: int, *, whole: bool) -> Ints:
    """Thousandths of a token times picodollars per token, rounded half-even to whole picodollars.

    `whole`: every price is a whole number of picodollars for a thousandth of a token, so that nothing is rounded.
    """
    if int(count.max(initial=0)) * dearest <= _INT64_MAX:
        if whole:
            return count * (price // 1000)
        product = count * price
        cost = product // 1000
        rest = product - cost * 1000
    else:
        # A large charge: the whole tokens apart, so that only the result must fit.
        tokens = count // 1000
        part = (count - tokens * 1000) * price
        carried = part // 1000
        rest = part - carried * 1000
        cost = _add_checked(_multiply_checked(tokens, price), carried)
    if rest.any():
        cost = cost + ((rest > 500) | ((rest == 500) & (cost & 1 == 1)))
    return cost


def _multiply_checked(a: Ints, b: Ints) -> Ints:
    try:
        return pc.multiply_checked(pa.array(a), pa.array(b)).to_numpy()  # type: ignore[no-any-return]
    except pa.ArrowInvalid:
        raise _too_large() from None


def _add_checked(a: Ints, b: Ints) -> Ints:
    try:
        return pc.add_checked(pa.array(a), pa.array(b)).to_numpy()  # type: ignore[no-any-return]
    except pa.ArrowInvalid:
        raise _too_large() from None


def _too_large() -> BackrouteError:
    return BackrouteError(
        "charge",
        "one request costs more than $9.2 million (the largest amount that fits)",
        effect="nothing was charged",
        fix="check the token counts of the log and the unit of the price file (USD per million tokens)",
    )


def _schedule(
    book: PriceBook, models: pa.Array | pa.ChunkedArray, tier: pa.Array | pa.ChunkedArray | None, at: AsOf
) -> tuple[Schedule, NDArray[np.intp]]:
    """The compiled prices of the (model, tier) pairs that occur, and each row's pair."""
    names, code = _codes(models)
    tiers, tier_code = (["standard"], None) if tier is None else _codes(tier)
    pair = code if tier_code is None else code * len(tiers) + tier_code
    return Schedule.of(book, names, tiers, at), pair


def _codes(column: pa.Array | pa.ChunkedArray) -> tuple[list[str | None], NDArray[np.intp]]:
    """The distinct values of a column, null last, and each row's index among them."""
    flat = _flat(column)
    encoded = flat if pa.types.is_dictionary(flat.type) else flat.dictionary_encode()
    values: list[str | None] = encoded.dictionary.to_pylist()
    codes = pc.fill_null(encoded.indices.cast(pa.int64()), len(values)).to_numpy()
    return [*values, None], codes.astype(np.intp, copy=False)


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _ROWS_AT_ONCE):
        yield slice(start, min(rows, start + _ROWS_AT_ONCE))


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def _numbers(column: pa.Array) -> Ints:
    return (pc.fill_null(column, 0) if column.null_count else column).to_numpy()  # type: ignore[no-any-return]


def _null_mask(column: pa.Array) -> Flags | None:
    return column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None


def _any_mask(masks: Sequence[Flags | None]) -> Flags | None:
    known = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(known) if known else None
