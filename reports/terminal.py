"""The savings report for a terminal, 80 columns wide."""

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pricing.formatting import aligned, usd
from reports.headline import Headline, headline
from reports.ledger import notes, rounding_note, waterfall_caption, waterfall_rows
from reports.sheets import arms
from reports.summary import Part, Summarised, Summary, rule_parts, summary_of, whole
from reports.words import counted, period, printable

WIDTH = 80
MOST_RULES = 12
MOST_NAME = 28


def terminal_report(result: Summarised) -> RenderableType:
    """The report as one rich renderable: the answer first, then spend by rule, the waterfall and what to know."""
    summary = summary_of(result)
    said = headline(summary)
    parts: list[RenderableType] = [answer(summary, said), Text()]
    if rules := rule_parts(summary):
        off = rounding_note(summary)
        parts += [rule_table(summary, rules), *([Text(off, "dim")] if off else []), Text()]
    parts += [waterfall_table(summary), Text(), notes_table(notes(summary))]
    return Group(*parts)


def print_report(result: Summarised, console: Console) -> None:
    """Print the report, never wider than 80 columns; into a file or a pipe without the blanks that fill a line."""
    report, width = terminal_report(result), min(console.width, WIDTH)
    if console.is_terminal:
        console.print(report, width=width)
        return
    with console.capture() as held:
        console.print(report, width=width)
    console.file.write("".join(f"{each.rstrip()}\n" for each in held.get().splitlines()))


def answer(summary: Summary, said: Headline) -> RenderableType:
    """What was spent, what it would have been, how sure that is, and what it rests on."""
    log = summary["log"]
    grid = pairs(max(len(figure.label) for figure in said.figures))
    for figure in said.figures:
        line(grid, figure.label, Text(usd(figure.money)).append(f"  {figure.note}" if figure.note else "", "dim"))
    worth = Text(", ".join(part for part in (usd(said.saving.money), said.saving.note) if part), "bold")
    line(grid, said.saving.label, worth)
    line(grid, "", said.interval)
    if said.beside:
        line(grid, "", said.beside)
    line(grid, "Coverage", said.coverage)
    if said.missing:
        line(grid, "Missing", Text(said.missing, "yellow"))
    if said.doubted:
        line(grid, "Counts in doubt", Text(said.doubted, "yellow"))
    line(grid, "Quality", Text(said.quality, "" if said.quality_checked else "yellow"))
    if said.caches:
        line(grid, "Prompt caches", Text(said.caches, "" if said.caches_known else "yellow"))
    if said.expected:
        line(grid, "Expected quality", said.expected)
    if said.raises:
        line(grid, "Raises the bill", Text(printable(said.raises), "yellow"))
    for at, assumption in enumerate(said.rests_on):
        line(grid, "Rests most on" if at == 0 else "", assumption)
    head = [Text(said.verdict, "bold"), Text(f"{counted(log['rows'], 'request')}, {period(log['first'], log['last'])}")]
    more = [Text(), Text(printable(said.hypothetical))] if said.hypothetical else []
    return Group(*head, Text(), grid, *more)


def rule_table(summary: Summary, rules: Sequence[Part]) -> Table:
    """Spend by rule and the model it chose, with its total."""
    table = Table(
        box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=False, title_justify="left", header_style="bold"
    )
    table.add_column("By rule", overflow="fold", ratio=1)
    for name in ("Requests", arms(summary)[0], "Routed", "Saving"):
        table.add_column(name, justify="right", no_wrap=True)
    everything = whole(summary)
    money = aligned([[part.before, part.after, part.saving] for part in (everything, *rules)])
    for part, row in zip(rules[:MOST_RULES], money[1:], strict=False):
        label = Text("\n  ".join(printable(part.label).split(" → ", 1)))
        table.add_row(label, *cells(part, row))
    if (left := len(rules) - MOST_RULES) > 0:
        table.add_row(Text(f"({counted(left, 'more row')} in summary.json)", "dim"))
    table.add_row(Text("total", "bold"), *cells(everything, money[0], "bold"))
    return table


def cells(part: Part, money: Sequence[Decimal | None], style: str = "") -> list[Text]:
    """A part's requests and money."""
    return [Text(each, style) for each in (f"{part.requests:,}", *map(usd, money))]


def waterfall_table(summary: Summary) -> Table:
    """Where the difference from the baseline comes from; the lines add up exactly."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(waterfall_caption(summary), overflow="fold")
    table.add_column("Saves", justify="right", no_wrap=True)
    *steps, last = waterfall_rows(summary)
    for step, saved in steps:
        table.add_row(Text(step), Text(usd(saved)))
    table.add_row(Text(last[0], "bold"), Text(usd(last[1]), "bold"))
    return table


def notes_table(said: Sequence[tuple[str, str]]) -> Group:
    """What was left out, set aside or counted otherwise."""
    grid = pairs(max(len(name) for name, _ in said))
    for name, text in said:
        line(grid, name, text)
    return Group(Text("Problems and coverage", "bold"), grid)


def pairs(widest: int) -> Table:
    """Two columns: a name, and what is said of it."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=min(widest, MOST_NAME), overflow="fold")
    grid.add_column(overflow="fold", ratio=1)
    return grid


def line(grid: Table, name: str, text: str | Text) -> None:
    """Add a line, in text that is never read as markup."""
    grid.add_row(Text(printable(name)), Text(printable(text)) if isinstance(text, str) else text)
