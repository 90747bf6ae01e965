"""The parts of the report below its first screen, in the order a reader asks: words, a chart, the tables behind it.

A part is a function from a summary to a `Section`, or to None where the summary has nothing of it. The page, the PDF
and the Markdown all draw the same list, so that a new part is written once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pricing.formatting import usd
from reports import sheets
from reports.headline import headline
from reports.ledger import notes, rounding_note, rounding_said
from reports.sheets import Sheet
from reports.state import STATE
from reports.summary import Summary, amount, before_words, raising
from reports.words import chance, counted, sentence


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report.

    `chart` names one of `reports.figures.CHARTS`, and `reading` says how to read it; its table stands folded behind it.
    The tables of a section without a chart stand open. `facts` are names and what is said of them. Where a page has
    room for two columns, a section with a chart takes one, unless its chart stands `beside` its words.
    """

    name: str
    heading: str
    said: Sequence[str]
    chart: str | None = None
    reading: str = ""
    tables: Sequence[Sheet] = ()
    facts: Sequence[tuple[str, str]] = ()
    beside: bool = False

    @property
    def wide(self) -> bool:
        """Whether it takes the whole width of a page."""
        return self.beside or self.chart is None


def spend(summary: Summary) -> Section:
    """All arms side by side."""
    said = "What the requests cost as they were, and what they would have cost with routing"
    said += ", beside the baseline that everything is compared with." if summary["headline"] == "baseline" else "."
    hypothetical = (
        ["The baseline is hypothetical here: most of the money went to other models, so no invoice will show it."]
        if summary["headline"] == "as_logged"
        else []
    )
    return Section(
        "spend",
        "Spend before and after",
        [said, *hypothetical],
        "spend",
        "The line across the last bar is the interval.",
        [sheets.spend_sheet(summary)],
    )


def by_rule(summary: Summary) -> Section:
    """Spend by rule and model."""
    said = (
        "Rules are tried in order, and the first that fits sends the request to its model: what the requests each rule "
        f"caught cost {before_words(summary)}, and with routing."
    )
    off = rounding_note(summary)
    shown = [sheets.rule_sheet(summary)]
    return Section("by-rule", "Spend by rule and model", [said, *([off] if off else [])], "by-rule", "", shown)


def saving(summary: Summary) -> Section:
    """Where the saving comes from and where routing loses money."""
    losing = raising(summary)
    said = f"Routing loses money here: {headline(summary).raises}." if losing else "No rule raises the bill."
    reading = "Bars to the left of zero are rules that cost more than they save." if losing else ""
    return Section(
        "saving",
        "Where the saving comes from, and where it is lost",
        [said],
        "saving",
        reading,
        [sheets.saving_sheet(summary)],
    )


def by_model(summary: Summary) -> Section:
    """Spend by model."""
    said = f"Where the money goes: {before_words(summary)}, and with routing."
    return Section("by-model", "Spend by model", [said], "by-model", "", [sheets.model_sheet(summary)])


def waterfall(summary: Summary) -> Section:
    """The steps from the spend before to the routed one."""
    said = (
        f"The steps from the spend {before_words(summary)} to the routed one; they add up exactly. Models are billed "
        "by the token, a piece of a word, so a saving can come from fewer tokens or from cheaper ones."
    )
    return Section(
        "waterfall", "Where the difference comes from", [said], "waterfall", "", [sheets.waterfall_sheet(summary)]
    )


def by_day(summary: Summary) -> Section:
    """Spend over time, both arms."""
    said, shown = f"Spend a day {before_words(summary)}, and with routing.", sheets.day_sheet(summary)
    off = rounding_said(money_of(shown))
    return Section("by-day", "Spend over time", [said, *([off] if off else [])], "by-day", "", [shown])


def dearer(summary: Summary) -> Section:
    """The most expensive misrouted requests, with the rule that caught them."""
    found = summary["compared"]["dearer"]
    if not found["requests"]:
        said = ["No request that could be compared became dearer."]
    else:
        worth = f"{counted(found['requests'], 'request')} cost more with routing than {before_words(summary)}, "
        worth += f"{usd(amount(found['extra_usd']))} together. These cost most, each with the rule that caught it."
        said = [worth, "`backroute explain` shows one of them down to the arithmetic."]
    shown = [sheets.dearer_sheet(summary)] if found["costliest"] else []
    for sheet in shown:
        if off := rounding_said([after, before, extra] for before, after, extra in money_of(sheet)):
            said.append(off)
    return Section("dearer", "Requests that routing made dearer", said, tables=shown)


def money_of(sheet: Sheet) -> list[list[Decimal | None]]:
    """The cells of money, which end each row of a table of sums."""
    return [[cell if isinstance(cell, Decimal) else None for cell in row[-3:]] for row in sheet.rows]


def sensitivity(summary: Summary) -> Section:
    """The tornado, and what the interval takes in."""
    said = (
        "The range the saving would have if only one thing were uncertain. The widest is where a measurement would "
        "help most."
    )
    reading = "The line down is the saving itself."
    answer, shown = headline(summary), [sheets.sensitivity_sheet(summary)]
    words = [said]
    if answer.includes:
        words.append(
            f"The interval is the range in which the saving lies with {answer.level} confidence; it takes in "
            f"{', '.join(answer.includes)}."
        )
    if answer.chance != chance(None):
        words.append(f"The chance that routing is a saving at all: {answer.chance}.")
    return Section("sensitivity", "How sure this is", words, "sensitivity", reading, shown, beside=True)


def quality(summary: Summary) -> Section:
    """What live answers showed."""
    checked = summary["quality"]["checked"]
    said = [sentence(headline(summary).quality)]
    if not checked:
        said.append(
            "`backroute verify` asks a sample again, within a spending limit, and says where routing keeps quality, "
            "where it does not, and where there is not enough evidence."
        )
    else:
        said.append("Where there is not enough evidence, no saving is counted as verified.")
    worth = headline(summary).expected
    if worth and expected(summary) is None:
        said.append(f"Expected without asking, and never counted as verified: {worth}.")
    return Section(
        "quality",
        "Were the answers as good",
        said,
        "quality" if summary["quality"]["slices"] else None,
        "Each bar is the range in which the difference in quality lies; the line down is the margin, and as good means "
        "surely to the right of it.",
        [sheets.slice_sheet(summary)] if summary["quality"]["slices"] else [],
        beside=True,
    )


def expected(summary: Summary) -> Section | None:
    """The quality expected offline, apart from what was verified."""
    predicted, worth = summary["quality"].get("predicted"), headline(summary).expected
    if predicted is None or not worth or not any(each["low"] is not None for each in predicted["slices"]):
        return None
    known = any(each["low"] is not None and each["basis"] != "same model" for each in predicted["slices"])
    said = f"Without any call, from scores in the log and public outcomes: {worth}."
    about = "None of it counts as verified; chat and analytics have no public outcomes, and stay unknown."
    return Section(
        "expected",
        "Quality expected, not verified",
        [said, about],
        "quality-expected" if known else None,
        "The line down is the margin; as good means surely to the right of it." if known else "",
        [sheets.expected_sheet(summary)],
        beside=True,
    )


def assumptions(summary: Summary) -> Section:
    """What had to be assumed."""
    shown = sheets.assumption_sheet(summary)
    said = "What could not be read from the log and had to be assumed, most money first."
    return Section("assumptions", "Assumptions", [said], tables=[shown] if shown.rows else [])


def coverage(summary: Summary) -> Section:
    """What was left out, set aside or counted otherwise."""
    said = "Only requests that can be priced and served in every arm are compared; all figures speak of the same ones."
    return Section("coverage", "Coverage and problems", [said], facts=notes(summary))


def prices(summary: Summary) -> Section | None:
    """The price table used, with dates and sources."""
    shown = sheets.price_sheet(summary)
    if not shown.rows:
        return None
    said = "List prices in US dollars per million tokens, with the day each came into force and where it is from."
    return Section("prices", "Prices used", [said], tables=[shown])


def manifest(summary: Summary) -> Section:
    """What reproduces the page."""
    said = "The same log, rules, prices and versions give the same figures to the last digit."
    return Section("manifest", "How to get this page again", [said], tables=[sheets.manifest_sheet(summary)])


def of_state(name: str, heading: str, said: str, facts: Any, tables: Any) -> Callable[[Summary], Section | None]:
    """A part that is there where its state was simulated; see `reports.state.STATE`."""

    def part(summary: Summary) -> Section | None:
        if not summary.get(name):
            return None
        held = tables(summary) if tables else ()
        return Section(name, heading, [said], tables=held, facts=facts(summary) if facts else ())

    return part


PARTS: tuple[Callable[[Summary], Section | None], ...] = (
    spend,
    by_rule,
    saving,
    waterfall,
    dearer,
    by_day,
    by_model,
    *(of_state(*part) for part in STATE),
    sensitivity,
    quality,
    expected,
    assumptions,
    coverage,
    prices,
    manifest,
)


def sections(summary: Summary) -> list[Section]:
    """Every part that this summary has something of."""
    return [section for part in PARTS if (section := part(summary)) is not None]
