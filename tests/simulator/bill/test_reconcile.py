from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing import AsOf, PriceBook
from simulator.bill.reconcile import against_invoice, drift_gate
from simulator.inspection import Inspection, inspect_log
from simulator.usage.sample import Sample
from tests.simulator.conftest import call
from workloads import Log, read_log

REQUEST = AsOf.parse("request")


def inspected(rows: list[dict[str, Any]], book: PriceBook) -> Inspection:
    return inspect_log(read_log(rows), book, REQUEST)


def cached(number: int) -> dict[str, Any]:
    """1,000 + number in, 800 of them cached, 100 out."""
    return {
        "prompt_tokens": 1000 + number,
        "prompt_tokens_details": {"cached_tokens": 800},
        "completion_tokens": 100,
    }


def plain(number: int) -> tuple[int, int]:
    """Tokens in and out that differ from row to row in no fixed proportion."""
    return 1000 + 17 * number, 100 + (number * number) % 61


def priced(number: int, per_input: str = "2.5", per_output: str = "10", **fields: Any) -> dict[str, Any]:
    """A call recorded at these USD per million tokens."""
    tokens_in, tokens_out = plain(number)
    cost = (Decimal(per_input) * tokens_in + Decimal(per_output) * tokens_out) / 10**6
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
    return call(number, usage=usage, cost=str(cost), **fields)


def test_a_bill_that_comes_out_has_no_drift_and_no_cause(book: PriceBook) -> None:
    """800 cached of 1,000: 200 x 2.5 + 800 x 1.25 + 100 x 10 = 500 + 1000 + 1000 = $2,500 a million calls, $0.0025."""
    seen = inspected([call(0, usage=cached(0), cost=0.0025)], book)
    assert seen.bill.total.as_dict() == {
        "requests": 1,
        "recorded_usd": "0.0025",
        "recomputed_usd": "0.0025",
        "drift_pct": 0.0,
        "agreeing": 1,
    }
    assert seen.causes == {"gpt-4o": []}
    assert seen.suggested_prices is None
    assert seen.bill.furthest == []


def test_cached_input_at_the_full_price_is_told_with_its_arithmetic(book: PriceBook) -> None:
    """Recorded 1000 x 2.5 + 100 x 10 = $0.0035; the price of the day, with 800 cached, is $0.0025: 28.6% too little."""
    rows = [call(n, usage=cached(n), cost=(Decimal("2.5") * (1000 + n) + 1000) / 10**6) for n in range(20)]
    seen = inspected([row | {"cost": str(row["cost"])} for row in rows], book)
    (cause,) = seen.causes["gpt-4o"]
    assert (cause.cause, cause.rows, cause.looked_at) == ("cache_full_price", 20, 20)
    assert cause.example == (
        "request r19 records $0.0035475",
        "the price of the day: 219 input_uncached x $2.5 + 800 cache_read x $1.25 + 100 output_text x $10"
        " per million = $0.0025475",
        "what was recorded: 1,019 input_uncached x $2.5 + 100 output_text x $10 per million = $0.0035475",
    )


def test_cached_input_charged_twice_is_told_from_cached_input_at_the_full_price(book: PriceBook) -> None:
    """Recorded 1000 x 2.5 + 800 x 1.25 + 100 x 10 = 2500 + 1000 + 1000: $0.0045."""
    rows = [call(n, usage=cached(n), cost=str((Decimal("2.5") * (1000 + n) + 2000) / 10**6)) for n in range(9)]
    assert [cause.cause for cause in inspected(rows, book).causes["gpt-4o"]] == ["cache_twice"]


def test_reads_charged_twice_are_told_where_writes_are_not(book: PriceBook) -> None:
    """claude-sonnet-4-5: n in at $3, 1,000 read at $0.30 and again at $3, 500 written at $3.75, 50 out at $15."""
    usage = {"cache_read_input_tokens": 1000, "cache_creation_input_tokens": 500, "output_tokens": 50}
    rows = [
        call(n, model="claude-sonnet-4-5", usage=usage | {"input_tokens": n}, cost=str((3 * n + Decimal(5925)) / 10**6))
        for n in range(1, 9)
    ]
    assert [cause.cause for cause in inspected(rows, book).causes["claude-sonnet-4-5"]] == ["cache_twice"]


def test_cached_input_that_was_not_charged_is_told(book: PriceBook) -> None:
    """Recorded 200 x 2.5 + 100 x 10 = $0.0015."""
    rows = [call(n, usage=cached(n), cost=str((Decimal("2.5") * (200 + n) + 1000) / 10**6)) for n in range(9)]
    assert [cause.cause for cause in inspected(rows, book).causes["gpt-4o"]] == ["cache_free"]


def test_cache_writes_without_their_premium_are_told(book: PriceBook) -> None:
    """claude-sonnet-4-5: 1,000 written at $3.75 and 50 out at $15 is $0.0045; recorded at $3: $0.00375."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 1000, "output_tokens": 50}
    rows = [
        call(n, model="claude-sonnet-4-5", provider="anthropic", usage=usage | {"input_tokens": n}, cost=str(
            (Decimal(3) * (1000 + n) + 750) / 10**6))
        for n in range(9)
    ]  # fmt: skip
    assert [cause.cause for cause in inspected(rows, book).causes["claude-sonnet-4-5"]] == ["write_premium"]


def test_half_the_list_price_is_the_batch_tier_that_the_log_does_not_state(book: PriceBook) -> None:
    """gpt-4o in batch: $1.25 and $5. The tenth row says so itself, and agrees."""
    rows = [priced(n, "1.25", "5", timestamp="2026-11-02T00:00:00Z") for n in range(10)]
    rows[9]["service_tier"] = "batch"
    (cause,) = inspected(rows, book).causes["gpt-4o"]
    assert (cause.cause, cause.rows) == ("tier", 9)
    assert "batch" in cause.words
    assert cause.fix == "log `service_tier: batch`"


def test_the_price_of_another_date_is_told_with_the_date(book: PriceBook) -> None:
    """In June 2024 gpt-4o cost $5 and $15; recorded at today's $2.50 and $10."""
    rows = [priced(n, timestamp="2024-06-01T00:00:00Z") for n in range(9)]
    (cause,) = inspected(rows, book).causes["gpt-4o"]
    assert cause.cause == "other_date"


def test_reasoning_charged_twice_and_left_out_are_told(book: PriceBook) -> None:
    """o1 is $15 and $60: 100 in, 50 out of which 40 + n are reasoning; the reasoning comes on top, or is missing."""
    for cause, sign in (("reasoning_twice", 1), ("reasoning_left_out", -1)):
        rows = [
            call(
                n,
                model="o1",
                usage={
                    "prompt_tokens": 100 + n,
                    "completion_tokens": 90,
                    "completion_tokens_details": {"reasoning_tokens": 40 + n},
                },
                cost=str((15 * Decimal(100 + n) + 60 * Decimal(90 + sign * (40 + n))) / 10**6),
            )
            for n in range(9)
        ]
        assert [found.cause for found in inspected(rows, book).causes["o1"]] == [cause]


def test_costs_rounded_to_six_decimals_are_no_mistake(book: PriceBook) -> None:
    rows = [priced(n) for n in range(40)]
    for row in rows:
        row["cost"] = str(round(Decimal(row["cost"]), 5))
    seen = inspected(rows, book)
    assert {cause.cause for cause in seen.causes["gpt-4o"]} == {"rounding"}
    assert "$0.00001" in seen.causes["gpt-4o"][0].words


def test_what_rounding_does_not_explain_is_not_called_rounding(book: PriceBook) -> None:
    """Recorded to six decimals and off by $0.000002 or $0.000003, in no proportion to anything."""
    rows = [priced(n) for n in range(40)]
    for n, row in enumerate(rows):
        row["cost"] = str(round(Decimal(row["cost"]), 6) + Decimal(2 + n * n % 3) / 10**6)
    (cause,) = inspected(rows, book).causes["gpt-4o"]
    assert (cause.cause, cause.rows) == ("unexplained", 40)


def test_calls_that_are_no_chat_are_billed_as_recorded_and_not_checked(book: PriceBook) -> None:
    """An embedding recorded at $0.25 and a chat of $0.0035: both on the invoice, one compared."""
    embedding = call(1, call_type="embedding", model="text-embedding-3-small", cost=0.25)
    bill = inspected([call(0, cost=0.0035), embedding], book).bill
    assert bill.total.requests == 1
    assert bill.billed == 253_500_000_000
    assert bill.recorded == 253_500_000_000


def test_a_discount_is_read_from_the_log_and_its_price_file_makes_the_bill_come_out(
    book: PriceBook, tmp_path: Path
) -> None:
    """15% off: $2.125 and $8.50. Under the suggested file the drift is 0 to the last digit."""
    rows = [priced(n, "2.125", "8.5") for n in range(40)]
    seen = inspected(rows, book)
    (cause,) = seen.causes["gpt-4o"]
    assert cause.cause == "off_list"
    assert cause.implied is not None
    assert cause.implied.pct_off == Decimal("15")
    assert seen.bill.drift_pct == pytest.approx(100 * (1 / 0.85 - 1))
    path = tmp_path / "suggested.yaml"
    path.write_text(seen.suggested_prices or "", "utf-8")
    again = inspected(rows, PriceBook.load([path]))
    assert again.bill.drift_pct == 0
    assert again.bill.total.recorded == again.bill.total.recomputed
    assert again.causes["gpt-4o"] == []


def test_rates_of_their_own_are_read_bucket_by_bucket(book: PriceBook, tmp_path: Path) -> None:
    """$2.00 in and $9.00 out is 20% off one and 10% off the other: no single discount."""
    rows = [priced(n, "2", "9") for n in range(40)]
    seen = inspected(rows, book)
    (cause,) = seen.causes["gpt-4o"]
    assert cause.cause == "own_rates"
    assert cause.implied is not None
    assert cause.implied.rates == {"input": Decimal("2.0"), "output": Decimal("9.0")}
    path = tmp_path / "suggested.yaml"
    path.write_text(seen.suggested_prices or "", "utf-8")
    assert inspected(rows, PriceBook.load([path])).bill.drift_pct == 0


def test_a_stand_in_price_for_every_token_is_told_and_not_suggested(book: PriceBook) -> None:
    """60 in and 15 out at $1 per million are $0.000075, as a tracing tool records a model it has no price of."""
    rows = [
        call(n, model=model, usage={"prompt_tokens": a, "completion_tokens": b}, cost=str(Decimal(a + b) / 10**6))
        for n, (model, a, b) in enumerate(
            [("gpt-4o", 60, 15), ("gpt-4o", 108, 51), ("house-7", 9, 1), ("house-7", 9, 3)]
        )
    ]
    seen = inspected(rows, book)
    assert [[cause.cause for cause in found] for found in seen.causes.values()] == [["flat_price"], ["flat_price"]]
    assert "one price of $1 per million" in seen.causes["gpt-4o"][0].words
    assert seen.suggested_prices is None


def test_the_price_of_a_model_nobody_knows_is_read_from_what_was_paid(book: PriceBook, tmp_path: Path) -> None:
    rows = [priced(n, "0.4", "0.8", model="house-model-7") for n in range(20)]
    seen = inspected(rows, book)
    assert [cause.cause for cause in seen.causes["house-model-7"]] == ["unknown_price"]
    assert seen.bill.models["house-model-7"].unpriced_requests == 20
    assert seen.bill.drift_pct is None
    path = tmp_path / "suggested.yaml"
    path.write_text(seen.suggested_prices or "", "utf-8")
    assert inspected(rows, PriceBook.load([path])).bill.drift_pct == 0


def test_calls_recorded_as_free_are_told(book: PriceBook) -> None:
    seen = inspected([call(n, cost=0) for n in range(3)], book)
    assert [cause.cause for cause in seen.causes["gpt-4o"]] == ["recorded_free"]
    assert drift_gate(seen.bill, None, 5) == ["gpt-4o: recorded as free, recomputed $0.010500"]


def test_each_row_belongs_to_one_cause_and_none_is_lost(book: PriceBook) -> None:
    rows = [priced(n) for n in range(10)]
    rows += [priced(n, "1.25", "5") for n in range(10, 16)]
    rows += [call(n, cost=str(Decimal(n) / 1000 + Decimal("0.00012345"))) for n in range(16, 19)]
    seen = inspected([row | {"timestamp": "2026-11-02T00:00:00Z"} for row in rows], book)
    assert [(cause.cause, cause.rows) for cause in seen.causes["gpt-4o"]] == [("tier", 6), ("unexplained", 3)]


def test_drift_is_summed_by_row_model_and_day(book: PriceBook) -> None:
    """Two days; the second's call on mini is recorded at twice its $0.00021."""
    rows = [
        call(0, cost=0.0035, timestamp="2026-06-01T12:00:00Z"),
        call(1, cost=0.00042, model="gpt-4o-mini", timestamp="2026-06-02T12:00:00Z"),
    ]
    seen = inspected(rows, book)
    assert [sums.drift_pct for _, sums in sorted(seen.bill.days.items(), key=str)] == [0, -50]
    assert seen.bill.models["gpt-4o-mini"].sums.drift_pct == -50
    (row,) = seen.bill.furthest
    assert row.as_dict() == {
        "request_id": "r1",
        "model": "gpt-4o-mini",
        "recorded_usd": "0.00042",
        "recomputed_usd": "0.00021",
    }


def test_an_invoice_is_held_against_everything_the_log_can_price(book: PriceBook) -> None:
    """Three calls of $0.0035 are $0.0105; of a 1% sample $1.05. An invoice of $1.00 makes that 5% too much."""
    seen = inspected([call(n) for n in range(3)], book)
    check = against_invoice(seen.bill, Decimal("1.00"), 0.01)
    assert check.recomputed_usd == Decimal("1.05")
    assert check.drift_pct == pytest.approx(5)
    assert drift_gate(seen.bill, check, 5.1) == []
    (said,) = drift_gate(seen.bill, check, 4.9)
    assert "+5.00%" in said


def test_the_gate_sees_two_errors_that_cancel_and_what_it_cannot_check(book: PriceBook) -> None:
    """gpt-4o recorded $0.0036 for $0.0035, and mini $0.00011 for $0.00021: the sum is right, neither model is."""
    rows = [call(0, cost="0.0036"), call(1, model="gpt-4o-mini", cost="0.00011")]
    assert inspected(rows, book).bill.drift_pct == 0
    assert [said.partition(":")[0] for said in drift_gate(inspected(rows, book).bill, None, 2)] == [
        "gpt-4o",
        "gpt-4o-mini",
    ]
    unknown = inspected([call(0, cost="0.0035"), call(1, model="house-model-7", cost="0.0035")], book)
    assert "without a price" in drift_gate(unknown.bill, None, 2)[0]
    assert "nothing to check" in drift_gate(inspected([call()], book).bill, None, 2)[0]


@pytest.mark.parametrize("size", [1, 7, 50, 200])
def test_a_sample_is_the_lowest_hashes_however_they_arrive(size: int) -> None:
    keys = np.random.default_rng(3).permutation(200).astype(np.uint64) * np.uint64(2**55)
    sample = Sample(10)
    for start in range(0, 200, size):
        part = keys[start : start + size]
        sample.add(pa.table({"key": part[sample.wanted(part)]}))
    assert sample.rows()["key"].to_pylist() == sorted(keys.tolist())[:10]
    assert sample.seen == 200


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 40), factors=st.lists(st.sampled_from(["1", "0.5", "0.9", "1.7"]), min_size=1, max_size=40))
def test_batches_do_not_matter_and_every_sampled_row_has_one_cause(
    book: PriceBook, size: int, factors: list[str]
) -> None:
    rows = [priced(n, str(Decimal("2.5") * Decimal(f)), str(10 * Decimal(f))) for n, f in enumerate(factors)]
    whole = inspected(rows, book)
    original = Log.batches
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Log, "batches", lambda log, problems=None: original(log, problems=problems, rows=size))
        split = inspected(rows, book)
    assert split.bill.total == whole.bill.total
    assert split.bill.days == whole.bill.days
    assert split.bill.furthest == whole.bill.furthest
    assert split.causes.keys() == whole.causes.keys()
    for name, causes in whole.causes.items():
        assert [cause.as_dict() for cause in split.causes[name]] == [cause.as_dict() for cause in causes]
        exact = sum(factor == "1" for factor in factors)
        assert sum(cause.rows for cause in causes) + exact == len(factors)
