"""Live calls as columns: what each was charged on its day, how it ended, and the decision behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa

from pricing import AsOf, PriceBook
from problems import BackrouteError, ProblemLog
from router import Router
from simulator.arms import logged_arm
from simulator.models import ModelIndex
from simulator.prepared import Prepared
from workloads import BUCKETS, read_log
from workloads.decoding import NOT_JSON
from workloads.sources import numbered_lines, open_source

LINES = 8_192

CALLS = pa.schema(
    [
        ("request_id", pa.string()),
        ("arrived_at", pa.timestamp("us", tz="UTC")),
        ("session_id", pa.string()),
        ("user_id", pa.string()),
        ("rule", pa.string()),
        ("model", pa.string()),  # as the price book names it; null where it does not know it
        ("usd_pico", pa.int64()),  # at the price of its day; null where unpriced or uncounted
        ("recorded_usd", pa.decimal128(20, 12)),
        ("status", pa.string()),
        ("latency_ms", pa.float64()),
        ("ttft_ms", pa.float64()),
        ("feedback", pa.string()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("fallbacks", pa.int64()),  # models passed over; null where the log holds no decisions
        ("experiment", pa.string()),
        ("arm", pa.string()),
        ("share", pa.float64()),
        ("horizon", pa.int64()),
    ]
)


MOST_HORIZON = 10**12  # units of an experiment


class _Decided(msgspec.Struct):
    rule: str | None = None
    fallback_from: list[Any] = []
    experiment: str | None = None
    arm: str | None = None
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    horizon: Annotated[int, msgspec.Meta(ge=0, le=MOST_HORIZON)] | None = None


class _Line(msgspec.Struct):
    request_id: Any = None
    decision: _Decided | None = None


def live_calls(
    lines: Iterable[bytes], book: PriceBook, *, router: Router | None = None, problems: ProblemLog | None = None
) -> pa.Table:
    """Calls of a decision log, or of any log, in CALLS' columns.

    Args:
        lines: JSON lines.
        book: each call is charged at its price of the day on which it arrived.
        router: says the rule where the log does not.
        problems: where lines that cannot be read go.
    """
    parts, waiting = [CALLS.empty_table()], list[bytes]()
    found = ProblemLog() if problems is None else problems
    index = ModelIndex(book)
    for line in lines:
        waiting.append(line)
        if len(waiting) == LINES:
            parts.append(_read(waiting, book, index, router, found))
            waiting = []
    if waiting:
        parts.append(_read(waiting, book, index, router, found))
    return pa.concat_tables(parts)


def _read(
    lines: list[bytes], book: PriceBook, index: ModelIndex, router: Router | None, problems: ProblemLog
) -> pa.Table:
    decisions, records = dict[str, _Decided](), list[Any]()
    for line in lines:
        try:
            records.append(msgspec.json.decode(line))
        except NOT_JSON:
            records.append(None)  # the reader says what is wrong with it
            continue
        try:
            read = msgspec.convert(records[-1], _Line)
        except msgspec.ValidationError:
            continue
        if read.decision is not None and read.request_id is not None:
            decisions[str(read.request_id)] = read.decision
    parts = [CALLS.empty_table()]
    for requests, outcomes in read_log(records).batches(problems=problems):
        parts.append(_columns(requests, outcomes, book, index, router, decisions))
    return pa.concat_tables(parts)


def _columns(
    requests: pa.RecordBatch,
    outcomes: pa.RecordBatch,
    book: PriceBook,
    index: ModelIndex,
    router: Router | None,
    decisions: dict[str, _Decided],
) -> pa.Table:
    logged = logged_arm(Prepared.batch(requests, outcomes, index), index, book, AsOf.parse("request"))
    decided = [decisions.get(name) for name in requests["request_id"].to_pylist()]
    rules = [None if each is None else each.rule for each in decided]
    if router is not None and any(rule is None for rule in rules):
        chosen = router.route_batch(requests).chosen
        names = [*(rule.name for rule in router.rules), None]
        rules = [rule if rule is not None else names[int(code)] for rule, code in zip(rules, chosen, strict=True)]
    tokens = {bucket: outcomes[bucket] for bucket in BUCKETS}
    columns = {name: requests[name] for name in ("request_id", "arrived_at", "session_id", "user_id")}
    columns |= {name: outcomes[name] for name in ("recorded_usd", "status", "latency_ms", "ttft_ms", "feedback")}
    columns |= {
        "rule": pa.array(rules, pa.string()),
        "model": index.column(logged.model).cast(pa.string()),
        "usd_pico": pa.array(logged.total, mask=~logged.priced),
        "input_tokens": _summed([tokens[bucket] for bucket in BUCKETS[:4]]),
        "output_tokens": _summed([tokens[bucket] for bucket in BUCKETS[4:]]),
        "fallbacks": pa.array([None if each is None else len(each.fallback_from) for each in decided], pa.int64()),
        "experiment": pa.array([None if each is None else each.experiment for each in decided], pa.string()),
        "arm": pa.array([None if each is None else each.arm for each in decided], pa.string()),
        "share": pa.array([None if each is None else each.share for each in decided], pa.float64()),
        "horizon": pa.array([None if each is None else each.horizon for each in decided], pa.int64()),
    }
    return pa.table({name: columns[name] for name in CALLS.names}, schema=CALLS)


def _summed(parts: list[pa.Array]) -> pa.Array:
    known = np.stack([part.is_valid().to_numpy(zero_copy_only=False) for part in parts]).any(axis=0)
    total = np.sum([part.fill_null(0).to_numpy(zero_copy_only=False) for part in parts], axis=0)
    return pa.array(total.astype(np.int64), mask=~known)


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a log, unpacked where it is packed.

    Raises:
        BackrouteError: the file cannot be read.
    """
    return (line for _, line in numbered_lines(open_source(path), ProblemLog()))


def required(calls: pa.Table, where: str) -> pa.Table:
    """The calls, if there are any.

    Raises:
        BackrouteError: there are none.
    """
    if not calls.num_rows:
        raise BackrouteError(where, "no call in it", fix="give a log that `backroute inspect` reads")
    return calls
