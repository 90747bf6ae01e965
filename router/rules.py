"""Routing rules in order: the first that matches decides, the last is the default. Live and in replay alike."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from pricing import PriceBook
from problems import BackrouteError
from router.conditions import Condition
from router.features import Features

Test = Callable[[str, Mapping[str, Any]], bool]


@dataclass(frozen=True)
class RoutingRule:
    """One rule.

    Args:
        name: unique within its router.
        condition: a condition of `router`, any callable `(text, meta) -> bool`, or None to match always.
        provider: for example "groq".
        model: the provider's name for it, for example "llama-3.1-8b-instant".
        reason: why, in words, for reports.
        fallback: "provider/model" names to take, in order, where the model cannot serve the request.
    """

    name: str
    condition: Condition | Test | None
    provider: str
    model: str
    reason: str = ""
    fallback: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The model as "provider/model"."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True)
class Decisions:
    """What a router chose, one row per request.

    Args:
        chosen: int32 into the router's `rules`; -1 where none could be decided, as the log lacks the text a rule needs.
        seconds: time spent in callable conditions, by rule; such rules run row by row.
    """

    chosen: np.ndarray[Any, np.dtype[np.int32]]
    seconds: Mapping[str, float] = field(default_factory=dict)


class Router(Protocol):
    """Whatever decides: pure, seeded, and shown arrival columns only."""

    name: str
    rules: tuple[RoutingRule, ...]

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        """Decide every request of a batch in `workloads.REQUEST`'s columns."""

    def digest(self) -> str:
        """A hash that changes whenever a decision could."""


class LLMRouter:
    """Routes by rules: the first whose condition holds wins, the last is the default whatever its condition.

    Args:
        rules: at least one, with unique names; the bundled `starter` set when left out.
        name: what reports call it.
        book: prices for `estimated_cost_usd` conditions; the bundled ones when left out.

    Raises:
        BackrouteError: no rule, or two of one name.
    """

    def __init__(
        self, rules: Sequence[RoutingRule] | None = None, *, name: str = "rules", book: PriceBook | None = None
    ) -> None:
        if rules is None:
            from router.rule_files import load_rules

            rules, name = load_rules("starter").rules, "starter"
        self.rules = tuple(rules)
        self.name = name
        self._book = book
        if not self.rules:
            raise BackrouteError(name, "the rule set is empty", fix="add at least one rule; the last is the default")
        seen: set[str] = set()
        for rule in self.rules:
            if rule.name in seen:
                raise BackrouteError(name, f"two rules are named {rule.name!r}", fix="give each rule its own name")
            seen.add(rule.name)

    def route(self, text: str, meta: Mapping[str, Any] | None = None) -> RoutingRule:
        """The rule for one text, the last user message, with the caller's meta.

        Raises:
            BackrouteError: a rule needs something else of the request: use `route_one`.
        """
        return self.route_one({"prompt": text, "meta": meta})

    def route_one(self, request: Mapping[str, Any]) -> RoutingRule:
        """The rule for one request, given as arrival columns by name: `workloads.REQUEST` lists them.

        Raises:
            BackrouteError: an unknown field, or a rule that needs the text of a request given without one.
        """
        decided = self._route(Features.of_request(request, book=self._book, cost_model=self.rules[-1].target))
        if decided.chosen[0] < 0:
            raise BackrouteError(
                self.name, "a rule needs the request's text, which was not given", fix="pass prompt= and messages="
            )
        return self.rules[decided.chosen[0]]

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        """Decide a batch; see `Decisions`."""
        return self._route(Features.of_batch(requests, book=self._book, cost_model=self.rules[-1].target))

    def matches(self, requests: pa.RecordBatch) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Bool (rules, requests): which conditions hold, whatever came before them; for `backroute check`."""
        features = Features.of_batch(requests, book=self._book, cost_model=self.rules[-1].target)
        everywhere = np.ones(features.rows, bool)
        return np.stack([self._evaluate(rule, features, everywhere, {})[0] for rule in self.rules])

    def _route(self, features: Features) -> Decisions:
        chosen = np.full(features.rows, len(self.rules) - 1, np.int32)
        undecided = np.ones(features.rows, bool)
        seconds: dict[str, float] = {}
        for index, rule in enumerate(self.rules):
            matches, unknown = self._evaluate(rule, features, undecided, seconds)
            chosen[undecided & matches] = index
            chosen[undecided & unknown] = -1
            undecided &= ~(matches | unknown)
            if not undecided.any():
                break
        return Decisions(chosen, seconds)

    def _evaluate(
        self, rule: RoutingRule, features: Features, undecided: np.ndarray[Any, Any], seconds: dict[str, float]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        none = np.zeros(features.rows, bool)
        if rule.condition is None:
            return ~none, none
        if not hasattr(rule.condition, "evaluate"):
            started = time.perf_counter()
            result = _row_by_row(rule, rule.condition, features, undecided)  # type: ignore[arg-type]
            seconds[rule.name] = time.perf_counter() - started
        else:
            result = rule.condition.evaluate(features)
        if isinstance(result, pa.ChunkedArray):
            result = result.combine_chunks()
        if not result.null_count:
            return result.to_numpy(zero_copy_only=False), none
        return result.fill_null(False).to_numpy(zero_copy_only=False), result.is_null().to_numpy(zero_copy_only=False)

    def digest(self) -> str:
        """Sha256 over the rules as YAML; a callable counts by its qualified name alone."""
        said = [
            [
                rule.name,
                rule.target,
                list(rule.fallback),
                rule.condition.to_yaml()
                if hasattr(rule.condition, "to_yaml")
                else getattr(rule.condition, "__qualname__", None),
            ]
            for rule in self.rules
        ]
        return hashlib.sha256(msgspec.json.encode(said)).hexdigest()

    def __repr__(self) -> str:
        lines = [f"LLMRouter({self.name!r}):"]
        for rule in self.rules:
            when = "otherwise" if rule.condition is None else str(rule.condition)
            lines.append(f"  {rule.name}: {when} -> {rule.target}")
        return "\n".join(lines)


def _row_by_row(rule: RoutingRule, test: Test, features: Features, undecided: np.ndarray[Any, Any]) -> pa.BooleanArray:
    texts, metas = features["prompt"].to_pylist(), features["meta"].to_pylist()
    result: list[bool | None] = [False] * features.rows
    for row in np.flatnonzero(undecided):
        if texts[row] is None:
            result[row] = None
            continue
        try:
            result[row] = bool(test(texts[row], msgspec.json.decode(metas[row]) if metas[row] else {}))
        except Exception as error:
            what = f"its condition failed ({type(error).__name__}: {error})"
            raise BackrouteError(f"rule {rule.name!r}", what, fix="make it return True or False for any text") from error
    return pa.array(result, pa.bool_())
