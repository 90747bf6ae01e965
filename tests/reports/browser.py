"""A real browser for the tests: Chromium, headless, of the machine's own packages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Debian's and others' names for it; the last two answer on macOS and Windows where they are on the path.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
HOW = "no Chromium here; install it with: apt-get install chromium"
# Nothing that calls out, and no sandbox, which root may not have.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def chromium() -> str | None:
    """The path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def started() -> Iterator["Browser"]:
    """A browser that is closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


def screenshots(page: Path, folder: Path) -> list[Path]:
    """Pictures of a report as people meet it: light, dark, on a phone. For looking at, not for tests."""
    made = []
    with started() as browser:
        for name, width, scheme in (("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 360, "light")):
            tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
            tab.goto(page.resolve().as_uri())
            made.append(folder / f"{name}.png")
            tab.screenshot(path=made[-1], full_page=True)
            tab.close()
    return made
