"""One log under many settings of a rule set: read, scored and charged once, thresholded as often as wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from problems import BackrouteError, ProblemLog
from router import LLMRouter
from router.parameters import Parameter, settings
from simulator.arms import Arm
from simulator.counterfactual import Parameters
from simulator.counts import Array
from simulator.models import ModelIndex
from simulator.money import exact_sum
from simulator.prepared import prepare, unless_damaged
from simulator.scenario import Scenario
from simulator.search.known_quality import KnownQuality
from simulator.search.ways import SweptCaches, Ways
from simulator.state.settings import State
from simulator.sums.bootstrap import BUCKETS, bucket_of, row_keys, weights
from simulator.sums.interval import LEVEL
from simulator.usage.outputs import Outputs
from workloads import Log

HALVES = 2


@dataclass
class Sums:
    """What one way of routing came to on one half of the log.

    Args:
        pico: picodollars of all requests compared.
        known_pico: of those whose quality is known.
        seed: of the bootstrap.
        score: summed scores of those in millionths, by bootstrap bucket.
        count: how many, likewise.
        to_last: of those whose quality is known, how many went to the last rule's model.
    """

    seed: int
    requests: int = 0
    pico: int = 0
    known_pico: int = 0
    score: Array = field(default_factory=lambda: np.zeros(BUCKETS))
    count: Array = field(default_factory=lambda: np.zeros(BUCKETS))
    to_last: int = 0

    def add(self, pico: Array, score: Array, bucket: Array, to_last: Array) -> None:
        """Add some requests: picodollars, scores (NaN where unknown), bootstrap buckets, who gets the last model."""
        known = ~np.isnan(score)
        self.requests += len(pico)
        self.pico += exact_sum(pico)
        self.known_pico += exact_sum(pico[known])
        # Scores in millionths are whole, so their sums do not depend on the batches.
        self.score += np.bincount(bucket[known], np.rint(score[known] * 1e6), BUCKETS)
        self.count += np.bincount(bucket[known], minlength=BUCKETS)
        self.to_last += int(to_last[known].sum())

    def merged(self, other: Sums) -> Sums:
        """Both halves."""
        return Sums(
            self.seed,
            self.requests + other.requests,
            self.pico + other.pico,
            self.known_pico + other.known_pico,
            self.score + other.score,
            self.count + other.count,
            self.to_last + other.to_last,
        )

    @property
    def known(self) -> int:
        """Requests whose quality is known."""
        return int(self.count.sum())

    @property
    def quality(self) -> float | None:
        """Mean score; None where none is known."""
        return float(self.score.sum() / self.count.sum() / 1e6) if self.known else None

    @property
    def usd(self) -> Decimal:
        """Cost of all requests compared."""
        return Decimal(self.pico).scaleb(-12)

    @property
    def known_usd(self) -> float:
        """Cost of those whose quality is known: what stands beside `quality` in a frontier."""
        return self.known_pico / 1e12

    @property
    def interval(self) -> tuple[float, float] | None:
        """90% of the bootstrap's mean scores, sessions drawn whole; None where no quality is known."""
        held = np.flatnonzero(self.count)
        if not len(held):
            return None
        drawn = weights(held.astype(np.uint64), self.seed).astype(np.float64)
        count = self.count[held] @ drawn
        means = (self.score[held] @ drawn)[count > 0] / count[count > 0] / 1e6
        low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)


@dataclass(frozen=True)
class Point:
    """One way of routing: a setting of the parameters, a single model, or the hindsight oracle."""

    name: str
    values: Mapping[str, float]
    halves: tuple[Sums, Sums]

    @cached_property
    def all(self) -> Sums:
        """The whole log."""
        return self.halves[0].merged(self.halves[1])


@dataclass(frozen=True)
class Sweep:
    """What a log came to under every setting.

    Args:
        settings: in the order of their values.
        singles: every rule's model for all requests.
        oracle: per request the best answer, and the cheapest of several; None where no quality is known.
        rows: requests in the log; those that some rule's model cannot serve or price are not compared.
        compared: the others.
        cached: prompt caches were simulated, for each setting and single model with its own history. The oracle's costs
            are the single models', as if each had been used alone.
        problems: rows that could not be read.
    """

    settings: list[Point]
    singles: list[Point]
    oracle: Point | None
    rows: int
    compared: int
    cached: bool = False
    problems: ProblemLog = field(default_factory=ProblemLog)

    @property
    def has_quality(self) -> bool:
        """Whether any request's quality is known under all of the rules' models."""
        return any(point.all.known for point in self.settings)


def sweep(
    log: Log,
    router: LLMRouter,
    parameters: Sequence[Parameter],
    template: Scenario,
    *,
    quality: KnownQuality | None = None,
    seed: int = 0,
) -> Sweep:
    """Charge every rule's model once per request, then let each setting choose among them.

    A log in memory keeps its scores: another sweep or a replay of the same `Log` does not score its texts again.

    Args:
        log: what `workloads.read_log` gave.
        router: the rules.
        parameters: which of their numbers to vary; every combination is tried.
        template: prices, dates, assumptions, and whether prompt caches are simulated; its router is not asked.
        quality: what answers were worth, where that is known.
        seed: of the bootstrap.

    Raises:
        BackrouteError: a path that leads to no number, a model no price book knows, a log with nothing to compare.
    """
    if State(cache=template.state.cache) != template.state:
        what = "state besides the prompt caches, which one sweep of a log cannot simulate for all settings"
        raise BackrouteError("sweep", what, fix="leave it out, and replay the setting that you choose")
    tried = list(settings(router, parameters))
    with tempfile.TemporaryDirectory(prefix="backroute-") as temporary:
        return unless_damaged(log, lambda: _swept(log, router, tried, template, quality, seed, Path(temporary)))


def _swept(
    log: Log,
    router: LLMRouter,
    tried: Sequence[tuple[dict[str, float], LLMRouter]],
    template: Scenario,
    quality: KnownQuality | None,
    seed: int,
    temporary: Path,
) -> Sweep:
    problems = ProblemLog()
    prepared, index = prepare(log, template.book, problems, temporary)
    state = State(cache=template.state.cache).decided(prepared.observed.cached_input)
    scenario = Scenario(router.name, router, template.book, template.as_of, template.assumptions, state)
    outputs = Outputs(scenario.assumptions, prepared.observed, Parameters.load(scenario.assumptions.calibration), index)
    names = list(dict.fromkeys(rule.target for rule in router.rules))
    points = [Point(_named(values), values, (Sums(seed), Sums(seed))) for values, _ in tried]
    singles = [Point(name, {}, (Sums(seed), Sums(seed))) for name in names]
    oracle = Point("oracle", {}, (Sums(seed), Sums(seed)))
    ways = Ways(scenario, [setting for _, setting in tried], index, outputs)
    caches = None if state.caches is None else SweptCaches(prepared, ways, state.caches, index)
    rows = 0
    for batch in prepared.batches():
        first, rows = rows, rows + batch.requests.num_rows
        arms, chosen = ways.arms(batch), ways.chosen(batch)
        rows_used = np.flatnonzero(~batch.passes & np.all([arm.usable for arm in arms], axis=0) & (chosen >= 0).all(0))
        if not len(rows_used):
            continue
        taken, at = pa.array(rows_used), np.arange(len(rows_used))
        requests = {name: batch.requests[name].take(taken) for name in ("request_id", "session_id")}
        ids = requests["request_id"].to_pylist()
        chosen = chosen[:, rows_used]
        overhead = np.stack([arm.overhead[rows_used] for arm in arms])
        alone = np.stack([arm.total[rows_used] for arm in arms]) - overhead  # one model for all decides nothing
        cost = [(alone + overhead)[rule, at] for rule in chosen]
        if caches is not None:
            cost, alone = caches.cost(batch, arms, first, rows_used)
        score = np.stack([_scores(arm, rows_used, ids, index, quality) for arm in arms])
        score[:, np.isnan(score).any(axis=0)] = np.nan  # a frontier compares the same requests everywhere
        keys = row_keys(requests["session_id"], requests["request_id"])
        half, bucket = half_of(keys), bucket_of(keys)
        last = np.array([rule.target == router.rules[-1].target for rule in router.rules])
        targets = [rule.target for rule in router.rules]
        best = _best(alone, score)
        for point, rule, pico in (
            *zip(points, chosen, cost, strict=True),
            *((each, np.full(len(at), number := targets.index(each.name)), alone[number]) for each in singles),
            (oracle, best, alone[best, at]),
        ):
            for number, sums in enumerate(point.halves):
                mine = half == number
                sums.add(pico[mine], score[rule, at][mine], bucket[mine], last[rule][mine])
    compared = points[0].all.requests
    if not compared:
        what = f"none of its {rows:,} requests can be decided, served and priced under every rule"
        raise BackrouteError(log.name, what, fix="`backroute check` names unpriced models and rules that need text")
    known = bool(points[0].all.known)
    return Sweep(points, singles, oracle if known else None, rows, compared, caches is not None, problems)


def half_of(keys: Array) -> Array:
    """0 or 1 per request key, the same for all requests of a session."""
    return np.asarray(keys >> np.uint64(63)).astype(np.int64)


def _scores(arm: Arm, rows: Array, ids: Sequence[str], index: ModelIndex, quality: KnownQuality | None) -> Array:
    result = np.full(len(rows), np.nan)
    if quality is None:
        return result
    models = arm.model[rows]
    for code in np.unique(models).tolist():
        mine = models == code
        held = quality.of([ids[at] for at in np.flatnonzero(mine).tolist()], index.names[code])
        result[mine] = held
    return result


def _best(cost: Array, score: Array) -> Array:
    """Per request the rule of the best answer, the cheapest of equals; where nothing is known, the cheapest."""
    filled = np.nan_to_num(score, nan=-1.0)
    tied = filled == filled.max(axis=0)
    return np.asarray(np.where(tied, cost, np.iinfo(np.int64).max).argmin(axis=0))


def _named(values: Mapping[str, float]) -> str:
    return ", ".join(f"{path}={value:g}" for path, value in values.items())
