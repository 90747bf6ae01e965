"""Usage times price: what one arm of a replay is charged, exactly."""

from collections.abc import Iterator
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
    counts = {bucket: _flat(usage[bucket]) for bucket in BUCKETS}
    filled = {bucket: _numbers(column) for bucket, column in counts.items()}
    used = {bucket: bool(filled[bucket].any()) for bucket in BUCKETS}
    seconds = None if arrived_at is None or not schedule.needs_times else _seconds(_flat(arrived_at), schedule)
    undated = len(pair) if arrived_at is None else arrived_at.null_count
    costs = {b: np.empty(len(pair), np.int64) if used[b] else np.zeros(len(pair), np.int64) for b in BUCKETS}
    missing = {b: _null_mask(counts[b]) for b in BUCKETS}
    unknown_input = _any_mask([missing[bucket] for bucket in _INPUT]) if schedule.by_size else None
    unpriced = [bool((prices == UNPRICED).any()) for prices in schedule.prices]
    dearest = [int(prices.max(initial=0)) for prices in schedule.prices]
    total = np.zeros(len(pair), np.int64)
    for part in _blocks(len(pair)):
        size: Ints | None = None
        if schedule.by_size:
            size = np.add.reduce([filled[bucket][part] for bucket in _INPUT])
            size = size if unknown_input is None else np.where(unknown_input[part], -1, size)
        row = schedule.rows(pair[part], None if seconds is None else seconds[part], size)
        bound = 0
        for index, bucket in enumerate(BUCKETS):
            if not used[bucket]:
                continue
            count = filled[bucket][part]
            price = schedule.prices[index].take(row)
            if unpriced[index] and (without := (price == UNPRICED) & (count != 0)).any():
                missing[bucket] = _marked(missing[bucket], part, without, len(pair))
                price[without] = 0
            cost = _times(count, price, dearest[index])
            costs[bucket][part] = cost
            bound += int(cost.max(initial=0))
            if bound > _INT64_MAX:
                _add_checked(total[part], cost)
            total[part] += cost
    everywhere = _any_mask(list(missing.values()))
    columns = {bucket: pa.array(costs[bucket], mask=missing[bucket]) for bucket in BUCKETS}
    return Charges(pa.table(columns), pa.array(total, mask=everywhere), undated if at.policy == "request" else 0)


def _times(count: Ints, price: Ints, dearest: int) -> Ints:
    """Thousandths of a token times picodollars per token, rounded half-even to whole picodollars."""
    if int(count.max(initial=0)) * dearest <= _INT64_MAX:
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
    pairs = [(book.resolve(name), served) for name in names for served in tiers]
    return Schedule(book, pairs, at), pair


def _codes(column: pa.Array | pa.ChunkedArray) -> tuple[list[str | None], NDArray[np.intp]]:
    """The distinct values of a column, null last, and each row's index among them."""
    flat = _flat(column)
    encoded = flat if pa.types.is_dictionary(flat.type) else flat.dictionary_encode()
    values: list[str | None] = encoded.dictionary.to_pylist()
    codes = pc.fill_null(encoded.indices.cast(pa.int64()), len(values)).to_numpy()
    return [*values, None], codes.astype(np.intp, copy=False)


def _seconds(arrived_at: pa.Array, schedule: Schedule) -> Ints:
    """Seconds since 1970 in UTC; the book's own date at 00:00 where a request has no time."""
    micros = arrived_at.cast(pa.timestamp("us", arrived_at.type.tz), safe=False).view(pa.int64())
    filled: Ints = pc.fill_null(micros, schedule.book_seconds * 1_000_000).to_numpy()
    return np.floor_divide(filled, 1_000_000)


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _ROWS_AT_ONCE):
        yield slice(start, min(rows, start + _ROWS_AT_ONCE))


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def _numbers(column: pa.Array) -> Ints:
    return (pc.fill_null(column, 0) if column.null_count else column).to_numpy()  # type: ignore[no-any-return]


def _null_mask(column: pa.Array) -> NDArray[np.bool_] | None:
    return column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None


def _any_mask(masks: list[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
    known = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(known) if known else None


def _marked(mask: NDArray[np.bool_] | None, part: slice, where: NDArray[np.bool_], rows: int) -> NDArray[np.bool_]:
    """The mask with one block's rows added; a new one when there was none."""
    marked = np.zeros(rows, bool) if mask is None else mask
    marked[part] |= where
    return marked
