import math
from typing import Any

import pytest

from problems import BackrouteError
from reports import savings_table
from tests.reports.compared import with_compared
from tests.reports.samples import as_logged, good, nothing, rule


def of(row: dict[str, Any]) -> dict[str, Any]:
    return with_compared(good() | {"by_rule": [row]})


def test_rules_have_a_row_each_with_what_they_save() -> None:
    """analytics: 1,102.13 - 84.25 = 1,017.88 USD, 92.356% of 1,102.13."""
    table = savings_table(good(), by="rule").set_index("rule")
    assert list(table.columns) == ["model", "requests", "before_usd", "routed_usd", "saving_usd", "saving_pct"]
    assert table.loc["analytics", "saving_usd"] == 1017.88
    assert table.loc["analytics", "saving_pct"] == pytest.approx(92.356, abs=0.001)
    assert table["saving_usd"].sum() == pytest.approx(3041.31)


@pytest.mark.parametrize("by", ["model", "day"])
def test_models_and_days_are_those_of_the_headlines_own_comparison(by: str) -> None:
    table = savings_table(as_logged(), by=by)
    assert len(table) == len(as_logged()["compared"][f"by_{by}"])
    assert table["before_usd"].sum() == pytest.approx(11_960_000)
    assert table["routed_usd"].sum() == pytest.approx(11_300_000)


def test_unknown_money_is_not_a_number_rather_than_zero() -> None:
    (row,) = savings_table(of(rule("a", "b", 1, None, "1.5"))).to_dict("records")
    assert math.isnan(row["before_usd"])
    assert math.isnan(row["saving_usd"])
    assert row["routed_usd"] == 1.5


def test_a_saving_on_nothing_has_no_percentage() -> None:
    (row,) = savings_table(of(rule("a", "b", 1, "0", "1.5"))).to_dict("records")
    assert row["saving_usd"] == -1.5
    assert math.isnan(row["saving_pct"])


def test_an_empty_summary_gives_an_empty_table_with_its_columns() -> None:
    assert list(savings_table(nothing(), by="day").columns)[:2] == ["day", "requests"]


def test_an_unknown_breakdown_names_the_nearest() -> None:
    with pytest.raises(BackrouteError, match=r"by='rules'.*did you mean 'rule'"):
        savings_table(good(), by="rules")
