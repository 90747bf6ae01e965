from decimal import Decimal

import jsonschema
import pytest

from problems import BackrouteError
from reports.summary import Summary, moving, raising, rule_parts, summary_of, whole
from tests.reports.samples import SAMPLES, STATEFUL, good


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_a_valid_summary(name: str, schema: Summary) -> None:
    jsonschema.validate(SAMPLES[name](), schema)


def test_the_sample_of_state_is_what_a_replay_adds(schema: Summary) -> None:
    jsonschema.validate(good() | STATEFUL, schema)


def test_a_result_is_read_through_its_summary() -> None:
    class Result:
        summary = good()

    assert summary_of(Result()) == good()


@pytest.mark.parametrize("wrong", [{}, {"schema": 2}, {"schema": "1"}])
def test_a_summary_of_another_schema_is_refused(wrong: Summary) -> None:
    with pytest.raises(BackrouteError, match=r"summary\.json: unknown schema .*reads schema 1"):
        summary_of(wrong)


def test_what_is_no_summary_is_refused() -> None:
    with pytest.raises(BackrouteError, match=r"no replay summary \(list\)"):
        summary_of([])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "nothing"])
def test_the_parts_of_a_sample_add_up_to_its_whole(name: str) -> None:
    summary = SAMPLES[name]()
    assert sum((part.saving or 0 for part in rule_parts(summary)), Decimal(0)) == whole(summary).saving


def test_the_rules_that_raise_the_bill_come_worst_first() -> None:
    """code: 700.00 - 805.00 = -105.00 USD."""
    assert [(part.label, part.saving) for part in raising(good())] == [
        ("code → anthropic/claude-sonnet-4-5", Decimal("-105"))
    ]
    assert [part.label.split(" → ")[0] for part in moving(good())] == ["simple_chat", "analytics", "code"]


def test_rules_come_with_most_money_first_and_without_a_name_they_say_so() -> None:
    assert [part.label.split(" → ")[0] for part in rule_parts(good())] == [
        "simple_chat",
        "analytics",
        "default",
        "code",
    ]
    nameless = {"rule": None, "model": None, "requests": 1, "before_usd": None, "routed_usd": "1"}
    (part,) = rule_parts({"compared": {"by_rule": [nameless]}})
    assert (part.label, part.saving) == ("(no rule) → (unknown model)", None)
