"""Rules as LiteLLM's configuration: what it can hold, and what is named as left out."""

from pathlib import Path

import yaml

from router import LLMRouter, RoutingRule, length, model
from router.gateways.export import litellm_config
from tests.command_line import backroute

BY_NAME = RoutingRule("old names", model() == ["gpt-4", "gpt-4-turbo"], "openai", "gpt-4.1", "", ("openai/gpt-4o",))
SHORT = RoutingRule("short", length() < 200, "groq", "llama-3.1-8b-instant")
REST = RoutingRule("rest", None, "vllm", "qwen3-8b")


def test_names_aliases_and_fallbacks_are_expressed() -> None:
    exported = litellm_config(LLMRouter([BY_NAME, REST]))
    assert exported.left_out == ()
    assert exported.config["router_settings"] == {
        "model_group_alias": {"gpt-4": "openai/gpt-4.1", "gpt-4-turbo": "openai/gpt-4.1", "auto": "vllm/qwen3-8b"},
        "fallbacks": [{"openai/gpt-4.1": ["openai/gpt-4o"]}],
    }
    assert exported.config["model_list"][-1] == {
        "model_name": "vllm/qwen3-8b",
        "litellm_params": {
            "model": "openai/qwen3-8b",
            "api_key": "os.environ/VLLM_API_KEY",
            "api_base": "os.environ/VLLM_BASE_URL",
        },
    }


def test_what_cannot_be_expressed_is_named_and_what_follows_it_too() -> None:
    exported = litellm_config(LLMRouter([SHORT, BY_NAME, REST]))
    assert [name for name, _ in exported.left_out] == ["short", "old names"]
    assert "length" in exported.left_out[0][1]
    assert exported.config["router_settings"] == {"model_group_alias": {"auto": "vllm/qwen3-8b"}}


def test_the_verb_writes_the_file_and_names_the_rest(tmp_path: Path) -> None:
    said = backroute("export", "current", "--out", str(tmp_path / "config.yaml"))
    assert said.exit_code == 0
    assert "not expressed: rule" in said.stderr
    held = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert set(held) == {"model_list", "router_settings"}
    assert yaml.safe_load(backroute("export", "current", "--hook").stdout)["litellm_settings"] == {
        "callbacks": "backroute_hook.proxy"
    }
