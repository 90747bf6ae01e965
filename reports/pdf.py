"""The page as a PDF, printed by the browser that is there: the same content and the same charts."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from problems import BackrouteError

ON_PATH = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "chrome",
    "msedge",
)
MAC = ("Google Chrome", "Chromium", "Microsoft Edge")
WINDOWS = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
SECONDS = 120


def browser() -> str | None:
    """A browser of the Chromium family on this machine, or None."""
    places: list[Path] = []
    if sys.platform == "darwin":
        places = [Path(f"/Applications/{name}.app/Contents/MacOS/{name}") for name in MAC]
    elif sys.platform == "win32":
        roots = [os.environ.get(name, "") for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")]
        places = [Path(root) / place for root in roots if root for place in WINDOWS]
    found = [str(place) for place in places if place.exists()]
    return next((path for name in ON_PATH if (path := shutil.which(name))), found[0] if found else None)


def write_pdf(page: Path, pdf: Path) -> Path:
    """Print a page to a PDF, A4.

    Raises:
        BackrouteError: no browser is there, or it could not print.
    """
    program = browser()
    fix = "Install Chromium, Chrome or Edge, or open report.html and print it"
    if program is None:
        raise BackrouteError(str(pdf), "no Chromium, Chrome or Edge to print it with", fix=fix)
    with tempfile.TemporaryDirectory(prefix="backroute-") as profile:
        flags = [
            "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-pdf-header-footer", f"--user-data-dir={profile}",
            f"--print-to-pdf={pdf.resolve()}",
        ]  # fmt: skip
        # Root may have no sandbox; the page is our own and runs no script.
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")
        pdf.unlink(missing_ok=True)
        try:
            ran = subprocess.run([program, *flags, page.resolve().as_uri()], capture_output=True, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BackrouteError(str(pdf), f"{program} could not print it ({error})", fix=fix) from error
    if ran.returncode or not pdf.exists():
        last = ran.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise BackrouteError(str(pdf), f"{program} could not print it ({' '.join(last)})", fix=fix)
    return pdf
