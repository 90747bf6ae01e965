"""Names, changes, counts and dates as people read them, and text that cannot harm a page."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from pricing.formatting import UNKNOWN, percent, usd

# What stands for a character that cannot be shown.
MARK = "\ufffd"


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


def alike(ticks: Sequence[str]) -> list[str]:
    """Ticks of one axis, those of one unit with as many decimals: $1.50 and $3.00; 0 stays 0."""
    parts = [re.fullmatch(r"(.*?\d)(?:\.(\d+))?(\D*)", said) for said in ticks]
    most = Counter[str]()
    for part in parts:
        if part is not None:
            most[part[3]] = max(most[part[3]], len(part[2] or ""))
    return [
        f"{part[1]}.{(part[2] or '').ljust(most[part[3]], '0')}{part[3]}"
        if part is not None and most[part[3]] and re.search("[1-9]", said)
        else said
        for part, said in zip(parts, ticks, strict=True)
    ]


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
