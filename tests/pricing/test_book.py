from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pricing import BUCKETS, PriceBook, Rate
from pricing import book as book_module
from problems import BackrouteError


def usd(book: PriceBook, model: str, at: date, bucket: str = "input_uncached", tier: str | None = None) -> str | None:
    entry = book.quote(model, at, tier)
    rate = entry.usd_per_mtok[bucket] if entry else None
    return None if rate is None else f"{rate.base.normalize():f}"


def test_the_models_of_the_published_case_have_their_list_prices(book: PriceBook) -> None:
    prices = {
        "openai/gpt-4o": ("2.5", "10"),
        "openai/gpt-4o-2024-05-13": ("5", "15"),
        "openai/gpt-4o-mini": ("0.15", "0.6"),
        "openai/o3-mini": ("1.1", "4.4"),
        "anthropic/claude-sonnet-4-5": ("3", "15"),
        "anthropic/claude-opus-4-1": ("15", "75"),
        "groq/llama-3.1-8b-instant": ("0.05", "0.08"),
    }
    found = {m: (usd(book, m, book.date), usd(book, m, book.date, "output_text")) for m in prices}
    assert found == prices


@pytest.mark.parametrize(
    ("model", "day", "price"),
    [
        ("openai/gpt-4o", date(2024, 5, 12), None),
        ("openai/gpt-4o", date(2024, 5, 13), "5"),
        ("openai/gpt-4o", date(2024, 10, 1), "5"),
        ("openai/gpt-4o", date(2024, 10, 2), "2.5"),
        ("azure/gpt-4o", date(2024, 10, 1), "5"),
        ("azure/gpt-4o", date(2024, 10, 2), "2.5"),
        ("azure/gpt-4o-2024-08-06", date(2024, 8, 6), "2.5"),
        ("openai/gpt-4o-2024-08-06", date(2024, 8, 5), None),
        ("openai/gpt-4o-2024-08-06", date(2024, 8, 6), "2.5"),
        ("openai/gpt-4o-2024-05-13", date(2025, 1, 1), "5"),
        ("openai/gpt-4o-mini", date(2024, 7, 17), None),
        ("openai/gpt-4o-mini", date(2024, 7, 18), "0.15"),
        ("openai/o3", date(2025, 4, 15), None),
        ("openai/o3", date(2025, 6, 9), "10"),
        ("openai/o3", date(2025, 6, 10), "2"),
        ("openai/gpt-3.5-turbo", date(2023, 12, 10), "1.5"),
        ("openai/gpt-3.5-turbo", date(2024, 2, 15), "1"),
        ("openai/gpt-3.5-turbo", date(2024, 2, 16), "0.5"),
        ("anthropic/claude-3-5-haiku-latest", date(2024, 12, 2), "1"),
        ("anthropic/claude-3-5-haiku-latest", date(2024, 12, 3), "0.8"),
    ],
)
def test_a_price_holds_from_its_day_and_none_before_the_first(
    book: PriceBook, model: str, day: date, price: str | None
) -> None:
    assert usd(book, model, day) == price


def test_a_bucket_without_a_rate_is_charged_as_the_wider_one_it_is_part_of(book: PriceBook) -> None:
    """llama-3.1-8b-instant has only input and output rates; claude-sonnet-4-5 has all but reasoning."""
    llama = book.quote("groq/llama-3.1-8b-instant", book.date)
    assert llama is not None
    assert [llama.usd_per_mtok[b].base for b in BUCKETS] == [Decimal("0.05")] * 4 + [Decimal("0.08")] * 2  # type: ignore[union-attr]
    claude = book.quote("anthropic/claude-sonnet-4-5", book.date)
    assert claude is not None
    bases = [claude.usd_per_mtok[b].base for b in BUCKETS]  # type: ignore[union-attr]
    assert bases == [Decimal(x) for x in ("3", "0.3", "3.75", "6", "15", "15")]
    assert claude.usd_per_mtok["input_uncached"] == Rate(Decimal("3.000000"), ((200_000, Decimal("6.000000")),))


def test_a_step_is_crossed_by_strictly_more_tokens() -> None:
    rate = Rate(Decimal(3), ((200_000, Decimal(6)), (400_000, Decimal(9))))
    assert [rate.at(tokens) for tokens in (0, 200_000, 200_001, 400_000, 400_001)] == [3, 3, 6, 6, 9]


@pytest.mark.parametrize(
    ("model", "tier", "day", "price"),
    [
        ("openai/gpt-4o", "default", date(2025, 1, 1), "2.5"),
        ("openai/gpt-4o", "auto", date(2025, 1, 1), "2.5"),
        ("openai/gpt-4o", "scale", date(2025, 1, 1), "2.5"),
        ("openai/gpt-4o", "batch", date(2025, 1, 1), "1.25"),
        ("openai/gpt-4o", "BATCH", date(2026, 11, 1), "1.25"),
        ("openai/gpt-4o", "flex", date(2025, 1, 1), None),
        ("openai/gpt-4o", "priority", date(2025, 1, 1), None),
        ("openai/gpt-4o", "priority", date(2026, 10, 12), "4.25"),
        ("openai/o3", "flex", date(2025, 6, 10), "1"),
        ("openai/o3", "flex", date(2025, 4, 16), None),
        ("anthropic/claude-sonnet-4-5", "batch", date(2025, 12, 1), "1.5"),
        ("anthropic/claude-sonnet-4-5", "priority", date(2025, 12, 1), None),
        ("groq/llama-3.1-8b-instant", "on_demand", date(2025, 12, 1), "0.05"),
        ("groq/llama-3.1-8b-instant", "flex", date(2025, 12, 1), "0.05"),
        ("groq/llama-3.1-8b-instant", "batch", date(2025, 12, 1), "0.025"),
        ("groq/llama-3.1-8b-instant", "performance", date(2025, 12, 1), None),
    ],
)
def test_a_service_tier_has_its_own_price_or_none(
    book: PriceBook, model: str, tier: str, day: date, price: str | None
) -> None:
    assert usd(book, model, day, tier=tier) == price


def test_every_entry_of_every_price_file_of_ours_names_a_page(book: PriceBook) -> None:
    told = [entry for name in book.models() for entry in book.entries(name) if not entry.source.startswith("genai")]
    assert len(told) >= 5
    assert all(entry.source.startswith("https://") for entry in told)


def test_future_prices_are_in_the_book_but_not_in_force(book: PriceBook) -> None:
    later = [e for e in book.entries("google/gemini-3.6-flash") if e.effective_from and e.effective_from > book.date]
    assert later
    assert book.quote("google/gemini-3.6-flash", book.date) != book.quote("google/gemini-3.6-flash", date(2027, 1, 1))


def test_prices_of_more_than_six_decimals_are_rounded_and_listed(book_of: Callable[[str], PriceBook]) -> None:
    """0.1234565 and 0.1234575 USD per million tokens lie half way: half-even gives 0.123456 and 0.123458."""
    book = book_of(
        "as_of: 2026-01-01\nmodels:\n  acme/a:\n    prices:\n"
        "      - {input_usd_per_mtok: 0.1234565, output_usd_per_mtok: 0.1234575, cache_read_usd_per_mtok: 0.1}\n"
    )
    assert usd(book, "acme/a", book.date) == "0.123456"
    assert usd(book, "acme/a", book.date, "output_text") == "0.123458"
    assert [(model, rate) for model, rate, _, _ in book.rounded] == [("acme/a", "input"), ("acme/a", "output")]


def test_the_bundled_book_rounds_only_noise(book: PriceBook) -> None:
    assert all(abs(old.base - new.base) < Decimal("0.000001") for _, _, old, new in book.rounded)
    assert not [model for model, *_ in book.rounded if model.startswith(("openai/", "anthropic/"))]


def test_changes_between_two_days_are_listed_with_both_prices(book: PriceBook) -> None:
    changes = [c for c in book.changes(date(2024, 10, 1), date(2024, 10, 31)) if c.model == "openai/gpt-4o"]
    told = {c.bucket: (c.before.base, c.after.base) for c in changes if c.before and c.after}
    assert told["input_uncached"] == (Decimal(5), Decimal("2.5"))
    assert told["output_text"] == (Decimal(15), Decimal(10))
    assert {c.on for c in changes} == {date(2024, 10, 2)}
    assert book.changes(date(2024, 10, 2), date(2024, 10, 2)) == []
    launch = [c for c in book.changes(date(2024, 5, 12), date(2024, 5, 13)) if c.model == "openai/gpt-4o"]
    assert launch
    assert all(c.before is None and c.after is not None for c in launch)


def test_stale_sources_come_oldest_first(book_of: Callable[[str], PriceBook], book: PriceBook) -> None:
    ages = book_of("as_of: 2026-01-01\nmodels: {acme/a: {prices: [{input_usd_per_mtok: 1}]}}\n").stale(date(2026, 3, 2))
    assert (ages[0].source, ages[0].days, ages[0].models) == ("prices.yaml", 60, 1)
    assert [age.days for age in book.stale(date(2026, 12, 23))] == sorted(
        (age.days or 0 for age in book.stale(date(2026, 12, 23))), reverse=True
    )


def test_the_digest_follows_the_prices(book: PriceBook, tmp_path: Path) -> None:
    assert len(book.digest) == 64
    assert book.digest == PriceBook.load().digest
    own = tmp_path / "own.yaml"
    own.write_text("models: {openai/gpt-4o: {prices: [{input_usd_per_mtok: 2.4, output_usd_per_mtok: 10}]}}\n")
    negotiated = PriceBook.load([own])
    assert negotiated.digest != book.digest
    assert usd(negotiated, "openai/gpt-4o", book.date) == "2.4"
    assert negotiated.quote("openai/gpt-4o", book.date).source == f"{own}: openai/gpt-4o: prices[0]"  # type: ignore[union-attr]


def test_a_digest_does_not_depend_on_the_books_made_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What published models add to it is made once a process, but not of those that a price file speaks of."""
    overlay = tmp_path / "prices.yaml"
    overlay.write_text("as_of: 2026-11-23\nmodels:\n  mistral/codestral:\n    launched: 2024-05-29\n", "utf-8")
    made = PriceBook.load().digest, PriceBook.load([overlay]).digest, PriceBook.load().digest
    monkeypatch.setattr(book_module, "_PUBLISHED", {})
    alone = PriceBook.load([overlay]).digest
    assert made[0] == made[2] != made[1] == alone


def test_a_negotiated_price_holds_from_its_day_on(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "as_of: 2027-01-01\nmodels:\n  openai/gpt-4o:\n    source: contract 7\n    prices:\n"
        "      - {effective_from: 2026-06-01, input_usd_per_mtok: 2.00, output_usd_per_mtok: 8}\n"
        "      - {effective_from: 2026-03-01, input_usd_per_mtok: 2.25, output_usd_per_mtok: 9}\n"
    )
    negotiated = PriceBook.load([own])
    days = [date(2026, 2, 28), date(2026, 3, 1), date(2026, 6, 1)]
    assert [usd(negotiated, "openai/gpt-4o", day) for day in days] == ["2.5", "2.25", "2"]
    assert negotiated.date == date(2027, 1, 1)


def test_capabilities_are_stated_or_unknown(book: PriceBook) -> None:
    gpt = book.capabilities("openai/gpt-4o")
    assert (gpt.context_window, gpt.max_output_tokens, gpt.tools, gpt.images) == (128_000, 16_384, True, True)
    assert gpt.reasoning is False
    assert book.capabilities("azure/gpt-4o").context_window == 128_000
    unknown = book.capabilities("groq/llama-3.2-1b-preview")
    assert (unknown.tools, unknown.max_output_tokens, unknown.retires_on) == (None, None, None)
    assert book.capabilities("anthropic/claude-3-opus-latest").retires_on == date(2026, 1, 5)


def test_an_unknown_model_raises_with_its_nearest_matches(book: PriceBook) -> None:
    with pytest.raises(BackrouteError, match="'openai/gpt-4o'"):
        book.quote("openai/gpt-4p", book.date)


def test_a_moment_with_a_zone_is_read_in_utc(book: PriceBook) -> None:
    before_midnight_in_utc = datetime.fromisoformat("2024-10-02T01:30:00+02:00")
    assert usd(book, "openai/gpt-4o", before_midnight_in_utc) == "5"


def test_a_free_variant_costs_nothing_and_says_why(book: PriceBook) -> None:
    entry = book.entries("openrouter/openai/gpt-oss-120b:free")[-1]
    assert {rate.base for rate in entry.rates.values()} == {0}
    assert "openrouter.ai" in entry.note
