"""The page to forward: one file with its charts inside, nothing fetched, light and dark, phone to print."""

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.figures import CHARTS, inline_svg
from reports.headline import headline
from reports.sections import Section, sections
from reports.sheets import alternative, said
from reports.summary import Summarised, Summary, summary_of
from reports.words import counted, period, printable, sentence

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def html_report(result: Summarised) -> str:
    """The report as one HTML page that loads nothing; all text of the summary is escaped.

    Raises:
        BackrouteError: `result` is no summary.
    """
    summary = summary_of(result)
    return page(
        "report.html.j2",
        answer=headline(summary),
        summary=summary,
        requests=counted(summary["log"]["rows"], "request"),
        period=period(summary["log"]["first"], summary["log"]["last"]),
        sections=[(section, drawn(section, summary)) for section in sections(summary)],
    )


def page(template: str, **held: Any) -> str:
    """A template as one HTML page that loads nothing; all text it is given is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "said": said,
        "dollars": lambda cell: isinstance(cell, Decimal),
        "code": code,
        "sentence": sentence,
    }
    whole = environment.get_template(template).render(**held)
    # Escaping leaves control characters and bidi overrides, which could reorder what a reader sees.
    return "\n".join(printable(line) for line in whole.split("\n"))


def drawn(section: Section, summary: Summary) -> "Markup | None":
    """The chart of a section as SVG with its text alternative; None where it has none."""
    from markupsafe import Markup

    if section.chart is None:
        return None
    return Markup(inline_svg(CHARTS[section.chart], summary, alternative(section.tables[0])))


def code(text: str) -> "Markup":
    """A sentence whose `commands` stand in backticks, escaped, the commands set as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
