"""Can any traffic at all produce a claimed saving? A linear program over token volumes answers, and says what would."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from pricing import PriceBook
from problems import BackrouteError, nearest
from simulator.claim import HALF, LARGEST_FACTOR, Baseline, Claim, Line, ModelPrices, Range

Extent = tuple[Decimal | None, Decimal | None]
Vector = npt.NDArray[np.float64]

Figure = Line | Baseline
Prices = Mapping[str, ModelPrices]
Allow = Mapping[str, Range]
# By kind of Explanation, the bounds of what may depart from the claim; here nothing does.
NOTHING: Allow = dict.fromkeys(
    ("baseline_price", "routed_price", "tokens", "output_tokens"), (1.0, 1.0)
) | dict.fromkeys(("baseline_cached", "routed_cached"), (0.0, 0.0))


@dataclass(frozen=True)
class SliceRange:
    """The least and most a slice must have cost before, USD, given exactly its routed line.

    The least is None where no tokens produce the line, as on a free model; the most then too, or where it has no limit.
    """

    line: Line
    before_usd: Extent


@dataclass(frozen=True)
class Volume:
    """Whole tokens, (input, output), that produce one line: those billed before, and those billed once routed."""

    line: Line
    before: tuple[int, int]
    routed: tuple[int, int]


@dataclass(frozen=True)
class Explanation:
    """One thing that would make the claim possible were it true, everything else as claimed.

    `value` is the least departure from the claim that does, by `kind`:
        baseline_usd: the total before, USD; line_usd: the line of `slice`, USD; saving_pct: the claimed percent;
        baseline_price, routed_price: the multiple of its price paid for every model before, or routed;
        tokens, output_tokens: routed tokens as a multiple of what the claim takes them for, both kinds or output alone;
        baseline_cached, routed_cached: percent of every slice's input tokens read from the provider's cache.
    """

    kind: str
    value: Decimal
    slice: str | None = None


@dataclass(frozen=True)
class AuditResult:
    """What was found, as (least, most). Money in USD, percentages 0-100.

    `before_usd`: what the lines as printed must have cost before; `rounded_usd`: with every line rounded as the claim
    allows; `saving_pct`: what the lines as printed save. None as in SliceRange. `volumes`: one traffic that produces
    the claim, empty when none does; `explanations`: what would have to be true, empty when the claim is possible.
    """

    claim: Claim
    prices: Prices
    possible: bool
    slices: tuple[SliceRange, ...]
    before_usd: Extent
    rounded_usd: Extent
    saving_pct: Extent
    volumes: tuple[Volume, ...]
    explanations: tuple[Explanation, ...]


def audit(claim: Claim, prices: Prices) -> AuditResult:
    """Say whether any token volumes produce the claim at `prices`, which are keyed by model as the claim names it.

    The claim's own prices go before these. Raises BackrouteError for a model without a price.
    """
    known = {**prices, **claim.own_prices}
    for model in claim.models:
        if model not in known:
            raise BackrouteError(claim.name, f"no price for a model ({model})", fix=nearest(model, known))
    paid = {model: known[model] for model in claim.models}
    slices = tuple(SliceRange(line, _Program(claim, paid, only=line).extent(-1)) for line in claim.routed)
    low, high = (
        None if None in ends else sum((usd for usd in ends if usd is not None), Decimal(0))
        for ends in zip(*(found.before_usd for found in slices), strict=True)
    )
    less, more = (round(100 - 100 * claim.routed_usd / usd, 2) if usd else None for usd in (low, high))
    volumes = _Program(claim, paid).volumes()
    any_percent = msgspec.structs.replace(claim, claimed_saving_pct=None)
    return AuditResult(
        claim=claim,
        prices=paid,
        possible=bool(volumes),
        slices=slices,
        before_usd=(low, high),
        rounded_usd=_Program(any_percent, paid, free=claim.baseline).extent(-1),
        saving_pct=(less, Decimal(100) if low is not None and high is None else more),
        volumes=volumes,
        explanations=() if volumes else tuple(_explanations(claim, paid)),
    )


class _Program:
    """The claim as rows with `rows @ x <= 0`: x is every line's bill, the bill before, then six token counts a line.

    The six are uncached input, cached input and output, before and then routed, in millions. All of x is divided by
    `scale`, the largest figure, because the solver's tolerances are absolute. `allow` bounds what may depart;
    `only` makes the program of one line exactly as printed; `free` is a figure left open.
    """

    def __init__(
        self, claim: Claim, prices: Prices, allow: Allow = NOTHING, only: Line | None = None, free: Figure | None = None
    ) -> None:
        self.claim, self.prices, self.lines = claim, prices, (only,) if only else claim.routed
        bound = {**NOTHING, **allow}
        figures: tuple[Figure, ...] = (*self.lines, claim.baseline)
        self.scale = float(only.usd if only else max(figure.usd for figure in figures)) or 1.0
        count = len(self.lines)
        unit = np.eye(1 + 7 * count)
        self.bills, self.tokens = unit[: count + 1], unit[count + 1 :].reshape(count, 2, 3, -1)
        self.rows: list[Vector] = []
        cost_before = np.zeros(len(unit))
        for line, bill, (before, routed) in zip(self.lines, self.bills, self.tokens, strict=False):
            was, now = prices[claim.before(line)], prices[line.model]
            cost_before += _cost(was) @ before
            self.hold(bill, _cost(now) @ routed, bound["routed_price"])
            ratio = line.token_ratio or claim.token_ratio
            self.hold(routed[0] + routed[1], before[0] + before[1], ratio.input, bound["tokens"])
            self.hold(routed[2], before[2], ratio.output, bound["tokens"], bound["output_tokens"])
            for tokens, paid, kind in ((before, was, "baseline_cached"), (routed, now, "routed_cached")):
                self.hold(tokens[1], tokens[0] + tokens[1], (NOTHING if paid.cache_read is None else bound)[kind])
        self.hold(self.bills[-1], cost_before, bound["baseline_price"])
        if not only and claim.claimed_saving_pct is not None:
            self.hold(self.bills[:-1].sum(axis=0), self.bills[-1], _left_over(claim.claimed_saving_pct))
        limits = [(figure.usd, figure.usd) if only else _rounding(claim, figure.usd) for figure in figures]
        self.bounds: list[tuple[float, float | None]] = [(0.0, None)] * len(unit)
        for i, (low, high) in enumerate(limits):
            if figures[i] is not free and not (only and i == count):
                self.bounds[i] = (float(low) / self.scale, float(high) / self.scale)

    def hold(self, part: Vector, whole: Vector, *factors: Range) -> None:
        """Keep `part` within the factors, multiplied, of `whole`."""
        low, high = np.prod(factors, axis=0)
        self.rows += [low * whole - part, part - high * whole]

    def solve(self, objective: Vector) -> Vector | None:
        """The x with the least `objective`; None where there is none, or no least."""
        rows, zeros = np.array(self.rows), np.zeros(len(self.rows))
        # With presolve HiGHS may not tell an infeasible program from an unbounded one.
        found = linprog(objective, rows, zeros, bounds=self.bounds, options={"presolve": False})
        if found.status not in (0, 2, 3):
            raise BackrouteError(self.claim.name, f"the linear program was not solved ({found.message})")
        return np.asarray(found.x) if found.status == 0 else None

    def extent(self, bill: int) -> Extent:
        """The least and most USD of one bill; the last is the total before."""
        row = self.bills[bill]
        ends = (self.solve(row), self.solve(-row))
        low, high = (None if x is None else Decimal(f"{row @ x * self.scale:.6f}") for x in ends)
        return low, high

    def volumes(self) -> tuple[Volume, ...]:
        """One solution in whole tokens, midway between least and most output; empty where there is none."""
        output = self.tokens[:, 0, 2].sum(axis=0)
        ends = [x for x in (self.solve(output), self.solve(-output)) if x is not None]
        if not ends:
            return ()
        # Cached input is left aside: caching is an explanation, never a claim's own assumption.
        counts = np.rint(self.tokens[:, :, [0, 2]] @ np.mean(ends, axis=0) * self.scale * 1e6).astype(np.int64).tolist()
        return tuple(Volume(line, tuple(was), tuple(now)) for line, (was, now) in zip(self.lines, counts, strict=True))


def _explanations(claim: Claim, prices: Prices) -> Iterator[Explanation]:
    figures: tuple[Figure, ...] = (*claim.routed, claim.baseline)
    for i, figure in enumerate(figures):
        low, high = _Program(claim, prices, free=figure).extent(i)
        if low is not None:
            value = low if high is None or low > figure.usd else high
            name = figure.slice if isinstance(figure, Line) else None
            yield Explanation("line_usd" if name else "baseline_usd", value, name)
    if _Program(msgspec.structs.replace(claim, claimed_saving_pct=None), prices).volumes():
        yield Explanation("saving_pct", round(100 - 100 * claim.routed_usd / claim.baseline.usd, 2))
    for kind, (none, _) in NOTHING.items():
        for most in (1 / LARGEST_FACTOR, LARGEST_FACTOR) if none else (1.0,):
            if (least := _least(claim, prices, kind, none, most)) is not None:
                yield Explanation(kind, least)


def _least(claim: Claim, prices: Prices, kind: str, none: float, most: float) -> Decimal | None:
    """The value of `kind` nearest to `none`, out to `most`, that makes the claim possible; None where none does."""
    low, high, t = 0.0, 1.0, 1.0
    while high - low > 1e-6:
        far = most**t if none else t
        program = _Program(claim, prices, {kind: (min(none, far), max(none, far))})
        if program.solve(program.bills[-1]) is not None:
            high = t
        elif t == 1.0:
            return None
        else:
            low = t
        t = (low + high) / 2
    return Decimal(f"{most**high if none else 100 * high:.6g}")


def _cost(prices: ModelPrices) -> Vector:
    """USD per million tokens of uncached input, cached input (of which there is none where unpriced) and output."""
    return np.array([prices.input, prices.cache_read or 0, prices.output], dtype=np.float64)


def _rounding(claim: Claim, usd: Decimal) -> tuple[Decimal, Decimal]:
    """The amounts that a claimed figure may stand for."""
    off = HALF if claim.tolerance_pct is None else usd * claim.tolerance_pct / 100
    return max(usd - off, Decimal(0)), usd + off


def _left_over(pct: Decimal) -> Range:
    """Routed over before, for a claimed percent that was rounded at its last decimal."""
    off = Decimal("0.5").scaleb(-len(f"{pct:f}".partition(".")[2]))
    return float(1 - (pct + off) / 100), float(1 - (pct - off) / 100)


def list_prices(book: PriceBook, claim: Claim) -> dict[str, ModelPrices]:
    """The book's prices for the claim's models, but for those the claim prices itself, keyed as the claim names them.

    List price is the standard tier's at the book's date, below any long-context threshold and outside any discounted
    hours. Raises BackrouteError for a model that the book does not know or price.
    """
    prices = {}
    for model in claim.models:
        if model in claim.own_prices:
            continue
        entries = book.entries(book.require(model, claim.name))
        now = [e for e in entries if e.tier == "standard" and e.on(book.date) and {"input", "output"} <= e.rates.keys()]
        if not now:
            raise BackrouteError(claim.name, f"no list price on {book.date} ({model})", fix="give its own under prices")
        entry = max(now, key=lambda e: e.rates["input"].base) if now[-1].window else now[-1]
        cached = entry.rates["cache_read"].base if "cache_read" in entry.rates else None
        rates = (entry.rates["input"].base, entry.rates["output"].base, cached)
        prices[model] = ModelPrices(*rates, entry.source, entry.effective_from)
    return prices
