"""Replay: a log's batches through the kernel, their sums merged, their decisions written."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path

from problems import BackrouteError, ProblemLog
from simulator.decisions import DecisionFile
from simulator.engines import Dask, Engine, engine_of
from simulator.kernel import Kernel, Plan, Replayed
from simulator.models import ModelIndex
from simulator.parallel import Parts, read_blocks
from simulator.prepared import Prepared, prepare, unless_damaged
from simulator.process import replaying
from simulator.result import ReplayResult, Run
from simulator.scenario import Scenario
from simulator.state.pieces import Gather
from simulator.state.settings import WHERE_SHOWN
from simulator.state.simulate import simulate
from simulator.sums.facts import Partial
from workloads import Log
from workloads.checked import DamagedError

warn = logging.getLogger("backroute")


def replay(
    log: Log,
    baseline: Scenario,
    *candidates: Scenario,
    seed: int = 0,
    sample_rate: float = 1.0,
    out: Path | None = None,
    engine: str = "local",
    workers: int = 1,
    scheduler: str | None = None,
) -> tuple[ReplayResult, ...]:
    """Replay a log under a baseline and any number of candidates.

    Args:
        log: what `workloads.read_log` gave.
        baseline: the arm that savings are measured against, beside the log itself.
        candidates: the arms to compare with it.
        seed: of bootstrap and token draws; the same seed gives the same result for any batch size.
        sample_rate: the share of the traffic that the log holds; dollars are scaled up by it, nothing else is.
        out: a folder for `decisions.parquet` and `problems.jsonl`; a temporary one, gone with the results, if left out.
        engine: "local" for this machine, "dask" for a Dask cluster; totals are the same on any.
        workers: processes of the local engine, this one among them; a short log is given fewer.
        scheduler: the address of Dask's scheduler, for example "tcp://127.0.0.1:8786"; its workers have to see the log
            and `out` under the same paths.

    Returns:
        One result per scenario, the baseline's first.

    Raises:
        BackrouteError: scenarios that disagree about dates, a model no price book knows, a log without rows, an engine
            that cannot be had.
    """
    if not isinstance(log, Log):  # a path, as likely as not
        raise BackrouteError("replay", f"not a log ({log!r})", fix="read it first: replay(read_log(path), ...)")
    # As they are now: whoever replays a router again may have changed it meanwhile, and decisions may be written later.
    scenarios = tuple(replace(each, router=copy(each.router)) for each in (baseline, *candidates))
    _agree(scenarios, sample_rate)
    folder = out or Path(tempfile.mkdtemp(prefix="backroute-"))
    folder.mkdir(parents=True, exist_ok=True)

    def run_once() -> Run:
        run = Run(scenarios, seed, sample_rate, folder, Partial.of(len(scenarios)))
        run.by_log = scenarios[0].state.cache == WHERE_SHOWN
        _pass(run, log, engine_of(engine, workers, scheduler), write=out is not None)
        return run

    try:
        run = unless_damaged(log, run_once)
    except BaseException:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if out is None:
        weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    return tuple(ReplayResult(run, number) for number in range(len(scenarios)))


def _agree(scenarios: tuple[Scenario, ...], sample_rate: float) -> None:
    first = scenarios[0]
    for other in scenarios[1:]:
        if other.as_of != first.as_of:
            what = f"{first.name!r} and {other.name!r} use prices of different dates ({first.as_of} and {other.as_of})"
            raise BackrouteError(
                "replay", what, effect="a change of prices would pass for a saving", fix="use one date"
            )
        if other.state.of_the_world != first.state.of_the_world:
            what = f"{first.name!r} and {other.name!r} do not share their state: cache, limits, retries, tiers, latency"
            raise BackrouteError(
                "replay", what, effect="one arm would be simulated and the other not", fix="see State.of_the_world"
            )
    if not 0 < sample_rate <= 1:
        raise BackrouteError(
            "sample rate", f"not above 0 and up to 1 ({sample_rate:g})", fix="0.01 means 1% was logged"
        )


def _pass(run: Run, log: Log, engine: Engine | None, *, write: bool) -> None:
    begun = run.folder / "problems.jsonl.partial"  # what a replay that is cut short leaves is the replay before it
    try:
        with replaying(), begun.open("w", encoding="utf-8") as sink:
            run.problems = ProblemLog(sink)
            _write(run, _replayed(run, log, engine, write=write))
        begun.replace(run.folder / "problems.jsonl")
    finally:
        run.problems.sink = None
        begun.unlink(missing_ok=True)
        if engine is not None:
            engine.close()
    if not run.facts.rows:
        first = str(run.problems.kept[0]) if run.problems.kept else ""
        raise BackrouteError(
            log.name, "no request to replay", effect=first, fix="`backroute inspect` says what it holds"
        )
    if run.facts.undecided == run.facts.rows:
        what = f"it holds no texts, which the rules of {run.scenarios[-1].name!r} need (input_tokens counts them, too)"
        fix = "rules on meta, model, user_id, has_tools and other flags, or the output cap can decide them"
        raise BackrouteError(log.name, what, effect="no request can be routed", fix=fix)
    run.facts.formats, run.facts.digest = sorted(log.formats), log.digest


def _write(run: Run, parts: Iterator[Replayed], *, add: bool = True) -> None:
    """Write the decisions of every part, and add its sums to the run's."""
    with ExitStack() as open_files:
        files: dict[int, DecisionFile] = {}
        for replayed in parts:
            if add:
                run.totals.merge(replayed.partial)
            for number, rows in replayed.decisions.items():
                if number not in files:
                    files[number] = open_files.enter_context(DecisionFile(run.decisions_path(number)))
                files[number].add(rows)


def _replayed(run: Run, log: Log, engine: Engine | None, *, write: bool) -> Iterator[Replayed]:
    """Every part of the log under the scenarios, in its order.

    Without `write`, the decisions of a log in memory wait until somebody wants them.
    """
    blocks = log.blocks() if engine is not None else None
    if engine is not None and not blocks:
        why = "only plain JSON lines, and Parquet in row groups of up to 64 MiB, are read in parts"
        warn.warning("note: one process replays this log: %s", why)
    if engine is not None and not (blocks and engine.suits(len(blocks))):
        engine = None
    with tempfile.TemporaryDirectory(prefix=".parts-", dir=run.folder) as held:
        temporary = Path(held)
        reader = None
        if engine is not None and blocks:
            reader = partial(read_blocks, log, blocks, engine, temporary, run.scenarios)
        # The workers of a cluster may not be allowed to write, or see, what lies beside the log.
        beside = not isinstance(engine, Dask)
        book, problems = run.scenarios[0].book, run.problems
        prepared, index = prepare(log, book, problems, temporary, reader, scenarios=run.scenarios, beside=beside)
        run.doubts, run.cached_input = prepared.doubts, prepared.observed.cached_input
        scenarios = tuple(scenario.decided(run.cached_input) for scenario in run.scenarios)
        plan = Plan(scenarios, run.seed, prepared.observed, tuple(run.doubts))
        parts = None
        if engine is not None and not prepared.held:
            parts = Parts(prepared.parts, plan, engine, temporary, index)
        again = parts is None and not write and prepared.held and prepared.lasting
        # Prompt caches alone are simulated where a log in memory is replayed from its last replay.
        again_cached = again and all(scenario.state.caches_alone for scenario in scenarios)
        if any(scenario.state for scenario in scenarios) and not again_cached:
            gather = Gather(scenarios, prepared.observed, index)
            pieces = map(gather, prepared.batches()) if parts is None else parts.gathered()
            run.changes = simulate(pieces, scenarios, index, run.seed)
        if parts is not None:
            yield from parts.replayed(run.changes)
        elif not again:
            yield from map(Kernel(plan, index, run.changes), prepared.batches())
        else:
            if run.changes is None:
                partial_, run.changes = prepared.incremental(plan)
                yield Replayed(partial_, {})
                prepared.keep()
            else:
                yield from map(Kernel(replace(plan, write=False), index, run.changes), prepared.batches())
            run.write_decisions = _later(run, plan, index, prepared)


def _later(run: Run, plan: Plan, index: ModelIndex, prepared: Prepared) -> Callable[[], None]:
    """Writes the decisions of a run, which it does not keep alive."""
    again, changes = weakref.ref(run), run.changes

    def decisions() -> None:
        if (known := again()) is None:  # which asks, and so is there
            return
        try:
            _write(known, map(Kernel(plan, index, changes), prepared.batches()), add=False)
        except DamagedError as error:
            what = f"what was kept of the log is damaged or gone ({error})"
            raise BackrouteError("decisions", what, fix="replay again") from error

    return decisions
