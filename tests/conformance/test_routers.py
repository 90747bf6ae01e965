import json
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import (
    AlwaysUse,
    Cheapest,
    Condition,
    Decisions,
    LLMRouter,
    Random,
    Router,
    RoutingRule,
    bundled_rules,
    estimated_cost_usd,
    has_tools,
    input_tokens,
    json_mode,
    length,
    load_rules,
    mentions,
    meta,
    n_messages,
    task,
    user_id,
)
from tests.conformance.check_router import check_router
from tests.router.samples import batch, conditions, requests
from workloads import read_log
from workloads.synth import generate, load_mix

TEXTS = [
    *(None, "", "hi", "x" * 199, "x" * 200, "x" * 201, "Refactor this", "ſQL" + " " * 200, "prove it " * 40),
    *("İ" * 250, "classify " * 30, "ΣΑΣ", "😀" * 199, "minimize\0" * 30, "ﬁnd optimal " * 20, "fınd optımal " * 20),
]
METAS = [None, "{}", '{"complex": true}', '{"complex": "false"}', '{"compl\\u0065x": 1}', '{"tier": "gold"}']


def awkward() -> pa.RecordBatch:
    """Every text with every meta, other fields stated in some rows and null in others."""
    rows = []
    for number, (text, held) in enumerate((text, held) for text in TEXTS for held in METAS):
        stated = number % 3
        rows.append(
            {
                "request_id": f"r{number}",
                "prompt": text,
                "meta": held,
                "messages": None if text is None or stated == 1 else [{"role": "user", "name": None, "text": text}],
                "n_messages": None if text is None else 1 + stated,
                "has_tools": [None, True, False][stated],
                "json_mode": [False, None, True][stated],
                "user_id": [None, "ann", "bo"][number % 5 % 3],
                "latency_budget_ms": [None, 100.0, float(number)][stated],
                "max_output_tokens": [50, None, 5000][stated],
            }
        )
    return batch(*rows)


def slow_words(text: str, held: Mapping[str, Any]) -> bool:
    return "class" in text.lower() and not held.get("complex")


def meddler(text: str, held: dict[str, Any]) -> bool:
    """Writes into what it is given; the next rule must not see it."""
    held["complex"] = not held.get("complex")
    return bool(held["complex"]) and len(text) > 200


def rules(*tests: Condition | Callable[[str, dict[str, Any]], bool] | None) -> LLMRouter:
    return LLMRouter([RoutingRule(f"rule {i}", test, "openai", f"model-{i}") for i, test in enumerate((*tests, None))])


ROUTERS: dict[str, Callable[[], Router]] = {
    **{name: lambda name=name: load_rules(name) for name in bundled_rules()},  # type: ignore[misc]
    "no arguments": LLMRouter,
    "one rule": lambda: rules(),
    "callables": lambda: rules(meddler, slow_words, meddler),
    "callables among conditions": lambda: rules(user_id() == "ann", slow_words, length() < 9, meta("complex")),
    "every kind": lambda: LLMRouter(
        [
            RoutingRule("costly", estimated_cost_usd() > 0.01, "openai", "gpt-4o"),
            RoutingRule("tools", has_tools() & ~json_mode(), "openai", "gpt-4o"),
            RoutingRule("long", (input_tokens() > 40) | (n_messages() > 2), "openai", "gpt-4o"),
            RoutingRule("words", mentions("ΣΑΣ", "optimal") | mentions("sql", whole_word=True), "openai", "gpt-4o"),
            RoutingRule("rest", None, "openai", "gpt-4o"),
        ]
    ),
    "tasks": lambda: rules(task("code") >= 0.5, (task("reasoning") > 0.4) & (length() > 3), ~(task("chat") < 0.6)),
    "default with a condition": lambda: LLMRouter(
        [RoutingRule("a", has_tools(), "openai", "gpt-4o"), RoutingRule("b", length() < 5, "openai", "gpt-4o")]
    ),
    "always": lambda: AlwaysUse("openai/gpt-4o"),
    "random": lambda: Random({"openai/gpt-4o": 1, "groq/llama-3.1-8b-instant": 2, "openai/o3-mini": 0.5}, seed=7),
    "cheapest": lambda: Cheapest(["openai/gpt-4o", "groq/llama-3.1-8b-instant", "openai/gpt-4o-mini"]),
    "random of one": lambda: Random({"openai/gpt-4o": 0.3}),
}


@pytest.mark.parametrize("name", ROUTERS)
def test_every_router_keeps_to_the_rules_of_the_house(name: str) -> None:
    check_router(ROUTERS[name], awkward())


@given(first=conditions, second=conditions, rows=st.lists(requests, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_routers_of_any_conditions_keep_to_them_too(
    first: Condition, second: Condition, rows: list[dict[str, Any]]
) -> None:
    numbered = [row | {"request_id": str(number), "latency_budget_ms": None} for number, row in enumerate(rows)]
    check_router(lambda: _priced(first, second), batch(*numbered))


def _priced(*tests: Condition) -> LLMRouter:
    return LLMRouter([RoutingRule(str(i), test, "openai", "gpt-4o") for i, test in enumerate((*tests, None))])


class Drifting:
    """Decides by how often it was asked: what the suite is there to catch."""

    name = "drifting"
    rules = AlwaysUse("openai/gpt-4o").rules * 1 + Random({"openai/o3-mini": 1}).rules

    def __init__(self) -> None:
        self.asked = 0

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        self.asked += 1
        return Decisions(np.full(requests.num_rows, self.asked % 2, np.int32))

    def digest(self) -> str:
        return ""


class ByPlace(Drifting):
    """Decides by a request's place in its batch."""

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        return Decisions((np.arange(requests.num_rows) % 2).astype(np.int32))


class OutOfRange(Drifting):
    """Decides for a rule that it does not have."""

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        return Decisions(np.full(requests.num_rows, 2, np.int32))


@pytest.mark.parametrize("broken", [Drifting, ByPlace, OutOfRange])
def test_the_suite_catches_a_router_that_breaks_them(broken: type[Drifting]) -> None:
    with pytest.raises(AssertionError):
        check_router(broken, awkward())


def check_live_against_columns(name: str, rows: int) -> None:
    """Synthetic traffic of both presets, a part of it changed to lie about the length thresholds and in later rules."""
    routed = load_rules(name)
    reached = set()
    for mix in ("case-60-25-15", "support-desk"):
        records = (_varied(number, row) for number, row in enumerate(generate(load_mix(mix), rows // 2, 11)))
        while some := list(islice(records, 5_000)):
            for columns, _ in read_log(some).batches():
                chosen = routed.route_batch(columns).chosen.tolist()
                reached |= set(chosen)
                for request, expected in zip(columns.to_pylist(), chosen, strict=True):
                    assert routed.route_one(request) is routed.rules[expected], request
    assert reached == set(range(len(routed.rules))), "every rule has to have its turn"


def _varied(number: int, row: dict[str, Any]) -> dict[str, Any]:
    *before, last = row["messages"]
    text = last["content"]
    if not isinstance(text, str):
        return row
    if number % 9 == 0:
        text = (text * 9)[: 198 + number % 5]
    if number % 9 == 3:
        text = ("Prove it mathematiCALLY: MINIMIſe. " + text) * 4
    metadata = json.loads(METAS[number // 9 % len(METAS)] or "{}") if number % 9 == 6 else row.get("metadata")
    return row | {"messages": [*before, last | {"content": text}], "metadata": metadata}


@pytest.mark.parametrize("name", bundled_rules())
def test_live_routing_equals_replay_request_by_request(name: str) -> None:
    check_live_against_columns(name, 3_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled_rules())
def test_live_routing_equals_replay_on_a_hundred_thousand_requests(name: str) -> None:
    check_live_against_columns(name, 100_000)
