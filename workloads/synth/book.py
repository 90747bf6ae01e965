"""A prompt book: the themes that conversations of one class are about, read from YAML and checked."""

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from workloads.synth.fields import Fields, load_yaml
from workloads.synth.fill import Option, Slots, Talk, Template
from workloads.synth.tables import SEPARATORS, Cell, Table, choice, days, number, running, sequence

BOOKS = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call: its definition as sent, and templates of one call's arguments and answer."""

    definition: dict[str, Any]
    arguments: Template
    result: Template


@dataclass(frozen=True, slots=True)
class Theme:
    """One kind of conversation: what people open with, what they say next, what they were answered."""

    name: str
    openers: list[Option]  # what is said, and its answer; without one, `answers` serve
    follow_ups: list[Option]
    answers: list[Template]
    json: bool
    plain: bool  # said as written: no greeting, no typing slips
    image: Template | None
    tools: list[Tool]


@dataclass(frozen=True, slots=True)
class Manner:
    """How people write: shares between 0 and 1, and the words around a request."""

    opening_rate: float
    openings: list[Template]
    closing_rate: float
    closings: list[Template]
    lower_rate: float
    typo_rate: float

    def say(self, text: str, talk: Talk, first: bool) -> str:
        """The text as somebody in a hurry, or somebody polite, would type it; what they paste stays as it is."""
        random = talk.random
        line, gap, pasted = text.partition("\n\n")
        if "\n" in line:  # it begins with the paste
            return text
        if first and random() < self.opening_rate:
            opening = talk.one(self.openings)
            goes_on = not opening.endswith((". ", "? ", "! ")) and line[1:2].islower()
            line = opening + (line[0].lower() + line[1:] if goes_on else line)
        if first and not gap and random() < self.closing_rate:
            closing = talk.one(self.closings)
            line += ("." if closing[1:2].isupper() and line[-1] not in ".?!" else "") + closing
        if random() < self.lower_rate:
            line = line.lower()
        if random() < self.typo_rate and len(line) > 12:
            at = 4 + int(random() * (len(line) - 8))
            if line[at : at + 2].isalpha():
                line = line[:at] + line[at + 1] + line[at] + line[at + 2 :]
        return line + gap + pasted


@dataclass(frozen=True, slots=True)
class Book:
    """The themes of one class of requests, drawn by weight."""

    themes: list[Theme]
    cumulative: list[float]
    manner: Manner

    def theme(self, random: float) -> Theme:
        """The theme at a random number between 0 and 1."""
        return self.themes[bisect(self.cumulative, random * self.cumulative[-1])]


def load_book(name: str, beside: Path | None = None) -> Book:
    """Read a bundled book by name, or a YAML file (relative to `beside`, the mix's folder).

    Raises:
        BackrouteError: no such book, an unknown key or slot, or a value of the wrong kind.
    """
    path = BOOKS / f"{name}.yaml"
    if name.endswith((".yaml", ".yml")):
        path = (beside or Path()) / name
    known = sorted(file.stem for file in BOOKS.glob("*.yaml") if file.stem != "traces")
    raw = Fields(str(name), load_yaml(path, "prompt book", name, known))
    tables = {key: _table(table) for key, table in raw.mappings("tables").items()}
    lists = raw.fields("slots")
    slots = Slots(name, {key: lists.options(key) for key in lists.raw}, tables)
    tools = {key: _tool(tool, slots) for key, tool in raw.mappings("tools").items()}
    themes, weights = [], []
    for key, theme in raw.mappings("themes").items():
        themes.append(_theme(key, theme, slots, tools))
        weights.append(theme.number("weight", 1.0, above=0))
        theme.done()
    manner = _manner(raw.fields("manner"), slots)
    if not themes:
        raise raw.wrong("themes", None, "a mapping of at least one theme")
    raw.done()
    return Book(themes, list(accumulate(weights)), manner)


def _theme(name: str, raw: Fields, slots: Slots, tools: Mapping[str, Tool]) -> Theme:
    def pairs(key: str) -> list[Option]:
        place = f"{raw.where}.{key}"
        return [(slots.compile(say, place), slots.compile(then, place)) for say, then in raw.options(key)]

    image = raw.text("image", "")
    return Theme(
        name=name,
        openers=pairs("openers"),
        follow_ups=pairs("follow_ups"),
        answers=[slots.compile(text, f"{raw.where}.answers") for text in raw.texts("answers")],
        json=raw.flag("json"),
        plain=raw.flag("plain"),
        image=slots.compile(image, f"{raw.where}.image") if image else None,
        tools=[tools[raw.known(tool, tools, "tools")] for tool in raw.texts("tools", [])],
    )


def _manner(raw: Fields, slots: Slots) -> Manner:
    def compiled(key: str) -> list[Template]:
        return [slots.compile(text, f"manner.{key}") for text in raw.texts(key, [""])]

    manner = Manner(
        opening_rate=raw.share("opening_rate"),
        openings=compiled("openings"),
        closing_rate=raw.share("closing_rate"),
        closings=compiled("closings"),
        lower_rate=raw.share("lower_rate"),
        typo_rate=raw.share("typo_rate"),
    )
    raw.done()
    return manner


def _tool(raw: Fields, slots: Slots) -> Tool:
    name = raw.where.rpartition(".")[2]
    parameters = {key: {"type": "string", "description": said} for key, said in raw.fields("parameters").raw.items()}
    function = {
        "name": name,
        "description": raw.text("description"),
        "parameters": {"type": "object", "properties": parameters, "required": list(parameters)},
    }
    tool = Tool(
        definition={"type": "function", "function": function},
        arguments=slots.compile(raw.text("arguments"), f"{raw.where}.arguments"),
        result=slots.compile(raw.text("result"), f"{raw.where}.result"),
    )
    raw.done()
    return tool


def _table(raw: Fields) -> Table:
    low, high = raw.pair("rows")
    styles = tuple(raw.known(style, SEPARATORS, "styles") for style in raw.texts("styles", ["csv"]))
    columns = {name: _column(column) for name, column in raw.mappings("columns").items()}
    raw.done()
    return Table(columns, (int(low), int(high)), styles)


def _column(raw: Fields) -> Cell:
    """A column is one of `number: [low, high]`, `days: date`, `running: prefix`, `sequence: [...]`, `choice: [...]`."""
    cell: Cell
    raw.asked.extend(("number", "days", "running", "sequence"))
    if "number" in raw.raw:
        low, high = raw.pair("number")
        cell = number(low, high, int(raw.number("places", 0.0)))
    elif "days" in raw.raw:
        cell = days(raw.date("days"), int(raw.number("step", 1.0, above=0)))
    elif "running" in raw.raw:
        cell = running(raw.text("running"), int(raw.number("first", 1.0)), int(raw.number("step", 1.0, above=0)))
    elif "sequence" in raw.raw:
        cell = sequence(raw.texts("sequence"))
    else:
        raw.get("choice")
        raw.done()
        cell = choice(raw.texts("choice"))
    raw.done()
    return cell
