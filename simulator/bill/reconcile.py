"""Does the log's own bill come out? Recorded spend against the price of the day, by row, model and day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from pricing import AsOf, PriceBook
from simulator.arms import Arm, Batch, logged_arm
from simulator.bill.drift import Cause, find_causes
from simulator.counts import Array
from simulator.days import NO_DAY, day_numbers
from simulator.models import ModelIndex
from simulator.money import PICO, Scale, dollars, exact_sum, exact_sums
from simulator.sums.merge import merge_fields
from simulator.usage.sample import Sample, id_hashes
from workloads import BUCKETS

OF_ITS_DAY = AsOf.parse("request")
FURTHEST = 10
# A row agrees within a thousandth, or half of the sixth decimal, to which many logs round.
AGREES_PART, AGREES_PICO = 1_000, 500_000
SHARE_OF_SPEND = 100  # a model with less than a hundredth of the recorded spend cannot fail the gate by itself


@dataclass
class Sums:
    """Recorded and recomputed spend of one slice, picodollars, over the requests that have both."""

    requests: int = 0
    recorded: int = 0
    recomputed: int = 0
    agreeing: int = 0

    def add(self, requests: int, recorded: int, recomputed: int, agreeing: int) -> None:
        """Add a batch's part."""
        self.requests += requests
        self.recorded += recorded
        self.recomputed += recomputed
        self.agreeing += agreeing

    @property
    def drift_pct(self) -> float | None:
        """How far the recomputed spend is off the recorded, in percent; None where nothing was recorded."""
        return 100.0 * (self.recomputed - self.recorded) / self.recorded if self.recorded else None

    def as_dict(self) -> dict[str, Any]:
        """The sums for JSON, money as decimal strings."""
        return {
            "requests": self.requests,
            "recorded_usd": dollars(self.recorded),
            "recomputed_usd": dollars(self.recomputed),
            "drift_pct": self.drift_pct,
            "agreeing": self.agreeing,
        }


@dataclass
class Bill:
    """One logged model's bill: `sums` where it could be recomputed, and what could not."""

    canonical: str | None
    provider: str | None
    sums: Sums = field(default_factory=Sums)
    sample: Sample = field(default_factory=Sample)
    unpriced_requests: int = 0
    unpriced_recorded: int = 0

    def merge(self, more: Bill) -> None:
        """Add another part of the same model's bill."""
        merge_fields(self, more, but=("canonical", "provider"))


@dataclass(frozen=True)
class RowDrift:
    """One request whose recorded cost is far from the recomputed one; money in picodollars."""

    request_id: str
    model: str
    recorded: int
    recomputed: int

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON."""
        money = {"recorded_usd": dollars(self.recorded), "recomputed_usd": dollars(self.recomputed)}
        return {"request_id": self.request_id, "model": self.model} | money


@dataclass
class Reconciliation:
    """Recorded against recomputed spend, summed over batches.

    Calls that are no chat cost what was billed and are not checked. `billed` is all that can be compared with an
    invoice: every priced request recomputed, and what was recorded of calls that are no chat.
    """

    total: Sums = field(default_factory=Sums)
    recorded: int = 0
    billed: int = 0
    unpriced: int = 0
    models: dict[str, Bill] = field(default_factory=dict)
    days: dict[int | None, Sums] = field(default_factory=dict)
    furthest: list[RowDrift] = field(default_factory=list)
    as_of: AsOf = OF_ITS_DAY

    @property
    def drift_pct(self) -> float | None:
        """Recomputed over recorded, in percent off; None where nothing was recorded."""
        return self.total.drift_pct

    @classmethod
    def of(cls, batch: Batch, index: ModelIndex, book: PriceBook) -> Reconciliation:
        """Of one batch, at the price of its days."""
        found = cls()
        found.add(batch, index, book)
        return found

    def add(self, batch: Batch, index: ModelIndex, book: PriceBook) -> Arm:
        """Add one batch, charged at the prices of `as_of`; returns the arm that this gave."""
        then = logged_arm(batch, index, book, self.as_of)
        self.recorded += exact_sum(batch.recorded_pico[batch.recorded])
        self.billed += exact_sum(then.total[then.priced])
        self.unpriced += int((~then.priced).sum())
        if batch.recorded.any():
            self._compare(batch, then, index)
        return then

    def _compare(self, batch: Batch, then: Arm, index: ModelIndex) -> None:
        requests, recorded, again = batch.requests, batch.recorded_pico, then.total
        checked = batch.recorded & ~batch.passes
        both = checked & then.priced
        off = np.abs(again - recorded)
        agrees = both & ((off <= AGREES_PICO) | (off <= recorded // AGREES_PART))
        names = requests["model"].fill_null("(no model)").dictionary_encode()
        codes, hashes = np.asarray(names.indices), id_hashes(requests["request_id"])
        for code, name in enumerate(names.dictionary.to_pylist()):
            here = checked & (codes == code)
            if not here.any():
                continue
            first = int(np.flatnonzero(here)[0])
            canonical, provider = index.name(int(batch.source[first])), requests["provider"][first].as_py()
            bill = self.models.setdefault(name, Bill(canonical, provider))
            for slice_ in (bill.sums, self.total):
                slice_.add(*_sums(here & both, recorded, again, agrees))
            bill.unpriced_requests += int((here & ~both).sum())
            bill.unpriced_recorded += exact_sum(recorded[here & ~both])
            _keep(bill.sample, batch, np.flatnonzero(here & batch.logged.all_known), hashes)
        for day, sums in _by_day(requests["arrived_at"], both, recorded, again, agrees):
            self.days.setdefault(day, Sums()).add(*sums)
        furthest = np.flatnonzero(both)
        furthest = furthest[np.argsort(-off[furthest], kind="stable")][:FURTHEST]
        ids = requests["request_id"].take(pa.array(furthest)).to_pylist()
        self._keep_furthest(
            [
                RowDrift(id_, names[int(row)].as_py(), int(recorded[row]), int(again[row]))
                for id_, row in zip(ids, furthest, strict=True)
                if off[row]
            ]
        )

    def merge(self, more: Reconciliation) -> None:
        """Add another part of the log."""
        merge_fields(self, more, but=("furthest", "as_of"))
        self._keep_furthest(more.furthest)

    def _keep_furthest(self, rows: list[RowDrift]) -> None:
        self.furthest = sorted(
            [*self.furthest, *rows], key=lambda row: (-abs(row.recomputed - row.recorded), row.request_id)
        )[:FURTHEST]

    def causes(self, book: PriceBook) -> dict[str, list[Cause]]:
        """Why each model's rows drift, by its logged name; a model whose rows all agree has no causes."""
        return {
            name: find_causes(bill.sample.rows(), bill.canonical, book, self.as_of)
            for name, bill in self.models.items()
        }


def _sums(rows: Array, recorded: Array, again: Array, agrees: Array) -> tuple[int, int, int, int]:
    return int(rows.sum()), exact_sum(recorded[rows]), exact_sum(again[rows]), int(agrees[rows].sum())


def _by_day(
    arrived: pa.Array, both: Array, recorded: Array, again: Array, agrees: Array
) -> Iterator[tuple[int | None, tuple[int, int, int, int]]]:
    rows = np.flatnonzero(both)
    day = day_numbers(arrived)[rows]
    distinct, where = np.unique(day, return_inverse=True)
    parts = [exact_sums(where, money[rows], len(distinct)).tolist() for money in (recorded, again)]
    counts, agreeing = np.bincount(where, minlength=len(distinct)), np.bincount(where, agrees[rows], len(distinct))
    for i, key in enumerate(distinct.tolist()):
        yield (None if key == NO_DAY else key), (int(counts[i]), parts[0][i], parts[1][i], int(agreeing[i]))


def _keep(sample: Sample, batch: Batch, rows: Array, hashes: Array) -> None:
    chosen = rows[sample.wanted(hashes[rows])]
    if not len(chosen):
        return
    at = pa.array(chosen)
    columns = {
        "key": pa.array(hashes[chosen], pa.uint64()),
        "request_id": batch.requests["request_id"].take(at),
        "arrived_at": batch.requests["arrived_at"].take(at),
        "tier": batch.tier.take(at),
        "recorded": pa.array(batch.recorded_pico[chosen], pa.int64()),
    }
    counts = {bucket: pa.array(batch.logged.milli[chosen, i], pa.int64()) for i, bucket in enumerate(BUCKETS)}
    sample.add(pa.table(columns | counts))


@dataclass(frozen=True)
class InvoiceCheck:
    """An invoice beside what the log comes to; dollars, scaled to the whole traffic of a sampled log.

    Args:
        invoice_usd: what the provider charged.
        recomputed_usd: the log at the price of the day.
        drift_pct: how far the recomputed spend is off the invoice, in percent.
        unpriced: requests that the recomputed spend leaves out.
    """

    invoice_usd: Decimal
    recomputed_usd: Decimal
    drift_pct: float
    unpriced: int

    def as_dict(self) -> dict[str, Any]:
        """The check for JSON."""
        return {
            "invoice_usd": f"{self.invoice_usd:f}",
            "recomputed_usd": f"{self.recomputed_usd:f}",
            "drift_pct": self.drift_pct,
            "unpriced": self.unpriced,
        }


def against_invoice(found: Reconciliation, invoice_usd: Decimal | float, sample_rate: float = 1.0) -> InvoiceCheck:
    """Compare the log, at the price of the day, with an invoice above zero."""
    invoice_usd = Decimal(str(invoice_usd))
    pico = Scale(sample_rate)(found.billed)
    recomputed = Decimal(dollars(pico))
    drift = float(100 * (recomputed - invoice_usd) / invoice_usd)
    return InvoiceCheck(invoice_usd, recomputed, drift, found.unpriced)


def drift_gate(found: Reconciliation, check: InvoiceCheck | None, max_drift_pct: float) -> list[str]:
    """Why the bill does not reconcile within a limit, one sentence each; empty when it does.

    The invoice is held against the whole; recorded costs against the whole and against each model with a hundredth of
    the spend, since two errors may cancel. A bill that cannot be checked does not pass.
    """
    said = []
    limit = f"above --max-drift-pct {max_drift_pct:g}"
    if check is not None and abs(check.drift_pct) > max_drift_pct:
        said.append(f"the log comes to {check.drift_pct:+.2f}% off the invoice's ${check.invoice_usd:,f}, {limit}")
    checked = [("all models", found.total), *((name, bill.sums) for name, bill in found.models.items())]
    for name, sums in checked:
        if sums.recorded * SHARE_OF_SPEND >= found.recorded and abs(sums.drift_pct or 0) > max_drift_pct:
            said.append(f"{name}: recomputed spend is {sums.drift_pct:+.2f}% off the recorded, {limit}")
        if name != "all models" and sums.recomputed > 0 == sums.recorded:
            said.append(f"{name}: recorded as free, recomputed ${float(sums.recomputed) / PICO:,.6f}")
    left_out = sum(bill.unpriced_recorded for bill in found.models.values())
    if found.recorded and 100 * left_out > max_drift_pct * found.recorded:
        said.append(f"${float(left_out) / PICO:,.6f} was recorded for models without a price or usage, {limit}")
    if check is None and not found.models:
        said.append("nothing to check: the log records no costs, and there is no --invoice-usd")
    return said
