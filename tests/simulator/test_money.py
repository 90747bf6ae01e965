import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.money import Scale, dollars, exact_sum, exact_sums, grouped, picodollars

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(INT64, max_size=50))
def test_sums_are_exact_where_int64_would_wrap(values: list[int]) -> None:
    assert exact_sum(np.array(values, np.int64)) == sum(values)


@given(st.lists(st.tuples(st.integers(0, 3), INT64), max_size=50))
def test_group_sums_are_exact(rows: list[tuple[int, int]]) -> None:
    codes, values = np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.int64)
    assert exact_sums(codes, values, 4).tolist() == [sum(v for c, v in rows if c == group) for group in range(4)]


@given(st.one_of(st.lists(st.integers(-3, 3), max_size=50), st.lists(INT64, max_size=50)))
def test_grouping_is_numpys_unique_whether_keys_lie_close_or_far_apart(keys: list[int]) -> None:
    column = np.array(keys, np.int64)
    _, first, where = np.unique(column, return_index=True, return_inverse=True)
    found = grouped(column)
    assert (found[0].tolist(), found[1].tolist()) == (first.tolist(), where.tolist())


@pytest.mark.parametrize(
    ("pico", "text"),
    [(0, "0"), (5_500_000_000, "0.0055"), (10**12, "1"), (-1, "-0.000000000001"), (12_400_000_000_000, "12.4")],
)
def test_dollars_are_plain_decimals(pico: int, text: str) -> None:
    assert dollars(pico) == text


def test_recorded_dollars_become_picodollars_without_floats() -> None:
    from decimal import Decimal

    column = pa.array([None, Decimal("0.0055"), Decimal("8999999.999999999999"), Decimal(0)], pa.decimal128(20, 12))
    assert picodollars(column).tolist() == [0, 5_500_000_000, 8_999_999_999_999_999_999, 0]
    assert picodollars(column.slice(1)).tolist() == [5_500_000_000, 8_999_999_999_999_999_999, 0]


def test_a_sample_of_one_in_a_hundred_scales_by_exactly_a_hundred() -> None:
    assert Scale(0.01)(7) == 700
    assert Scale(1.0)(7) == 7
    assert Scale(0.3)(3) == 10
