from decimal import Decimal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import BackrouteError
from reports.summary import Part, Summary, folded, rule_parts, summary_of, total
from tests.reports.samples import SAMPLES, good

parts = st.lists(
    st.builds(
        Part,
        label=st.text(max_size=5),
        requests=st.integers(0, 10**9),
        before=st.decimals(0, 10**9, places=12),
        after=st.decimals(0, 10**9, places=12),
    ),
    max_size=40,
)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_a_valid_summary(name: str, schema: Summary) -> None:
    jsonschema.validate(SAMPLES[name](), schema)


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


@given(parts, st.integers(1, 12))
def test_folding_loses_no_money_and_no_requests(everything: list[Part], keep: int) -> None:
    shown = folded(everything, keep)
    assert len(shown) <= keep + 1
    assert total(part.before for part in shown) == total(part.before for part in everything)
    assert total(part.after for part in shown) == total(part.after for part in everything)
    assert sum(part.requests for part in shown) == sum(part.requests for part in everything)


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    assert total([Decimal(1), None]) is None
    assert folded([Part("a", 1, None, None)] * 5, 1)[-1].before is None


def test_rules_come_with_most_money_first_and_without_a_name_they_say_so() -> None:
    assert [part.label.split(" → ")[0] for part in rule_parts(good())] == [
        "simple_chat",
        "analytics",
        "default",
        "code",
    ]
    nameless = {"rule": None, "model": None, "requests": 1, "baseline_usd": None, "routed_usd": "1"}
    (part,) = rule_parts(good() | {"by_rule": [nameless]})
    assert (part.label, part.saving) == ("(no rule) → (unknown model)", None)
