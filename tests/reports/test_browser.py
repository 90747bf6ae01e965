"""The report opened in a real browser: silent, alone, whole, readable and printable."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports import html_report
from reports.words import printable
from tests.reports.browser import HOW, chromium, started
from tests.reports.samples import SAMPLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason=HOW),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of the driver's own pipes
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SHOWN = ("good", "as_logged", "loss", "large")
PHONE, DESK = 360, 1280


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    for name in SHOWN:
        (made / f"{name}.html").write_text(html_report(SAMPLES[name]()), encoding="utf-8")
    return made


def opened(browser: "Browser", folder: Path, name: str, width: int = DESK, **options: Any) -> "Page":
    """A report in a tab; the tab keeps what it logged and what it asked for."""
    tab = browser.new_page(viewport={"width": width, "height": 800}, **options)
    tab.goto((folder / f"{name}.html").as_uri())
    return tab


@pytest.mark.parametrize("name", SHOWN)
def test_the_page_logs_no_error_and_asks_for_nothing(browser: "Browser", folder: Path, name: str) -> None:
    tab = browser.new_page()
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto((folder / f"{name}.html").as_uri())
    tab.wait_for_load_state("networkidle")
    tab.close()
    assert said == []
    assert asked == [(folder / f"{name}.html").as_uri()]


OVERFLOWING = """() => {
  const wide = document.documentElement.clientWidth;
  const out = [...document.body.querySelectorAll('*')].filter(each => {
    if (each.closest('.scroll') && !each.classList.contains('scroll')) return false;
    const box = each.getBoundingClientRect();
    return box.width && (box.right > wide + 1 || box.left < -1);
  }).map(each => each.tagName + ' ' + (each.textContent || '').trim().slice(0, 40));
  return {page: document.documentElement.scrollWidth - wide, out};
}"""


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("name", SHOWN)
def test_nothing_leaves_the_screen_of_a_phone_or_a_desk(
    browser: "Browser", folder: Path, name: str, width: int
) -> None:
    tab = opened(browser, folder, name, width)
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = tab.evaluate(OVERFLOWING)
    tab.close()
    assert found == {"page": 0, "out": []}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier_is_found_by_axe(browser: "Browser", folder: Path, scheme: str) -> None:
    """axe-core 4, every rule it has; impact serious or critical fails, and so does any lesser one on this page."""
    from axe_playwright_python.sync_playwright import Axe

    for name in ("good", "loss"):
        tab = opened(browser, folder, name, color_scheme=scheme)
        tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        # The page's own policy forbids scripts; the checker comes in from outside it.
        found = Axe().run(tab).response["violations"]
        tab.close()
        assert [(each["id"], each["impact"], each["nodes"][0]["html"][:120]) for each in found] == []


CHART_TEXTS = """() => [...document.querySelectorAll('figure svg')].map(svg =>
  [...svg.querySelectorAll('text')].map(text => text.textContent.trim()).filter(text => text))"""


@pytest.mark.parametrize("name", ["good", "loss"])
def test_printed_on_a4_every_chart_stays_on_one_sheet(
    browser: "Browser", folder: Path, tmp_path: Path, name: str
) -> None:
    """Every word of a chart is found on one and the same sheet."""
    from pypdf import PdfReader

    tab = opened(browser, folder, name)
    charts = tab.evaluate(CHART_TEXTS)
    tab.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    tab.close()
    sheets = PdfReader(tmp_path / "page.pdf").pages
    width, height = (float(side) / 72 * 25.4 for side in sheets[0].mediabox.upper_right)
    assert (round(width), round(height)) == (210, 297)
    texts = [squeezed(sheet.extract_text()) for sheet in sheets]
    assert len(charts) >= 7
    for chart in charts:
        words = [squeezed(text) for text in chart if text.isascii()]
        assert len(words) > 3
        assert any(all(word in text for word in words) for text in texts), chart


def squeezed(text: str) -> str:
    """Without the spaces, which a PDF does not keep, nor its ligatures."""
    return "".join(unicodedata.normalize("NFKC", printable(text)).split())


def test_a_dark_room_gets_a_dark_page(browser: "Browser", folder: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        tab = opened(browser, folder, "good", color_scheme=scheme)
        colours.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        tab.close()
    assert colours == ["rgb(255, 255, 255)", "rgb(20, 24, 29)"]
