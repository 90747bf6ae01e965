"""Dollars and percentages as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

UNKNOWN = "unknown"
CENTS_BELOW = 100_000
EXACT = 12  # decimals of a picodollar


class Placed(Decimal):
    """Money, USD, that is shown with so many decimals beside others: see `adding_up` and `aligned`."""

    places: int

    def __new__(cls, money: Decimal, places: int) -> Placed:
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
