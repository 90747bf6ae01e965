from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pricing.formatting import add_up, adding_up, aligned, percent, usd

money = st.decimals(min_value="-1e9", max_value="1e9", places=12, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("exact", "said"),
    [
        ("0", "$0.00"),
        ("0.0042", "$0.0042"),
        ("0.00042449", "$0.000424"),
        ("0.4", "$0.40"),
        ("0.9999", "$1.00"),
        ("12.4", "$12.40"),
        ("18204.11", "$18,204.11"),
        ("1204300.25", "$1,204,300"),
        ("-105", "-$105.00"),
        ("-0.000504", "-$0.000504"),
        ("0.000000000001", "$0.000000000001"),
    ],
)
def test_dollars_are_said_at_the_precision_a_reader_needs(exact: str, said: str) -> None:
    assert usd(Decimal(exact)) == said


def read(said: str) -> Decimal:
    return Decimal(said.replace("$", "").replace(",", ""))


@pytest.mark.parametrize(
    ("exact", "said"),
    [
        (("8.068", "1.774", "6.294"), ("$8.068", "$1.774", "$6.294")),  # each by itself: 8.07 = 1.77 + 6.29
        (("8.06", "1.77", "6.29"), ("$8.06", "$1.77", "$6.29")),
        (("8.068", "0.00371", "8.06429"), ("$8.0680", "$0.0037", "$8.0643")),
        (("1.2088", "0.8782", "0.3306"), ("$1.21", "$0.88", "$0.33")),  # in three digits each: 1.21 = 0.878 + 0.331
        (("0.0075", "0.000237", "0.007263"), ("$0.00750", "$0.00024", "$0.00726")),
        (("1000", "0.00000000123", "999.99999999877"), ("$1,000.00", "$0.00000000123", "$1,000.00")),
        (("1204300.4", "700122.6", "504177.8"), ("$1,204,300.40", "$700,122.60", "$504,177.80")),
        (("0.588", "0.588", "0"), ("$0.588", "$0.588", "$0.000")),
        (("-1", "0.5", "-1.5"), ("-$1.00", "$0.50", "-$1.50")),
        (("0", "0", "0"), ("$0.00", "$0.00", "$0.00")),
    ],
)
def test_figures_side_by_side_get_the_decimals_it_takes_to_add_up(
    exact: tuple[str, ...], said: tuple[str, ...]
) -> None:
    assert tuple(map(usd, adding_up(*map(Decimal, exact)))) == said


def test_a_sum_with_an_unknown_part_is_left_as_it_is() -> None:
    assert list(map(usd, adding_up(Decimal("8.068"), None, Decimal("6.294")))) == ["$8.07", "unknown", "$6.29"]


@given(st.lists(money, min_size=1, max_size=6))
@example([Decimal("1e-12"), Decimal("1e-9")])
@example([Decimal(pico).scaleb(-12) for pico in (1832, 1834, 131752469, 131752500, 131752500)])
def test_sums_add_up_as_they_are_read(parts: list[Decimal]) -> None:
    """But for those under a ten-thousandth of the largest; and every figure is its own exact one rounded."""
    whole = sum(parts, Decimal(0))
    figures = [figure for figure in adding_up(whole, *parts) if figure is not None]
    said = [read(usd(figure)) for figure in figures]
    heavy = max(map(abs, figures)) / 10_000
    if all(abs(figure) >= heavy for figure in figures):
        assert said[0] == sum(said[1:])
    for figure, exact, text in zip(figures, (whole, *parts), said, strict=True):
        assert figure == exact
        assert abs(text - exact) <= abs(exact) * Decimal("0.05")
    assert add_up(figures[0], figures[1:])


@pytest.mark.parametrize(
    ("exact", "said"),
    [
        ((("2.69",), ("0.148",), ("1.5",)), (("$2.69",), ("$0.15",), ("$1.50",))),
        # Each row by itself: $1.506, $0.096, $1.41 above $1.187, $1.335, -$0.148.
        (
            (("1.50596", "0.09588", "1.41008"), ("1.18654", "1.33472", "-0.14818")),
            (("$1.506", "$0.096", "$1.410"), ("$1.187", "$1.335", "-$0.148")),
        ),
        # What is under a thousandth of the largest takes no decimals of the others, and is not said to be nothing.
        ((("4.507",), ("0.00525",), ("0.0000196",)), (("$4.5070",), ("$0.0052",), ("$0.0000196",))),
        ((("1204300.4",), ("52000",), ("0",)), (("$1,204,300",), ("$52,000",), ("$0",))),
        ((("0",), ("0",)), (("$0.00",), ("$0.00",))),
    ],
)
def test_money_of_a_table_has_one_number_of_decimals(
    exact: tuple[tuple[str, ...], ...], said: tuple[tuple[str, ...], ...]
) -> None:
    assert tuple(tuple(map(usd, row)) for row in aligned([list(map(Decimal, row)) for row in exact])) == said


@given(st.lists(st.tuples(money, money), min_size=1, max_size=6))
def test_figures_of_a_table_are_their_own_exact_ones_rounded(rows: list[tuple[Decimal, Decimal]]) -> None:
    table = [[one + two, one, two] for one, two in rows]
    for row, exact in zip(aligned(table), table, strict=True):
        for figure, own in zip(row, exact, strict=True):
            assert figure == own
            assert figure is not None
            said = usd(figure)
            places = len(said.partition(".")[2])
            assert read(said) == round(own, places)
            assert bool(read(said)) == bool(own)


def test_a_figure_that_is_unknown_leaves_the_others_as_they_are() -> None:
    assert [usd(money) for (money,) in aligned([[Decimal("1.25")], [None]])] == ["$1.25", "unknown"]


@given(money)
def test_what_is_said_of_an_amount_is_within_half_a_percent_of_it_or_half_a_cent(exact: Decimal) -> None:
    said = Decimal(usd(exact).replace("$", "").replace(",", ""))
    assert abs(said - exact) <= abs(exact) * Decimal("0.005")


@given(money.filter(bool))
def test_an_amount_that_is_not_zero_is_never_said_to_be_zero(exact: Decimal) -> None:
    assert set(usd(exact)) & set("123456789")


@given(st.floats(min_value=-1_000, max_value=1_000))
def test_a_percentage_is_rounded_to_nothing_or_everything_only_when_it_is(value: float) -> None:
    assert (percent(value) in ("0%", "-0%")) == (value == 0)
    assert (percent(value) == "100%") == (value == 100)


def test_percentages_keep_one_decimal_and_more_near_the_ends() -> None:
    assert [percent(value) for value in (63.1982, 99.96, 0.004, -12.0, 99.9999999)] == [
        "63.2%", "99.96%", "0.004%", "-12.0%", "almost 100%",
    ]  # fmt: skip
