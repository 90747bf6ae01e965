"""Replay: read, count, route, rebase, charge, fold, one batch at a time."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from problems import BackrouteError, ProblemLog
from simulator.arms import Arm, Batch, folded_cost, logged_arm, scenario_arm
from simulator.bootstrap import row_keys, weights
from simulator.counterfactual import Parameters
from simulator.counts import Array
from simulator.decisions import decision_rows
from simulator.fold import NO_DAY, Comparison
from simulator.models import ModelIndex
from simulator.outputs import Outputs
from simulator.prepared import Prepared
from simulator.result import ReplayResult, Run
from simulator.scenario import Scenario
from workloads import Log

DAY_US = 86_400_000_000


def replay(
    log: Log,
    baseline: Scenario,
    *candidates: Scenario,
    seed: int = 0,
    sample_rate: float = 1.0,
    out: Path | None = None,
) -> tuple[ReplayResult, ...]:
    """Replay a log under a baseline and any number of candidates.

    Args:
        log: what `workloads.read_log` gave.
        baseline: the arm that savings are measured against, beside the log itself.
        candidates: the arms to compare with it.
        seed: of bootstrap and token draws; the same seed gives the same result for any batch size.
        sample_rate: the share of the traffic that the log holds; dollars are scaled up by it, nothing else is.
        out: a folder for `decisions.parquet` and `problems.jsonl`; a temporary one, gone with the results, if left out.

    Returns:
        One result per scenario, the baseline's first.

    Raises:
        BackrouteError: scenarios that disagree about dates, a model no price book knows, a log without rows.
    """
    scenarios = (baseline, *candidates)
    _agree(scenarios, sample_rate)
    folder = out or Path(tempfile.mkdtemp(prefix="backroute-"))
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(scenarios, seed, sample_rate, folder, ModelIndex(baseline.book))
    run.comparisons = [(Comparison(), Comparison()) for _ in scenarios]
    if out is None:
        weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    _pass(run, log)
    return tuple(ReplayResult(run, number) for number in range(len(scenarios)))


def _agree(scenarios: tuple[Scenario, ...], sample_rate: float) -> None:
    first = scenarios[0]
    for other in scenarios[1:]:
        if other.as_of != first.as_of:
            what = f"{first.name!r} and {other.name!r} use prices of different dates ({first.as_of} and {other.as_of})"
            raise BackrouteError(
                "replay", what, effect="a change of prices would pass for a saving", fix="use one date"
            )
    if not 0 < sample_rate <= 1:
        raise BackrouteError(
            "sample rate", f"not above 0 and up to 1 ({sample_rate:g})", fix="0.01 means 1% was logged"
        )


def _pass(run: Run, log: Log) -> None:
    files = list(range(1, len(run.scenarios))) or [0]
    writers: dict[int, pq.ParquetWriter] = {}
    with (run.folder / "problems.jsonl").open("w", encoding="utf-8") as sink:
        run.problems = ProblemLog(sink)
        try:
            observe = any(scenario.assumptions.output == "fitted" for scenario in run.scenarios)
            prepared = Prepared(log, run.index, run.problems, observe=observe)
            outputs = [
                Outputs(
                    scenario.assumptions,
                    prepared.observed,
                    Parameters.load(scenario.assumptions.calibration),
                    run.index,
                )
                for scenario in run.scenarios
            ]
            for batch in prepared.batches():
                logged, arms = _batch(run, batch, outputs)
                for number in files:
                    scenario = run.scenarios[number]
                    rows = decision_rows(batch.requests, run.index, logged, arms[0], arms[number], scenario)
                    if number not in writers:
                        writers[number] = pq.ParquetWriter(run.decisions_path(number), rows.schema, compression="zstd")
                    writers[number].write_table(rows)
        finally:
            for writer in writers.values():
                writer.close()
            run.problems.sink = None
    if not writers:
        first = str(run.problems.kept[0]) if run.problems.kept else ""
        raise BackrouteError(
            log.name, "no request to replay", effect=first, fix="`backroute inspect` says what it holds"
        )
    if run.facts.undecided == run.facts.rows:
        what = f"it holds lengths only, and the rules of {run.scenarios[-1].name!r} need the requests' text"
        raise BackrouteError(log.name, what, effect="no request can be routed", fix="use rules without text conditions")
    run.facts.formats, run.facts.digest = sorted(log.formats), log.digest


def _batch(run: Run, batch: Batch, outputs: list[Outputs]) -> tuple[Arm, list[Arm]]:
    first, requests = run.scenarios[0], batch.requests
    keys = row_keys(requests["session_id"], requests["request_id"])
    drawn, days = weights(keys, run.seed), _days(requests["arrived_at"])
    named = requests["model"].is_valid().to_numpy(zero_copy_only=False)
    logged = logged_arm(batch, run.index, first.book, first.as_of)
    decided = [scenario.router.route_batch(requests) for scenario in run.scenarios]
    arms = [
        scenario_arm(batch, scenario, decisions, run.index, expected, run.pairs)
        for scenario, decisions, expected in zip(run.scenarios, decided, outputs, strict=True)
    ]
    run.note(batch, logged, arms, keys, decided)
    run.reconciliation.add(batch, run.index, first.book)
    for scenario, arm, (against_first, against_log) in zip(run.scenarios, arms, run.comparisons, strict=True):
        for comparison, other in ((against_first, arms[0]), (against_log, logged)):
            steps = _waterfall(batch, other, arm, run.index, scenario)
            comparison.add(logged, other, arm, steps, days, drawn, named)
    return logged, arms


def _waterfall(
    batch: Batch, base: Arm, routed: Arm, index: ModelIndex, scenario: Scenario
) -> tuple[Array, Array, Array]:
    """Token, price and cache effects per request, as CONTRACTS defines them; they add up to the saving exactly."""
    own_base, ok_base = folded_cost(batch, base, base.model, index, scenario)
    swapped, ok_swap = folded_cost(batch, routed, base.model, index, scenario)
    own_routed, ok_routed = folded_cost(batch, routed, routed.model, index, scenario)
    ok = ok_base & ok_swap & ok_routed
    token = np.where(ok, own_base - swapped, 0)
    price = np.where(ok, swapped - own_routed, 0)
    return token, price, base.total - routed.total - token - price


def _days(arrived: pa.Array) -> Array:
    micros = pc.fill_null(arrived.cast(pa.int64()), 0).to_numpy()
    return np.where(arrived.is_valid().to_numpy(zero_copy_only=False), micros // DAY_US, NO_DAY)
