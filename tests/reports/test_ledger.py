from decimal import Decimal

from pricing.formatting import Placed
from reports.ledger import notes, rounding_said
from reports.sections import by_day
from tests.reports.samples import good

TOKENS = {"input_tokens": 1000, "output_tokens": 100}


def test_a_log_that_names_no_model_says_why_its_counts_are_not_the_expected_ones() -> None:
    """1,120 over 1,000 is 12% more, 93 over 100 is 7% fewer."""
    found = {
        "requests": 12,
        "logged": TOKENS,
        "baseline": TOKENS,
        "routed": {"input_tokens": 1120, "output_tokens": 93},
    }
    said = dict(notes(good() | {"unnamed": found}))["No model named"]
    assert said.startswith("12 requests, so whose tokens the log counts is not known: ")
    assert "as many input tokens and as many output tokens with the baseline, 12.0% more input tokens" in said
    assert "7.0% fewer output tokens with routing" in said
    assert "No model named" not in dict(notes(good()))


def test_sums_that_are_off_as_they_are_shown_are_told() -> None:
    """To the cent 8.068 = 1.774 + 6.294 reads 8.07 = 1.77 + 6.29."""
    exact = [Decimal(each) for each in ("8.068", "1.774", "6.294")]
    assert rounding_said([[Placed(each, 2) for each in exact]]).endswith("in the last digit.")
    assert rounding_said([[Placed(each, 3) for each in exact], [None, exact[0], None]]) == ""


def test_a_days_row_that_is_off_as_it_is_shown_is_told() -> None:
    def section(*rows: tuple[str, str]) -> list[str]:
        days = [
            {"day": f"2026-06-0{n}", "requests": 1, "before_usd": before, "routed_usd": routed,
             "saving_usd": str(Decimal(before) - Decimal(routed))}
            for n, (before, routed) in enumerate(rows, 1)
        ]  # fmt: skip
        return [*by_day(good() | {"compared": good()["compared"] | {"by_day": days}}).said]

    assert len(section(("8.06", "1.77"))) == 1
    # To the cent the first row is off, and to three digits the second.
    assert len(section(("8.068", "1.774"), ("9.0686", "1.7742"))) == 2
