"""What the control's rules would have made of each unit's first request: known before any arm acted on the unit.

A replay that looked at the answers' lengths would know something of the arm, and the adjustment would be biased. So the
first request of each unit is replayed with its answer taken out: input tokens counted from the text, output tokens the
mean of its rule over all arms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import PriceBook
from quality.ab.moments import Floats
from router import LLMRouter
from simulator import Scenario, replay
from simulator.scenario import Assumptions
from workloads import BUCKETS, read_log
from workloads.amended import Amended
from workloads.decoding import NOT_JSON


def replayed_cost(
    lines: Iterable[bytes], first_requests: Sequence[str | None], control: LLMRouter, calls: pa.Table, book: PriceBook
) -> Floats:
    """USD of each unit's first request under the control's rules; the mean of all where it cannot be told.

    Args:
        lines: the decision log.
        first_requests: the ids of the requests, one a unit; None where it is not known.
        control: the rules.
        calls: of the log, for the mean output.
        book: the prices.
    """
    wanted, records = set(first_requests), []
    for line in lines:
        try:
            record = msgspec.json.decode(line)
        except NOT_JSON:
            continue
        if isinstance(record, dict) and str(record.get("request_id")) in wanted:
            records.append(record)
    output = pc.mean(calls["output_tokens"]).as_py() or 0.0
    policy = Assumptions(output="as_logged")
    base = Scenario.always("openai/gpt-4o", book, assumptions=policy)
    log = Amended(read_log(records), lambda: lambda asked, told: (asked, _unanswered(told, round(output))))
    _, after = replay(log, base, Scenario("control", control, book, assumptions=policy))
    costs = after.requests().drop_duplicates("request_id").set_index("request_id")["routed_usd_pico"]
    usd = costs.reindex(list(first_requests)).astype("float64").to_numpy() / 1e12
    return np.where(np.isnan(usd), np.nanmean(usd) if (~np.isnan(usd)).any() else 0.0, usd)


def _unanswered(outcomes: pa.RecordBatch, output: int) -> pa.RecordBatch:
    """Outcomes without what the answer told: no counts but an expected output, no text."""
    rows = outcomes.num_rows
    said = {bucket: pa.nulls(rows, pa.int64()) for bucket in BUCKETS}
    said["output_text"] = pa.array([output] * rows, pa.int64())
    said["output_reasoning"] = pa.array([0] * rows, pa.int64())
    said |= {"completion": pa.nulls(rows, pa.string()), "status": pa.array(["ok"] * rows)}
    said |= {"output_provenance": pa.array(["estimated"] * rows), "input_provenance": pa.nulls(rows, pa.string())}
    columns = [said.get(name, outcomes[name]) for name in outcomes.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=outcomes.schema)
