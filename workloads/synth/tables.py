"""Pasted data: small tables drawn row by row, the way people copy them out of a spreadsheet or a console."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

Random = Callable[[], float]
Cell = Callable[[Random, int], str]

SEPARATORS = {"csv": ",", "tabs": "\t", "pipes": " | ", "semicolons": ";"}


def number(low: float, high: float, places: int) -> Cell:
    """A number, low values likelier than high ones, as amounts are."""
    return lambda random, _row: f"{low + (high - low) * random() * random():.{places}f}"


def days(start: date, step: int) -> Cell:
    """A running date, `step` days a row."""
    return lambda _random, row: (start + timedelta(days=step * row)).isoformat()


def running(prefix: str, first: int, step: int) -> Cell:
    """A running identifier with small gaps, e.g. ORD-10412, ORD-10415."""
    return lambda random, row: f"{prefix}{first + step * row + int(random() * step)}"


def sequence(values: list[str]) -> Cell:
    """The values in turn, row after row."""
    return lambda _random, row: values[row % len(values)]


def choice(values: list[str]) -> Cell:
    """One of the values."""
    return lambda random, _row: values[int(random() * len(values))]


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of table: `columns` by name, between `rows[0]` and `rows[1]` rows, in one of `styles`."""

    columns: dict[str, Cell]
    rows: tuple[int, int]
    styles: tuple[str, ...]

    def draw(self, random: Random) -> str:
        """The table as text, header first."""
        low, high = self.rows
        # Squared, since most pastes are short and a few are long.
        count = low + int((high - low + 1) * random() * random())
        between = SEPARATORS[self.styles[int(random() * len(self.styles))]]
        cells = list(self.columns.values())
        lines = [between.join(self.columns)]
        lines += [between.join([cell(random, row) for cell in cells]) for row in range(count)]
        return "\n".join(lines)
