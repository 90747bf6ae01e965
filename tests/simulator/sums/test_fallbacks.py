from pricing import PriceBook
from router import LLMRouter, RoutingRule
from tests.simulator.conftest import Replayed, call

ROUTER = LLMRouter([RoutingRule("default", None, "openai", "gpt-4", fallback=("openai/gpt-4o",))], name="small first")


def test_the_fallback_taken_and_its_cost_are_shown(replayed: Replayed) -> None:
    """10,000 tokens do not fit gpt-4's 8,192. gpt-4o serves them: 10,000 x 2.5 + 100 x 10 = 26,000 per million calls.

    gpt-4 would have asked 10,000 x 30 + 100 x 60 = 306,000 of them.
    """
    big = {"prompt_tokens": 10_000, "completion_tokens": 100}
    _, after = replayed([call(0, usage=big), call(1)], ROUTER)
    assert after.summary["feasibility"] == [
        {
            "rule": "default",
            "model": "openai/gpt-4",
            "obstacle": "context window",
            "served_by": "openai/gpt-4o",
            "requests": 1,
            "usd": "0.026",
            "usd_if_it_could": "0.306",
        }
    ]
    assert after.requests()["routed_model"].tolist() == ["openai/gpt-4o", "openai/gpt-4"]


def test_a_request_that_none_of_the_chain_can_serve_is_shown_without_a_price(replayed: Replayed) -> None:
    huge = {"prompt_tokens": 200_000, "completion_tokens": 100}
    _, after = replayed([call(0, usage=huge)], ROUTER)
    (row,) = after.summary["feasibility"]
    assert (row["served_by"], row["requests"], row["usd"]) == (None, 1, "0")


def test_the_obstacle_is_named_as_live_routing_names_it(replayed: Replayed, book: PriceBook) -> None:
    assert book.capabilities("openai/gpt-4").images is False
    shown = [
        {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}},
        {"type": "text", "text": "what?"},
    ]
    seen = call(1, messages=[{"role": "user", "content": shown}])
    _, after = replayed([call(0, max_output_tokens=10_000), seen], ROUTER)
    assert {row["obstacle"] for row in after.summary["feasibility"]} == {"output limit", "no images"}
