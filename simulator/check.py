"""Are these rules what they look like: what fires, what hides behind what, and which models are on their way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from pricing import PriceBook
from router import LLMRouter, RoutingRule
from workloads import Log


@dataclass(frozen=True)
class RuleCheck:
    """One rule on one log; counts are None without a log.

    Args:
        rule: its name.
        model: its target.
        matched: requests its condition holds for.
        fired: requests it decided.
        hidden_by: requests it matched that an earlier rule decided, by that rule's name.
        findings: what is wrong or worth a look, in words.
    """

    rule: str
    model: str
    matched: int | None
    fired: int | None
    hidden_by: dict[str, int]
    findings: list[str] = field(default_factory=list)


def check_rules(router: LLMRouter, book: PriceBook, log: Log | None, on: date) -> list[RuleCheck]:
    """Look every rule over, on a day and, where there is one, on a log.

    Raises:
        BackrouteError: the log cannot be opened.
    """
    rules = router.rules
    matched = np.zeros(len(rules), np.int64)
    hidden = np.zeros((len(rules), len(rules)), np.int64)
    rows = 0
    for requests, _ in log.batches() if log else ():
        holds = router.matches(requests)
        holds[-1] = True  # the default takes whatever is left
        first = holds.argmax(axis=0)
        matched += holds.sum(axis=1)
        for winner in range(len(rules)):
            hidden[:, winner] += holds[:, first == winner].sum(axis=1)
        rows += requests.num_rows
    checks = []
    for i, rule in enumerate(rules):
        hidden_by = {rules[j].name: int(hidden[i, j]) for j in range(i) if hidden[i, j] and i < len(rules) - 1}
        found = _models(rule, book, on) + _same_condition(rules, i)
        if log is not None:
            found += _on_log(rule, int(matched[i]), int(hidden[i, i]), hidden_by, rows)
        counts = (int(matched[i]), int(hidden[i, i])) if log is not None else (None, None)
        checks.append(RuleCheck(rule.name, rule.target, counts[0], counts[1], hidden_by, found))
    return checks


def _models(rule: RoutingRule, book: PriceBook, on: date) -> list[str]:
    found = []
    for name in (rule.target, *rule.fallback):
        canonical = book.resolve(name)
        if canonical is None:
            found.append(f"{name} is in no price book: replay will refuse it")
            continue
        able = book.capabilities(canonical)
        if book.quote(canonical, on) is None:
            found.append(f"{name} has no price on {on}")
        if able.retires_on is not None and able.retires_on <= on:
            found.append(f"{name} was retired on {able.retires_on}")
        elif able.retires_on is not None:
            found.append(f"{name} will be retired on {able.retires_on}")
        if able.superseded_by is not None:
            found.append(f"{name} is superseded by {able.superseded_by}")
    return found


def _same_condition(rules: tuple[RoutingRule, ...], i: int) -> list[str]:
    own = rules[i].condition
    if own is None:
        return []
    return [
        f"never fires: {other.name!r} before it has the same condition" for other in rules[:i] if other.condition == own
    ]


def _on_log(rule: RoutingRule, matched: int, fired: int, hidden_by: dict[str, int], rows: int) -> list[str]:
    if not matched and rule.condition is not None:
        return [f"matches none of {rows:,} requests"]
    if not fired:
        return [f"never fires: earlier rules took all {matched:,} requests it matches" if matched else "never fires"]
    return [
        f"{count:,} of the {matched:,} requests it matches ({count / matched:.0%}) went to {name!r} before it"
        for name, count in hidden_by.items()
    ]
