"""The report as Markdown: what fits in a pull request, with the same words and tables as the page."""

import re
from collections.abc import Iterator

from pricing.formatting import usd
from reports.headline import Headline, headline
from reports.sections import Section, sections
from reports.sheets import Sheet, said
from reports.summary import Summarised, summary_of
from reports.words import counted, period, printable, sentence

MOST_OPEN = 12  # rows of a table that stands open; a longer one is folded


def markdown_report(result: Summarised) -> str:
    """The report as GitHub-flavoured Markdown, without charts; long tables are folded.

    Raises:
        BackrouteError: `result` is no summary.
    """
    summary = summary_of(result)
    said_first, log = headline(summary), summary["log"]
    lines = [f"# {plain(said_first.verdict)}", ""]
    lines += [
        f"{counted(log['rows'], 'request')}, {period(log['first'], log['last'])}. "
        f"Rules: {plain(summary['routed']['name'])}.",
        "",
        *answer(said_first),
    ]
    for section in sections(summary):
        lines += ["", *part(section)]
    return "\n".join(lines) + "\n"


def answer(first: Headline) -> Iterator[str]:
    """The first screen."""
    yield "| | |"
    yield "|---|---|"
    for figure in first.figures:
        yield row([figure.label, f"{usd(figure.money)} {figure.note}".strip()])
    worth = ", ".join(each for each in (usd(first.saving.money), first.saving.note, first.interval) if each)
    yield row([f"**{first.saving.label}**", plain(worth)], marked=True)
    for name, text in [
        ("Coverage", first.coverage),
        ("Missing", first.missing and sentence(first.missing)),
        ("Counts in doubt", first.doubted and sentence(first.doubted)),
        ("Quality", sentence(first.quality)),
        ("Raises the bill", first.raises),
        ("As logged", first.beside),
        ("Prompt caches", first.caches and sentence(first.caches)),
        ("Note", first.hypothetical),
    ]:
        if text:
            yield row([name, text])
    if first.rests_on:
        yield ""
        yield "The saving rests most on:"
        yield ""
        yield from (f"{at}. {plain(each)}" for at, each in enumerate(first.rests_on, start=1))


def part(section: Section) -> Iterator[str]:
    """One section: heading, words, facts and tables."""
    yield f"## {section.heading}"
    for each in section.said:
        yield ""
        yield plain(each)
    if section.facts:
        yield from ("", "| | |", "|---|---|")
        yield from (row([name, sentence(text)]) for name, text in section.facts)
    for sheet in section.tables:
        if sheet.rows:
            yield from ("", *table(sheet))


def table(sheet: Sheet) -> list[str]:
    """A table; folded under its caption where it is long."""
    last = sheet.rows[-1]
    rule = "|".join("---" if isinstance(cell, str) else "---:" for cell in last)
    lines = [row(list(sheet.columns)), f"|{rule}|", *(row([said(cell) for cell in each]) for each in sheet.rows)]
    if len(sheet.rows) <= MOST_OPEN:
        return lines
    return [f"<details><summary>{plain(sheet.caption)}</summary>", "", *lines, "", "</details>"]


def row(cells: list[str], *, marked: bool = False) -> str:
    """A row of a table; `marked` cells hold Markdown of our own."""
    return "| " + " | ".join(cell if marked else plain(cell) for cell in cells) + " |"


def plain(text: str) -> str:
    """Text of a log that no Markdown reader takes for markup; `commands` in backticks stay."""
    safe = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\*_\[\]|#~!$])", r"\\\1", safe)
