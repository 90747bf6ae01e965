"""Figures and names as people read them: dollars, percentages, counts, dates, and text that cannot harm a page."""

import unicodedata
from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

UNKNOWN = "unknown"
CENTS_BELOW = 100_000
EXACT = 12  # decimals of a picodollar
# What stands for a character that cannot be shown.
MARK = "\ufffd"


class Placed(Decimal):
    """Money, USD, that is shown with so many decimals beside others: see `adding_up` and `aligned`."""

    places: int

    def __new__(cls, money: Decimal, places: int) -> "Placed":
        """The same money, with its decimals."""
        held = super().__new__(cls, money)
        held.places = places
        return held


def usd(money: Decimal | None) -> str:
    """Dollars at the precision a reader needs: $0.0042, $12.40, $1,204,300; "unknown" for null.

    Whole dollars from $100,000 on, cents down to $1, three significant digits below; as many as it is `Placed` with.
    """
    if money is None:
        return UNKNOWN
    places = money.places if isinstance(money, Placed) else needed([money], usual_places(money))
    said = f"{rounded(abs(money), places):,f}"
    return f"-${said}" if money < 0 else f"${said}"


def needed(figures: Sequence[Decimal], places: int) -> int:
    """So many decimals, less those that are 0 in all figures; cents stay, and are never halved."""
    places = 2 if places == 1 else places
    while places > 2 and not any(rounded(money, places).as_tuple().digits[-1] for money in figures):
        places -= 1
    return places


def usual_places(money: Decimal) -> int:
    """The decimals of a sum that stands alone."""
    size = abs(money)
    if size >= CENTS_BELOW:
        return 0
    return 2 if size >= 1 or size == 0 else 2 - size.adjusted()


def rounded(money: Decimal, places: int) -> Decimal:
    """Money to so many decimals, half to even."""
    return money.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def adding_up(whole: Decimal | None, *parts: Decimal | None) -> list[Decimal | None]:
    """A sum and its parts, all with as many decimals as it takes for them to add up as they are shown.

    Rounded by itself, $8.068 = $1.774 + $6.294 would read $8.07 = $1.77 + $6.29. Each keeps two significant digits;
    what is under a ten-thousandth of the largest stands as it does alone.
    """
    figures = [money for money in (whole, *parts) if money is not None]
    largest = max(map(abs, figures), default=Decimal(0))
    if len(figures) <= len(parts) or not largest:
        return [whole, *parts]
    heavy = [money for money in figures if abs(money) * 10_000 >= largest]
    for places in range(least_places(heavy), EXACT + 1):
        same = needed(heavy, places)
        light = EXACT if places == EXACT else None  # to the picodollar all add up
        placed = [
            Placed(money, same if money in heavy or not money else needed([money], light or usual_places(money)))
            for money in figures
        ]
        if add_up(placed[0], placed[1:]):
            return [*placed]
    return [whole, *parts]


def aligned(rows: Sequence[Sequence[Decimal | None]]) -> list[list[Decimal | None]]:
    """Money of a table's rows, each a sum and its parts or one figure, in one number of decimals.

    That is what figures down to a thousandth of the largest need for two significant digits, or one more where
    more rows then add up as they are shown. What would be read as nothing stands as it does alone.
    """
    figures = [money for row in rows for money in row if money is not None]
    largest = max(map(abs, figures), default=Decimal(0))
    if not largest:
        return [[*row] for row in rows]
    least = least_places([money for money in figures if abs(money) * 1000 >= largest])
    tried = {
        places: [[_placed(money, places) for money in row] for row in rows]
        for places in range(least, least + 2)
        if places != 1  # cents are never halved
    }
    best = max(tried, key=lambda places: (sum(map(row_adds_up, tried[places])), -places))
    same = needed([money for row in tried[best] for money in row if isinstance(money, Placed)], best)
    return [[_placed(money, same) for money in row] for row in rows]


def _placed(money: Decimal | None, places: int) -> Decimal | None:
    """With so many decimals, unless nothing but zeros would be shown of it."""
    return money if money is None or (money and not rounded(money, places)) else Placed(money, places)


def row_adds_up(row: Sequence[Decimal | None]) -> bool:
    """Whether a sum and its parts add up as they are shown; so does what has no parts, or unknown ones."""
    whole, *parts = row
    known = [part for part in parts if part is not None]
    return whole is None or not parts or len(known) < len(parts) or add_up(whole, known)


def least_places(figures: Sequence[Decimal]) -> int:
    """The decimals with which each of some figures keeps two significant digits; cents, or whole dollars, at least."""
    least = max(min(map(usual_places, figures)), *(1 - money.adjusted() for money in figures if money))
    return min(least, EXACT)


def add_up(whole: Decimal, parts: Sequence[Decimal]) -> bool:
    """Whether sums as `usd` shows them add up, to the last digit of the coarsest."""
    figures = [money for money in (whole, *parts) if money]
    places = [money.places if isinstance(money, Placed) else usual_places(money) for money in figures]
    total = sum(map(rounded, figures, places)) - 2 * (rounded(whole, places[0]) if whole else Decimal(0))
    return not figures or not rounded(Decimal(total), min(places))


def short_usd(value: float) -> str:
    """Dollars for the ticks of an axis: $0.0002, $15, $250k, $12M."""
    size = abs(value)
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= unit * (10 if letter == "k" else 1):
            said = f"{size / unit:,.4g}{letter}"
            break
    else:
        said = f"{size:,.0f}" if size >= 100 or size == int(size) else usd(Decimal(f"{size:.6g}")).lstrip("$")
    return f"-${said}" if value < 0 else f"${said}"


def percent(value: float | None) -> str:
    """A percentage with one decimal; never rounded into 0% or 100% when it is neither; "unknown" for null."""
    if value is None:
        return UNKNOWN
    if value in (0, 100):
        return f"{value:.0f}%"
    for decimals in (1, 2, 3, 4):
        said = f"{value:,.{decimals}f}"
        if abs(float(said.replace(",", ""))) not in (0, 100):
            return f"{said}%"
    return "almost 0%" if abs(value) < 1 else "almost 100%"


def chance(probability: float | None) -> str:
    """A simulated probability, 0-1, in words that do not claim a certainty no simulation gives."""
    if probability is None:
        return UNKNOWN
    if probability >= 0.9995:
        return "over 99.9%"
    return "under 0.1%" if probability < 0.0005 else percent(100 * probability)


def change(pct: float | None) -> str:
    """A saving in percent as a change of the bill: "63.1% less", "12.0% more"."""
    if pct is None:
        return "a share unknown"
    if pct == 0:
        return "the same"
    return f"{percent(abs(pct))} {'less' if pct > 0 else 'more'}"


def between(low: float | None, high: float | None) -> str:
    """An interval of a saving in percent as changes of the bill: "58.0% to 67.2% less"."""
    if low is None or high is None:
        return UNKNOWN
    if low == high == 0:
        return "no change"
    if low >= 0:
        return f"{percent(low)} to {percent(high)} less"
    if high <= 0:
        return f"{percent(-high)} to {percent(-low)} more"
    return f"{percent(-low)} more to {percent(high)} less"


def counted(number: int, noun: str) -> str:
    """A count and its noun: "1 request", "1,204 requests"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sentence(text: str) -> str:
    """Words made a sentence: a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def period(first: str | None, last: str | None) -> str:
    """The days a log spans, from ISO 8601 times: "2026-06-01 to 2026-06-30"."""
    if first is None or last is None:
        return "dates unknown"
    start, end = date.fromisoformat(first[:10]), date.fromisoformat(last[:10])
    return f"{start}" if start == end else f"{start} to {end}"


def printable(text: str) -> str:
    """Text of a log made safe to lay out: line breaks become spaces, controls and bidi overrides a visible mark."""
    return "".join(char if char.isprintable() else " " if char.isspace() else MARK for char in text)


def shortened(text: str, room: int) -> str:
    """A name cut in its middle, where names that belong together differ least, to `room` characters of usual width."""
    if sum(map(wide, text)) <= room:
        return text
    tail = text[len(text) - len(filled(text[::-1], (room - 1) // 2)) :]
    return f"{filled(text, room - 1 - sum(map(wide, tail)))}…{tail}"


def filled(text: str, room: int) -> str:
    """As much of the start of a text as fits."""
    for at, char in enumerate(text):
        room -= wide(char)
        if room < 0:
            return text[:at]
    return text


def wide(char: str) -> int:
    """2 for a character drawn twice as wide as a letter, as Chinese and Japanese ones are; else 1."""
    return 2 if unicodedata.east_asian_width(char) in "WF" or char == MARK else 1
