from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing import BUCKETS, AsOf, PriceBook, Rate, charge
from pricing.entries import ModelFacts, Overlay, PriceEntry
from problems import BackrouteError

Charged = Callable[..., int | None]
INPUT = BUCKETS[:4]


def test_a_call_costs_what_its_provider_bills(book: PriceBook, charged: Charged) -> None:
    """1,200 uncached x $2.50/M + 800 cached x $1.25/M + 150 out x $10/M = 0.003 + 0.001 + 0.0015 = $0.0055."""
    assert charged(book, "openai/gpt-4o", input_uncached=1200, cache_read=800, output_text=150) == 5_500_000_000


def test_every_bucket_has_its_own_price(book: PriceBook, charged: Charged) -> None:
    """claude-sonnet-4-5, 1,000 tokens each: 3 + 0.30 + 3.75 + 6 + 15 + 15 dollars per million = $0.04305."""
    assert charged(book, "anthropic/claude-sonnet-4-5", **dict.fromkeys(BUCKETS, 1000)) == 43_050_000_000


def test_an_unknown_model_costs_null_unless_nothing_was_used(book: PriceBook, charged: Charged) -> None:
    assert charged(book, None, output_text=1) is None
    assert charged(book, "nobody/nothing", output_text=1) is None
    assert charged(book, None) == 0


def test_an_unknown_count_makes_the_charge_unknown(book: PriceBook, charged: Charged) -> None:
    assert charged(book, "openai/gpt-4o", input_uncached=10, output_text=None) is None


def test_only_the_buckets_that_are_unknown_are_null(book: PriceBook) -> None:
    usage = pa.table({b: pa.array([None if b == "cache_read" else 1000], pa.int64()) for b in BUCKETS})
    result = charge(book, pa.array(["openai/gpt-4o"]), usage, at=AsOf())
    assert [result.buckets[b][0].as_py() for b in BUCKETS] == [
        2_500_000,
        None,
        2_500_000,
        2_500_000,
        10_000_000,
        10_000_000,
    ]


def test_a_bucket_without_any_price_matters_only_where_it_is_used(
    book_of: Callable[[str], PriceBook], charged: Charged
) -> None:
    """A model with an input price alone, $1/M: 1,000 in = $0.001; one token out is unpriced."""
    book = book_of("as_of: 2026-01-01\nmodels: {acme/a: {prices: [{input_usd_per_mtok: 1}]}}\n")
    assert charged(book, "acme/a", input_uncached=1000) == 1_000_000_000
    assert charged(book, "acme/a", output_text=1) is None


def test_above_its_threshold_every_token_has_the_higher_price(book: PriceBook, charged: Charged) -> None:
    """claude-sonnet-4-5 crosses strictly above 200,000 tokens of input, cached ones counted:
    199,000 + 1,000 cached: 0.597 + 0.0003 + 1,000 out x $15/M = 0.6123
    199,001 + 1,000 cached: 1.194006 + 0.0006 + 1,000 out x $22.50/M = 1.217106
    """
    at_threshold = {"cache_read": 1000, "output_text": 1000}
    model = "anthropic/claude-sonnet-4-5"
    assert charged(book, model, input_uncached=198_999, **at_threshold) == 612_297_000_000
    assert charged(book, model, input_uncached=199_000, **at_threshold) == 612_300_000_000
    assert charged(book, model, input_uncached=199_000.001, **at_threshold) == 1_217_100_006_000
    assert charged(book, model, input_uncached=199_001, **at_threshold) == 1_217_106_000_000


def test_an_unknown_input_leaves_a_threshold_unknown_and_all_with_it(book: PriceBook) -> None:
    usage = pa.table({b: pa.array([None if b == "input_uncached" else 1000], pa.int64()) for b in BUCKETS})
    result = charge(book, pa.array(["anthropic/claude-sonnet-4-5"]), usage, at=AsOf())
    assert result.buckets["output_text"][0].as_py() is None


@pytest.mark.parametrize(
    ("moment", "picodollars"),
    [
        ("2024-05-12T23:59:59.999999", None),
        ("2024-05-13T00:00:00", 5_000_000),
        ("2024-10-01T23:59:59.999999", 5_000_000),
        ("2024-10-02T00:00:00", 2_500_000),
        ("1969-01-01T00:00:00", None),
    ],
)
def test_a_price_changes_at_midnight_in_utc(
    book: PriceBook, charged: Charged, moment: str, picodollars: int | None
) -> None:
    arrived = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert charged(book, "openai/gpt-4o", "request", arrived, input_uncached=1) == picodollars
    assert charged(book, "openai/gpt-4o", arrived, input_uncached=1) == picodollars


def test_the_policy_decides_whose_day_it_is(book: PriceBook, charged: Charged) -> None:
    arrived = datetime(2024, 6, 1, tzinfo=UTC)
    costs = {
        at: charged(book, "openai/gpt-4o", at, arrived, input_uncached=1) for at in ("latest", "request", "2024-05-01")
    }
    assert costs == {"latest": 2_500_000, "request": 5_000_000, "2024-05-01": None}


def test_rows_without_a_time_use_the_books_date_and_are_counted(book: PriceBook) -> None:
    usage = pa.table({b: pa.array([1000] * 3, pa.int64()) for b in BUCKETS})
    times = pa.array([datetime(2024, 6, 1, tzinfo=UTC), None, None], pa.timestamp("us", tz="UTC"))
    models = pa.array(["openai/gpt-4o"] * 3)
    dated = charge(book, models, usage, at=AsOf("request"), arrived_at=times)
    assert dated.undated == 2
    assert dated.buckets["input_uncached"].to_pylist() == [5_000_000, 2_500_000, 2_500_000]
    timeless = charge(book, models, usage, at=AsOf("request"))
    assert timeless.buckets["input_uncached"].to_pylist() == [2_500_000] * 3
    assert timeless.undated == 3
    assert charge(book, models, usage, at=AsOf()).undated == 0


@pytest.mark.parametrize("kind", [pa.timestamp("ns", "America/New_York"), pa.timestamp("s"), pa.timestamp("ms", "UTC")])
def test_times_of_any_unit_and_zone_are_instants(book: PriceBook, kind: pa.DataType) -> None:
    """One second before midnight in UTC, when it is still the 1st in London and in New York."""
    seconds = int(datetime(2024, 10, 1, 23, 59, 59, tzinfo=UTC).timestamp())
    times = pa.array([seconds, seconds + 1], pa.timestamp("s", "UTC")).cast(pa.timestamp(kind.unit, "UTC")).view(kind)
    usage = pa.table({b: pa.array([1000 * (b == "input_uncached")] * 2, pa.int64()) for b in BUCKETS})
    total = charge(book, pa.array(["openai/gpt-4o"] * 2), usage, at=AsOf("request"), arrived_at=times).total
    assert total.to_pylist() == [5_000_000, 2_500_000]


OFF_PEAK = """
as_of: 2026-01-01
models:
  acme/night:
    prices:
      - {input_usd_per_mtok: 2}
      - {input_usd_per_mtok: 1, utc_window: {from: "16:30", to: "00:30"}}
"""


@pytest.mark.parametrize(
    ("clock", "usd_per_mtok"),
    [
        ("00:29:59.999999", 1),
        ("00:30:00", 2),
        ("16:29:59.999999", 2),
        ("16:30:00", 1),
        ("23:59:59", 1),
        ("00:00:00", 1),
    ],
)
def test_off_peak_hours_may_wrap_midnight(
    book_of: Callable[[str], PriceBook], charged: Charged, clock: str, usd_per_mtok: int
) -> None:
    arrived = datetime.combine(date(2026, 3, 4), time.fromisoformat(clock), UTC)
    for at in ("request", "latest", "2026-02-01", arrived):
        assert charged(book_of(OFF_PEAK), "acme/night", at, arrived, input_uncached=1) == usd_per_mtok * 1_000_000


def test_deepseek_charges_by_its_published_hours(book: PriceBook, charged: Charged) -> None:
    """genai-prices: 0.27 from 00:30 to 16:30 UTC, else 0.135 dollars per million."""
    at = {"00:29": 135_000, "00:30": 270_000, "16:29": 270_000, "16:30": 135_000}
    times = {clock: datetime.fromisoformat(f"2026-03-04T{clock}+00:00") for clock in at}
    model = "deepseek/deepseek-chat"
    found = {clock: charged(book, model, "request", times[clock], input_uncached=1) for clock in at}
    assert found == at


@pytest.mark.parametrize(
    ("tier", "cost"),
    [("batch", 1_250_000), ("default", 2_500_000), (None, 2_500_000), ("flex", None), ("turbo", None)],
)
def test_a_service_tier_changes_the_price_or_leaves_none(
    book: PriceBook, charged: Charged, tier: str | None, cost: int | None
) -> None:
    assert charged(book, "openai/gpt-4o", "2025-01-01", tier=tier, input_uncached=1) == cost


@pytest.mark.parametrize(("thousandths", "picodollars"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4), (1001, 500)])
def test_a_half_picodollar_rounds_to_even(
    book_of: Callable[[str], PriceBook], charged: Charged, thousandths: int, picodollars: int
) -> None:
    """At $0.0005 per million a token costs 500 pico: .001 token = 0.5, .003 = 1.5, .005 = 2.5, 1.001 = 500.5 pico."""
    book = book_of("as_of: 2026-01-01\nmodels: {acme/a: {prices: [{input_usd_per_mtok: 0.0005}]}}\n")
    assert charged(book, "acme/a", input_uncached=thousandths / 1000) == picodollars


def test_the_largest_charge_that_fits_is_exact_and_the_next_raises(book_of: Callable[[str], PriceBook]) -> None:
    """At $1,000,000 per million a token costs 10¹² pico; 2⁶³ - 1 = 9,223,372 such tokens and a rest."""
    book = book_of("as_of: 2026-01-01\nmodels: {acme/a: {prices: [{input_usd_per_mtok: 1000000}]}}\n")

    def cost(thousandths: int, more: int = 0) -> int | None:
        counts = {"input_uncached": thousandths, "cache_read": more}
        usage = pa.table({b: pa.array([counts.get(b, 0)], pa.int64()) for b in BUCKETS})
        total: int | None = charge(book, pa.array(["acme/a"]), usage, at=AsOf()).total[0].as_py()
        return total

    assert cost(9_223_372) == 9_223_372_000_000_000
    assert cost(92_233_721) == 92_233_721_000_000_000
    assert cost(9_223_372_036) == 9_223_372_036_000_000_000
    for over in ((9_223_372_037, 0), (9_223_372_036, 1), (2**62, 0)):
        with pytest.raises(BackrouteError, match=r"more than \$9\.2 million"):
            cost(*over)


def test_dictionaries_chunks_and_empty_logs_are_all_the_same_to_it(book: PriceBook) -> None:
    models = pa.chunked_array([["openai/gpt-4o"], [None, "openai/gpt-4o-mini"]], pa.string())
    usage = pa.table({b: pa.chunked_array([[1000, 2000], [3000]], pa.int64()) for b in BUCKETS})
    plain = charge(book, models, usage, at=AsOf()).total.to_pylist()
    assert plain == charge(book, models.dictionary_encode(), usage, at=AsOf()).total.to_pylist()
    assert plain[1] is None
    empty = charge(
        book,
        pa.array([], pa.string()),
        usage.slice(0, 0),
        at=AsOf("request"),
        arrived_at=pa.array([], pa.timestamp("us")),
    )
    assert len(empty.total) == 0


MODELS = [
    "openai/gpt-4o",
    "openai/gpt-4o-2024-08-06",
    "openai/o3",
    "openai/gpt-5.4",
    "openai/whisper-1",
    "azure/gpt-4o",
    "anthropic/claude-sonnet-4-5",
    "anthropic/claude-opus-4-6",
    "deepseek/deepseek-chat",
    "deepseek/deepseek-v4-flash",
    "google/gemini-3.6-flash",
    "groq/llama-3.1-8b-instant",
    "nobody/nothing",
    None,
]
ROW = st.tuples(
    st.sampled_from(MODELS),
    st.sampled_from([None, "batch", "flex", "priority", "default"]),
    st.one_of(st.none(), st.datetimes(datetime(2024, 4, 1), datetime(2027, 2, 1))),
    st.tuples(*[st.one_of(st.just(0), st.none(), st.integers(0, 300_000_000))] * 6),
)


def charge_rows(book: PriceBook, rows: list[tuple], at: AsOf) -> pa.Array:  # type: ignore[type-arg]
    columns = list(zip(*[row[3] for row in rows], strict=True)) or [()] * 6
    usage = pa.table({b: pa.array(list(column), pa.int64()) for b, column in zip(BUCKETS, columns, strict=True)})
    times = pa.array([row[2] for row in rows], pa.timestamp("us", tz="UTC"))
    tiers = pa.array([row[1] for row in rows], pa.string())
    return charge(
        book, pa.array([row[0] for row in rows], pa.string()), usage, at=at, arrived_at=times, tier=tiers
    ).total


def by_hand(book: PriceBook, row: tuple, at: AsOf) -> int | None:  # type: ignore[type-arg]
    """One row in exact decimals, straight from the book's entries."""
    model, tier, arrived, counts = row
    if not any(count is None or count for count in counts):
        return 0
    if any(count is None for count in counts):
        return None
    midnight = datetime.combine(book.date, time())
    own = arrived if arrived is not None else midnight
    moment = own if at.policy == "request" else datetime.combine(book.date, own.time())
    entry = book.quote(model, moment, tier) if model is not None and book.resolve(model) else None
    total = 0
    size = sum(counts[:4])
    for bucket, count in zip(BUCKETS, counts, strict=True):
        rate = entry.usd_per_mtok[bucket] if entry else None
        if count and rate is None:
            return None
        if rate is not None:
            usd = next((usd for start, usd in reversed(rate.above) if size > start * 1000), rate.base)
            total += int((usd * count * 1000).quantize(Decimal(1), ROUND_HALF_EVEN))
    return total


@settings(deadline=None, max_examples=150)
@given(st.lists(ROW, max_size=12), st.sampled_from([AsOf(), AsOf("request")]), st.integers(0, 12))
def test_columns_equal_the_same_rows_by_hand_however_they_are_split(
    book: PriceBook, rows: list[tuple], at: AsOf, cut: int  # type: ignore[type-arg]
) -> None:  # fmt: skip
    whole = charge_rows(book, rows, at).to_pylist()
    assert whole == [by_hand(book, row, at) for row in rows]
    assert whole == charge_rows(book, rows[:cut], at).to_pylist() + charge_rows(book, rows[cut:], at).to_pylist()


def test_many_blocks_equal_one_row_at_a_time(book: PriceBook) -> None:
    """70,001 rows are three blocks; every row repeats one of seven."""
    rows = [
        (model, None, datetime(2025, 1, 1) + timedelta(hours=7 * index), (1000 * index + 7, 0, 0, 0, 123_456, 0))
        for index, model in enumerate(["openai/gpt-4o", "deepseek/deepseek-chat", None, "openai/gpt-5.4"] * 2)
    ][:7]
    singles = np.array([charge_rows(book, [row], AsOf("request"))[0].as_py() or -1 for row in rows])
    many = charge_rows(book, [rows[i % 7] for i in range(70_001)], AsOf("request"))
    assert (many.fill_null(-1).to_numpy() == np.resize(singles, 70_001)).all()


@settings(deadline=None)
@given(
    st.decimals(0, 1000, places=6),
    st.decimals(0, 1000, places=6),
    st.lists(st.integers(0, 10**9), min_size=6, max_size=6),
)
def test_raising_a_price_never_lowers_a_cost(low: Decimal, more: Decimal, counts: list[int]) -> None:
    def total(usd: Decimal) -> int:
        entry = PriceEntry("acme/a", {"input": Rate(usd), "output": Rate(usd * 3)}, "test")
        book = PriceBook([], [Overlay("test", date(2026, 1, 1), {"acme/a": ModelFacts(prices=[entry])}, [])])
        usage = pa.table({b: pa.array([count], pa.int64()) for b, count in zip(BUCKETS, counts, strict=True)})
        cost: int = charge(book, pa.array(["acme/a"]), usage, at=AsOf()).total[0].as_py()
        return cost

    assert total(low) <= total(low + more)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "", "2026-1-1"])
def test_a_policy_that_is_none_is_told(text: str) -> None:
    with pytest.raises(BackrouteError, match="not a date"):
        AsOf.parse(text)


def test_policies_are_read_from_words_days_and_instants() -> None:
    assert AsOf.parse("latest") == AsOf()
    assert AsOf.parse("request").policy == "request"
    assert AsOf.parse(" 2026-01-31 ") == AsOf.parse(date(2026, 1, 31)) == AsOf("day", datetime(2026, 1, 31, tzinfo=UTC))
    assert str(AsOf.parse("2026-01-31")) == "2026-01-31"
    assert AsOf.parse("2026-01-31T02:00:00+02:00") == AsOf("instant", datetime(2026, 1, 31, tzinfo=UTC))
