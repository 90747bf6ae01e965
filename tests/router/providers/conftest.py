import os
import socket
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from llmock.testing import LLMockServer

from router.providers import Provider, provider, sdk
from tests.router.providers.loopback import Loopback

SDKS = ("openai", "anthropic", "groq")
MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "groq": "llama-3.1-8b-instant", "vllm": "qwen3-8b"}
# The paths by which the mock tells the providers apart, as base URLs; Groq's SDK appends its own.
MOCKED = {"openai": "/v1", "anthropic": "/anthropic", "groq": "/groq", "vllm": "/v1"}
PATHS = {"openai": "/v1", "anthropic": "", "groq": "", "vllm": "/v1"}
KEY = "sk-not-a-real-key-0123456789"
HELLO = [{"role": "user", "content": "Hello"}]

Make = Callable[[str], Provider]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_BASE_URL", "_API_KEY", "_AUTH_TOKEN", "_PROXY", "_CUSTOM_HEADERS")) or "_proxy" in name:
            monkeypatch.delenv(name)
    for name in SDKS:
        monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
    monkeypatch.setattr(sdk, "FIRST_WAIT_S", 0.01)


@pytest.fixture(autouse=True, scope="session")
def sdks_loaded() -> None:
    """Their imports take a second each, which no test should time."""
    for name in SDKS:
        import_module(name)


class RequestIds:
    """The header that the mock lacks, by each provider's name of it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_id(message: Any) -> None:
            if message["type"] == "http.response.start":
                name = b"request-id" if scope["path"].startswith("/anthropic") else b"x-request-id"
                message["headers"] = [*message["headers"], (name, b"req_mocked")]
            await send(message)

        await self.app(scope, receive, with_id if scope["type"] == "http" else send)


@pytest.fixture(scope="session")
def mock_server() -> Iterator[LLMockServer]:
    server = LLMockServer()
    server.app.add_middleware(RequestIds)
    with server:
        yield server


@pytest.fixture
def mock(mock_server: LLMockServer) -> LLMockServer:
    """The providers' wire formats, with scripted faults: `mock.state.scenarios.add(...)`."""
    mock_server.state.scenarios.clear()
    return mock_server


@pytest.fixture(scope="session")
def loopback_server() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def loopback(loopback_server: Loopback) -> Loopback:
    """Scripted bytes, and what was asked."""
    loopback_server.replies()
    return loopback_server


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def mocked(mock: LLMockServer) -> Make:
    return lambda name: provider(name, base_url=mock.url + MOCKED[name])


@pytest.fixture
def scripted(loopback: Loopback) -> Make:
    return lambda name: provider(name, base_url=loopback.url + PATHS[name])
