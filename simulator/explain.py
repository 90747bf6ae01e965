"""One request of a replay, bucket by bucket, from its row in decisions.parquet and the price book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pricing import BUCKETS, AsOf, PriceBook
from pricing.counting import counting_rule
from problems import BackrouteError
from simulator.decisions import ARMS, NAME, SCHEMA, decision_batches
from simulator.money import dollars
from workloads import INPUT_BUCKETS, OUTPUT_BUCKETS

AS_LOGGED = "as logged"
# How another model's output came about, and in words.
OUTPUT_WAYS = {
    "predicted": "the mean of what it is expected to answer, predicted from public answers of both",
    "copied": "copied",
    "by ratio": "by your own ratio",
}


@dataclass(frozen=True)
class Line:
    """One bucket: tokens x USD per million tokens = USD, with the price's source.

    `counted` is how the tokens came about: as logged, recounted, predicted, copied, by ratio, or simulated for caches.
    """

    bucket: str
    tokens: float
    counted: str
    usd_per_mtok: str | None
    usd: str | None
    since: str | None
    source: str | None

    def as_dict(self) -> dict[str, Any]:
        """The line as a row of a table."""
        tokens = f"{self.tokens:,.3f}".rstrip("0").rstrip(".")
        return {
            "bucket": self.bucket,
            "tokens": tokens,
            "usd per Mtok": self.usd_per_mtok,
            "usd": self.usd,
            "price since": self.since or "not stated",
            "source": self.source,
        }


@dataclass(frozen=True)
class ArmLines:
    """One arm: its model, its total as stored, and how it came about."""

    name: str
    model: str | None
    usd: str | None
    feasible: bool
    provenance: str | None
    lines: list[Line] = field(default_factory=list)
    note: str = ""
    why: tuple[str, ...] = ()  # its tokens are other than the logged ones


@dataclass(frozen=True)
class Explanation:
    """One request in all three arms."""

    request_id: str
    arrived_at: str | None
    rule: str | None
    arms: list[ArmLines]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)


def explain(
    folder: Path,
    request_id: str,
    book: PriceBook,
    prices_as_of: str,
    outputs: str = "predicted",
    caches: Mapping[str, Any] | None = None,
) -> Explanation:
    """Find a request by its id or the beginning of it, and price it again.

    Args:
        folder: a replay's output folder.
        request_id: the id, or enough of its first characters.
        book: prices, the same as the replay's.
        prices_as_of: the manifest's date policy.
        outputs: how the replay came by another model's output tokens: predicted, copied or by ratio.
        caches: the summary's `cache`, where prompt caches were simulated.

    Raises:
        BackrouteError: no such folder or request, or several requests that begin so.
    """
    path = folder / NAME
    begins = (batch.filter(pc.starts_with(batch["request_id"], request_id)) for batch in decision_batches(folder))
    found = pa.Table.from_batches(begins, SCHEMA)
    exact = found.filter(pc.equal(found["request_id"], request_id))
    found = exact if exact.num_rows else found
    ids = list(dict.fromkeys(found["request_id"].to_pylist()))
    if not ids:
        raise BackrouteError(str(path), f"no request {request_id!r}", fix="ids stand in its request_id column")
    if len(ids) > 1:
        raise BackrouteError(str(path), f"{len(ids)} requests begin with {request_id!r}", fix=f"for example {ids[0]}")
    row = found.slice(0, 1).to_pylist()[0]
    as_of = AsOf.parse("latest" if prices_as_of.startswith("latest") else prices_as_of)
    arrived: datetime | None = row["arrived_at"]
    return Explanation(
        row["request_id"],
        arrived.isoformat() if arrived else None,
        row["rule"],
        [_arm(row, arm, book, as_of, arrived, outputs, caches) for arm in ARMS],
    )


def _arm(
    row: dict[str, Any],
    arm: str,
    book: PriceBook,
    as_of: AsOf,
    arrived: datetime | None,
    outputs: str,
    caches: Mapping[str, Any] | None,
) -> ArmLines:
    model, logged, stored = row[f"{arm}_model"], row["logged_model"], row[f"{arm}_usd_pico"]
    is_logged = arm == ARMS[0] or (model is not None and logged is not None and book.same_model(model, logged))
    moment = (arrived or book.date) if as_of.policy == "request" else (as_of.moment or book.date)
    quote = book.quote(model, moment) if model else None
    counts = {bucket: row[f"{arm}_{bucket}"] for bucket in BUCKETS}
    total_input = int(sum(counts[bucket] or 0 for bucket in BUCKETS[:4]))
    simulated = caches is not None and _simulated(row, arm, caches)
    lines, sums = [], 0
    for bucket, tokens in counts.items():
        if not tokens:
            continue
        rate = quote.usd_per_mtok[bucket] if quote else None
        per_mtok = rate.at(total_input) if rate else None
        counted = AS_LOGGED if is_logged else outputs if bucket in OUTPUT_BUCKETS else "recounted"
        if simulated and bucket in INPUT_BUCKETS and (is_logged or bucket != INPUT_BUCKETS[0]):
            counted = "simulated"
        pico = None if per_mtok is None else round(Decimal(str(tokens)) * per_mtok * 10**6)
        sums += pico or 0
        lines.append(
            Line(
                bucket,
                tokens,
                counted,
                None if per_mtok is None else f"{per_mtok.normalize():f}",
                None if pico is None else dollars(pico),
                quote.effective_from.isoformat() if quote and quote.effective_from else None,
                quote.source if quote else None,
            )
        )
    note = ""
    if not row[f"{arm}_feasible"]:
        note = "the model cannot serve this request (its size, tools, images, JSON mode or output cap)"
    elif stored is not None and sums != stored:
        why = "a service tier, deciding, checks, calls in vain, a cost as billed or other prices make the difference"
        note = f"adds up to ${dollars(sums)}: {why}"
    usd = None if stored is None else dollars(stored)
    moved = () if is_logged or model is None or logged is None else tuple(_moved(row, arm, logged, model, outputs))
    return ArmLines(arm, model, usd, row[f"{arm}_feasible"], row[f"{arm}_provenance"], lines, note, moved)


def _moved(row: dict[str, Any], arm: str, logged: str, model: str, outputs: str) -> Iterator[str]:
    """Why another model has other tokens for the same request, as far as it does."""
    sides = {"input": BUCKETS[:4], "output": OUTPUT_BUCKETS}
    before, after = (
        {side: sum(row[f"{name}_{bucket}"] or 0 for bucket in buckets) for side, buckets in sides.items()}
        for name in (ARMS[0], arm)
    )
    ways = {"input": f"{_format(model)}; {_format(logged)}", "output": OUTPUT_WAYS[outputs]}
    for side, way in ways.items():
        if before[side] and after[side] and before[side] != after[side]:
            yield f"{side} {before[side]:,.10g} -> {after[side]:,.10g}: {way}"


def _format(model: str) -> str:
    """What a model makes of a text, and what its chat format adds."""
    rule, name = counting_rule(model), model.rpartition("/")[2]
    chat = rule.chat
    adds = f"adds {chat.per_request} tokens a request and {chat.per_message} a message"
    if chat.without_system:
        adds += f", {chat.without_system} more without a system message"
    counts = "with" if rule.ratio in (None, 1) else f"about {rule.ratio:g} x"
    return f"{name} counts {counts} {rule.tokenizer} and {adds}"


def _simulated(row: dict[str, Any], arm: str, caches: Mapping[str, Any]) -> bool:
    """Whether what an arm read from caches is simulated, and not what the log recorded of the same call."""
    if arm != ARMS[0]:
        return any(row[f"{arm}_{bucket}"] != row[f"{ARMS[0]}_{bucket}"] for bucket in INPUT_BUCKETS)
    known = {each["provider"] for each in caches["calibration"] if each["source"] != "given"}
    uncounted = row["logged_provenance"] != "provider"
    return uncounted or (row["logged_model"] or "").partition("/")[0] not in known
