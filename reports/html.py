"""The page to forward: one file with its charts inside, nothing fetched, light and dark, phone to print."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from reports import sheets
from reports.figures import CHARTS, inline_svg
from reports.headline import headline
from reports.ledger import notes
from reports.sheets import Sheet
from reports.summary import Summarised, Summary, before_arm, summary_of
from reports.words import counted, period, printable

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what to know in plain words, a chart as SVG, and the table behind it."""

    heading: str
    said: str
    svg: "Markup"
    sheet: Sheet


def html_report(result: Summarised) -> str:
    """The report as one HTML page that loads nothing; all text of the summary is escaped.

    Raises:
        BackrouteError: `result` is no summary.
    """
    import jinja2

    summary = summary_of(result)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"said": sheets.said, "dollars": lambda cell: isinstance(cell, Decimal)}
    page = environment.get_template("report.html.j2").render(
        answer=headline(summary),
        summary=summary,
        requests=counted(summary["log"]["rows"], "request"),
        period=period(summary["log"]["first"], summary["log"]["last"]),
        sections=sections(summary),
        notes=notes(summary),
        assumptions=sheets.assumption_sheet(summary),
        slices=sheets.slice_sheet(summary),
        prices=sheets.price_sheet(summary),
        manifest=sheets.manifest_sheet(summary),
    )
    # Escaping leaves control characters and bidi overrides, which could reorder what a reader sees.
    return "\n".join(printable(line) for line in page.split("\n"))


def sections(summary: Summary) -> list[Section]:
    """One section a chart, in the order a reader asks."""
    from markupsafe import Markup

    hypothetical = summary["headline"] == "as_logged"
    aside = " The baseline is hypothetical here: it is not what the log's requests ran on." if hypothetical else ""
    before = "as logged" if before_arm(summary) == "logged" else "with the baseline"
    made = {
        "spend": (
            "Spend before and after",
            "What the requests cost as they were, with the baseline, the set-up everything is compared with, and "
            "with routing. The line across the last bar is the interval." + aside,
            sheets.spend_sheet(summary),
        ),
        "by-rule": (
            "Spend by rule and model",
            "Each rule sends the requests it catches to a model of its choice. The bars compare the cost of those "
            "requests with the baseline and with routing." + aside,
            sheets.rule_sheet(summary),
        ),
        "by-model": (
            "Spend by model",
            f"Where the money goes: {before}, and with routing.",
            sheets.model_sheet(summary),
        ),
        "waterfall": (
            "Where the difference comes from",
            "The steps from the baseline's spend to the routed one; they add up exactly. Models are billed by the "
            "token, about three quarters of an English word, so a saving can come from fewer tokens or from cheaper "
            "ones." + aside,
            sheets.waterfall_sheet(summary),
        ),
        "by-day": (
            "Spend over time",
            f"Spend a day {before}, and with routing.",
            sheets.day_sheet(summary),
        ),
        "caught": (
            "What each rule caught",
            "Rules are tried in order, and the first that fits decides.",
            sheets.caught_sheet(summary),
        ),
        "sensitivity": (
            "How sure this is",
            "Each bar is the range the saving would have if only this one thing were uncertain. The longest bar is "
            "where a measurement would help most.",
            sheets.sensitivity_sheet(summary),
        ),
    }
    return [
        Section(heading, words, Markup(inline_svg(chart, summary, sheets.alternative(sheet))), sheet)
        for chart in CHARTS
        for heading, words, sheet in [made[chart.name]]
    ]
