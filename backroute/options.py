"""Options that several verbs share, and how they print."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 80  # of what is not a terminal
GAP = 2  # between two columns

# Texts and no Paths, which would make s3://bucket into s3:/bucket.
LOG = click.argument("log", nargs=-1, required=True, type=click.Path(allow_dash=True))
FORMAT = click.option(
    "--format", "shape", type=click.Choice(["table", "json", "csv"]), default="table", help="How to print. [table]"
)
PRICES = click.option(
    "--prices",
    "overlay",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Your own price file (YAML) over the bundled book; may be given again.",
)
AS_OF = click.option(
    "--prices-as-of", default="latest", metavar="latest|request|DATE", help="Whose day's prices. [latest]"
)
TIMEZONE = click.option("--timezone", default="UTC", help="What times without a zone mean. [UTC]")
LOG_FORMAT = click.option(
    "--log-format", default=None, help="chat, langfuse, otel ..., where recognising a record goes wrong: see the docs."
)
START = click.option(
    "--start", default=None, metavar="TIME", help="When a trace whose clock starts at 0 began: 2024-06-01T00:00Z."
)
MAPPING = click.option(
    "--mapping",
    default=None,
    type=click.Path(path_type=Path),
    help="A YAML file that says which column is which field, for any CSV, Parquet or JSON lines.",
)

INFER_SESSIONS = click.option(
    "--infer-sessions", is_flag=True, help="Where no session is logged, link calls whose messages continue each other."
)
RECOUNT = click.option(
    "--recount", is_flag=True, help="Count texts again where the logged counts cannot be true (reads the log twice)."
)
STATE = click.option(
    "--state",
    default=None,
    type=click.Path(path_type=Path),
    help="A YAML file, see docs/state.md: prompt caches (`cache: none` for none), budgets, limits, retries ...",
)
NO_CACHE = click.option(
    "--no-cache", is_flag=True, help="Keep nothing of LOG in a folder .backroute beside it, and remove what was kept."
)
INVOICE = click.option(
    "--invoice-usd", type=click.FloatRange(min=0, min_open=True), help="What the provider charged, to compare with."
)
MAX_DRIFT = click.option(
    "--max-drift-pct",
    type=click.FloatRange(min=0),
    help="Exit with 1 where the bill is further off than this many percent. [5 for --invoice-usd]",
)

OUTPUT_TOKENS = click.option(
    "--output-tokens",
    type=click.Choice(["fitted", "as_logged"]),
    default="fitted",
    help="Predict what another model would have answered, or copy the log's counts. [fitted]",
)
OUTCOMES = click.option(
    "--outcomes",
    default=None,
    type=click.Path(path_type=Path),
    help="What answers were worth: request_id, model, score, as CSV, JSON lines or Parquet; verify's pairs.parquet.",
)
PARAMETERS = click.option(
    "--param",
    "parameters",
    multiple=True,
    required=True,
    metavar="PATH=FROM:TO:STEP",
    help="A number of the rules to vary: simple_chat.length.below=100:400:50, or =0.4,0.6; may be given again.",
)


def console() -> Console:
    """Stdout as wide as the terminal, or 80 columns; colours only where a person looks."""
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, soft_wrap=False)


def emit(
    rows: Sequence[Mapping[str, Any]], shape: str, *, title: str = "", columns: Sequence[str] | None = None
) -> None:
    """Print rows as a table for people, or as JSON or CSV for programs."""
    names = list(columns or (rows[0] if rows else ()))
    if shape == "json":
        click.echo(json.dumps([dict(row) for row in rows], indent=2, default=str))
    elif shape == "csv":
        writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
        cells = [[_cell(row[name]) for name in names] for row in rows]
        screen = console()
        widths = _widths([name.replace("_", " ") for name in names], cells, screen.width)
        for at, name in enumerate(names):
            number = all(isinstance(row[name], int | float) and not isinstance(row[name], bool) for row in rows)
            justify: Literal["left", "right"] = "right" if rows and number else "left"
            table.add_column(name.replace("_", " "), justify=justify, overflow="fold", width=widths[at])
        for each in cells:
            table.add_row(*map(Text, each))
        screen.width = max(screen.width, sum(widths) + GAP * len(widths))
        with screen.capture() as held:
            screen.print(table)
        click.echo("\n".join(line.rstrip() for line in held.get().splitlines()))


def _widths(names: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int]:
    """Columns' widths: lines fold between words to fit, but figures and names stay whole, since a part misleads."""
    columns = [[line for cell in column for line in cell.split("\n")] for column in zip(names, *cells, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    least = [min(max(len(word) for line in column for word in line.split() or [""]), WIDTH // 2) for column in columns]
    over = sum(widths) + GAP * (len(widths) - 1) - room
    for at in sorted(range(len(widths)), key=lambda at: least[at] - widths[at]):
        less = max(0, min(over, widths[at] - least[at]))
        widths[at] -= less
        over -= less
    return widths


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
