"""Prompt books: templates with slots, filled so that one conversation stays about one thing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from problems import BackrouteError, nearest
from workloads.synth.tables import Table

SLOT = re.compile(r"<<(\+?)(?:([a-z_]\w*)(\.then)?|(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?))>>")

Random = Callable[[], float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Number:
    """`<<3..40>>` or `<<0.5..9.5>>`: a number drawn anew each time, with as many decimals as its bounds."""

    low: float
    high: float
    places: int

    def draw(self, talk: "Talk") -> str:
        """One number as text."""
        value = self.low + (self.high - self.low) * talk.random()
        return f"{value:.{self.places}f}"


@dataclass(frozen=True, slots=True)
class Named:
    """`<<region>>`: one option, the same all through a conversation; `<<+region>>`: another one."""

    name: str
    fresh: bool
    options: "list[Option] | Table"

    def draw(self, talk: "Talk") -> str:
        """The option's text, its own slots filled."""
        if not self.fresh and self.name in talk.said:
            return talk.said[self.name]
        if isinstance(self.options, Table):
            text = self.options.draw(talk.random)
        else:
            at = int(talk.random() * len(self.options))
            text = talk.fill(self.options[at][0])
            if self.fresh and text == talk.said.get(self.name):
                at -= 1
                text = talk.fill(self.options[at][0])
            talk.then[self.name] = self.options[at][1]
        if not self.fresh:
            talk.said[self.name] = text
        return text


@dataclass(frozen=True, slots=True)
class Then:
    """`<<region.then>>`: what belongs to the option of `region` drawn last, such as the answer to a question."""

    of: Named

    def draw(self, talk: "Talk") -> str:
        """The text that belongs to the option, which is drawn now if it was not before."""
        if self.of.name not in talk.then:
            self.of.draw(talk)
        return talk.fill(talk.then[self.of.name])


Template = tuple[str | Number | Named | Then, ...]
Option = tuple[Template, Template]


@dataclass(slots=True)
class Talk:
    """What one conversation has settled on: the value of each slot used so far, and what belongs to it."""

    random: Random
    offset: int
    said: dict[str, str] = field(default_factory=dict)
    then: dict[str, Template] = field(default_factory=dict)

    def fill(self, template: Template) -> str:
        """The template as text."""
        return "".join([piece if piece.__class__ is str else piece.draw(self) for piece in template])  # type: ignore[union-attr]

    def one(self, templates: list[Template]) -> str:
        """One of the templates, filled."""
        return self.fill(templates[int(self.random() * len(templates))])

    def next(self, options: list[T], turn: int) -> T:
        """The option of this turn: nothing is repeated while there is something left to say."""
        return options[(self.offset + turn) % len(options)]


class Slots:
    """The named slots of a book; `compile` turns text into a template and refuses slots that nobody defined."""

    def __init__(self, where: str, choices: Mapping[str, list[tuple[str, str]]], tables: Mapping[str, Table]) -> None:
        self.where = where
        self.tables = tables
        self.choices: dict[str, list[Option]] = {name: [] for name in choices}
        for name, options in choices.items():
            place = f"slots.{name}"
            self.choices[name].extend((self.compile(say, place), self.compile(then, place)) for say, then in options)
        for name in choices:
            self._refuse_loops(name, ())

    def compile(self, text: str, place: str) -> Template:
        """Cut a text at its slots. Raises BackrouteError for an unknown slot, with the nearest names."""
        pieces: list[str | Number | Named | Then] = []
        end = 0
        for found in SLOT.finditer(text):
            pieces.append(text[end : found.start()])
            end = found.end()
            fresh, name, then, low, high = found.groups()
            if name is None:
                pieces.append(Number(float(low), float(high), len(low.partition(".")[2])))
            elif name in self.choices or name in self.tables:
                named = Named(name, bool(fresh), self.tables.get(name) or self.choices[name])
                pieces.append(Then(named) if then and name in self.choices else named)
            else:
                raise BackrouteError(
                    f"{self.where}: {place}",
                    f"no slot of that name ({name})",
                    fix=nearest(name, [*self.choices, *self.tables]) or "define it under `slots` or `tables`",
                )
        pieces.append(text[end:])
        return tuple(piece for piece in pieces if piece != "")

    def _refuse_loops(self, name: str, within: tuple[str, ...]) -> None:
        if name in within:
            raise BackrouteError(
                f"{self.where}: slots.{name}",
                f"a slot that contains itself ({' > '.join((*within, name))})",
                fix="take one of these slots out of the other's options",
            )
        for option in self.choices.get(name, ()):
            for piece in option[0]:
                if isinstance(piece, Named):
                    self._refuse_loops(piece.name, (*within, name))
