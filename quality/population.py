"""The requests of a replay that routing moved to another model, and which of them can be sent again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import PriceBook
from problems import BackrouteError
from simulator.arms import PASSED_THROUGH
from simulator.decisions import NAME, read_decisions
from simulator.money import PICO
from workloads import Log

Array = np.ndarray[Any, np.dtype[Any]]

ROLES = ("system", "developer", "user", "assistant")
CACHED = ("cache_read", "cache_write_5m", "cache_write_1h")
COLUMNS = (
    *("request_id", "rule", "logged_model"),
    *(f"{arm}_{name}" for arm in ("baseline", "routed") for name in ("model", "usd_pico", "feasible", *CACHED)),
)
# Why a request that moved cannot be sent again as it was.
NO_TEXT, TOOLS, IMAGES, JSON, TURNS, NO_GOLD = (
    "no text in the log",
    "with tools, which the log does not hold in full",
    "with images, which the log does not hold",
    "in JSON mode, whose schema the log does not hold",
    "with tool results among the messages",
    "without a right answer in --gold",
)


@dataclass(frozen=True)
class Slice:
    """Requests that one rule sends from one model to another.

    Args:
        name: the rule, with the model where the rule uses several.
        rule: its name.
        model: the routed model, canonical.
        against: the baseline's model, canonical.
        requests: how many the replay compares.
        callable: how many of them can be sent again: the slice that is checked and claimed for.
        saving_pico: what routing saves on those, picodollars; scaled if the log is a sample.
    """

    name: str
    rule: str
    model: str
    against: str
    requests: int
    callable: int
    saving_pico: int


@dataclass(frozen=True)
class Population:
    """What can be drawn, one entry each.

    Args:
        row: the request's row in decisions.parquet, and in the log; ascending.
        slice: int, into `slices`.
        cost: float64 picodollars that calling this request's two models is expected to cost.
        known: bool, the log holds the baseline's answer.
        slices: in order of the saving at stake.
        left_out: requests that moved and cannot be drawn, by reason.
    """

    row: Array
    slice: Array
    cost: Array
    known: Array
    slices: tuple[Slice, ...]
    left_out: Counter[str]


@dataclass(frozen=True)
class Request:
    """One drawn request, as it is sent.

    Args:
        row: see `Population`.
        request_id, label, cap: as logged.
        rule, model, against: the slice's.
        messages: role and content, the system prompt among them, redacted.
        known: the baseline's logged outcome, and what it cost in picodollars; None where it must be called.
    """

    row: int
    request_id: str
    rule: str
    model: str
    against: str
    label: str | None
    cap: int | None
    messages: tuple[Mapping[str, str], ...]
    known: Mapping[str, Any] | None


def read_population(
    folder: Path, log: Log, digest: str, book: PriceBook, scale: Any, gold: Collection[str] | None = None
) -> Population:
    """Join a replay's decisions with what its log holds.

    Args:
        folder: a replay's output folder.
        log: the log it replayed.
        digest: of that log, from the replay's manifest.
        book: tells which model names are one model.
        scale: `simulator.money.Scale` of the log's sampling.
        gold: request ids with a right answer, where only those can be judged.

    Raises:
        BackrouteError: another log, or no decisions in the folder.
    """
    decisions = read_decisions(folder, COLUMNS).combine_chunks()
    reasons, held = _what_the_log_holds(log, digest, decisions, folder / NAME)
    moved = _moved(decisions, book)
    if gold is not None:
        wanted = pc.is_in(decisions["request_id"], value_set=pa.array(list(gold), pa.string()))
        unlabelled = ~np.asarray(wanted.to_numpy(zero_copy_only=False))
    else:
        unlabelled = np.zeros(len(moved), bool)
    keys, code = _groups(decisions, moved)
    baseline, routed = (_pico(decisions[f"{arm}_usd_pico"]) for arm in ("baseline", "routed"))
    sendable = moved & (reasons == "")
    slices = _slices(keys, code, moved, sendable, baseline - routed, scale)
    order = sorted(range(len(slices)), key=lambda at: -slices[at].saving_pico)
    rank = np.argsort(order)
    drawable = np.flatnonzero(sendable & ~unlabelled)
    left_out = Counter(reasons[moved & (reasons != "")].tolist())
    left_out.update([NO_GOLD] * int((sendable & unlabelled).sum()))
    known = held & _same(decisions["logged_model"], decisions["baseline_model"], book)
    return Population(
        drawable,
        rank[code[drawable]] if len(drawable) else np.zeros(0, np.int64),
        (_alone(decisions, "routed", book) + np.where(known, 0, _alone(decisions, "baseline", book)))[drawable],
        known[drawable],
        tuple(slices[at] for at in order),
        left_out,
    )


def read_requests(
    log: Log, folder: Path, population: Population, rows: Sequence[int], redact: Any
) -> dict[int, Request]:
    """The drawn requests with their text, by row."""
    wanted, found, start = np.array(sorted(set(rows)), np.int64), dict[int, Request](), 0
    costs = read_decisions(folder, ["baseline_usd_pico"])["baseline_usd_pico"]
    for requests, outcomes in log.batches():
        within = wanted[(wanted >= start) & (wanted < start + requests.num_rows)]
        for row in within.tolist():
            at = int(np.searchsorted(population.row, row))
            request = requests.slice(row - start, 1).to_pylist()[0]
            outcome = outcomes.slice(row - start, 1).to_pylist()[0]
            of = population.slices[int(population.slice[at])]
            said = [{"role": m["role"], "content": m["text"] or ""} for m in request["messages"]]
            sent = [{**m, "content": redact(m["content"])} for m in said]
            # An answer to the unmasked prompt is no match for one to the masked prompt.
            known = {**outcome, "usd_pico": costs[row].as_py()} if population.known[at] and sent == said else None
            cap, label = request["max_output_tokens"], request["label"]
            found[row] = Request(
                row, request["request_id"], of.rule, of.model, of.against, label, cap, tuple(sent), known
            )
        start += requests.num_rows
    return found


def _what_the_log_holds(log: Log, digest: str, decisions: pa.Table, path: Path) -> tuple[Array, Array]:
    """Per request why it cannot be sent again ("" where it can), and whether its own answer is in the log."""
    reasons, held = [], []
    for requests, outcomes in log.batches():
        why = np.full(requests.num_rows, "", object)
        for reason, wrong in (
            (TURNS, ~_plain_turns(requests["messages"])),
            (JSON, _true(requests["json_mode"])),
            (IMAGES, _true(requests["has_images"])),
            (TOOLS, _true(requests["has_tools"])),
            (NO_TEXT, ~_true(pc.greater(pc.utf8_length(requests["prompt"]), 0))),
        ):
            why[wrong] = reason
        reasons.append(why)
        answered = pc.and_(pc.equal(outcomes["status"], "ok"), pc.greater(pc.utf8_length(outcomes["completion"]), 0))
        held.append(_true(answered))
    rows = sum(map(len, reasons))
    if rows != decisions.num_rows or (digest and log.digest != digest):
        what = f"not the log of this replay ({rows:,} requests; {path} has {decisions.num_rows:,})"
        fix = "give the log as it was replayed, with the same --log-format, or replay this one"
        raise BackrouteError(log.name, what, effect="nothing was sent", fix=fix)
    return np.concatenate(reasons), np.concatenate(held)


def _moved(decisions: pa.Table, book: PriceBook) -> Array:
    usable = [_true(decisions[f"{arm}_feasible"]) & _true(decisions[f"{arm}_usd_pico"].is_valid()) for arm in
              ("baseline", "routed")]  # fmt: skip
    routed = _true(pc.not_equal(decisions["rule"], PASSED_THROUGH))
    models = _true(decisions["baseline_model"].is_valid()) & _true(decisions["routed_model"].is_valid())
    return (
        usable[0] & usable[1] & routed & models & ~_same(decisions["routed_model"], decisions["baseline_model"], book)
    )


def _same(left: pa.ChunkedArray, right: pa.ChunkedArray, book: PriceBook) -> Array:
    a, b = (column.combine_chunks().dictionary_encode() for column in (left, right))
    known_a, known_b = a.dictionary.to_pylist(), b.dictionary.to_pylist()
    table = np.array([[book.same_model(x, y) for y in [*known_b, ""]] for x in [*known_a, ""]], bool)
    table[-1], table[:, -1] = False, False
    codes = [np.asarray(pc.fill_null(column.indices, -1)).astype(np.int64) for column in (a, b)]
    return np.asarray(table[codes[0], codes[1]])


def _groups(decisions: pa.Table, moved: Array) -> tuple[dict[tuple[str, str, str], int], Array]:
    """The (rule, routed model, baseline's model) that occur among the moved, and each row's; -1 for the others."""
    columns = [
        decisions[name].combine_chunks().dictionary_encode() for name in ("rule", "routed_model", "baseline_model")
    ]
    joined = np.zeros(int(moved.sum()), np.int64)
    for column in columns:
        joined = joined * len(column.dictionary) + np.asarray(column.indices.filter(pa.array(moved)))
    _, first, which = np.unique(joined, return_index=True, return_inverse=True)
    rows = np.flatnonzero(moved)[first].tolist()
    keys = {tuple(column[row].as_py() for column in columns): at for at, row in enumerate(rows)}
    code = np.full(len(moved), -1, np.int64)
    code[moved] = which.reshape(-1)
    return keys, code


def _slices(
    keys: Mapping[tuple[str, str, str], int], code: Array, moved: Array, sendable: Array, saving: Array, scale: Any
) -> list[Slice]:
    rules = Counter(rule for rule, _, _ in keys)
    found = []
    for (rule, model, against), at in keys.items():
        mine = code == at
        name = rule if rules[rule] == 1 else f"{rule}, {model}"
        pico = scale(sum(saving[mine & sendable].tolist()))
        found.append(
            Slice(name, rule, model, against, int((mine & moved).sum()), int((mine & sendable).sum()), int(pico))
        )
    return found


def _alone(decisions: pa.Table, arm: str, book: PriceBook) -> Array:
    """Float64 picodollars of an arm's calls by themselves: none of them finds what the replay's read from a cache."""
    found = _pico(decisions[f"{arm}_usd_pico"]).astype(np.float64)
    models = decisions[f"{arm}_model"].combine_chunks().dictionary_encode()
    code = np.asarray(pc.fill_null(models.indices, -1))
    for bucket in CACHED:
        tokens = np.asarray(pc.fill_null(decisions[f"{arm}_{bucket}"], 0.0).to_numpy(), np.float64)
        for number in np.unique(code[tokens > 0]).tolist():
            quote = None if number < 0 else book.quote(models.dictionary[number].as_py(), book.date)
            full, cached = (quote.usd_per_mtok[name] for name in ("input_uncached", bucket)) if quote else (None, None)
            if full is not None and cached is not None:
                found += np.where(code == number, tokens, 0.0) * float(full.base - cached.base) * PICO / 1e6
    return found


def _plain_turns(messages: pa.Array) -> Array:
    """Bool per request: every message is one of ROLES."""
    roles = pc.struct_field(pc.list_flatten(messages), "role")
    strange = ~_true(pc.is_in(roles, value_set=pa.array(ROLES)))
    plain = np.ones(len(messages), bool)
    plain[np.asarray(pc.list_parent_indices(messages))[strange]] = False
    return plain & _true(messages.is_valid())


def _true(column: Any) -> Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), bool)


def _pico(column: pa.ChunkedArray) -> Array:
    return np.asarray(pc.fill_null(column, 0).to_numpy(), np.int64)
