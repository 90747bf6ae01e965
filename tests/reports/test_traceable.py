"""No number on the page that is not in summary.json."""

import re
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

from pricing.formatting import Placed, percent, usd
from reports import html_report
from reports.words import printable
from tests.reports.samples import SAMPLES, STATEFUL, good

# Digits of the page's own words: "Per 30 days", "less than 95%" (CONTRACTS' headline), caches of "5 minutes" and
# "1 hour", a "mean of 7 days", quantiles of "95%" and "99%", a chance "over 99.9%" or "under 0.1%".
WORDS = {"30", "95%", "99%", "5", "1", "7", "99.9%", "0.1%"}
NUMBER = re.compile(r"-?\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?%?")


class Said(HTMLParser):
    """What a page says, to eyes and to ears: all but the style and the ticks of axes, which are no figures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[bool] = []
        self.parts: list[str] = []
        self.exact: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        hidden = tag == "style" or "matplotlib.axis" in (named.get("id") or "")
        if tag not in ("meta", "br"):
            self.stack.append(hidden or bool(self.stack and self.stack[-1]))
        self.parts.append(named.get("aria-label") or "")
        if tag == "data" and named["value"]:
            self.exact.append(named["value"])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content says nothing."""

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        if not (self.stack and self.stack[-1]):
            self.parts.append(data)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        yield len(value)
        for each in value:
            yield from leaves(each)
    else:
        yield value


def unknown_numbers(page: str, summary: dict[str, Any]) -> set[str]:
    """The numbers a page says that the summary does not hold in any of the ways it may be said."""
    known, names = set(WORDS), set()
    for leaf in leaves(summary):
        if isinstance(leaf, str) and re.fullmatch(r"-?\d+(\.\d+)?", leaf):
            known |= {usd(Decimal(leaf)), usd(abs(Decimal(leaf)))}
            for places in (0, *range(2, 13)):  # see `adding_up`
                known |= {usd(Placed(Decimal(leaf), places)), usd(Placed(abs(Decimal(leaf)), places))}
        elif isinstance(leaf, str):
            names |= {printable(leaf), printable(leaf)[:10]}
        elif isinstance(leaf, float):
            known |= {percent(leaf), percent(abs(leaf)), percent(100 * leaf), f"{100 * leaf:g}%"}
            known |= {f"{leaf:,.1f}", f"{leaf:,.0f}"}
        elif isinstance(leaf, int):
            known.add(f"{leaf:,}")
    text = " ".join(Said(page).parts)
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = text.replace(name, " ")
    # A name too long for a chart is cut in its middle.
    words = (word for word in text.split() if "…" not in word)
    return set(NUMBER.findall(" ".join(words))) - known - {"100%"}


@pytest.mark.parametrize("name", [*SAMPLES, "stateful"])
def test_every_number_on_the_page_is_in_the_summary(name: str) -> None:
    summary = good() | STATEFUL if name == "stateful" else SAMPLES[name]()
    page = html_report(summary)
    assert unknown_numbers(page, summary) == set()
    held = {leaf for leaf in leaves(summary) if isinstance(leaf, str)}
    exact = {Decimal(value) for value in Said(page).exact}
    assert exact <= {abs(Decimal(leaf)) for leaf in held if re.fullmatch(r"-?\d+(\.\d+)?", leaf)} | {
        Decimal(leaf) for leaf in held if re.fullmatch(r"-?\d+(\.\d+)?", leaf)
    }


def test_what_state_did_has_a_part_each_and_none_where_it_was_not_simulated() -> None:
    parts = ("Prompt caches", "Fallbacks", "Failed calls", "Guards", "Cascade", "Service tiers", "Latency")
    page = html_report(good() | STATEFUL)
    assert all(f"<h2>{part}</h2>" in page for part in parts)
    assert not any(f"<h2>{part}</h2>" in html_report(good()) for part in parts)


def test_a_number_of_the_pages_own_making_would_be_found() -> None:
    page = html_report(good()).replace("$3,041.31", "$3,041.32", 1).replace("98.7%", "98.8%", 1)
    assert unknown_numbers(page, good()) == {"$3,041.32", "98.8%"}
