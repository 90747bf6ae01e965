"""Writes what follows from the code: docs/command-line.md, docs/python-api.md, and the names that readers of logs know.

Run it by `make docs`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import click

from backroute.cli import VERBS, cli
from workloads.formats.langfuse import spelled_by_database
from workloads.formats.looked_at import NAME

DOCS = Path(__file__).resolve().parent
HEAD = "<!-- Written by `make docs` from the code; edit the code instead. -->\n"
PACKAGES = ("workloads", "pricing", "router", "simulator", "quality", "reports")
CODES = """\
Data goes to stdout, prose to stderr. Exit codes: 0 done; 1 a gate failed; 2 usage or configuration; 3 data incomplete
beyond `--allow-incomplete`; 4 a provider failed or the spend cap was reached; 130 interrupted."""


def command_line() -> str:
    """docs/command-line.md: every verb with its arguments and options, as `--help` says them."""
    context = click.Context(cli, info_name="backroute")
    lines = [HEAD, "# The command line", "", CODES, "", "| verb | what it does |", "|---|---|"]
    lines += [f"| [`{name}`](#backroute-{name}) | {cell(said)} |" for name, said in VERBS.items()]
    for name in VERBS:
        command = cli.get_command(context, name)
        assert command is not None
        lines += verb(command, f"backroute {name}", context, 2)
    return "\n".join(lines) + "\n"


def verb(command: click.Command, name: str, parent: click.Context, level: int) -> list[str]:
    """One verb, and the verbs below it."""
    context = click.Context(command, parent=parent, info_name=name.rsplit(" ", 1)[-1])
    words = " ".join(command.collect_usage_pieces(context))
    lines = [
        "",
        f"{'#' * level} {name}",
        "",
        inspect.cleandoc(command.help or ""),
        "",
        "```",
        f"{name} {words}".strip(),
    ]
    example = (command.epilog or "").removeprefix("Example: ")
    lines += [*([f"# for example\n{example}"] if example else []), "```"]
    options = [record for each in command.params if (record := record_of(each, context))]
    if options:
        lines += ["", "| option | |", "|---|---|", *(f"| `{cell(names)}` | {cell(said)} |" for names, said in options)]
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            lines += verb(found, f"{name} {below}", context, level + 1)
    return lines


def record_of(parameter: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    """An option's names and words; None for arguments and `--help`."""
    if not isinstance(parameter, click.Option):
        return None
    record = parameter.get_help_record(context)
    return None if record is None else (record[0], " ".join(record[1].split()))


def cell(text: str) -> str:
    """Words in a table's cell."""
    return text.replace("|", "\\|")


def python_api() -> str:
    """docs/python-api.md: what each package exports, with its real signature and first line."""
    lines = [HEAD, "# The Python API", "", API, ""]
    lines += ["```python", inspect.cleandoc(NOTEBOOK), "```"]
    for package in PACKAGES:
        module = importlib.import_module(package)
        first = (module.__doc__ or "").strip().splitlines()[0]
        lines += ["", f"## {package}", "", first, ""]
        for name in module.__all__:
            lines += entry(name, getattr(module, name))
    return "\n".join(lines) + "\n"


API = """\
What each package exports; the imports are the architecture. pandas at the edges, Arrow inside. Results show themselves
in a notebook, and every chart takes an optional `ax` and returns it."""
NOTEBOOK = """
    from workloads import read_log
    from router import load_rules
    from pricing import PriceBook
    from simulator import Scenario, replay
    from reports import cost_chart, savings_table

    log = read_log("june.jsonl")
    book = PriceBook.load()
    base = Scenario.always("openai/gpt-4o", book)
    before, after = replay(log, base, Scenario("june rules", load_rules("rules.yaml"), book))
    savings_table(after, by="rule")
    cost_chart(after)
"""


def entry(name: str, found: Any) -> list[str]:
    """One export: its signature and first line; a class with its public methods."""
    if not callable(found):
        return [f"- `{name}`: a constant, `{type(found).__name__}`"]
    lines = [f"- `{name}{signature(found)}`: {first_line(found)}"]
    if inspect.isclass(found):
        for method, held in vars(found).items():
            below = held.__func__ if isinstance(held, classmethod | staticmethod) else held
            if not method.startswith("_") and inspect.isfunction(below):
                lines.append(f"  - `.{method}{signature(below)}`: {first_line(below)}")
    return lines


def signature(found: Any) -> str:
    """A signature without `self` and without the quotes of annotations."""
    try:
        said = str(inspect.signature(found))
    except (TypeError, ValueError):
        return ""
    said = re.sub(r"\((self|cls)(, )?", "(", said)
    return re.sub(r"<object object at 0x[0-9a-f]+>", "...", said.replace("'", ""))


def first_line(found: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(found) or "").strip().splitlines()[0] if inspect.getdoc(found) else ""


def names_looked_at() -> str:
    """workloads/formats/looked_at.txt: every word that `workloads` quotes, and as databases spell it."""
    code = (ast.parse(file.read_text("utf-8")) for file in (DOCS.parent / "workloads").rglob("*.py"))
    said = {node.value for tree in code for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    words = {word for word in said if isinstance(word, str) and NAME.fullmatch(word)}
    return "".join(f"{word}\n" for word in sorted(words | {spelled_by_database(word) for word in words}))


PAGES = {
    "command-line.md": command_line,
    "python-api.md": python_api,
    "../workloads/formats/looked_at.txt": names_looked_at,
}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
        print((DOCS / page).resolve())
