"""The LiteLLM hook's own part, called as the proxy calls it: what it sets, what it logs. No proxy is needed."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

RULES = """
rules:
  - {name: short, when: {length: {below: 20}}, use: groq/llama-3.1-8b-instant, fallback: [openai/gpt-4o-mini]}
  - {name: default, use: openai/gpt-4o}
"""
START = datetime(2026, 6, 1, tzinfo=UTC)


class RateLimitError(Exception):
    """As LiteLLM's: known by its name."""


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hook over a stand-in for the one class of LiteLLM that it needs."""
    base = ModuleType("litellm.integrations.custom_logger")
    base.CustomLogger = type("CustomLogger", (), {})  # type: ignore[attr-defined]
    for name, module in (("litellm", ModuleType("litellm")), ("litellm.integrations", ModuleType("integrations"))):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, base.__name__, base)
    monkeypatch.delitem(sys.modules, "router.gateways.litellm", raising=False)
    from router.gateways.litellm import BackrouteHook

    (tmp_path / "rules.yaml").write_text(RULES)
    yield BackrouteHook(tmp_path / "rules.yaml", decision_log=tmp_path / "d.jsonl", models=["auto"])
    sys.modules.pop("router.gateways.litellm", None)


def asked(content: str = "Hello", model: str = "auto", **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": content}]} | more
    return body | {"proxy_server_request": {"body": dict(body)}}


def before(hook: Any, data: dict[str, Any], kind: str = "acompletion") -> dict[str, Any]:
    return dict(asyncio.run(hook.async_pre_call_hook(None, None, data, kind)))


def answered(hook: Any, data: dict[str, Any], served: str, **more: Any) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_tokens_details": None}
    message = {"role": "assistant", "content": "Good day"}
    body = {"id": "x", "choices": [{"finish_reason": "stop", "message": message}], "usage": usage}
    kwargs = {
        "model": served.partition("/")[2],
        "litellm_params": {"metadata": data["metadata"] | {"model_group": served}},
    }
    response = SimpleNamespace(model_dump=lambda: body)
    asyncio.run(hook.async_log_success_event(kwargs | more, response, START, START + timedelta(seconds=2)))


def logged(tmp_path: Path) -> list[dict[str, Any]]:
    log = tmp_path / "d.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_request_gets_the_rules_model_and_its_fallbacks(hook: Any, tmp_path: Path) -> None:
    data = before(hook, asked(metadata={"session_id": "s1", "team": "x"}, user="ann"))
    assert (data["model"], data["fallbacks"]) == ("groq/llama-3.1-8b-instant", ["openai/gpt-4o-mini"])
    answered(hook, data, data["model"])
    (line,) = logged(tmp_path)
    assert (line["session_id"], line["user_id"], line["meta"]["team"]) == ("s1", "ann", "x")
    assert (line["model"], line["provider"], line["status"]) == ("llama-3.1-8b-instant", "groq", "ok")
    assert (line["latency_ms"], line["usage"]["prompt_tokens"]) == (2000.0, 10)
    assert (line["decision"]["rule"], line["decision"]["fallback_from"]) == ("short", [])


def test_only_the_clients_own_metadata_is_logged_and_nothing_of_keys_and_budgets(hook: Any, tmp_path: Path) -> None:
    """The proxy writes its own into the request's metadata, and keeps the client's in `requester_metadata`."""
    own = {"team": "x", "headers": {"host": "a"}, "used_client_oauth_token": False}
    data = asked(metadata=own | {"user_api_key_auth": "token=1", "user_api_key_hash": "2", "requester_metadata": own})
    data = before(hook, data)
    answered(hook, data, data["model"])
    assert logged(tmp_path)[0]["meta"] == {"team": "x"}


def test_a_fallback_says_which_model_failed_and_how(hook: Any, tmp_path: Path) -> None:
    data = before(hook, asked())
    failed = {"metadata": data["metadata"] | {"model_group": "groq/llama-3.1-8b-instant"}}
    kwargs = {"litellm_params": failed, "exception": RateLimitError("429")}
    asyncio.run(hook.async_log_failure_event(kwargs, None, START, START))
    answered(hook, data, "openai/gpt-4o-mini")
    (line,) = logged(tmp_path)
    assert line["decision"]["model"] == "openai/gpt-4o-mini"
    assert line["decision"]["fallback_from"] == [{"model": "groq/llama-3.1-8b-instant", "why": "rate_limit"}]


def test_a_call_that_nobody_answered_is_logged_once(hook: Any, tmp_path: Path) -> None:
    data = before(hook, asked())
    for _ in range(2):
        asyncio.run(hook.async_post_call_failure_hook(data, RateLimitError("429"), None))
    (line,) = logged(tmp_path)
    assert (line["status"], line["error"]) == ("error", "rate_limit")
    assert [passed["model"] for passed in line["decision"]["fallback_from"]] == ["groq/llama-3.1-8b-instant"]


def test_an_answer_of_the_gateways_own_cache_costs_nothing(hook: Any, tmp_path: Path) -> None:
    data = before(hook, asked())
    answered(hook, data, data["model"], cache_hit=True)
    assert logged(tmp_path)[0]["status"] == "cached"


def test_a_stream_is_asked_for_its_usage(hook: Any) -> None:
    assert before(hook, asked(stream=True))["stream_options"] == {"include_usage": True}
    assert "stream_options" not in before(hook, asked())


@pytest.mark.parametrize(
    ("data", "kind"),
    [(asked(model="openai/gpt-4o"), "acompletion"), (asked(), "aembedding"), ({"model": "auto"}, "acompletion")],
    ids=["another model", "another kind of call", "no messages"],
)
def test_what_is_not_for_the_rules_passes_untouched(hook: Any, data: dict[str, Any], kind: str, tmp_path: Path) -> None:
    assert before(hook, dict(data), kind) == data
    assert logged(tmp_path) == []


def test_an_experiment_file_assigns_by_session(hook: Any, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("rules: [{name: all, use: openai/gpt-4.1}]")
    (tmp_path / "experiment.yaml").write_text(
        "experiment: cheap-chat\narms: [{name: control, rules: rules.yaml, weight: 1}, "
        "{name: candidate, rules: other.yaml, weight: 1}]"
    )
    running = type(hook)(tmp_path / "experiment.yaml", decision_log=tmp_path / "d.jsonl")
    models = {session: before(running, asked(metadata={"session_id": session}))["model"] for session in ("s1", "s2")}
    assert models == {"s1": "groq/llama-3.1-8b-instant", "s2": "openai/gpt-4.1"}


def test_calls_that_never_end_are_logged_as_abandoned(
    hook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.gateways.litellm.WAITING", 1)
    for _ in range(2):
        before(hook, asked())
    (line,) = logged(tmp_path)
    assert line["error"] == "abandoned"
