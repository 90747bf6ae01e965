"""A real LiteLLM proxy in a process of its own, with the hook, in front of the local provider server."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmock.testing import LLMockServer

ROOT = Path(__file__).resolve().parents[3]
PROXY = Path(os.environ.get("BACKROUTE_LITELLM", ROOT / ".venv-litellm" / "bin" / "litellm"))
MISSING = f"no LiteLLM proxy ({PROXY}): make litellm, or name one in BACKROUTE_LITELLM"
KEY = "sk-local-test-only-0123456789abcdef0123456789abcdef"  # of a proxy that lives as long as a test
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
# Its calls come when their own metadata says, in `at`: a month passes in a minute.
DATED = """
from contextvars import ContextVar
from datetime import UTC, datetime

from router.gateways.litellm import BackrouteHook

at = ContextVar("at", default=None)


class Dated(BackrouteHook):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self._shared.clock = lambda: at.get() or datetime.now(UTC)

    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        tell(data.get("metadata"))
        return await super().async_pre_call_hook(user_api_key_dict, cache, data, call_type)

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        tell((kwargs.get("litellm_params") or {{}}).get("metadata"))
        return await super().async_log_success_event(kwargs, response_obj, start_time, end_time)


def tell(metadata):
    said = (metadata or {{}}).get("at")
    at.set(datetime.fromisoformat(said) if said else None)


proxy = Dated({rules!r}, decision_log={log!r}, models=["auto"])
"""


@dataclass
class Running:
    """A proxy that answers."""

    url: str
    log: Path
    rules: Path
    provider: LLMockServer

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


@contextmanager
def proxied(
    folder: Path, hook: str = HOOK, *, said: str = RULES, models: Sequence[str] = ("gpt-4o", "gpt-4o-mini", "gpt-4.1")
) -> Iterator[Running]:
    """Start the proxy, and end it; `said` are its rules, `models` OpenAI's that they may use."""
    rules, log = folder / "rules.yaml", folder / "decisions.jsonl"
    rules.write_text(said)
    (folder / "backroute_hook.py").write_text(hook.format(rules=str(rules), log=str(log)))
    with LLMockServer() as mock:
        nobody, port = free_port(), free_port()
        served = [deployment(f"openai/{name}", f"{mock.url}/v1") for name in models]
        lost = deployment("groq/llama-3.1-8b-instant", f"http://127.0.0.1:{nobody}/v1")
        config = {
            "model_list": [*served, lost],
            "litellm_settings": {"callbacks": "backroute_hook.proxy", "num_retries": 0, "telemetry": False},
            "router_settings": {"disable_cooldowns": True},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        own = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": str(ROOT)}
        command = [str(PROXY), "--config", str(folder / "config.yaml"), "--port", str(port), "--host", "127.0.0.1"]
        with (folder / "proxy.log").open("w") as printed:
            process = subprocess.Popen(command, cwd=folder, env=plain | own, stdout=printed, stderr=printed)
            try:
                wait_for(f"http://127.0.0.1:{port}/health/liveliness", process, folder / "proxy.log")
                yield Running(f"http://127.0.0.1:{port}", log, rules, mock)
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
