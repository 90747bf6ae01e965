"""What a log holds, whether its bill can be reproduced and its counts be true, before anything is replayed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import AsOf, PriceBook
from problems import ProblemLog
from simulator.arms import Arm, Batch
from simulator.bill.drift import Cause
from simulator.bill.plausible import Doubt, Doubts
from simulator.bill.reconcile import Reconciliation
from simulator.bill.suggested import suggested_prices
from simulator.counts import INPUTS, THOUSAND, UNKNOWN
from simulator.models import ModelIndex
from simulator.money import exact_sum
from simulator.prepared import Prepared
from workloads import PROVENANCES, Log

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class ModelFacts:
    """What a log holds of one model, by its name there; tokens are known ones, money in picodollars."""

    canonical: str | None
    requests: int = 0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    recomputed: int = 0
    unpriced: int = 0


@dataclass
class Inspection:
    """Everything `backroute inspect` prints."""

    rows: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    recognised: dict[str, str] = field(default_factory=dict)
    problems: ProblemLog = field(default_factory=ProblemLog)
    first: datetime | None = None
    last: datetime | None = None
    untimed: int = 0
    without_text: int = 0
    sessions: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    call_types: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    input_counts: Counter[str] = field(default_factory=Counter)
    output_counts: Counter[str] = field(default_factory=Counter)
    models: dict[str, ModelFacts] = field(default_factory=dict)
    bill: Reconciliation = field(default_factory=Reconciliation)
    causes: dict[str, list[Cause]] = field(default_factory=dict)  # of drift, by model as logged
    doubts: list[Doubt] = field(default_factory=list)
    suggested_prices: str | None = None


def inspect_log(log: Log, book: PriceBook, as_of: AsOf) -> Inspection:
    """Read a whole log once; charge it at the prices of `as_of`, usually each request's own date."""
    seen = Inspection(bill=Reconciliation(as_of=as_of))
    index = ModelIndex(book)
    doubts = Doubts(book, index)
    sessions: set[str] = set()
    for requests, outcomes in log.batches(problems=seen.problems):
        batch = Prepared.batch(requests, outcomes, index)
        arm = seen.bill.add(batch, index, book)
        doubts.add(requests, outcomes, batch.source)
        _facts(seen, batch, outcomes)
        sessions.update(requests["session_id"].drop_null().unique().to_pylist())
        _models(seen, batch, arm, index)
    seen.sessions = len(sessions)
    seen.formats, seen.recognised = dict(log.formats), dict(log.recognised)
    seen.causes, seen.doubts = seen.bill.causes(book), doubts.found()
    seen.suggested_prices = suggested_prices(seen.bill, seen.causes)
    return seen


def _facts(seen: Inspection, batch: Batch, outcomes: pa.RecordBatch) -> None:
    requests = batch.requests
    seen.rows += requests.num_rows
    arrived = requests["arrived_at"]
    seen.untimed += arrived.null_count
    ends = pc.min_max(arrived.cast(pa.int64())).as_py()
    if ends["min"] is not None:
        first, last = (EPOCH + timedelta(microseconds=ends[end]) for end in ("min", "max"))
        seen.first, seen.last = min(seen.first or first, first), max(seen.last or last, last)
    seen.without_text += requests["prompt"].null_count
    for counter, column in (
        (seen.statuses, outcomes["status"]),
        (seen.call_types, requests["call_type"]),
        (seen.labels, requests["label"].drop_null()),
    ):
        counter.update({row["values"]: row["counts"] for row in column.value_counts().to_pylist()})
    for counter, codes in (
        (seen.input_counts, batch.logged.input_provenance),
        (seen.output_counts, batch.logged.output_provenance),
    ):
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
            counter["unknown" if code == UNKNOWN else PROVENANCES[code]] += int(count)


def _models(seen: Inspection, batch: Batch, arm: Arm, index: ModelIndex) -> None:
    names = batch.requests["model"].fill_null("(no model)").dictionary_encode()
    for code, name in enumerate(names.dictionary.to_pylist()):
        here = np.asarray(names.indices) == code
        held = seen.models.setdefault(name, ModelFacts(index.name(int(batch.source[here][0]))))
        held.requests += int(here.sum())
        held.input_tokens += float(batch.logged.milli[here, :INPUTS].sum()) / THOUSAND
        held.output_tokens += float(batch.logged.milli[here, INPUTS:].sum()) / THOUSAND
        held.recomputed += exact_sum(arm.total[here & arm.priced])
        held.unpriced += int((here & ~arm.priced).sum())
