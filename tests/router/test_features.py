import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricing import PriceBook
from problems import BackrouteError
from router import Features, LLMRouter, RoutingRule, estimated_cost_usd, input_tokens, load_rules, meta, n_messages
from router.features import TYPICAL_OUTPUT_TOKENS
from tests.router.samples import DEFAULT, batch

HELLO = [{"role": "user", "name": None, "text": "hello world"}]


def live(request: dict[str, Any], column: str) -> Any:
    return Features.of_request(request, DEFAULT)[column][0].as_py()


def test_input_tokens_count_the_texts_and_the_chat_overhead() -> None:
    """hello world: 2 tokens; a message 3 and its role 1; a request 3: 9."""
    assert live({"prompt": "hello world"}, "input_tokens") == 9.0
    assert live({"messages": HELLO}, "input_tokens") == 9.0
    assert live({"prompt": "hello world", "messages": HELLO + HELLO}, "input_tokens") == 15.0


def test_a_request_given_as_prompt_and_system_has_the_messages_the_log_would_hold() -> None:
    request = {"prompt": "hello world", "system": "be brief"}
    said = [("system", "be brief"), ("user", "hello world")]
    assert [(m["role"], m["text"]) for m in live(request, "messages")] == said
    assert live(request, "n_messages") == 2
    assert live({"prompt": "hi"}, "n_messages") == 1
    assert live({}, "n_messages") is None


def test_what_a_live_request_does_not_say_is_what_the_log_reader_would_fill_in() -> None:
    assert live({"prompt": "hi"}, "has_tools") is False
    assert live({"prompt": "hi"}, "latency_budget_ms") is None
    assert live({"prompt": "hi", "meta": {"latency_budget_ms": 250}}, "latency_budget_ms") == 250.0
    assert (
        live({"prompt": "hi", "latency_budget_ms": 9.0, "meta": {"latency_budget_ms": 250}}, "latency_budget_ms") == 9.0
    )


def test_estimated_cost_is_the_default_models_list_price_for_the_input_and_the_cap() -> None:
    """gpt-4o: 9 in x $2.50/M + 1,000 out x $10/M = $0.0100225; without a cap 300 out: $0.0030225."""
    features = Features.of_batch(
        batch({"messages": HELLO, "max_output_tokens": 1000}, {"messages": HELLO}, {"max_output_tokens": 5}), DEFAULT
    )
    assert TYPICAL_OUTPUT_TOKENS == 300
    assert features["estimated_cost_usd"].to_pylist() == [pytest.approx(0.0100225), pytest.approx(0.0030225), None]


def test_a_cap_beyond_all_reason_has_a_price_too() -> None:
    """2⁵³ + 1 tokens are more than a float tells apart: x $10/M = $90 billion."""
    features = Features.of_batch(batch({"messages": HELLO, "max_output_tokens": 2**53 + 1}), DEFAULT)
    assert features["estimated_cost_usd"].to_pylist() == [pytest.approx(2**53 / 1e5)]


def test_estimated_cost_routes_batches_and_live_requests_by_the_last_rules_model() -> None:
    dear = RoutingRule("dear", estimated_cost_usd() >= 0.01, "openai", "gpt-4o-mini")
    routed = LLMRouter([dear, RoutingRule("default", None, "openai", "gpt-4o")])
    rows = [{"prompt": "hello world", "messages": HELLO, "max_output_tokens": cap} for cap in (997, 998, None)]
    assert routed.route_batch(batch(*rows)).chosen.tolist() == [1, 0, 1]
    assert [routed.route_one(row).name for row in rows] == ["default", "dear", "default"]
    cheap = LLMRouter([dear, RoutingRule("default", None, "openai", "gpt-4o-mini")])
    assert cheap.route_batch(batch(*rows)).chosen.tolist() == [1, 1, 1]


OWN_PRICES = """
as_of: 2026-11-01
models:
  mine/own:
    prices:
      - {effective_from: 2026-01-01, source: "contract of 2026", input_usd_per_mtok: 1000, output_usd_per_mtok: 1000}
"""


def test_estimated_cost_goes_by_the_users_own_prices_where_there_are_any(tmp_path: Path) -> None:
    """9 in and 300 out x $1,000/M = $0.309; on the bundled book the model is unknown."""
    own = tmp_path / "own.yaml"
    own.write_text(OWN_PRICES)
    path = tmp_path / "rules.yaml"
    path.write_text(
        "- {name: dear, when: {estimated_cost_usd: {above: 0.3}}, use: openai/gpt-4o}\n- {name: rest, use: mine/own}"
    )
    assert load_rules(path, book=PriceBook.load([own])).route("hello world").name == "dear"
    with pytest.raises(BackrouteError, match="estimated_cost_usd: unknown model"):
        load_rules(path).route("hello world")


@pytest.mark.parametrize("model", ["openai/gpt-99", "nowhere/none"])
def test_a_default_model_without_a_price_is_an_error_and_not_a_free_model(model: str) -> None:
    with pytest.raises(BackrouteError, match="estimated_cost_usd"):
        Features.of_request({"prompt": "hi"}, model)["estimated_cost_usd"]


def test_the_price_of_the_default_is_looked_at_only_where_a_rule_asks_for_it() -> None:
    routed = LLMRouter(
        [RoutingRule("a", n_messages() > 1, "x", "y"), RoutingRule("b", None, "nowhere", "none")], name="own"
    )
    assert routed.route("hi").name == "b"


@pytest.mark.parametrize(
    ("request_", "column"),
    [
        ({"prompt": 5}, "length"),
        ({"prompt": b"\xff"}, "length"),
        ({"meta": 5}, "meta"),
        ({"latency_budget_ms": "soon"}, "latency_budget_ms"),
        ({"meta": {"latency_budget_ms": "soon"}}, "latency_budget_ms"),
        ({"max_output_tokens": 2**80}, "max_output_tokens"),
        ({"messages": "hello"}, "input_tokens"),
        ({"has_tools": "yes"}, "has_tools"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(request_: dict[str, Any], column: str) -> None:
    with pytest.raises(BackrouteError, match=r"route: `\w+` cannot be .*; give .*, or None"):
        Features.of_request(request_, DEFAULT)[column]


@pytest.mark.parametrize("text", ['not json "k"', '["k"]', '{"k": 1', '"\\'])
def test_meta_that_is_no_json_object_is_named(text: str) -> None:
    with pytest.raises(BackrouteError, match="meta: no JSON object"):
        meta("k").evaluate(Features.of_batch(batch({"meta": text}), DEFAULT))


def test_an_unknown_field_is_named_with_its_nearest() -> None:
    with pytest.raises(BackrouteError, match="unknown request field 'promt'; did you mean 'prompt'"):
        Features.of_request({"promt": "hi"}, DEFAULT)


def test_half_a_surrogate_pair_is_mended_as_in_the_log_reader() -> None:
    """JavaScript cuts strings between the halves of an emoji; a live request must not fail for that."""
    assert live({"prompt": "cut \ud83d"}, "prompt") == "cut \ufffd"
    assert live({"prompt": "\ud83d\ude00"}, "length") == 1
    assert live({"messages": [{"role": "user", "name": None, "text": "\ud83d"}]}, "input_tokens") > 7
    assert json.loads(live({"meta": {"k": ["\ud83d"]}}, "meta")) == {"k": ["\ufffd"]}


def test_meta_holds_what_json_can_and_text_otherwise() -> None:
    held = {"no": np.bool_(False), "n": np.int64(3), "when": complex(1, 2), "t": (1, 2), 5: 1}
    assert json.loads(live({"meta": held}, "meta")) == {"no": False, "n": 3, "when": "(1+2j)", "t": [1, 2], "5": 1}
    assert live({"meta": {}}, "meta") is live({"meta": None}, "meta") is None


def test_each_column_is_derived_once() -> None:
    features = Features.of_batch(batch({"prompt": "hi", "messages": HELLO}), DEFAULT)
    assert features["length"] is features["length"]
    assert features["input_tokens"] is features["input_tokens"]
    assert (input_tokens() > 5).evaluate(features).to_pylist() == [True]
