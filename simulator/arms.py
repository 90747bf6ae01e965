"""One arm over one batch: who was chosen, what it used, what it cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import AsOf, Capabilities, Charges, PriceBook, charge
from router import Decisions, RoutingRule
from simulator.counted import CountedInput
from simulator.counts import INPUTS, THOUSAND, UNKNOWN, Array, Counts
from simulator.memory import Memory
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.money import picodollars
from simulator.observed import task_codes
from simulator.outputs import Outputs
from simulator.own_counts import own_pairs
from simulator.pairs import Pairs
from simulator.rebase import Known, Moved
from simulator.scenario import Scenario
from simulator.scores import scores
from workloads import BUCKETS

Value = TypeVar("Value")

AS_LOGGED = -2  # in the place of a model: the logged tokens, or the logged model
PASSED_THROUGH = "not routed"  # the rule that reports name for calls that are no chat


@dataclass(frozen=True)
class Arm:
    """One arm of one batch.

    Args:
        model: int32 codes into the run's `ModelIndex`, -1 where none could be decided.
        rule: int32 per request into the scenario's rules, -1 undecided, -2 where a call that is no chat passes through.
        counts: tokens.
        pico: int64 per bucket, (requests, 6) picodollars; 0 where unknown.
        total: int64 picodollars per request; 0 where unknown.
        priced: bool, the total is known.
        feasible: bool, the model can serve the request.
        pair: int32 code into `Pairs`.
        request_sd: float64 tokens of output.
        overhead, retry: int64 picodollars within `total` for deciding and checks, and for calls made in vain.
    """

    model: Codes
    rule: Array
    counts: Counts
    pico: Array
    total: Array
    priced: Array
    feasible: Array
    pair: Array
    request_sd: Array
    overhead: Array
    retry: Array

    @property
    def usable(self) -> Array:
        """Bool per request: priced and feasible, so that it can be compared."""
        return np.asarray(self.priced & self.feasible)


@dataclass(frozen=True)
class Batch:
    """One batch as every arm sees it.

    Args:
        requests: arrival columns.
        source: int32 codes of the logged models.
        logged: the logged tokens.
        inputs: counts of the messages by any tokenizer, each made once for all arms.
        tier: the service tier served, else the one asked for.
        passes: bool, calls that are no chat: they cost what was logged in every arm.
        recorded_pico: int64, what the log says each call cost; 0 where it does not say.
        recorded: bool, it does.
        task: int64 codes of the labels' task classes, -1 where unlabelled.
        cap: float64 output caps in tokens, NaN where there is none.
        score: int64 thousandths, how good the log says each answer was; -1 where it does not say.
        failed: bool, the call ended in an error.
        latency_ms, ttft_ms: float64, NaN where the log does not say.
        memory: keeps what is worked out of the batch; of its own, or of a whole log in memory.
        number: the batch's within that memory.
    """

    requests: pa.RecordBatch
    source: Codes
    logged: Counts
    inputs: CountedInput
    tier: pa.Array
    passes: Array
    recorded_pico: Array
    recorded: Array
    task: Array
    cap: Array
    score: Array
    failed: Array
    latency_ms: Array
    ttft_ms: Array
    memory: Memory = field(default_factory=Memory)
    number: int = 0

    def kept(self, key: tuple[Hashable, ...], make: Callable[[], Value]) -> Value:
        """What a key stands for in this batch, made the first time; see `Memory.get`."""
        return self.memory.get((self.number, *key), make)

    @classmethod
    def of(
        cls, requests: pa.RecordBatch, outcomes: pa.RecordBatch, source: Codes, logged: Counts, inputs: CountedInput
    ) -> Batch:
        """The batch, from its columns."""
        call_type = pc.fill_null(requests["call_type"], "chat")
        return cls(
            requests,
            source,
            logged,
            inputs,
            pc.coalesce(outcomes["served_tier"], requests["service_tier"]),
            pc.not_equal(call_type, "chat").to_numpy(zero_copy_only=False),
            picodollars(outcomes["recorded_usd"]),
            outcomes["recorded_usd"].is_valid().to_numpy(zero_copy_only=False),
            task_codes(requests["label"]),
            pc.cast(requests["max_output_tokens"], pa.float64()).to_numpy(zero_copy_only=False),
            scores(outcomes["feedback"]),
            pc.fill_null(pc.equal(outcomes["status"], "error"), False).to_numpy(zero_copy_only=False),
            outcomes["latency_ms"].to_numpy(zero_copy_only=False),
            outcomes["ttft_ms"].to_numpy(zero_copy_only=False),
        )


def logged_arm(batch: Batch, index: ModelIndex, book: PriceBook, as_of: AsOf, counts: Counts | None = None) -> Arm:
    """The arm that happened, at the prices of `as_of`; with the logged counts, or what a simulated cache left."""
    counts = batch.logged if counts is None else counts
    rows = batch.requests.num_rows
    charges = _charge(batch, batch.source, counts, index, book, as_of)
    pico, total, priced = money(charges)
    total, priced = _pass_through(batch, total, priced)
    ones, zeros = np.ones(rows, bool), np.zeros(rows, np.int32)
    rule = np.where(batch.passes, -2, 0).astype(np.int32)
    none = np.zeros(rows, np.int64)
    return Arm(batch.source, rule, counts, pico, total, priced, ones, zeros, np.zeros(rows), none, none)


@dataclass(frozen=True)
class Choice:
    """Who serves each request of a batch: see `Arm` for the columns."""

    rule: Array
    model: Codes
    feasible: Array


@dataclass(frozen=True)
class Use:
    """What the chosen models use: see `Arm` for the columns."""

    counts: Counts
    pair: Array
    request_sd: Array


def serve(batch: Batch, scenario: Scenario, decided: Decisions, index: ModelIndex) -> Choice:
    """The models that a scenario's decisions lead to; calls that are no chat stay where they were."""
    rule = np.where(batch.passes, -2, decided.chosen).astype(np.int32)
    target, feasible = _serve(batch, scenario.router.rules, rule, index, scenario.book)
    return Choice(rule, np.where(batch.passes, batch.source, target).astype(np.int32), feasible | batch.passes)


def use(batch: Batch, choice: Choice, index: ModelIndex, outputs: Outputs, pairs: Pairs) -> Use:
    """The tokens of the chosen models: as logged where the model is the logged one, else the expected ones.

    Nothing is known of a request that no model was chosen for.
    """
    rows = len(choice.model)
    own = logged_pairs(batch, index, pairs)
    milli, known = np.zeros_like(batch.logged.milli), np.zeros_like(batch.logged.known)
    from_input, from_output = np.full(rows, UNKNOWN, np.int8), np.full(rows, UNKNOWN, np.int8)
    pair, request_sd = np.zeros(rows, np.int32), np.zeros(rows)
    for model in distinct(kinds := served_as(batch, choice.model)):
        mine = kinds == model
        if model == NO_MODEL:
            continue
        part = batch.logged
        if model != AS_LOGGED:
            moved = tokens_on(batch, model, mine, index, outputs)
            part, codes = moved.counts, moved.pairs(mine, own, pairs)
            if mine.all():
                return Use(part, codes, moved.request_sd)
            pair[mine], request_sd[mine] = codes, moved.request_sd[mine]
        milli[mine], known[mine] = part.milli[mine], part.known[mine]
        from_input[mine], from_output[mine] = part.input_provenance[mine], part.output_provenance[mine]
    return Use(Counts(milli, known, from_input, from_output), pair, request_sd)


def served_as(batch: Batch, model: Codes) -> Codes:
    """Codes of the models of an arm, AS_LOGGED for calls that are no chat."""
    return np.where(batch.passes, AS_LOGGED, model).astype(np.int32)


def distinct(codes: Codes) -> list[int]:
    """The codes that occur, -1 and AS_LOGGED included."""
    return (np.flatnonzero(np.bincount(codes - AS_LOGGED)) + AS_LOGGED).tolist()


def tokens_on(batch: Batch, model: int, rows: Array, index: ModelIndex, outputs: Outputs) -> Moved:
    """The batch's tokens on one model, the rows of a mask at least; worked out once for all arms and replays."""
    known = Known(batch.logged, batch.source, batch.task, batch.inputs, batch.cap)
    moved = batch.kept(("tokens", model, outputs.key), lambda: Moved.none(model, known))
    moved.fill(rows, known, index, outputs)
    return moved


def logged_pairs(batch: Batch, index: ModelIndex, pairs: Pairs) -> Array:
    """`own_pairs` of the batch."""

    def make() -> tuple[Array, Pairs]:
        local = Pairs()
        return own_pairs(batch.logged, batch.source, index, local), local

    codes, local = batch.kept(("own",), make)
    return pairs.adopt(local, codes)


def charged(
    batch: Batch, scenario: Scenario, choice: Choice, used: Use, index: ModelIndex, tier: pa.Array | None = None
) -> Arm:
    """The arm, charged at the scenario's prices; `tier` instead of the batch's own service tiers."""
    charges = _charge(batch, choice.model, used.counts, index, scenario.book, scenario.as_of, tier)
    pico, total, priced = money(charges)
    total, priced = _pass_through(batch, total, priced)
    decided = np.where(priced & (choice.rule >= 0), np.int64(getattr(scenario.router, "overhead_pico", 0)), 0)
    return Arm(
        choice.model,
        choice.rule,
        used.counts,
        pico,
        total + decided,
        priced,
        choice.feasible,
        used.pair,
        used.request_sd,
        decided,
        np.zeros(len(total), np.int64),
    )


def folded_cost(batch: Batch, arm: Arm, model: Codes, index: ModelIndex, scenario: Scenario) -> tuple[Array, Array]:
    """An arm's tokens without cache, at another model's standard-tier prices: (picodollars, priced).

    The waterfall's common ground: see CONTRACTS, Waterfall.
    """
    charges = charge(
        scenario.book,
        index.column(model),
        arm.counts.folded().table(),
        at=scenario.as_of,
        arrived_at=batch.requests["arrived_at"],
    )
    _, total, priced = money(charges)
    return total, priced


def _charge(
    batch: Batch,
    model: Codes,
    counts: Counts,
    index: ModelIndex,
    book: PriceBook,
    as_of: AsOf,
    tier: pa.Array | None = None,
) -> Charges:
    arrived, served = batch.requests["arrived_at"], batch.tier if tier is None else tier
    return charge(book, index.column(model), counts.table(), at=as_of, arrived_at=arrived, tier=served)


def money(charges: Charges) -> tuple[Array, Array, Array]:
    """Charges as `Arm` has them: picodollars per bucket and in total, and whether the total is known."""
    pico = np.stack([_filled(charges.buckets[bucket]) for bucket in BUCKETS], axis=1)
    return pico, _filled(charges.total), charges.total.is_valid().to_numpy(zero_copy_only=False)


def _filled(column: pa.Array | pa.ChunkedArray) -> Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _pass_through(batch: Batch, total: Array, priced: Array) -> tuple[Array, Array]:
    # What a provider billed for a call we do not price by its tokens is the best that is known of it.
    billed = batch.passes & batch.recorded
    # Audio and images made have rates of their own, which no bucket tells.
    apart = pc.is_in(batch.requests["call_type"], pa.array(["audio", "image"])).to_numpy(zero_copy_only=False)
    return np.where(billed, batch.recorded_pico, total), (priced & ~apart) | billed


def _serve(
    batch: Batch, rules: tuple[RoutingRule, ...], rule: Array, index: ModelIndex, book: PriceBook
) -> tuple[Codes, Array]:
    """The model that serves each request: the rule's, or the first of its fallbacks that can; and whether any can."""
    target = np.full(len(rule), NO_MODEL, np.int32)
    feasible = np.zeros(len(rule), bool)
    for number, each in enumerate(rules):
        rows = rule == number
        if not rows.any():
            continue
        for name in (each.target, *each.fallback):
            canonical = book.require(name, f"rule {each.name!r}")
            can = can_serve(batch, canonical, book)
            take = rows & ~feasible & can
            target[take], feasible[take] = index.code(canonical), True
        none = rows & ~feasible
        target[none] = index.code(book.require(each.target, f"rule {each.name!r}"))
    return target, feasible


def can_serve(batch: Batch, model: str, book: PriceBook) -> Array:
    """Bool per request: the model takes its length, tools, images, JSON mode and output cap, as far as it is known."""
    result = np.ones(batch.requests.num_rows, bool)
    for stands in obstacles(batch, model, book).values():
        result &= ~stands
    return result


def obstacles(batch: Batch, model: str, book: PriceBook) -> dict[str, Array]:
    """Bool per request, for each limit of the model that is known: the request goes beyond it."""
    able = book.capabilities(model)
    return batch.kept(("obstacles", able), lambda: _obstacles(batch, able))


def _obstacles(batch: Batch, able: Capabilities) -> dict[str, Array]:
    requests = batch.requests
    found: dict[str, Array] = {}
    for ability, wanted in (("tools", "has_tools"), ("images", "has_images"), ("json_mode", "json_mode")):
        if getattr(able, ability) is False:
            asked = pc.fill_null(requests[wanted], False).to_numpy(zero_copy_only=False)
            found[f"no {ability.replace('_', ' ')}"] = asked
    if able.max_output_tokens is not None:
        found["output limit"] = pc.fill_null(requests["max_output_tokens"], 0).to_numpy() > able.max_output_tokens
    if able.context_window is not None:
        known = batch.logged.known[:, :INPUTS].all(axis=1)
        found["context window"] = known & (batch.logged.input_milli > able.context_window * THOUSAND)
    return found
