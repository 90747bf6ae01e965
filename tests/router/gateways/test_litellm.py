"""The hook in a real LiteLLM proxy, a process of its own, in front of the local provider server."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pricing import AsOf, PriceBook
from router import load_rules
from simulator import Scenario, replay
from tests.router.gateways.proxied import DATED, MISSING, PROXY, Running, proxied
from tests.router.months import cost, equal_days, replayed
from workloads import read_log


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not PROXY.exists():
        pytest.skip(MISSING)
    with proxied(tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.mark.slow
def test_the_proxy_routes_by_the_file_and_its_log_replays_to_what_was_billed(proxy: Running, tmp_path: Path) -> None:
    """60 calls, a third of them streamed: models as the rules say, and the bill to the picodollar."""
    book, router = PriceBook.load(), load_rules(proxy.rules)
    asked = [("hi " * (1 + number % 20), {"complex": number % 7 == 0, "n": number}) for number in range(60)]
    before, billed, models = len(proxy.lines(0)), 0, []
    for number, (content, meta) in enumerate(asked):
        usage = proxy.ask(
            content, stream=number % 3 == 0, metadata=meta | {"session_id": f"s{number // 2}"}, user="ann"
        )
        target = router.route(content, meta).target
        models.append(target)
        billed += cost(book, target, usage, book.date)
    lines = proxy.lines(before + 60)[before:]
    lines.sort(key=lambda line: line["meta"]["n"])
    assert [line["decision"]["model"] for line in lines] == models
    assert len(set(models)) == 3
    assert {line["user_id"] for line in lines} == {"ann"}
    assert {name for line in lines for name in line["meta"]} == {"complex", "n", "session_id"}, "nothing of the proxy's"
    assert [line["session_id"] for line in lines] == [f"s{number // 2}" for number in range(60)]
    assert all(line["status"] == "ok" and line["latency_ms"] > 0 for line in lines)
    assert [line["ttft_ms"] is not None for line in lines] == [number % 3 == 0 for number in range(60)]
    held = tmp_path / "held.jsonl"
    held.write_text("".join(json.dumps(line) + "\n" for line in lines))
    policy = AsOf.parse("request")
    _, after = replay(
        read_log(held), Scenario.always("openai/gpt-4o", book, policy), Scenario("as live", router, book, policy)
    )
    assert billed > 0
    assert int(after.run.facts.logged_pico) == billed
    assert after.requests()["routed_usd_pico"].sum() == billed, "the same rules decide the same in replay"


@pytest.mark.slow
def test_a_model_that_is_down_is_passed_over_and_the_log_says_so(proxy: Running) -> None:
    before = len(proxy.lines(0))
    assert proxy.ask("unreachable, then")["total_tokens"] > 0
    line = proxy.lines(before + 1)[-1]
    assert line["decision"]["model"] == "openai/gpt-4o"
    (passed,) = line["decision"]["fallback_from"]
    assert passed["model"] == "groq/llama-3.1-8b-instant"
    assert passed["why"] in ("connection", "server")


@pytest.mark.slow
def test_a_call_that_the_whole_chain_failed_is_logged_as_an_error(proxy: Running) -> None:
    before = len(proxy.lines(0))
    assert proxy.ask("to nowhere")["status"] >= 400
    line = proxy.lines(before + 1)[-1]
    assert (line["status"], line["decision"]["rule"]) == ("error", "lost")
    assert line["error"] in ("connection", "server")


@pytest.mark.slow
def test_a_model_asked_for_by_name_passes_untouched(proxy: Running) -> None:
    before = len(proxy.lines(0))
    assert proxy.ask("hello", model="openai/gpt-4.1")["total_tokens"] > 0
    time.sleep(1)
    assert len(proxy.lines(before)) == before


@pytest.mark.slow
def test_calls_through_the_proxy_are_billed_at_the_prices_of_their_own_days(tmp_path: Path) -> None:
    """40 calls from 30 September to 3 October 2024, dated by the hook's clock; gpt-4o became cheaper on 2 October."""
    if not PROXY.exists():
        pytest.skip(MISSING)
    book, billed = PriceBook.load(), Counter[date]()
    with proxied(tmp_path, DATED) as running:
        router = load_rules(running.rules)
        for number in range(40):
            at = datetime(2024, 9, 30, tzinfo=UTC) + timedelta(hours=2.4 * number)
            content, meta = "hi " * (1 + number), {"at": at.isoformat()}
            usage = running.ask(content, stream=number % 3 == 0, metadata=meta)
            billed[at.date()] += cost(book, router.route(content, meta).target, usage, at)
        assert len(running.lines(40)) == 40
        assert equal_days(billed, replayed(book, router, running.log), list(billed)) == 4
