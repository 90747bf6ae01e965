"""One arm over one batch: who was chosen, what it used, what it cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import AsOf, Capabilities, PriceBook
from pricing.charge import cost
from pricing.schedule import Schedule
from router import Decisions, RoutingRule
from simulator.counts import INPUTS, REASONING, TEXT, THOUSAND, Array, Counts
from simulator.models import NO_MODEL, Codes, ModelIndex
from simulator.money import picodollars
from simulator.scenario import Scenario
from simulator.scores import scores
from simulator.stored.made import LASTING, Made
from simulator.stored.memory import Memory
from simulator.sums.bootstrap import row_keys
from simulator.usage.counted import CountedInput
from simulator.usage.observed import task_codes
from simulator.usage.outputs import Outputs
from simulator.usage.pairs import Pairs
from simulator.usage.rebase import Known, rebased

Value = TypeVar("Value")

NANO = 1000  # picodollars of a nanodollar
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

    @cached_property
    def inputs(self) -> Array:
        """Int64 picodollars of all input."""
        return np.asarray(self.pico[:, :INPUTS].sum(axis=1))

    @cached_property
    def outputs(self) -> Array:
        """Int64 picodollars of all output."""
        return np.asarray(self.pico[:, TEXT] + self.pico[:, REASONING])

    @cached_property
    def nano(self) -> tuple[Array | None, Array | None, Array | None]:
        """Float64 whole nanodollars of input, output text and reasoning; None where none costs anything.

        A call billed as a whole has no buckets: it counts with the input, and is as exact.
        """
        sides = self.total - self.outputs, self.pico[:, TEXT], self.pico[:, REASONING]
        input_, text, reasoning = (np.rint(side / NANO) if side.any() else None for side in sides)
        return input_, text, reasoning

    @cached_property
    def noise(self) -> Array | None:
        """Float64 nanodollars: one standard deviation of a request's cost from its output length alone."""
        if not self.request_sd.any():
            return None
        tokens = self.counts.milli[:, TEXT] / THOUSAND
        price = np.divide(self.pico[:, TEXT], tokens, out=np.zeros(len(tokens)), where=tokens > 0)
        return np.asarray(self.request_sd * price / NANO)


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
        key: uint64, the bootstrap's, of the session or else of the request.
        made: keeps on disk what is worked out of its texts, where the batch itself lies there.
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
    key: Array
    made: Made | None = None
    memory: Memory = field(default_factory=Memory)
    number: int = 0

    def kept(self, key: tuple[Hashable, ...], make: Callable[[], Value]) -> Value:
        """What a key stands for in this batch, made the first time; see `Memory.get` and `Made.kept`."""
        made = self.made
        if made is None or key[0] not in LASTING:
            return self.memory.get((self.number, *key), make)
        return self.memory.get((self.number, *key), lambda: made.kept(key, make))

    def keep(self) -> None:
        """Keep on disk what was made of the batch's texts, where the batch lies there."""
        if self.made is not None:
            self.inputs.keep(self.made)
            self.inputs.read_from(self.requests)
            self.made.save()

    @cached_property
    def tiers(self) -> tuple[tuple[str | None, ...], Array]:
        """The service tiers that occur, None last, and each request's place among them."""
        return tier_codes(self.tier)

    @cached_property
    def apart(self) -> Array:
        """Bool per request: audio or images made, which have rates of their own that no bucket tells."""
        made = pc.is_in(self.requests["call_type"], pa.array(["audio", "image"]))
        return np.asarray(made.to_numpy(zero_copy_only=False))

    @classmethod
    def of(
        cls,
        requests: pa.RecordBatch,
        outcomes: pa.RecordBatch,
        source: Codes,
        logged: Counts,
        inputs: CountedInput,
        made: Made | None = None,
    ) -> Batch:
        """The batch, from its columns."""
        call_type = pc.fill_null(requests["call_type"], "chat")
        return cls(
            requests,
            source,
            logged.by_column(),
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
            row_keys(requests["session_id"], requests["request_id"]),
            made,
        )


def tier_codes(tier: pa.Array) -> tuple[tuple[str | None, ...], Array]:
    """The service tiers of a column, None last, and each row's place among them."""
    if tier.null_count == len(tier):
        return (None,), np.zeros(len(tier), np.int64)
    encoded = tier.dictionary_encode()
    names: list[str] = encoded.dictionary.to_pylist()
    return (*names, None), np.asarray(encoded.indices.fill_null(len(names))).astype(np.int64)


def logged_arm(batch: Batch, index: ModelIndex, book: PriceBook, as_of: AsOf, counts: Counts | None = None) -> Arm:
    """The arm that happened, at the prices of `as_of`; with the logged counts, or what a simulated cache left."""
    counts = batch.logged if counts is None else counts
    rows = batch.requests.num_rows
    pico, total, priced = _billed(batch, batch.source, counts, index, book, as_of)
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
    known = Known(batch.logged, batch.source, batch.task, batch.inputs, batch.cap)
    stays = batch.passes | index.same(batch.source, choice.model)
    counts, pair, request_sd = rebased(known, choice.model, stays, index, outputs, pairs)
    if batch.passes.any():
        pair = np.where(batch.passes, 0, pair)
    return Use(counts, pair, request_sd)


def charged(
    batch: Batch, scenario: Scenario, choice: Choice, used: Use, index: ModelIndex, tier: pa.Array | None = None
) -> Arm:
    """The arm, charged at the scenario's prices; `tier` instead of the batch's own service tiers."""
    pico, total, priced = _billed(batch, choice.model, used.counts, index, scenario.book, scenario.as_of, tier)
    overhead = np.zeros(len(total), np.int64)
    if each := getattr(scenario.router, "overhead_pico", 0):
        overhead[priced & (choice.rule >= 0)] = each
        total = total + overhead
    none = np.zeros(len(total), np.int64)
    rule, model, feasible = choice.rule, choice.model, choice.feasible
    return Arm(model, rule, used.counts, pico, total, priced, feasible, used.pair, used.request_sd, overhead, none)


def folded_cost(
    batch: Batch, counts: Counts, model: Codes, index: ModelIndex, scenario: Scenario
) -> tuple[Array, Array]:
    """Tokens without cache, at a model's standard-tier prices: (picodollars, priced).

    The waterfall's common ground: see CONTRACTS, Waterfall.
    """
    none = np.zeros(len(model), np.int64)
    columns = [counts.input_milli, none, none, none, counts.milli[:, TEXT], counts.milli[:, REASONING]]
    known: list[Array | None] = [None] * len(columns)
    if not counts.known.all():
        known = [~counts.input_known, None, None, None, ~counts.known[:, TEXT], ~counts.known[:, REASONING]]
    schedule = Schedule.of(scenario.book, (None, *index.names), (None,), scenario.as_of)
    costs = cost(schedule, model.astype(np.intp) + 1, columns, known, _seconds(batch, schedule))
    if costs.unpriced is None:
        return costs.total, np.ones(len(model), bool)
    return np.where(costs.unpriced, 0, costs.total), ~costs.unpriced


def _billed(
    batch: Batch,
    model: Codes,
    counts: Counts,
    index: ModelIndex,
    book: PriceBook,
    as_of: AsOf,
    tier: pa.Array | None = None,
) -> tuple[Array, Array, Array]:
    """What tokens cost on some models, as `Arm` has it: picodollars per bucket and in total, and is it known."""
    tiers, at = batch.tiers if tier is None else tier_codes(tier)
    schedule = Schedule.of(book, (None, *index.names), tiers, as_of)
    all_known = counts.known.all()
    missing = [None if all_known or column.all() else ~column for column in counts.known.T]
    pair = ((model.astype(np.int64) + 1) * len(tiers) + at).astype(np.intp, copy=False)
    costs = cost(schedule, pair, list(counts.milli.T), missing, _seconds(batch, schedule))
    pico = np.zeros(counts.milli.shape, np.int64, order="F")
    for bucket, (column, unknown) in enumerate(zip(costs.buckets, costs.missing, strict=True)):
        if column is not None:
            pico[:, bucket] = column if unknown is None else np.where(unknown, 0, column)
    if costs.unpriced is None:
        total, priced = costs.total, np.ones(len(model), bool)
    else:
        total, priced = np.where(costs.unpriced, 0, costs.total), ~costs.unpriced
    if batch.passes.any():
        # What a provider billed for a call we do not price by its tokens is the best that is known of it.
        whole = batch.passes & batch.recorded
        total, priced = np.where(whole, batch.recorded_pico, total), (priced & ~batch.apart) | whole
    return pico, total, priced


def _seconds(batch: Batch, schedule: Schedule) -> Array | None:
    return schedule.seconds(batch.requests["arrived_at"]) if schedule.needs_times else None


def _serve(
    batch: Batch, rules: tuple[RoutingRule, ...], rule: Array, index: ModelIndex, book: PriceBook
) -> tuple[Codes, Array]:
    """The model that serves each request: the rule's, or the first of its fallbacks that can; and whether any can."""
    decided = rule >= 0
    codes, feasible = np.full(len(rules), NO_MODEL, np.int32), decided.copy()
    for number in np.flatnonzero(np.bincount(rule + 2, minlength=2)[2:]).tolist():
        each = rules[number]
        name = book.require(each.target, f"rule {each.name!r}")
        codes[number] = index.code(name)
        able = can_serve(batch, name, book)
        if not able.all():
            feasible &= (rule != number) | able
    target = np.where(decided, codes[np.maximum(rule, 0)], NO_MODEL)
    for number in np.unique(rule[decided & ~feasible]).tolist():
        for fallback in rules[number].fallback:
            name = book.require(fallback, f"rule {rules[number].name!r}")
            take = (rule == number) & ~feasible & can_serve(batch, name, book)
            target[take], feasible[take] = index.code(name), True
    return target, feasible


def can_serve(batch: Batch, model: str, book: PriceBook) -> Array:
    """Bool per request: the model takes its length, tools, images, JSON mode and output cap, as far as it is known."""
    able, stand = book.capabilities(model), obstacles(batch, model, book).values()
    none = np.zeros(batch.requests.num_rows, bool)
    return batch.kept(("able", able), lambda: np.asarray(~np.logical_or.reduce([none, *stand])))


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
