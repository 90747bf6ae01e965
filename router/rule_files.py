"""Rules files: YAML in, YAML out, with every mistake named and its nearest match offered."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricing import PriceBook
from problems import BackrouteError, Mistakes, nearest
from problems.problem import shown
from router.conditions import Condition
from router.grammar import check_keys, read_condition
from router.rules import LLMRouter, RoutingRule, check_order, split_target
from router.yaml_text import read_yaml, write_yaml

if TYPE_CHECKING:
    from router.providers import Provider

RULE_KEYS = ("name", "when", "use", "fallback", "reason")


def bundled_rules() -> list[str]:
    """The names of the rule sets that come with the package."""
    folder = files("router").joinpath("rulesets")
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


def load_rules(
    source: str | Path,
    *,
    book: PriceBook | None = None,
    providers: Mapping[str, Provider] | None = None,
    decision_log: str | Path | None = None,
) -> LLMRouter:
    """A router from a rules file, or from the name of a bundled set: starter, case, current.

    Args:
        source: the file or the name.
        book, providers, decision_log: see `LLMRouter`.

    Raises:
        BackrouteError: the file is missing or not YAML, or a rule in it cannot be meant as it stands.
    """
    given: dict[str, Any] = {"book": book, "providers": providers, "decision_log": decision_log}
    if str(source) in bundled_rules():
        text = files("router").joinpath("rulesets", f"{source}.yaml").read_text("utf-8")
        return LLMRouter(_rules(text, f"{source}.yaml"), name=str(source), **given)
    path = Path(source)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BackrouteError(str(path), "not UTF-8 text", fix="give a YAML file of rules") from error
    except OSError as error:
        hint = nearest(str(source), bundled_rules()) or f"give a file, or a bundled set: {', '.join(bundled_rules())}"
        what = "no such rules file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise BackrouteError(str(path), what, fix=hint) from error
    return LLMRouter(_rules(text, str(path)), name=path.stem, **given)


def parse_rules(text: str, *, where: str = "rules", name: str = "rules", book: PriceBook | None = None) -> LLMRouter:
    """A router from YAML text; `where` is what errors call it.

    Raises:
        BackrouteError: as for `load_rules`.
    """
    return LLMRouter(_rules(text, where), name=name, book=book)


def require_models(router: LLMRouter, book: PriceBook, where: str) -> None:
    """Refuse rules that name a model without a price, before any request meets them.

    Args:
        where: the file of the rules, as the user named it.

    Raises:
        BackrouteError: the book does not know a model that a rule uses or falls back to.
    """
    mistakes = Mistakes(where)
    for rule in router.rules:
        for name in dict.fromkeys((rule.target, *rule.fallback)):
            mistakes.of(partial(book.require, name, f"{where}: rule {rule.name!r}"))
    mistakes.settle()


def _rules(text: str, where: str) -> list[RoutingRule]:
    data = read_yaml(text, where)
    if isinstance(data, Mapping):
        check_keys(data, ("rules",), where)
        data = data.get("rules")
    if not isinstance(data, list) or not data:
        raise BackrouteError(where, "no rules in it", fix="write a list under `rules:`; the last one is the default")
    mistakes = Mistakes(where)
    read = [mistakes.of(partial(_rule, entry, where, number)) for number, entry in enumerate(data, 1)]
    rules = [rule for rule in read if rule is not None]
    mistakes.settle()
    check_order(rules, where)
    if rules[-1].condition is not None:
        raise BackrouteError(
            f"{where}: rule {rules[-1].name!r}",
            "the last rule has a `when`",
            effect="requests that match no rule would have no model",
            fix="add a last rule without `when`: the default",
        )
    return rules


def dump_rules(router: LLMRouter) -> str:
    """The router's rules as YAML that `parse_rules` reads back to the same decisions.

    Raises:
        BackrouteError: a rule's condition is a Python callable, which YAML cannot hold.
    """
    rules = []
    for rule in router.rules:
        entry: dict[str, Any] = {"name": rule.name}
        if rule is not router.rules[-1]:  # the last is the default whatever its condition
            if not isinstance(rule.condition, Condition):
                what = "its condition is a Python function, which a rules file cannot hold"
                raise BackrouteError(f"rule {rule.name!r}", what, fix="write it with conditions of `router`")
            entry["when"] = rule.condition.to_yaml()
        entry["use"] = rule.target
        if rule.fallback:
            entry["fallback"] = list(rule.fallback)
        if rule.reason:
            entry["reason"] = rule.reason
        rules.append(entry)
    return write_yaml({"rules": rules})


def _rule(entry: Any, where: str, number: int) -> RoutingRule:
    if not isinstance(entry, Mapping):
        raise BackrouteError(f"{where}: rule {number}", f"not a mapping ({shown(entry)})", fix="write name, when, use")
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        what = f"no name ({shown(name)})"
        raise BackrouteError(f"{where}: rule {number}", what, fix="give it a name; reports speak of rules by name")
    where = f"{where}: rule {name!r}"
    mistakes = Mistakes(where)
    mistakes.of(lambda: check_keys(entry, RULE_KEYS, where))
    # A misspelt `use` is one mistake, not two.
    target = (
        None
        if mistakes.found and "use" not in entry
        else mistakes.of(lambda: split_target(entry.get("use"), f"{where}, use"))
    )
    condition = mistakes.of(lambda: read_condition(entry["when"], where)) if "when" in entry else None
    fallback = mistakes.of(lambda: _fallback(entry.get("fallback", []), where))
    if not isinstance(reason := entry.get("reason", ""), str):
        what = f"`reason` is a text ({shown(reason)})"
        mistakes.found.append(BackrouteError(where, what, fix="put it in quotes"))
    mistakes.settle()
    provider, model = target or ("", "")
    return RoutingRule(name, condition, provider, model, reason, fallback or ())


def _fallback(models: Any, where: str) -> tuple[str, ...]:
    if not isinstance(models, list):
        raise BackrouteError(where, f"`fallback` needs a list ({shown(models)})", fix="for example [openai/gpt-4o]")
    mistakes = Mistakes(where)
    for model in models:
        mistakes.of(partial(split_target, model, f"{where}, fallback"))
    mistakes.settle()
    return tuple(models)
