"""decisions.parquet: every request, what was decided, used and charged in each arm."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from simulator.arms import PASSED_THROUGH, Arm
from simulator.models import ModelIndex
from simulator.scenario import Scenario

ARMS = ("logged", "baseline", "routed")


def decision_rows(
    requests: pa.RecordBatch, index: ModelIndex, logged: Arm, baseline: Arm, routed: Arm, scenario: Scenario
) -> pa.Table:
    """One row per request in CONTRACTS' columns; tokens are float64, money int64 picodollars, unknown is null."""
    columns: dict[str, pa.Array] = {name: requests[name] for name in ("request_id", "session_id", "arrived_at")}
    columns["rule"] = rule_names(routed, scenario)
    for name, arm in zip(ARMS, (logged, baseline, routed), strict=True):
        columns[f"{name}_model"] = index.column(arm.model).cast(pa.string())
        columns |= {f"{name}_{bucket}": tokens for bucket, tokens in arm.counts.tokens().items()}
        columns[f"{name}_usd_pico"] = pa.array(arm.total, mask=~arm.priced)
        columns[f"{name}_feasible"] = pa.array(arm.feasible)
        columns[f"{name}_provenance"] = arm.counts.provenance()
    return pa.table(columns)


def rule_names(arm: Arm, scenario: Scenario) -> pa.Array:
    """The name of the rule that decided each request; null where none could."""
    names = [rule.name for rule in scenario.router.rules]
    return pa.array([*names, PASSED_THROUGH]).take(
        pa.array(np.where(arm.rule == -2, len(names), arm.rule), mask=arm.rule == -1)
    )
