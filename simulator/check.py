"""Are these rules what they look like: what fires, what hides behind what, and which models are on their way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from pricing import PriceBook
from problems import ProblemLog
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
        undecided: requests that no earlier rule decided and that lack the text to tell; replay leaves them out.
        hidden_by: requests it matched that an earlier rule decided, by that rule's name.
        findings: what is wrong or worth a look, in words.
    """

    rule: str
    model: str
    matched: int | None
    fired: int | None
    undecided: int | None
    hidden_by: dict[str, int]
    findings: list[str] = field(default_factory=list)


def check_rules(
    router: LLMRouter, book: PriceBook, log: Log | None, on: date, problems: ProblemLog | None = None
) -> list[RuleCheck]:
    """Look every rule over, on a day and, where there is one, on a log; rows that cannot be read go to `problems`.

    Raises:
        BackrouteError: the log cannot be opened.
    """
    rules = router.rules
    matched = np.zeros(len(rules), np.int64)
    hidden = np.zeros((len(rules), len(rules)), np.int64)
    undecided = np.zeros(len(rules), np.int64)
    rows = 0
    for requests, _ in log.batches(problems=problems) if log else ():
        holds, unknown = router.matches(requests)
        holds[-1] = True  # the default takes whatever is left
        first = (holds | unknown).argmax(axis=0)
        lost = unknown[first, np.arange(requests.num_rows)]
        undecided += np.bincount(first[lost], minlength=len(rules))
        first[lost] = -1
        matched += holds.sum(axis=1)
        for winner in range(len(rules)):
            hidden[:, winner] += holds[:, first == winner].sum(axis=1)
        rows += requests.num_rows
    checks = []
    for i, rule in enumerate(rules):
        hidden_by = {rules[j].name: int(hidden[i, j]) for j in range(i) if hidden[i, j] and i < len(rules) - 1}
        found = _models(rule, book, on) + _same_condition(rules, i)
        if log is not None:
            found += _on_log(
                rule, int(matched[i]), int(hidden[i, i]), int(undecided[i]), int(undecided[:i].sum()), hidden_by, rows
            )
        counts = [int(each[i]) if log is not None else None for each in (matched, hidden.diagonal(), undecided)]
        checks.append(RuleCheck(rule.name, rule.target, counts[0], counts[1], counts[2], hidden_by, found))
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


def _on_log(
    rule: RoutingRule, matched: int, fired: int, undecided: int, lost: int, hidden_by: dict[str, int], rows: int
) -> list[str]:
    """What the counts say; `lost` requests were left undecided by earlier rules."""
    found = []
    if undecided:
        found.append(
            f"cannot decide {undecided:,} of {rows:,} requests, whose text is not in the log: replay leaves them out"
        )
    if rule.condition is not None and not matched:
        none = "never fires: earlier rules could decide none" if lost == rows else f"matches none of {rows:,} requests"
        return found or [none]
    if not fired:
        taken = f"earlier rules took all {matched:,} requests it matches" if matched else ""
        left = f"earlier rules took, or could not decide, all {matched:,} requests it matches"
        said = left if lost else taken
        return [*found, f"never fires: {said}" if said else "never fires"]
    return found + [
        f"{count:,} of the {matched:,} requests it matches ({count / matched:.0%}) went to {name!r} before it"
        for name, count in hidden_by.items()
    ]
