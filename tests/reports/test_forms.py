"""The other forms of the report: Markdown, PDF, tables, FOCUS, and runs side by side."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pricing import PriceBook
from problems import BackrouteError
from reports import html_report
from reports.focus import MANDATORY
from reports.markdown import markdown_report
from reports.pdf import browser, write_pdf
from reports.side_by_side import best, comparison_chart, comparison_rows, comparison_table, doubts
from reports.summary import Summary
from reports.write import write_forms
from router import LLMRouter, RoutingRule, mentions
from simulator import Scenario, replay
from tests.reports.browser import HOW
from tests.reports.samples import SAMPLES, as_logged, good, loss
from tests.reports.test_traceable import NUMBER
from workloads import read_log

RULES = LLMRouter(
    [
        RoutingRule("code", mentions("code"), "anthropic", "claude-sonnet-4-5"),
        RoutingRule("default", None, "openai", "gpt-4o-mini"),
    ],
    name="two rules",
)


def call(number: int, model: str, **fields: Any) -> dict[str, Any]:
    return {
        "request_id": f"r{number}",
        "timestamp": f"2026-06-{28 + number % 2:02d}T12:00:00Z",
        "model": model,
        "prompt": f"code {number}" if number % 3 else f"talk {number}",
        "usage": {
            "prompt_tokens": 1000 + number,
            "completion_tokens": 101,
            "prompt_tokens_details": {"cached_tokens": 512},
        },
    } | fields


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Summary]]:
    """A replay's folder for each headline; one request at batch prices, one in front of a price step, one untimed."""
    book, made = PriceBook.load(), {}
    for headline, models in (("baseline", ["gpt-4o"]), ("as_logged", ["gpt-4o", "claude-sonnet-4-5", "o3-mini"])):
        rows = [call(n, models[n % len(models)]) for n in range(30)]
        rows += [call(30, "gpt-4o", service_tier="batch"), call(31, "gpt-4o", timestamp=None)]
        rows += [call(32, "claude-sonnet-4-5", usage={"prompt_tokens": 250_000, "completion_tokens": 9})]
        rows = rows if headline == "as_logged" else rows[:-1]
        folder = tmp_path_factory.mktemp(headline)
        base = Scenario.always("openai/gpt-4o", book)
        _, after = replay(read_log(rows), base, Scenario(RULES.name, RULES, book), out=folder)
        assert after.summary["headline"] == headline
        made[headline] = (folder, after.summary)
    return made


@pytest.mark.parametrize("name", SAMPLES)
def test_markdown_says_what_the_page_says_and_no_other_number(name: str) -> None:
    text = markdown_report(SAMPLES[name]())
    page = re.sub(r"<[^>]+>", " ", html_report(SAMPLES[name]()))
    assert set(NUMBER.findall(re.sub(r"^\d\. ", "", text, flags=re.MULTILINE).replace("\\", ""))) <= set(
        NUMBER.findall(page)
    ) | {"1", "2", "3"}


def test_text_of_a_log_is_no_markup_in_markdown() -> None:
    text = markdown_report(loss())
    assert "<script" not in text
    assert "&lt;script&gt;alert('x')&lt;/script&gt; &amp; \\[red\\]\\$a^2\\$" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(re.sub(r"\\\|", "", line).endswith("|") for line in tables)


@pytest.mark.skipif(browser() is None, reason=HOW)
def test_the_pdf_holds_the_page(tmp_path: Path) -> None:
    from pypdf import PdfReader

    files, notes = write_forms(good(), tmp_path, ["pdf"])
    assert (files, notes) == ([tmp_path / "report.pdf"], [])
    text = " ".join(sheet.extract_text() for sheet in PdfReader(files[0]).pages)
    for part in ("Routing would have saved 63.2%", "$3,041.31", "claude-sonnet-4-5", "How to get this page again"):
        assert part in text


def test_without_a_browser_a_pdf_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.pdf.browser", lambda: None)
    with pytest.raises(BackrouteError, match=r"no Chromium, Chrome or Edge.*open report\.html and print it"):
        write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")


@pytest.mark.parametrize("which", ["baseline", "as_logged"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_hold_the_headlines_figures_to_the_last_digit(
    folders: dict[str, tuple[Path, Summary]], which: str, kind: str
) -> None:
    folder, summary = folders[which]
    write_forms(summary, folder, [kind])

    def table(name: str) -> pd.DataFrame:
        path = folder / "tables" / f"{name}.{kind}"
        return pd.read_csv(path, dtype=str) if kind == "csv" else pd.read_parquet(path)

    for name in ("by-rule", "by-day"):
        assert sum(map(Decimal, table(name)["routed_usd"])) == Decimal(summary["compared"]["routed_usd"])
    rows = table("requests")
    assert len(rows) == summary["log"]["rows"]
    known = rows.dropna(subset=["routed_usd"])
    assert [Decimal(each) for each in known["routed_usd"]] == [
        Decimal(int(pico)).scaleb(-12) for pico in known["routed_usd_pico"]
    ]


@pytest.mark.parametrize("which", ["baseline", "as_logged"])
def test_focus_adds_up_to_the_report_and_keeps_to_the_specification(
    folders: dict[str, tuple[Path, Summary]], which: str
) -> None:
    """FOCUS 1.2: mandatory columns there and not null (ChargeClass is, for no correction); price x quantity = cost."""
    folder, summary = folders[which]
    files, notes = write_forms(summary, folder, ["focus"])
    assert notes == ["left out of focus-1.2/: 1 request without a time"]
    arms = {"baseline": "baseline", "as_logged": "logged"}
    requests = pq.read_table(folder / "decisions.parquet").to_pandas()
    for arm in (arms[which], "routed"):
        charges = pd.read_parquet(folder / "focus-1.2" / f"{arm}.parquet")
        untimed = int(requests.loc[requests["arrived_at"].isna(), f"{arm}_usd_pico"].iloc[0])
        side = "routed_usd" if arm == "routed" else "before_usd"
        assert charges["BilledCost"].sum() + Decimal(untimed).scaleb(-12) == Decimal(summary["compared"][side])
        assert set(MANDATORY) <= set(charges.columns)
        assert not charges[[name for name in MANDATORY if name != "ChargeClass"]].isna().any().any()
        assert set(charges["ChargeCategory"]) == {"Usage"}
        assert set(charges["PricingUnit"]) <= {"1000000 Tokens", "Requests"}
        for row in charges.to_dict("records"):
            assert abs(row["ListUnitPrice"] * row["PricingQuantity"] - row["ListCost"]) < Decimal("1e-9")
            assert row["BillingPeriodStart"] == "2026-06-01T00:00:00Z"
            assert row["BillingPeriodEnd"] == "2026-07-01T00:00:00Z"
            assert row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        assert "Requests" in set(pd.read_parquet(folder / "focus-1.2" / f"{arms[which]}.parquet")["PricingUnit"])
    assert len(files) == 4


def test_what_a_plain_price_gives_is_charged_by_the_token(folders: dict[str, tuple[Path, Summary]]) -> None:
    folder, summary = folders["baseline"]
    write_forms(summary, folder, ["focus"])
    charges = pd.read_csv(folder / "focus-1.2" / "baseline.csv")
    tokens = charges[charges["PricingUnit"] == "1000000 Tokens"]
    assert set(tokens["SkuMeter"]) == {"input", "input read from cache", "output"}
    assert set(tokens["ListUnitPrice"]) == {2.5, 1.25, 10.0}


def test_runs_stand_side_by_side_in_their_headlines_own_comparison() -> None:
    rows = comparison_rows({"a": good(), "b": as_logged()})
    assert [(row["run"], row["before_usd"]) for row in rows] == [("a", "4812.330000000000"), ("b", "11960000.00")]
    assert comparison_table({"a": good()})["saving_usd"].tolist() == [3041.31]


def test_runs_that_do_not_compare_say_why_and_none_is_best() -> None:
    other = good() | {"manifest": good()["manifest"] | {"digests": {"log": "sha256:other"}}}
    assert doubts({"a": good(), "b": good()}) == []
    assert "they replay different logs" in doubts({"a": good(), "b": other})
    assert best({"a": good(), "b": other}) is None
    stateful = good() | {"retries": {}}
    assert doubts({"a": good(), "b": stateful}) == ["they simulate different state (caches, guards, retries ...)"]
    cheaper = good() | {"compared": good()["compared"] | {"routed_usd": "1"}}
    assert best({"a": good(), "b": cheaper}) == "b"


def test_runs_are_drawn_with_their_intervals() -> None:
    from matplotlib.figure import Figure

    ax = comparison_chart({"a": good(), "b": as_logged()}, Figure(figsize=(8, 4)).add_subplot())
    said = [text.get_text() for text in ax.texts]
    assert "$1,771 with routing" in said
    assert "b → rules.yaml" in said
