"""State that moves money: a real trace's caches and bills, recorded cache counts against simulated ones, and speed.

    python -m benchmarks.state [--quick] [mooncake] [recorded] [speed]

Needs the shared data beside the project for the first two; the third makes its own requests.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pricing import PriceBook
from router import Random
from simulator import Scenario, replay
from simulator.models import ModelIndex
from simulator.money import PICO
from simulator.prepared import Prepared
from simulator.scenario import Assumptions
from simulator.state.cache_rules import cache_rule
from simulator.state.cascades import Cascade, escalates
from simulator.state.fold import Proposal, guard
from simulator.state.guards import Budget, Guards, Limit, Outage, Sticky
from simulator.state.latency import durations
from simulator.state.prefixes import END, LAST, SYSTEM, Nodes
from simulator.state.prompt_cache import Terms, alive, settled, simulate
from simulator.state.retries import Retries, retry
from simulator.state.settings import CacheSettings, State
from workloads import read_log
from workloads.amended import Amended

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
MOONCAKE = SHARED / "traces" / "mooncake_conversation.jsonl.gz"
RECORDED = SHARED / "provider_responses" / "responses.jsonl.gz"
PAIRS = {
    "anthropic": ("anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"),
    "openai": ("openai/gpt-4.1", "openai/gpt-4.1-mini"),
}


def mooncake() -> None:
    """Block reuse with unlimited memory, and what routing that switches models costs with and without sessions."""
    log = read_log(MOONCAKE, start="2024-06-01T00:00Z")
    parts, first = [], 0
    for requests, outcomes in log.batches():
        parts.append(Nodes.of(requests, outcomes["input_uncached"].to_numpy() * 1000, first))
        first += requests.num_rows
    nodes = Nodes.joined(parts)
    forever = np.full(first, 2**62)
    reuse = alive(nodes.hash, nodes.row, np.arange(first), forever).mean()
    print(
        f"Mooncake: {first:,} requests, {len(nodes.row):,} blocks, {reuse:.1%} of them seen before (published 36.6%)\n"
    )
    book, sessions = PriceBook.load(), Amended(log, lambda: _with_sessions)
    print("| provider | policy | bill | without caches | input read | switches |\n|---|---|---|---|---|---|")
    for provider, (dear, cheap) in PAIRS.items():
        split = Random({dear: 0.5, cheap: 0.5}, seed=1)
        arms = (
            ("all " + dear.partition("/")[2], None, None),
            ("all " + cheap.partition("/")[2], cheap, None),
            ("half and half, each request anew", split, None),
            ("the same, sticky sessions", split, Sticky(300)),
        )
        for name, router, sticky in arms:
            _bill(sessions, book, provider, dear, name, router, sticky)


def _bill(log: Any, book: PriceBook, provider: str, dear: str, name: str, router: Any, sticky: Sticky | None) -> None:
    world = State(cache=CacheSettings())
    state = State(cache=CacheSettings(), guards=Guards(sticky=sticky))
    said = Assumptions(output="as_logged")
    base = Scenario.always(dear, book, assumptions=said, state=world)
    if router is None or isinstance(router, str):
        other = Scenario.always(router or dear, book, assumptions=said, state=state)
    else:
        other = Scenario(name, router, book, assumptions=said, state=state)
    _, after = replay(log, base, other)
    arm = after.summary["cache"]["arms"][-1]
    frame = after.requests().sort_values("arrived_at", kind="stable")
    before = frame.groupby("session_id")["routed_model"].shift()
    switches = int((before.notna() & (before != frame["routed_model"])).sum())
    usd = float(after.summary["routed"]["usd"])
    without, share = usd + float(arm["saved_usd"]), arm["read_pct"]
    print(f"| {provider} | {name} | ${usd:,.2f} | ${without:,.2f} | {share:.1f}% | {switches:,} |")


def _with_sessions(requests: pa.RecordBatch, outcomes: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Sessions by the first block after the system prompt's, which a conversation's calls share."""
    import json

    ids = [json.loads(text)["hash_ids"] for text in requests["meta"].to_pylist()]
    names = pa.array([f"s{each[min(1, len(each) - 1)]}" if each else None for each in ids], pa.string())
    place = requests.schema.get_field_index("session_id")
    return requests.set_column(place, requests.schema.field(place), names), outcomes


def recorded() -> None:
    """Recorded OpenAI and Anthropic calls with cache counts: what the simulation makes of each, and why they differ."""
    import gzip
    import json

    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        raw = [json.loads(line) for line in lines]
    book = PriceBook.load()
    index, nodes, counts, models, first = ModelIndex(book), [], [], [], 0
    for requests, outcomes in read_log(RECORDED).batches():
        batch = Prepared.batch(requests, outcomes, index)
        nodes.append(Nodes.of(requests, batch.logged.input_milli, first))
        counts.append(batch.logged.milli)
        models.append(batch.source)
        first += requests.num_rows
    milli, model = np.concatenate(counts), np.concatenate(models)
    inputs = milli[:, :4].sum(axis=1)
    shown = [row for row, call in enumerate(raw) if call["host"] in ("api.openai.com", "api.anthropic.com")]
    shown = [row for row in shown if milli[row, 1:4].any()]
    # A recording has no times that could be trusted: each is taken to follow the one before it at once. What was
    # recorded with cache counts had marked its prefixes; the others had not.
    terms = Terms.of(model, index.names, inputs, breakpoints=np.any(milli[:, 1:4], axis=1))
    found = simulate(Nodes.joined(nodes), np.zeros(first, np.int64), model, inputs, terms)
    said = settled(found.read, found.written, inputs, terms, np.ones(first))
    print("| row | model | input | read: recorded, simulated | written: recorded, simulated | why they differ |")
    print("|---|---|---|---|---|---|")
    alike = 0
    for row in shown:
        read, wrote = milli[row, 1] // 1000, milli[row, 2:4].sum() // 1000
        ours = said.read[row] // 1000, said.written[row] // 1000
        why = _why(raw[row], index.name(int(model[row])), inputs[row] // 1000, (read, wrote), ours)
        alike += why in ("", TEMPLATE)
        size, name = inputs[row] // 1000, raw[row]["model"]
        print(f"| {row + 1} | {name} | {size:,} | {read:,}, {ours[0]:,} | {wrote:,}, {ours[1]:,} | {why} |")
    print(f"\n{alike} of {len(shown)} alike within 64 tokens\n")
    _calibration(book)


def _calibration(book: PriceBook) -> None:
    """What a replay of all recordings says of its own caches, where the provider recorded reads."""
    state = State(cache=CacheSettings())
    arms = [Scenario.always(name, book, state=state) for name in PAIRS["openai"]]
    _, after = replay(read_log(RECORDED), *arms)
    print(
        "| provider | recorded reads | of those unpredictable | simulated | hit rate | held-out error | call by call |"
    )
    print("|---|---|---|---|---|---|---|")
    for each in after.summary["cache"]["calibration"]:
        apart = sum(row["read_tokens"] for row in each["unpredictable"])
        sums = f"{each['recorded_read_tokens']:,} | {apart:,} | {each['simulated_read_tokens']:,}"
        errors = (("held_out_error_pct", "+"), ("row_error_pct", ""))
        said = " | ".join("" if each[name] is None else f"{each[name]:{sign}.1f}%" for name, sign in errors)
        if each["recorded_read_tokens"]:
            print(f"| {each['provider']} | {sums} | {each['hit_rate']:.3f} | {said} |")


TEMPLATE = "within 64 tokens: the template around messages, shares counted with o200k_base"


def _why(call: dict[str, Any], model: str | None, size: int, recorded: tuple[int, int], ours: tuple[int, int]) -> str:
    import json

    request = call["request"] if isinstance(call["request"], dict) else json.loads(call["request"])
    rule = cache_rule(model or "")
    if max(abs(recorded[0] - ours[0]), abs(recorded[1] - ours[1])) == 0:
        return ""
    if rule is None or size < rule.minimum_tokens:
        return "below the minimum: a stand-in's made-up counts"
    if max(abs(recorded[0] - ours[0]), abs(recorded[1] - ours[1])) <= 64 and (recorded[0] > 0) == (ours[0] > 0):
        return TEMPLATE
    if request.get("previous_response_id"):
        return "its history lies with the provider (previous_response_id)"
    if recorded[0] and not ours[0]:
        return "warm before the recording began"
    if any(tool.get("type", "custom") not in ("function", "custom") for tool in request.get("tools", [])):
        return "the provider's own tools: the counts are sums over several passes"
    if request.get("context_management"):
        return "a compaction pass is in the counts"
    if request.get("prompt_cache_key"):
        return "another prompt_cache_key: a cache of its own"
    return "?"


def speed(quick: bool) -> None:
    """Requests a second and memory of each tier, on requests of this benchmark's own making."""
    requests = 100_000 if quick else 1_000_000
    nodes, at, model, inputs = conversations(requests)
    names = ["openai/gpt-4o", "openai/gpt-4o-mini"]
    peer = _peer(nodes, at, model, min(requests, 100_000))
    print(
        f"{requests:,} requests of {len(nodes.row) / requests:.1f} prefixes; best of 3, by processor time of one core\n"
    )
    print("| tier | requests/s | bytes a request, at most | against a Python dictionary |\n|---|---|---|---|")

    def automatic() -> None:
        terms = Terms.of(model, names, inputs)
        found = simulate(nodes, at, model, inputs, terms)
        settled(found.read, found.written, inputs, terms, np.ones(requests))

    def explicit() -> None:
        terms = Terms.of(model, ["anthropic/claude-sonnet-4-5", "anthropic/claude-opus-4-1"], inputs)
        found = simulate(nodes, at, model, inputs, terms)
        settled(found.read, found.written, inputs, terms, np.ones(requests))

    _row("prompt cache, automatic", requests, automatic, peer)
    _row("prompt cache, explicit", requests, explicit, peer)
    proposal, ids = _proposal(at, requests), np.array([f"r{n}" for n in range(requests)], dtype=object)
    far, world = Budget(1e9), (Outage("openai", int(at[0]), int(at[0]) + 3_600_000_000),)
    cases: dict[str, Callable[[], Any]] = {
        "guards, none acts": lambda: guard(proposal, Guards(budgets=(far,), limits=(Limit("openai", rpm=1e9),)), ()),
        "guards, an outage": lambda: guard(proposal, Guards(outages=world), world),
        "guards, sticky sessions": lambda: guard(proposal, Guards(sticky=Sticky()), ()),
        "guards, a budget a user": lambda: guard(
            proposal, Guards(budgets=(Budget(0.02, by="user", then=names[1]),)), ()
        ),
        "guards, a rate limit": lambda: guard(
            proposal, Guards(limits=(Limit("openai", rpm=requests / 1800, max_wait_s=2),)), ()
        ),
        "retries": lambda: retry(proposal, proposal.chain[:, 0], Retries({"openai": 2}), {}, ids, 0),
        "cascade": lambda: escalates(Cascade(names[1], escalate_pct=30), [None] * requests, ids, 0),
        "latency": lambda: durations(proposal.duration_us[:, 0], np.full(requests, 0.4), ids, 0),
    }
    for name, run in cases.items():
        _row(name, requests, run)


def conversations(requests: int) -> tuple[Nodes, Any, Any, Any]:
    """Conversations of five calls, each call with four prefixes: the system prompt, the two last ends, and its own."""
    lots, turns, depth = np.random.default_rng(0), 5, 4
    session, turn = np.repeat(np.arange(requests // turns), turns), np.tile(np.arange(turns), requests // turns)
    at = np.repeat(lots.integers(0, 86_400 * 10**6, requests // turns), turns) + turn * 60 * 10**6
    order = np.argsort(at, kind="stable")
    session, turn, at = session[order], turn[order], at[order]
    row, place = np.repeat(np.arange(requests), depth), np.tile(np.arange(depth), requests)
    end = np.maximum(2 * turn[row] + place - 2, 0) + 1
    hashed = np.where(place == 0, 1, session[row] * 1000 + end + 1).astype(np.uint64)
    hashed = hashed * np.uint64(0x9E3779B97F4A7C15)
    hashed ^= hashed >> np.uint64(29)
    kind = np.where(place == 0, SYSTEM, np.where(place == depth - 1, LAST, END)).astype(np.int8)
    inputs = (5000 + 500 * turn) * 1000
    share = (place + 1) / depth
    nodes = Nodes(row, hashed, share, kind, (depth - 1 - place).astype(np.int16))
    return nodes, at, lots.integers(0, 2, requests).astype(np.int32), inputs


def _peer(nodes: Nodes, at: Any, model: Any, requests: int) -> float:
    """Requests a second of the plain way: a dictionary of last uses, walked prefix by prefix."""
    rows = nodes.row < requests
    columns = [column[rows].tolist() for column in (nodes.row, nodes.hash)]
    times, models = at[:requests].tolist(), model[:requests].tolist()
    last: dict[tuple[int, int], int] = {}
    longest = [0] * requests
    started = time.process_time()
    for place, (row, hashed) in enumerate(zip(*columns, strict=True)):
        key = models[row], hashed
        if key in last and times[row] - last[key] <= 600_000_000:
            longest[row] = place
        last[key] = times[row]
    return requests / (time.process_time() - started)


def _proposal(at: Any, requests: int) -> Proposal:
    lots = np.random.default_rng(1)
    first = lots.integers(0, 2, requests).astype(np.int32)
    cost = np.stack([lots.integers(1, PICO // 50, requests), np.full(requests, PICO // 1000)], axis=1)
    return Proposal(
        ("openai/gpt-4o", "openai/gpt-4o-mini"),
        np.stack([first, 1 - first], axis=1),
        at,
        np.arange(requests) // 5,
        {"all": np.zeros(requests, np.int64), "user": lots.integers(0, 1000, requests)},
        cost,
        cost // 2,
        np.full((requests, 2), 1_500_000),
        np.ones((requests, 2), bool),
        np.full((requests, 2), 3_000_000),
        np.full(requests, -1),
        np.array([0.5, 0.5]),
    )


def _row(name: str, requests: int, run: Callable[[], Any], peer: float | None = None) -> None:
    took = []
    for _ in range(3):
        started = time.process_time()
        run()
        took.append(time.process_time() - started)
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rate = requests / min(took)
    beside = "" if peer is None else f"{rate / peer:.1f}x"
    print(f"| {name} | {rate:,.0f} | {most / requests:,.0f} | {beside} |")


def main() -> None:
    said = set(sys.argv[1:])
    quick = "--quick" in said
    parts = said - {"--quick"} or {"mooncake", "recorded", "speed"}
    for name, path, run in (("mooncake", MOONCAKE, mooncake), ("recorded", RECORDED, recorded)):
        if name in parts:
            run() if path.exists() else print(f"{name}: needs {path}")
            print()
    if "speed" in parts:
        speed(quick)


if __name__ == "__main__":
    main()
