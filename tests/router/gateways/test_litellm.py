"""The hook in a real LiteLLM proxy, a process of its own, in front of the local provider server."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from llmock.testing import LLMockServer

from pricing import AsOf, PriceBook
from router import load_rules
from simulator import Scenario, replay
from workloads import read_log

ROOT = Path(__file__).resolve().parents[3]
PROXY = Path(os.environ.get("BACKROUTE_LITELLM", ROOT / ".venv-litellm" / "bin" / "litellm"))
KEY = "sk-local-test-only-0123456789abcdef0123456789abcdef"  # of a proxy that lives as long as this test
RULES = """
rules:
  - {name: down, when: {mentions: [unreachable]}, use: groq/llama-3.1-8b-instant, fallback: [openai/gpt-4o]}
  - {name: lost, when: {mentions: [nowhere]}, use: groq/llama-3.1-8b-instant}
  - {name: complex, when: {meta: {complex: truthy}}, use: openai/gpt-4.1}
  - {name: short, when: {length: {below: 40}}, use: openai/gpt-4o-mini}
  - {name: default, use: openai/gpt-4o}
"""
HOOK = """
from router.gateways.litellm import BackrouteHook
proxy = BackrouteHook({rules!r}, decision_log={log!r}, models=["auto"])
"""


@dataclass
class Running:
    url: str
    log: Path
    rules: Path

    def ask(self, content: str, *, stream: bool = False, model: str = "auto", **more: Any) -> dict[str, Any]:
        """The usage the client sees; of a failed call its status."""
        body = {"model": model, "messages": [{"role": "user", "content": content}], "stream": stream} | more
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                said = response.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            return {"status": error.code}
        if not stream:
            return dict(json.loads(said)["usage"])
        chunks = [json.loads(line[6:]) for line in said.splitlines() if line.startswith("data: {")]
        return dict(next(chunk["usage"] for chunk in chunks if chunk.get("usage")))

    def lines(self, wanted: int) -> list[dict[str, Any]]:
        """The decision log, once it holds as many lines as wanted; the proxy writes it after it has answered."""
        for _ in range(100):
            held = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
            if len(held) >= wanted:
                break
            time.sleep(0.1)
        return [json.loads(line) for line in held]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not PROXY.exists():
        pytest.skip(f"no LiteLLM proxy ({PROXY}): make litellm, or name one in BACKROUTE_LITELLM")
    folder = tmp_path_factory.mktemp("proxy")
    rules, log = folder / "rules.yaml", folder / "decisions.jsonl"
    rules.write_text(RULES)
    (folder / "backroute_hook.py").write_text(HOOK.format(rules=str(rules), log=str(log)))
    with LLMockServer() as mock:
        nobody, port = free_port(), free_port()
        served = [deployment(f"openai/{name}", f"{mock.url}/v1") for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1")]
        lost = deployment("groq/llama-3.1-8b-instant", f"http://127.0.0.1:{nobody}/v1")
        settings = {"callbacks": "backroute_hook.proxy", "num_retries": 0, "telemetry": False}
        config = {
            "model_list": [*served, lost],
            "litellm_settings": settings,
            "router_settings": {"disable_cooldowns": True},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        own = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": str(ROOT)}
        command = [str(PROXY), "--config", str(folder / "config.yaml"), "--port", str(port), "--host", "127.0.0.1"]
        with (folder / "proxy.log").open("w") as said:
            process = subprocess.Popen(command, cwd=folder, env=plain | own, stdout=said, stderr=said)
            try:
                wait_for(f"http://127.0.0.1:{port}/health/liveliness", process, folder / "proxy.log")
                yield Running(f"http://127.0.0.1:{port}", log, rules)
            finally:
                process.terminate()
                process.wait(20)


def deployment(name: str, base: str) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": name, "api_base": base, "api_key": "none-needed"}}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[Any], said: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, said.read_text()[-3000:]
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(said.read_text()[-3000:])


def cost(book: PriceBook, model: str, usage: dict[str, Any]) -> int:
    """Picodollars by hand: tokens x USD per million x 10^6, each side rounded to a whole one."""
    quote = book.quote(model, book.date)
    assert quote is not None
    sides = (("input_uncached", "prompt_tokens"), ("output_text", "completion_tokens"))
    rates = [(quote.usd_per_mtok[bucket], usage[count]) for bucket, count in sides]
    return sum(round(Fraction(rate.base) * 10**6 * count) for rate, count in rates if rate is not None)


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
        billed += cost(book, target, usage)
    lines = proxy.lines(before + 60)[before:]
    lines.sort(key=lambda line: line["meta"]["n"])
    assert [line["decision"]["model"] for line in lines] == models
    assert len(set(models)) == 3
    assert {line["user_id"] for line in lines} == {"ann"}
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
