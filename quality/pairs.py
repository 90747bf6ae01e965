"""Pairs of answers, and pairs.parquet: what calibrate, training and reports read of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quality.journal import Outcome
from quality.plan import Plan
from quality.population import Request
from quality.scoring import Scores
from simulator.counterfactual import PairedSample
from simulator.usage.observed import o200k_per_token
from workloads import BUCKETS, INPUT_BUCKETS
from workloads.own_tables import checked_batches

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("request_id", "rule", "task", "arm", "model")]
    + [(bucket, pa.int64()) for bucket in BUCKETS]
    + [("latency_ms", pa.float64()), ("completion", pa.string()), ("score", pa.float64()), ("judge", pa.string())]
    + [("weight", pa.float64()), ("usd_pico", pa.int64())]
)
# What `paired_samples` looks at.
USED = pa.schema([SCHEMA.field(name) for name in ("request_id", "arm", "model", *INPUT_BUCKETS, "output_text")])


@dataclass
class Pair:
    """Two answers to one request, as far as there are any.

    Args:
        request: the request.
        baseline: the baseline's answer, live or from the log.
        routed: the routed model's.
        scores: None where the pair is not scored.
        dropped: why it never will be; "" while it may.
    """

    request: Request
    baseline: Outcome | None = None
    routed: Outcome | None = None
    scores: Scores | None = None
    dropped: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing more can come of it."""
        return self.scores is not None or bool(self.dropped)


def from_log(request: Request) -> Outcome | None:
    """The baseline's answer as the log holds it; None where it must be called."""
    known = request.known
    if known is None:
        return None
    return Outcome(
        f"{request.row}:baseline",
        known["usd_pico"],
        text=known["completion"],
        usage={bucket: known[bucket] for bucket in BUCKETS if known[bucket] is not None},
        latency_ms=known["latency_ms"],
    )


def write_pairs(path: Path, pairs: Mapping[int, Pair], plan: Plan, judge: str) -> None:
    """One row per answer; `weight` sums to the number of draws over all traffic that moved."""
    times = Counter(plan.population.row[plan.draws].tolist())
    weights = dict(zip(plan.population.row[plan.draws].tolist(), plan.overall_weight[plan.draws].tolist(), strict=True))
    rows: list[dict[str, Any]] = []
    for row, pair in pairs.items():
        held = (("baseline", pair.request.against, pair.baseline), ("routed", pair.request.model, pair.routed))
        for arm, model, outcome in held:
            if outcome is None or outcome.text is None:
                continue
            rows.append(
                {
                    **{"request_id": pair.request.request_id, "rule": pair.request.rule, "task": pair.request.label},
                    **{"arm": arm, "model": model, "latency_ms": outcome.latency_ms, "completion": outcome.text},
                    **{bucket: outcome.usage.get(bucket) for bucket in BUCKETS},
                    "score": getattr(pair.scores, arm) if pair.scores else None,
                    "judge": judge if pair.scores else None,
                    "weight": times[row] * weights[row],
                    "usd_pico": outcome.usd_pico,
                }
            )
    waiting = path.with_suffix(".writing")
    table = pa.Table.from_pylist(rows, SCHEMA)
    pq.write_table(table, waiting, compression="zstd", write_page_checksum=True)
    waiting.replace(path)


def paired_samples(path: Path) -> list[PairedSample]:
    """The visible tokens of pairs.parquet by pair of models, as o200k_base counts, for `counterfactual.calibrate`.

    Raises:
        BackrouteError: the file is damaged, or not what `write_pairs` wrote.
    """
    fix = "`backroute verify` writes it again, from its journal"
    ids = ("request_id", "arm", "model")
    batches = checked_batches(path, lambda _: USED, fix, never_null=ids, columns=USED.names)
    frame = pa.Table.from_batches(batches, USED).to_pandas()
    # Tokenizers differ between models; the prediction is made in one, and `rebase` turns it back.
    scale = frame["model"].map(o200k_per_token).astype(float)
    frame["tokens"] = frame["output_text"] * scale
    frame["asked"] = frame[list(INPUT_BUCKETS)].sum(axis=1, min_count=4) * scale
    sides = [frame[frame["arm"] == arm] for arm in ("baseline", "routed")]
    joined = sides[0].merge(sides[1], on="request_id", suffixes=("_baseline", "_routed"))
    joined = joined.dropna(subset=["tokens_baseline", "tokens_routed", "asked_baseline"])
    found = []
    for (source, target), mine in joined.groupby(["model_baseline", "model_routed"]):
        tokens = [np.asarray(mine[f"tokens_{arm}"], np.float64) for arm in ("baseline", "routed")]
        asked = np.asarray(mine["asked_baseline"], np.float64)
        found.append(PairedSample(str(source), str(target), tokens[0], tokens[1], asked))
    return found
