"""Routing rules in order: the first that matches decides, the last is the default. Live and in replay alike."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from pricing import PriceBook
from problems import BackrouteError
from router.completes import Completes
from router.conditions import Asked, Condition
from router.features import Features, Kept, parsed_meta

if TYPE_CHECKING:
    from router.complete import Live
    from router.live_call import Clock
    from router.metrics import Metrics
    from router.providers import Provider

# What clouds charge on demand for a core is around 4 to 5 cents an hour.
USD_PER_CORE_HOUR = 0.05

Test = Callable[[str, dict[str, Any]], bool]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class RoutingRule:
    """One rule.

    Args:
        name: unique within its router.
        condition: a condition of `router`, any callable `(text, meta) -> bool`, or None to match always. A callable
            sees meta as a log would hold it, that is, as JSON.
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


class LLMRouter(Completes):
    """Routes by rules: the first whose condition holds wins, the last is the default whatever its condition.

    Args:
        rules: at least one, with unique names; the bundled `starter` set when left out.
        name: what reports call it.
        book: prices for `estimated_cost_usd` conditions, and what models can serve; the bundled ones when left out.
        providers: who answers `complete`, by the names that rules use; left out, `router.providers.provider`'s.
        decision_log: the file to which `complete` appends each call; none is written when left out.
        metrics: counts `complete`'s calls for Prometheus.
        clock: tells when a call of `complete` came, with a zone; the real time when left out.

    Raises:
        BackrouteError: no rule, two of one name, or one that no request can get past though others follow.
    """

    def __init__(
        self,
        rules: Sequence[RoutingRule] | None = None,
        *,
        name: str = "rules",
        book: PriceBook | None = None,
        providers: Mapping[str, Provider] | None = None,
        decision_log: str | Path | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        if rules is None:
            from router.rule_files import load_rules

            rules, name = load_rules("starter").rules, "starter"
        self.rules: tuple[RoutingRule, ...] = tuple(rules)
        self.name = name
        self._book = book
        self._providers, self._decision_log = providers, decision_log
        self._metrics, self._clock = metrics, clock
        check_order(self.rules, name)

    def route(self, text: str, meta: Mapping[str, Any] | None = None) -> RoutingRule:
        """The rule for one text, the last user message, with the caller's meta.

        What else rules may ask is taken as in a log that holds nothing more: one message, no tools, no cap. Use
        `route_one` to say more.

        Raises:
            BackrouteError: the text or the meta is none, or a callable condition fails.
        """
        return self.route_one({"prompt": text, "meta": meta})

    def route_one(self, request: Mapping[str, Any]) -> RoutingRule:
        """The rule for one request, given as arrival columns by name: `workloads.REQUEST` lists them.

        Raises:
            BackrouteError: an unknown field or a wrong value, a rule that needs the text of a request given without
                one, or a callable condition that fails.
        """
        decided = self.route_features(Features.of_request(request, self.rules[-1].target, self._book))
        chosen = int(decided.chosen[0])
        if chosen < 0:
            raise BackrouteError(self.name, "a rule needs the request's text, which is not there", fix="give prompt")
        return self.rules[chosen]

    def route_batch(self, requests: pa.RecordBatch) -> Decisions:
        """Decide a batch; see `Decisions`."""
        return self.route_features(self.features(requests))

    def features(self, requests: pa.RecordBatch, kept: Kept | None = None) -> Features:
        """What the rules may look at; routers that differ in thresholds alone can share it, and score once.

        `kept` lets other routers have what was derived, too: see `Features`.
        """
        return Features.of_batch(requests, self.rules[-1].target, self._book, kept)

    def with_rules(self, rules: Sequence[RoutingRule]) -> LLMRouter:
        """A router like this one with other rules."""
        return LLMRouter(
            rules, name=self.name, book=self._book, providers=self._providers, decision_log=self._decision_log
        )

    def matches(self, requests: pa.RecordBatch) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], ...]:
        """Two bools (rules, requests): which conditions hold, whatever came before, and which lack the text to tell.

        For `backroute check`.
        """
        features = self.features(requests)
        everywhere = np.ones(features.rows, bool)
        held = [_holds(rule, features, everywhere) for rule in self.rules]
        return np.stack([_flags(each.fill_null(False)) for each in held]), np.stack(
            [_flags(each.is_null()) for each in held]
        )

    @cached_property
    def _live(self) -> Live:
        from router.complete import Live
        from router.live_decision import OneRouter

        book = self._book or PriceBook.load()
        return Live(OneRouter(self), book, self._providers, self._decision_log, self._metrics, self._clock)

    def route_features(self, features: Features) -> Decisions:
        """Decide requests from their features; see `Decisions`."""
        chosen = np.full(features.rows, len(self.rules) - 1, np.int32)
        waiting = np.ones(features.rows, bool)
        seconds: dict[str, float] = {}
        for index, rule in enumerate(self.rules[:-1]):
            started = time.perf_counter()
            holds = _holds(rule, features, waiting)
            if not isinstance(rule.condition, Condition):
                seconds[rule.name] = time.perf_counter() - started
            if not holds.true_count and not holds.null_count:
                continue
            if holds.null_count:
                unknown = waiting & _flags(holds.is_null())
                chosen[unknown] = -1
                waiting &= ~unknown
                holds = holds.fill_null(False)
            matched = waiting & _flags(holds)
            chosen[matched] = index
            waiting &= ~matched
            if not waiting.any():
                break
        return Decisions(chosen, seconds)

    @cached_property
    def _asked(self) -> frozenset[Asked]:
        conditions = (rule.condition for rule in self.rules if isinstance(rule.condition, Condition))
        return frozenset(asked for condition in conditions for asked in condition.asks())

    @property
    def overhead_pico(self) -> int:
        """Picodollars that one decision costs: the learned models' seconds of a core, at what a cloud charges for one.

        Rules without them take microseconds, which is nothing at any price.
        """
        return round(sum(asked.seconds_a_text for asked in self._asked) / 3600 * USD_PER_CORE_HOUR * 1e12)

    def digest(self) -> str:
        """Sha256 over the rules as YAML and the learned models they ask; a callable counts by its name alone."""
        said: list[Any] = [
            [
                rule.name,
                rule.target,
                list(rule.fallback),
                rule.condition.to_yaml()
                if isinstance(rule.condition, Condition)
                else getattr(rule.condition, "__qualname__", None),
            ]
            for rule in self.rules
        ]
        if self._asked:
            said.append(sorted(asked.digest for asked in self._asked))
        return hashlib.sha256(msgspec.json.encode(said)).hexdigest()

    def __repr__(self) -> str:
        lines = [f"LLMRouter({self.name!r}):"]
        for rule in self.rules:
            when = "otherwise" if rule is self.rules[-1] else str(rule.condition)
            lines.append(f"  {rule.name}: {when} -> {rule.target}")
        return "\n".join(lines)


def check_order(rules: Sequence[RoutingRule], where: str) -> None:
    """Raise when the rules cannot stand together; `where` is what the error calls them."""
    if not rules:
        raise BackrouteError(where, "no rules in it", fix="add at least one; the last is the default")
    seen: set[str] = set()
    for rule in rules:
        if not isinstance(rule, RoutingRule):
            raise BackrouteError(where, f"not a RoutingRule ({rule!r})", fix="see RoutingRule(name, condition, ...)")
        here = f"{where}: rule {rule.name!r}"
        if rule.name in seen:
            raise BackrouteError(here, "an earlier rule has the same name", fix="give each rule its own")
        seen.add(rule.name)
        if rule.condition is None and rule is not rules[-1]:
            what = "no condition, though it is not the last rule"
            raise BackrouteError(here, what, effect="no rule after it could fire", fix="give it a condition (`when`)")
        if rule.condition is not None and not callable(rule.condition) and not isinstance(rule.condition, Condition):
            what = f"its condition is neither a condition nor a callable ({rule.condition!r})"
            raise BackrouteError(here, what, fix="for example length() < 200, or a function (text, meta) -> bool")


def split_target(value: Any, where: str) -> tuple[str, str]:
    """ "provider/model" as its two parts.

    Raises:
        BackrouteError: it is not of that form; `where` names the place that holds it.
    """
    provider, _, model = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not provider or not model or value.split() != [value]:
        raise BackrouteError(where, f"not provider/model ({value!r})", fix="for example openai/gpt-4o")
    return provider, model


def _holds(rule: RoutingRule, features: Features, waiting: Flags) -> pa.BooleanArray:
    if isinstance(rule.condition, Condition):
        return rule.condition.evaluate(features)
    if rule.condition is None:
        return pa.array(np.ones(features.rows, bool))
    return _row_by_row(rule.name, rule.condition, features, waiting)


def _flags(column: pa.BooleanArray) -> Flags:
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _row_by_row(name: str, test: Test, features: Features, waiting: Flags) -> pa.BooleanArray:
    texts, metas = features["prompt"].to_pylist(), features["meta"].to_pylist()
    result: list[bool | None] = [False] * features.rows
    for row in np.flatnonzero(waiting):
        text, meta = texts[row], metas[row]
        if text is None:
            result[row] = None
            continue
        known = parsed_meta(meta) if meta else {}
        try:
            result[row] = bool(test(text, known))
        except Exception as error:
            what = f"its condition failed ({type(error).__name__}: {error})"
            fix = "make it return True or False for any text"
            raise BackrouteError(f"rule {name!r}", what, fix=fix) from error
    return pa.array(result, pa.bool_())
