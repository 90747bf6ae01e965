"""The docs are true: their commands run, the pages made from the code are up to date, and links lead somewhere."""

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from backroute.cli import VERBS
from tests.command_line import backroute

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
# What a test cannot run: it installs, opens a browser tab for ever, or spends money.
NOT_RUN = ("make ", ".venv/bin/pip ", ".venv/bin/jupyter ", "backroute verify", "backroute calibrate")


def fenced(page: Path, kind: str = "") -> list[str]:
    """The code blocks of a page in one language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [block for language, block in blocks if language == kind]


def commands(page: Path) -> list[str]:
    """The command lines of a page, in order, without comments."""
    lines = (line.split("  #")[0].split(" # ")[0].strip() for block in fenced(page) for line in block.splitlines())
    return [line.removeprefix(".venv/bin/") for line in lines if re.match(r"(\.venv/bin/)?(backroute|make) ", line)]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["command-line.md", "python-api.md", "../workloads/formats/looked_at.txt"])
def test_pages_made_from_the_code_are_up_to_date(generator: ModuleType, page: str) -> None:
    assert (DOCS / page).read_text("utf-8") == generator.PAGES[page](), "run: make docs"


def test_every_verb_has_its_part_of_the_page_and_an_example() -> None:
    text = (DOCS / "command-line.md").read_text("utf-8")
    for verb in VERBS:
        part = text.split(f"## backroute {verb}\n")[1].split("\n## ")[0]
        assert f"\nbackroute {verb}" in part
        assert "# for example" in part


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://)([^)#\s]+)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link


def run(line: str) -> None:
    if not any(line.startswith(each) for each in NOT_RUN):
        said = backroute(*shlex.split(line)[1:])
        assert said.exit_code == 0, f"{line}\n{said.stdout[-2000:]}{said.stderr}"


@pytest.mark.slow
def test_the_commands_of_the_readme_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reports.pdf import browser

    monkeypatch.chdir(tmp_path)
    assert backroute("synth", "case-60-25-15", "-n", "200", "-o", "my.jsonl").exit_code == 0
    (rules,) = fenced(ROOT / "README.md", "yaml")
    Path("rules.yaml").write_text(rules, "utf-8")
    Path("claim.yaml").write_text((ROOT / "simulator" / "claims" / "case.yaml").read_text("utf-8"), "utf-8")
    lines = commands(ROOT / "README.md")
    assert len(lines) > 10
    first = json.loads(Path("my.jsonl").read_text("utf-8").splitlines()[0])["request_id"]
    for line in lines:
        if "--to pdf" in line and browser() is None:
            continue
        run(line.replace("REQUEST_ID", first))
    assert {path.name for path in Path("out").iterdir()} >= {"report.html", "report.md", "tables", "focus-1.2"}


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    assert backroute("synth", "case-60-25-15", "-n", "100", "-o", "my.jsonl").exit_code == 0
    Path("rules.yaml").write_text(fenced(ROOT / "README.md", "yaml")[0], "utf-8")
    (code,) = fenced(ROOT / "README.md", "python")
    held: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), held)
    plt.close("all")
    assert len(held["after"].requests()) == 100  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "tutorial.md"
    (rules,) = fenced(page, "yaml")
    Path("rules.yaml").write_text(rules, "utf-8")
    without = re.sub(r"  - name: code\n.*?(?=  - name)", "", rules, flags=re.DOTALL)
    assert without != rules
    Path("better.yaml").write_text(without, "utf-8")
    for line in commands(page):
        run(line)
    raised = (Path("out") / "report.html").read_text("utf-8")
    assert "Raises the bill" in raised, "as the tutorial says"
