"""Numbers of a rule set by their path, as `--param simple_chat.length.below=100:400:50` names them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from problems import BackrouteError, nearest
from router.conditions import Condition
from router.grammar import read_condition
from router.rules import LLMRouter, RoutingRule

MOST_VALUES = 1000


@dataclass(frozen=True)
class Parameter:
    """A path, and the values to try: "simple_chat.length.below", (100, 150, 200)."""

    path: str
    values: tuple[float, ...]


def read_parameter(said: str) -> Parameter:
    """PATH=FROM:TO:STEP, both ends included, or PATH=VALUE,VALUE,...

    Raises:
        BackrouteError: it is neither, or has too many values.
    """
    path, equals, right = said.partition("=")
    fix = "for example simple_chat.length.below=100:400:50, or code.task.code.at_least=0.4,0.6"
    try:
        parts = [Decimal(part) for part in right.split(":")] if ":" in right else []
        if parts:
            first, last, step = parts
            if step <= 0 or last < first or (last - first) / step >= MOST_VALUES:
                raise ValueError
            values = [first + step * n for n in range(int((last - first) / step) + 1)]
        else:
            values = [Decimal(part) for part in right.split(",")]
        if not equals or not path or not all(value.is_finite() for value in values):
            raise ValueError
    except (ValueError, InvalidOperation):
        raise BackrouteError("--param", f"not PATH=FROM:TO:STEP ({said!r})", fix=fix) from None
    return Parameter(path.strip(), tuple(_plain(value) for value in values))


def settings(router: LLMRouter, parameters: Sequence[Parameter]) -> Iterator[tuple[dict[str, float], LLMRouter]]:
    """Every combination of values, and the router with them in place.

    Raises:
        BackrouteError: a path that leads to no number of the rules, or too many combinations.
    """
    count = 1
    for parameter in parameters:
        count *= len(parameter.values)
    if count > MOST_VALUES:
        what = f"{count:,} combinations of values"
        raise BackrouteError("--param", what, fix=f"try {MOST_VALUES:,} at most: a larger step, or fewer parameters")
    for values in itertools.product(*(parameter.values for parameter in parameters)):
        chosen = dict(zip((parameter.path for parameter in parameters), values, strict=True))
        yield chosen, with_values(router, chosen)


def with_values(router: LLMRouter, values: Mapping[str, float]) -> LLMRouter:
    """The router with some of its numbers replaced; a path that begins with `*` speaks of every rule that has it.

    Raises:
        BackrouteError: a path that leads to no number of the rules, or a value that it cannot take.
    """
    rules = list(router.rules)
    for path, value in values.items():
        found = [at for at, rule in enumerate(rules) if _inside(rule, path) in dict(_numbers(_when(rule)))]
        if not found:
            known = paths(router)
            fix = nearest(path, known) or f"the rules' numbers are {', '.join(known) or 'none'}"
            raise BackrouteError("--param", f"no number of the rules at {path!r}", fix=fix)
        for at in found:
            rules[at] = _replaced(rules[at], _inside(rules[at], path), value)
    return router.with_rules(rules)


def paths(router: LLMRouter) -> list[str]:
    """The path of every number in the rules."""
    return [f"{rule.name}.{path}" for rule in router.rules for path, _ in _numbers(_when(rule))]


def _inside(rule: RoutingRule, path: str) -> str:
    """The path within a rule's condition; empty where it speaks of another rule."""
    for name in (rule.name, "*"):
        if path.startswith(f"{name}."):
            return path.removeprefix(f"{name}.")
    return ""


def _when(rule: RoutingRule) -> Any:
    return rule.condition.to_yaml() if isinstance(rule.condition, Condition) else {}


def _numbers(said: Any, at: str = "") -> Iterator[tuple[str, float]]:
    held = said.items() if isinstance(said, Mapping) else enumerate(said) if isinstance(said, list) else ()
    for key, value in held:
        path = f"{at}.{key}" if at else str(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield path, value
        else:
            yield from _numbers(value, path)


def _replaced(rule: RoutingRule, path: str, value: float) -> RoutingRule:
    when = copy.deepcopy(_when(rule))
    *steps, last = path.split(".")
    place = when
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return replace(rule, condition=read_condition(when, f"--param {rule.name}.{path}={value}"))


def _plain(value: Decimal) -> float:
    return int(value) if value == value.to_integral_value() else float(value)
