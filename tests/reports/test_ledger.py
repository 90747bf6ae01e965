from reports.ledger import notes
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
