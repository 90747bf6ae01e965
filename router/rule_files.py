"""Rules files: YAML in, YAML out, with every mistake named and its nearest match offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from problems import BackrouteError, nearest
from router.conditions import COMPARISONS, All, Any_, Compare, Condition, Mentions, Meta, Not, OneOf
from router.rules import LLMRouter, RoutingRule

NUMBERS = ("length", "input_tokens", "estimated_cost_usd", "latency_budget_ms", "n_messages", "max_output_tokens")
FLAGS = ("has_tools", "has_images", "json_mode")
NAMES = ("user_id", "model")
RULE_KEYS = ("name", "when", "use", "fallback", "reason")


def bundled_rules() -> list[str]:
    """The names of the rule sets that come with the package."""
    return sorted(path.name.removesuffix(".yaml") for path in files("router").joinpath("rulesets").iterdir())


def load_rules(source: str | Path) -> LLMRouter:
    """A router from a rules file, or from the name of a bundled set: starter, case, current.

    Raises:
        BackrouteError: the file is missing or not YAML, or a rule in it cannot be meant as it stands.
    """
    if str(source) in bundled_rules():
        text = files("router").joinpath("rulesets", f"{source}.yaml").read_text("utf-8")
        return parse_rules(text, where=f"{source}.yaml", name=str(source))
    path = Path(source)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BackrouteError(str(path), "not a text file", fix="give a YAML file of rules") from error
    except OSError as error:
        hint = nearest(str(source), bundled_rules()) or f"give a file, or a bundled set: {', '.join(bundled_rules())}"
        what = "no such rules file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise BackrouteError(str(path), what, fix=hint) from error
    return parse_rules(text, where=str(path), name=path.stem)


def parse_rules(text: str, *, where: str = "rules", name: str = "rules") -> LLMRouter:
    """A router from YAML text; `where` is what errors call it."""
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        problem = getattr(error, "problem", None) or type(error).__name__
        raise BackrouteError(place, f"not YAML ({problem})", fix="mind the indentation and quotes") from error
    if isinstance(data, Mapping):
        _keys(data, ("rules",), where)
        data = data.get("rules")
    if not isinstance(data, list) or not data:
        raise BackrouteError(where, "no rules in it", fix="write a list under `rules:`; the last one is the default")
    rules = [_rule(entry, f"{where}: rule {number}") for number, entry in enumerate(data, 1)]
    if rules[-1].condition is not None:
        raise BackrouteError(
            f"{where}: rule {rules[-1].name!r}",
            "the last rule has a `when`",
            effect="requests that match no rule would have no model",
            fix="add a last rule without `when`: the default",
        )
    for rule in rules[:-1]:
        if rule.condition is None:
            what = "no `when`, though it is not the last rule"
            raise BackrouteError(
                f"{where}: rule {rule.name!r}", what, effect="no rule after it could fire", fix="give it a `when`"
            )
    return LLMRouter(rules, name=name)


def dump_rules(router: LLMRouter) -> str:
    """The router's rules as YAML that `parse_rules` reads back to the same decisions.

    Raises:
        BackrouteError: a rule's condition is a Python callable, which YAML cannot hold.
    """
    rules = []
    for rule in router.rules:
        entry: dict[str, Any] = {"name": rule.name}
        if rule.condition is not None:
            if not hasattr(rule.condition, "to_yaml"):
                what = "its condition is a Python function, which a rules file cannot hold"
                raise BackrouteError(f"rule {rule.name!r}", what, fix="write it with conditions of `router`")
            entry["when"] = rule.condition.to_yaml()
        entry["use"] = rule.target
        if rule.fallback:
            entry["fallback"] = list(rule.fallback)
        if rule.reason:
            entry["reason"] = rule.reason
        rules.append(entry)
    return yaml.safe_dump({"rules": rules}, sort_keys=False, allow_unicode=True, width=120)


def _rule(entry: Any, where: str) -> RoutingRule:
    if not isinstance(entry, Mapping):
        raise BackrouteError(where, f"not a mapping ({entry!r})", fix="write name, when, use")
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise BackrouteError(where, f"no name ({name!r})", fix="give it a name; reports speak of rules by name")
    where = f"{where.rsplit(':', 1)[0]}: rule {name!r}"
    _keys(entry, RULE_KEYS, where)
    provider, model = _target(entry.get("use"), where, "use")
    fallback = entry.get("fallback", [])
    if not isinstance(fallback, list):
        raise BackrouteError(where, f"`fallback` is not a list ({fallback!r})", fix="write [provider/model, ...]")
    reason = entry.get("reason", "")
    if not isinstance(reason, str):
        raise BackrouteError(where, f"`reason` is not text ({reason!r})", fix="put it in quotes")
    condition = _condition(entry["when"], where) if "when" in entry else None
    chain = tuple("/".join(_target(target, where, "fallback")) for target in fallback)
    return RoutingRule(name, condition, provider, model, reason, chain)


def _target(value: Any, where: str, key: str) -> tuple[str, str]:
    if not isinstance(value, str) or "/" not in value.strip("/"):
        raise BackrouteError(where, f"`{key}` is not provider/model ({value!r})", fix="for example openai/gpt-4o")
    provider, _, model = value.partition("/")
    return provider, model


def _keys(mapping: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    for key in mapping:
        if key not in known:
            hint = nearest(str(key), known) or f"the keys are {', '.join(known)}"
            raise BackrouteError(where, f"unknown key {key!r}", fix=hint)


def _condition(when: Any, where: str) -> Condition:
    if not isinstance(when, Mapping) or not when:
        raise BackrouteError(where, f"a condition is a mapping ({when!r})", fix="for example {length: {below: 200}}")
    _keys(when, tuple(READERS), where)
    parts = [part for key, value in when.items() for part in READERS[key](key, value, where)]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _many(key: str, value: Any, where: str) -> list[Condition]:
    if not isinstance(value, list) or not value:
        raise BackrouteError(where, f"`{key}` needs a list of conditions ({value!r})", fix="write one `- key: value` each")
    parts = tuple(_condition(part, where) for part in value)
    if len(parts) == 1:
        return [parts[0]]
    return [All(parts) if key == "all" else Any_(parts)]


def _not(key: str, value: Any, where: str) -> list[Condition]:  # noqa: ARG001 - every reader is called alike
    return [Not(_condition(value, where))]


def _number(key: str, value: Any, where: str) -> list[Condition]:
    if not isinstance(value, Mapping) or not value:
        raise BackrouteError(where, f"`{key}` needs a comparison ({value!r})", fix=f"for example {{{key}: {{below: 200}}}}")
    _keys(value, tuple(COMPARISONS), f"{where}, {key}")
    for threshold in value.values():
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or threshold != threshold:
            raise BackrouteError(where, f"`{key}` is compared with something that is no number ({threshold!r})")
    return [Compare(key, comparison, threshold) for comparison, threshold in value.items()]


def _flag(key: str, value: Any, where: str) -> list[Condition]:
    if not isinstance(value, bool):
        raise BackrouteError(where, f"`{key}` is true or false ({value!r})")
    return [OneOf(key, (value,))]


def _name(key: str, value: Any, where: str) -> list[Condition]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, str) for item in values):
        raise BackrouteError(where, f"`{key}` is a text or a list of texts ({value!r})", fix="put it in quotes")
    return [OneOf(key, tuple(values))]


def _mentions(key: str, value: Any, where: str) -> list[Condition]:
    whole_word = False
    if isinstance(value, Mapping):
        _keys(value, ("any", "whole_word"), f"{where}, {key}")
        whole_word = value.get("whole_word", False)
        value = value.get("any")
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise BackrouteError(where, f"`mentions` needs a list of words ({value!r})", fix="for example [refactor, sql]")
    if not isinstance(whole_word, bool):
        raise BackrouteError(where, f"`whole_word` is true or false ({whole_word!r})")
    return [Mentions(tuple(value), whole_word)]


def _meta(key: str, value: Any, where: str) -> list[Condition]:
    if not isinstance(value, Mapping) or not value:
        raise BackrouteError(where, f"`{key}` is a mapping ({value!r})", fix="for example {complex: truthy}")
    for name, wanted in value.items():
        if not isinstance(name, str) or isinstance(wanted, list | dict):
            raise BackrouteError(where, f"`meta` compares a key with one value ({name!r}: {wanted!r})")
    return [Meta(name, wanted) for name, wanted in value.items()]


READERS: dict[str, Callable[[str, Any, str], list[Condition]]] = (
    {"all": _many, "any": _many, "not": _not, "mentions": _mentions, "meta": _meta}
    | dict.fromkeys(NUMBERS, _number)
    | dict.fromkeys(FLAGS, _flag)
    | dict.fromkeys(NAMES, _name)
)
