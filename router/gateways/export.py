"""Rules as a gateway's own configuration: what LiteLLM's router can express, and by name what it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from router.conditions import Condition, OneOf
from router.rules import LLMRouter, RoutingRule

KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "groq": "GROQ_API_KEY"}


@dataclass(frozen=True)
class Exported:
    """A LiteLLM proxy configuration.

    Args:
        config: what config.yaml holds.
        left_out: (rule, why) of what it cannot hold.
    """

    config: dict[str, Any]
    left_out: tuple[tuple[str, str], ...]


def litellm_config(router: LLMRouter, *, model: str = "auto", hook: bool = False) -> Exported:
    """The rules for a LiteLLM proxy.

    LiteLLM routes by the model's name alone: it can hold the default, fallbacks, and rules that ask which model the
    caller named, as long as no rule stands before them that it cannot hold.

    Args:
        router: the rules.
        model: the name clients ask for.
        hook: write the configuration that runs the rules themselves, all of them, through `router.gateways.litellm`.
    """
    targets = dict.fromkeys(target for rule in router.rules for target in (rule.target, *rule.fallback))
    config: dict[str, Any] = {"model_list": [_deployment(target) for target in targets]}
    left_out: list[tuple[str, str]] = []
    if hook:
        config["litellm_settings"] = {"callbacks": "backroute_hook.proxy"}
        return Exported(config, ())
    aliases: dict[str, str] = {}
    for rule in router.rules[:-1]:
        why = _why_not(rule) or ("a rule before it is left out, so that it would fire too often" if left_out else "")
        if why:
            left_out.append((rule.name, why))
            continue
        for name in rule.condition.values:  # type: ignore[union-attr]  # `_why_not` let only OneOf pass
            aliases.setdefault(str(name), rule.target)
    aliases.setdefault(model, router.rules[-1].target)
    settings: dict[str, Any] = {"model_group_alias": aliases}
    held = [rule for rule in router.rules if rule.name not in dict(left_out)]
    # LiteLLM keeps fallbacks by model, not by rule: of two rules on one model the first that fires speaks.
    fallbacks: dict[str, list[str]] = {}
    for rule in held:
        if rule.fallback and fallbacks.setdefault(rule.target, list(rule.fallback)) != list(rule.fallback):
            left_out.append((rule.name, f"its fallbacks: an earlier rule has others for {rule.target}"))
    if fallbacks:
        settings["fallbacks"] = [{target: chain} for target, chain in fallbacks.items()]
    config["router_settings"] = settings
    return Exported(config, tuple(left_out))


def _deployment(target: str) -> dict[str, Any]:
    provider, _, name = target.partition("/")
    key = KEYS.get(provider, f"{provider.upper().replace('-', '_')}_API_KEY")
    served: dict[str, Any] = {"model": target, "api_key": f"os.environ/{key}"}
    if provider not in KEYS:  # any OpenAI-compatible server, as the router itself takes it
        served = {
            "model": f"openai/{name}",
            "api_key": f"os.environ/{key}",
            "api_base": f"os.environ/{key[:-8]}_BASE_URL",
        }
    return {"model_name": target, "litellm_params": served}


def _why_not(rule: RoutingRule) -> str:
    """Why LiteLLM's configuration cannot hold a rule; empty where it can."""
    if not isinstance(rule.condition, Condition):
        return "its condition is a Python function"
    if isinstance(rule.condition, OneOf) and rule.condition.column == "model":
        return ""
    return f"LiteLLM routes by the model's name and cannot ask: {rule.condition}"
