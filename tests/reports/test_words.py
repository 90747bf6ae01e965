import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.formatting import percent, usd
from reports.words import alike, between, chance, change, period, printable, short_usd, shortened, wide


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "$0"), (0.0002, "$0.0002"), (2.5, "$2.50"), (1000, "$1,000"), (150_000, "$150k"), (12e6, "$12M"), (-5, "-$5")],
)
def test_ticks_are_short(value: float, said: str) -> None:
    assert short_usd(value) == said


def test_ticks_of_one_axis_have_as_many_decimals() -> None:
    assert alike(["$0", "$1.50", "$3", "-$4.50"]) == ["$0", "$1.50", "$3.00", "-$4.50"]
    assert alike(["$500k", "$1M", "$1.5M"]) == ["$500k", "$1.0M", "$1.5M"]
    assert alike(["76%", "78.5%", "", "12"]) == ["76.0%", "78.5%", "", "12"]


def test_unknown_is_said_and_never_zero() -> None:
    assert usd(None) == percent(None) == chance(None) == between(None, 3.0) == "unknown"


def test_a_change_says_which_way_the_bill_goes() -> None:
    assert [change(63.2), change(-12.0), change(0), change(None)] == [
        "63.2% less",
        "12.0% more",
        "the same",
        "a share unknown",
    ]


def test_an_interval_says_which_way_each_end_goes() -> None:
    assert between(58.02, 67.21) == "58.0% to 67.2% less"
    assert between(-15.1, -9.04) == "9.0% to 15.1% more"
    assert between(-1.2, 11.8) == "1.2% more to 11.8% less"
    assert between(0, 0) == "no change"


def test_a_simulated_chance_claims_no_certainty() -> None:
    assert [chance(p) for p in (1.0, 0.913, 0.0)] == ["over 99.9%", "91.3%", "under 0.1%"]


def test_a_period_of_one_day_is_one_date() -> None:
    assert period("2026-06-03T08:00:00Z", "2026-06-03T19:00:00Z") == "2026-06-03"
    assert period("2026-06-01T00:00:00Z", "2026-06-30T00:00:00Z") == "2026-06-01 to 2026-06-30"
    assert period(None, None) == "dates unknown"


@given(st.text())
def test_printable_text_is_one_line_without_controls_and_as_long_as_before(text: str) -> None:
    safe = printable(text)
    assert safe.isprintable()
    assert len(safe) == len(text)
    safe.encode()


@given(st.text(), st.integers(3, 60))
def test_a_shortened_name_keeps_its_ends_and_fits(text: str, room: int) -> None:
    cut = shortened(text, room)
    assert sum(map(wide, cut)) <= room
    head, _, tail = cut.partition("…")
    assert cut == text or (text.startswith(head) and text.endswith(tail) and "…" in cut)


def test_wide_characters_take_the_room_of_two() -> None:
    assert shortened("日本語の規則", 7) == "日本…則"
