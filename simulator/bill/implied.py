"""Prices that a log's own costs imply: one discount on the list, or rates of their own per bucket."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from simulator.counts import INPUTS, Array
from workloads import BUCKETS

FEWEST_ROWS = 5
FIT_SHARE = 0.8  # of the rows a price is read from; with fewer it is none
NOISE = 1e-5
LEAST = 0.002  # a contract worth a discount takes off more
RATE_NAMES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "output_reasoning")


@dataclass(frozen=True)
class Implied:
    """A price that rows follow.

    Args:
        fit: bool per row, it gives the recorded cost.
        factor: recorded over list price; None where the rows follow rates of their own.
        rates: USD per million tokens by rate name; empty where they follow the list times a factor.
        words: it in words.
        fix: what to do.
    """

    fit: Array
    factor: Decimal | None
    rates: dict[str, Decimal]
    words: str
    fix: str

    @property
    def pct_off(self) -> Decimal | None:
        """The discount in percent, negative for a surcharge."""
        return None if self.factor is None else (100 * (1 - self.factor)).normalize()

    def as_dict(self) -> dict[str, Any]:
        """The price for JSON."""
        rates = {f"{name}_usd_per_mtok": f"{usd:f}" for name, usd in self.rates.items()}
        return {"pct_off": None if self.pct_off is None else f"{self.pct_off:f}"} | rates


def implied_factor(recorded: Array, listed: Array, rows: Array, unit: int) -> Implied | None:
    """One factor on the list price that most of some rows follow, with as few decimals as will do; None without one.

    Args:
        recorded: picodollars per row.
        listed: picodollars at the list price.
        rows: bool, which rows to read it from.
        unit: the last decimal of the recorded costs, picodollars.
    """
    use = rows & (listed > 0) & (recorded > 0)
    if use.sum() < FEWEST_ROWS:
        return None
    ratio = recorded[use] / listed[use]
    # Costs of many digits tell the factor best; rounding blurs small ones.
    order = np.argsort(ratio)
    heavy = np.cumsum(listed[use][order])
    middle = float(ratio[order][np.searchsorted(heavy, heavy[-1] / 2)])
    best: tuple[int, float, Array] | None = None
    for places in (2, 3, 4, 5, 6):
        factor = round(middle, places)
        off = np.abs(recorded - factor * listed)
        fit = use & (off <= NOISE * recorded + unit / 2 + 1)
        if best is None or fit.sum() > 1.02 * best[0]:
            best = (int(fit.sum()), factor, fit)
    if best is None or best[0] < max(FEWEST_ROWS, FIT_SHARE * use.sum() / 2) or abs(best[1] - 1) < LEAST:
        return None
    exact = Decimal(str(best[1]))
    pct = (100 * (1 - exact)).normalize()
    side = f"{pct:f}% below" if pct > 0 else f"{-pct:f}% above"
    words = f"off-list price: {side} the list, by one factor of {exact.normalize():f}"
    return Implied(best[2], exact, {}, words, "if a contract says so, give the suggested discount with --prices")


def flat_price(recorded: Array, milli: Array, rows: Array, unit: int) -> tuple[Array, Decimal] | None:
    """One round price for every token, input and output alike, that some rows follow, and which; None without one.

    No provider of text models charges so: it is what a tracing tool fills in for a model it has no price of.

    Args:
        recorded: picodollars per row.
        milli: thousandths of a token, (rows, 6).
        rows: bool, which rows to read it from.
        unit: the last decimal of the recorded costs, picodollars.
    """
    tokens = milli.sum(axis=1)
    use = rows & (recorded > 0) & (tokens > 0)
    shares = milli[use, INPUTS:].sum(axis=1) / tokens[use]
    if use.sum() < 2 or np.ptp(shares) < LEAST:
        return None
    price = round(float(np.median(recorded[use] / tokens[use])) / 1000, 2)
    fit = use & (np.abs(recorded - price * 1000 * tokens) <= NOISE * recorded + unit / 2 + 1)
    return (fit, Decimal(str(price))) if price and fit.sum() >= max(2, FIT_SHARE * use.sum()) else None


def implied_rates(recorded: Array, milli: Array, rows: Array, unit: int) -> Implied | None:
    """Rates per bucket that most of some rows follow, by least squares on relative errors; None without such.

    Args:
        recorded: picodollars per row.
        milli: thousandths of a token, (rows, 6).
        rows: bool, which rows to read them from.
        unit: the last decimal of the recorded costs, picodollars.
    """
    from scipy.optimize import nnls

    use = rows & (recorded > 0)
    counts = milli[use].astype(float)
    columns = [i for i in range(len(BUCKETS)) if counts[:, i].any()]
    if use.sum() < max(FEWEST_ROWS, 2 * len(columns)) or not columns:
        return None
    scaled = counts[:, columns] / recorded[use, None]
    scale = scaled.max(axis=0)
    if np.linalg.matrix_rank(scaled / scale, tol=1e-3) < len(columns):
        return None
    usd = nnls(scaled / scale, np.ones(len(scaled)))[0] / scale / 1000  # picodollars per thousandth to USD per million
    fit = np.zeros(len(rows), bool)
    for places in (2, 3, 4, 6):
        rounded = np.round(usd, places)
        off = np.abs(recorded - milli[:, columns] @ (rounded * 1000))
        again = use & (off <= NOISE * recorded + unit / 2 + 1)
        if again.sum() > 1.02 * fit.sum():
            fit, best = again, rounded
    if fit.sum() < FIT_SHARE * use.sum():
        return None
    rates = {RATE_NAMES[i]: Decimal(str(value)) for i, value in zip(columns, best.tolist(), strict=True)}
    said = ", ".join(f"{name} ${rate.normalize():f}" for name, rate in rates.items())
    words = f"rates of their own, per million tokens: {said}"
    return Implied(fit, None, rates, words, "if they are yours, give the suggested prices with --prices")
