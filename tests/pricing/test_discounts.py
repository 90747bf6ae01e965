from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import PriceBook
from pricing.overlay import load_overlay
from problems import BackrouteError
from tests.pricing.conftest import Charged

MODELS = """
models:
  acme/a: {prices: [{source: list, input_usd_per_mtok: 2.00, output_usd_per_mtok: 8.00}]}
  acme/a-2025-01-31: {prices: [{source: list, input_usd_per_mtok: 4.00, output_usd_per_mtok: 8.00}]}
  acme/b: {prices: [{source: list, input_usd_per_mtok: 2.00, output_usd_per_mtok: 8.00}]}
  other/c: {prices: [{source: list, input_usd_per_mtok: 2.00, output_usd_per_mtok: 8.00}]}
service_tiers: [{provider: acme, tier: batch, multiplier: 0.5, source: list}]
as_of: 2026-11-01
discounts:
  - {model: acme/a, pct: 15, effective_from: 2026-06-01, until: 2026-09-01, source: contract}
  - {provider: acme, pct: 10, source: contract}
"""

BookOf = Callable[[str], PriceBook]


def price(book: PriceBook, model: str, on: date = date(2026, 7, 1), tier: str | None = None) -> Decimal:
    quote = book.quote(model, on, tier)
    assert quote is not None
    rate = quote.usd_per_mtok["input_uncached"]
    assert rate is not None
    return rate.base


def test_a_models_own_discount_wins_over_its_providers(book_of: BookOf) -> None:
    """acme/a: 2.00 less 15% = 1.70 in summer, else less 10% = 1.80; acme/b: 1.80; other/c: no discount."""
    book = book_of(MODELS)
    assert price(book, "acme/a") == Decimal("1.7")
    assert price(book, "acme/a", date(2026, 5, 31)) == Decimal("1.8")
    assert price(book, "acme/a", date(2026, 9, 1)) == Decimal("1.8")
    assert price(book, "acme/b") == Decimal("1.8")
    assert price(book, "other/c") == Decimal("2")


def test_a_discount_covers_dated_snapshots_and_service_tiers(book_of: BookOf) -> None:
    """The snapshot's own 4.00 less 15% = 3.40; the batch tier's half of 2.00 less 15% = 0.85."""
    book = book_of(MODELS)
    assert price(book, "acme/a-2025-01-31") == Decimal("3.4")
    assert price(book, "acme/a", tier="batch") == Decimal("0.85")


def test_a_discount_is_charged_from_its_first_day_to_its_last(book_of: BookOf, charged: Charged) -> None:
    """1,000 tokens at $2.00 less 10% = $0.0018 on 31 May, less 15% = $0.0017 from 1 June on."""
    from datetime import UTC, datetime

    book = book_of(MODELS)
    last, first = datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    assert charged(book, "acme/a", "request", last, input_uncached=1000) == 1_800_000_000
    assert charged(book, "acme/a", "request", first, input_uncached=1000) == 1_700_000_000


def test_a_surcharge_is_a_negative_discount_and_says_whence(book_of: BookOf) -> None:
    book = book_of(MODELS.replace("pct: 15", "pct: -10"))
    assert price(book, "acme/a") == Decimal("2.2")
    quote = book.quote("acme/a", date(2026, 7, 1))
    assert quote is not None
    assert quote.source == "list, -10% off by contract"


def test_a_discount_changes_the_books_digest_and_its_list_of_changes(book_of: BookOf) -> None:
    book, plain = book_of(MODELS), book_of(MODELS.partition("discounts:")[0])
    assert book.digest != plain.digest
    days = {change.on for change in book.changes(date(2026, 1, 1), date(2026, 12, 31)) if change.model == "acme/a"}
    assert days == {date(2026, 6, 1), date(2026, 9, 1)}


def test_a_discount_on_a_model_nobody_knows_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("discounts: [{model: openai/gpt-4o-minni, pct: 5, source: contract}]")
    with pytest.raises(BackrouteError, match=r"own\.yaml: discounts: unknown model .*gpt-4o-mini"):
        PriceBook.load([path])


@pytest.mark.parametrize(
    ("entry", "said"),
    {
        "{pct: 5, source: x}": "neither a model nor a provider",
        "{model: acme/a, provider: acme, pct: 5, source: x}": "neither a model nor a provider, or both",
        "{model: acme/a, source: x}": "no pct",
        "{model: acme/a, pct: 5}": "no source",
        "{model: a, pct: 5, source: x}": "not a model name ('a')",
        "{model: acme/a, pct: 101, source: x}": "not a percentage off (101)",
        "{model: acme/a, pct: '15%', source: x}": "not a percentage off ('15%')",
        "{model: acme/a, pct: .nan, source: x}": "not a percentage off (nan)",
        "{model: acme/a, percent: 5, source: x}": "unknown key ('percent')",
        "{provider: acme, pct: 5, source: x, effective_from: 2026-02-01, until: 2026-01-01}": "is not after",
    }.items(),
)
def test_a_wrong_discount_is_told_with_its_place_and_its_fix(tmp_path: Path, entry: str, said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"discounts: [{entry}]")
    with pytest.raises(BackrouteError) as raised:
        load_overlay(path)
    assert "discounts[0]" in str(raised.value)
    assert said in str(raised.value)


@given(pct=st.integers(0, 100), tokens=st.integers(0, 10**6))
def test_a_discount_takes_its_percentage_off_every_charge(charged: Charged, pct: int, tokens: int) -> None:
    """At $2.00 a million, 2,000,000 picodollars a token: what is left of each token is 20,000 x (100 - pct)."""
    from pricing.entries import Discount, ModelFacts, Overlay, PriceEntry, Rate

    entry = PriceEntry("acme/a", {"input": Rate(Decimal(2)), "output": Rate(Decimal(8))}, "list")
    discount = Discount("acme", "acme/a", Decimal(pct), "contract")
    book = PriceBook([], [Overlay("own", date(2026, 11, 1), {"acme/a": ModelFacts(prices=[entry])}, [], [discount])])
    assert charged(book, "acme/a", input_uncached=tokens) == tokens * 20_000 * (100 - pct)
