import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from pricing.formatting import usd
from reports import html_report
from reports.headline import headline
from reports.words import printable, sentence
from tests.reports.samples import HOSTILE_RULE, SAMPLES, as_logged, large, loss, savings

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order; ids are unlike; and notes what it points to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append((tag, named))
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name.split(":")[-1] in ("src", "href") and value]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: html_report(sample()) for name, sample in SAMPLES.items()}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_page_is_whole_and_its_ids_unlike(pages: dict[str, str], name: str) -> None:
    assert pages[name].startswith("<!doctype html>")
    page = Page(pages[name])
    assert len(page.ids) == len(set(page.ids))
    pointed = {link[1:] for link in page.links} | set(re.findall(r"url\(#([^)]+)\)", pages[name]))
    assert pointed <= set(page.ids)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_fetches_nothing_and_runs_nothing(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    assert all(link.startswith("#") for link in page.links)
    assert "@import" not in pages[name]
    assert not re.search(r"url\((?!#)", pages[name])
    assert not {"script", "img", "iframe", "link", "object"} & {tag for tag, _ in page.tags}
    assert "default-src 'none'" in pages[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_is_well_under_two_megabytes(pages: dict[str, str], name: str) -> None:
    assert len(pages[name].encode()) < 500_000


@pytest.mark.parametrize("name", SAMPLES)
def test_headings_are_in_order(pages: dict[str, str], name: str) -> None:
    levels = Page(pages[name]).headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_chart_has_a_role_a_text_and_a_table_behind_it(pages: dict[str, str]) -> None:
    page = Page(pages["good"])
    charts = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(charts) == 7
    assert all(attrs["role"] == "img" and len(attrs["aria-label"] or "") > 40 for attrs in charts)
    assert [tag for tag, _ in page.tags].count("details") == 7
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in page.tags if tag == "th")
    assert [tag for tag, _ in page.tags].count("caption") == [tag for tag, _ in page.tags].count("table")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_first_screen_holds_the_whole_answer(pages: dict[str, str], name: str) -> None:
    first = unescape(re.sub(r"<[^>]+>", " ", pages[name].split('class="parts"')[0].split("<body>")[1]))
    said = headline(SAMPLES[name]())
    parts = [said.verdict, said.saving.note, said.interval, sentence(said.quality), said.coverage, said.hypothetical]
    parts += [printable(said.raises)]
    parts += [usd(figure.money) for figure in (*said.figures, said.saving)]
    for part in (*parts, *said.rests_on):
        assert part in first


def test_figures_keep_their_exact_value_in_the_markup(pages: dict[str, str]) -> None:
    assert '<data value="4812.330000000000">$4,812.33</data>' in pages["good"]


def test_text_of_the_log_cannot_harm_the_page() -> None:
    page = html_report(
        loss()
        | {
            "routed": {"name": HOSTILE_RULE, "usd": "1"},
            "prices": [
                {"model": HOSTILE_RULE, "bucket": HOSTILE_RULE, "usd_per_mtok": "1", "effective_from": None,
                 "source": '"><img src=x onerror=alert(1)>'}
            ],
            "sensitivity": [{"source": HOSTILE_RULE, "low_pct": 1, "high_pct": 2}],
            "savings": savings("-1", -1.0, -2.0, 0.0, 0.1) | {"interval_includes": [HOSTILE_RULE]},
        }
    )  # fmt: skip
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert not set(page) & set("\u202e\x07\ud800")
    Page(page)


def test_the_page_says_where_the_baseline_is_hypothetical(pages: dict[str, str]) -> None:
    assert 'class="notice">Hypothetical: with always openai/gpt-4o' in pages["as_logged"]
    assert "Baseline, hypothetical" in pages["as_logged"]
    assert "invoice will show it" in pages["as_logged"]
    assert "ypothetical" not in pages["good"]
    assert as_logged()["headline"] == "as_logged"


def test_rows_that_a_chart_folds_are_all_in_the_table_behind_it(pages: dict[str, str]) -> None:
    for row in large()["by_model"]:
        assert f'<th scope="row">{row["model"]}</th>' in pages["large"]
    for row in large()["by_day"]:
        assert f'<th scope="row">{row["day"]}</th>' in pages["large"]


def test_charts_take_their_colours_from_the_page_so_that_dark_mode_reads(pages: dict[str, str]) -> None:
    charts = "".join(re.findall(r"<svg.*?</svg>", pages["good"], flags=re.DOTALL))
    assert "var(--ink)" in charts
    assert not re.findall(r"(?:fill|stroke): #(?!000000)\w{6}", charts)


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio, 1-21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_stands_out_at_four_and_a_half_to_one_and_bars_at_three_in_light_and_dark(pages: dict[str, str]) -> None:
    themes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", pages["good"], re.DOTALL)
    ]
    assert len(themes) == 2
    for theme in themes:
        for text in ("ink", "muted", "warn"):
            assert contrast(theme[text], theme["page"]) >= 4.5
            assert contrast(theme[text], theme["card"]) >= 4.5
        for bar in ("logged", "baseline", "routed", "saves", "adds"):
            assert contrast(theme[bar], theme["page"]) >= 3
