"""What may stand under `when` in a rules file, and the condition each key stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from problems import BackrouteError, Mistakes, nearest
from problems.problem import shown
from router.best_value import BestValue
from router.conditions import COMPARISONS, All, AnyOf, Compare, Condition, Mentions, Meta, Not, OneOf
from router.features import FLAGS, NAMES, NUMBERS
from router.scored import TaskScore, WeakSuffices
from router.semantic.tasks import CORE


def read_condition(when: Any, where: str) -> Condition:
    """The condition that a mapping stands for; its keys are ANDed.

    Raises:
        BackrouteError: it cannot be meant as it stands; `where` names the place that holds it.
    """
    if not isinstance(when, Mapping) or not when:
        raise BackrouteError(
            where, f"a condition is a mapping ({shown(when)})", fix="for example {length: {below: 200}}"
        )
    mistakes = Mistakes(where)
    mistakes.of(lambda: check_keys(when, tuple(READERS), where))
    read = [mistakes.of(partial(READERS[key], key, value, where)) for key, value in when.items() if key in READERS]
    mistakes.settle()
    parts = tuple(part for each in read for part in each or ())
    return parts[0] if len(parts) == 1 else All(parts)


def check_keys(mapping: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    """Raise where keys are not known, with the nearest that are."""
    mistakes = Mistakes(where)
    for key in mapping:
        if key not in known:
            fix = nearest(str(key), known) or f"the keys are {', '.join(known)}"
            mistakes.found.append(BackrouteError(where, f"unknown key ({key!r})", fix=fix))
    mistakes.settle()


def _made(where: str, kind: Callable[..., Condition], *values: Any) -> Condition:
    try:
        return kind(*values)
    except BackrouteError as error:
        raise BackrouteError(where, error.what, fix=error.fix) from None


def _many(key: str, value: Any, where: str) -> list[Condition]:
    if not isinstance(value, list) or not value:
        what = f"`{key}` needs a list of conditions ({shown(value)})"
        raise BackrouteError(where, what, fix="write one `- key: value` each")
    mistakes = Mistakes(where)
    read = [mistakes.of(partial(read_condition, part, where)) for part in value]
    mistakes.settle()
    parts = tuple(part for part in read if part is not None)
    if len(parts) == 1:
        return [parts[0]]
    return [All(parts) if key == "all" else AnyOf(parts)]


def _not(_: str, value: Any, where: str) -> list[Condition]:
    return [Not(read_condition(value, where))]


def _number(key: str, value: Any, where: str) -> list[Condition]:
    if not isinstance(value, Mapping) or not value:
        fix = f"for example {{{key}: {{below: 200}}}}"
        raise BackrouteError(where, f"`{key}` needs a comparison ({shown(value)})", fix=fix)
    check_keys(value, tuple(COMPARISONS), f"{where}, {key}")
    return [_made(where, Compare, key, comparison, threshold) for comparison, threshold in value.items()]


def _one_of(key: str, value: Any, where: str) -> list[Condition]:
    return [_made(where, OneOf, key, tuple(value) if isinstance(value, list) else (value,))]


def _mentions(key: str, value: Any, where: str) -> list[Condition]:
    whole_word = False
    if isinstance(value, Mapping):
        check_keys(value, ("any", "whole_word"), f"{where}, {key}")
        value, whole_word = value.get("any"), value.get("whole_word", False)
    if not isinstance(value, list):
        raise BackrouteError(
            where, f"`{key}` needs a list of words ({shown(value)})", fix="for example [refactor, sql]"
        )
    return [_made(where, Mentions, tuple(value), whole_word)]


def _meta(key: str, value: Any, where: str) -> list[Condition]:
    if not isinstance(value, Mapping) or not value:
        raise BackrouteError(where, f"`{key}` needs a mapping ({shown(value)})", fix="for example {complex: truthy}")
    return [_made(where, Meta, name, wanted) for name, wanted in value.items()]


def _task(key: str, value: Any, where: str) -> list[Condition]:
    if not isinstance(value, Mapping) or not set(value) - {"model"}:
        raise BackrouteError(
            where, f"`task` needs a class and a comparison ({shown(value)})", fix="for example {code: {at_least: 0.6}}"
        )
    model = value.get("model", CORE)
    found = []
    for name, compared in value.items():
        if name == "model":
            continue
        inside = f"{where}, {key}.{name}"
        if not isinstance(compared, Mapping) or not compared:
            fix = f"for example {{{name}: {{at_least: 0.6}}}}"
            raise BackrouteError(inside, f"a class needs a comparison ({shown(compared)})", fix=fix)
        check_keys(compared, tuple(COMPARISONS), inside)
        found += [_made(where, TaskScore, name, comparison, number, model) for comparison, number in compared.items()]
    return found


def _weak_suffices(key: str, value: Any, where: str) -> list[Condition]:
    example = "{weak: openai/gpt-4o-mini, strong: openai/gpt-4o, at_least: 0.7, model: own.npz}"
    if not isinstance(value, Mapping):
        raise BackrouteError(where, f"`{key}` is a mapping ({shown(value)})", fix=f"for example {example}")
    check_keys(value, ("weak", "strong", "model", *COMPARISONS), f"{where}, {key}")
    weak, strong = value.get("weak"), value.get("strong")
    compared = [name for name in value if name in COMPARISONS]
    if not isinstance(weak, str) or not isinstance(strong, str) or not compared:
        what = f"`{key}` needs weak, strong and a comparison ({shown(dict(value))})"
        raise BackrouteError(where, what, fix=f"for example {example}")
    return [_made(where, WeakSuffices, weak, strong, name, value[name], value.get("model", "")) for name in compared]


def _best_value(key: str, value: Any, where: str) -> list[Condition]:
    needed = ("pick", "of", "quality_per_usd", "model")
    example = "{pick: openai/gpt-4o, of: [openai/gpt-4o, openai/gpt-4o-mini], quality_per_usd: 10, model: own.npz}"
    if not isinstance(value, Mapping):
        raise BackrouteError(where, f"`{key}` is a mapping ({shown(value)})", fix=f"for example {example}")
    check_keys(value, needed, f"{where}, {key}")
    missing = [name for name in needed if name not in value]
    if missing or not isinstance(value["of"], list) or not isinstance(value["model"], str):
        what = f"`{key}` needs {', '.join(missing or ('a list `of`', 'a path `model`'))}"
        raise BackrouteError(where, what, fix=f"for example {example}")
    return [_made(where, BestValue, value["pick"], tuple(value["of"]), value["quality_per_usd"], value["model"])]


READERS: dict[str, Callable[[str, Any, str], list[Condition]]] = (
    {"all": _many, "any": _many, "not": _not, "mentions": _mentions, "meta": _meta}
    | {"task": _task, "weak_suffices": _weak_suffices, "best_value": _best_value}
    | dict.fromkeys(NUMBERS, _number)
    | dict.fromkeys((*FLAGS, *NAMES), _one_of)
)
