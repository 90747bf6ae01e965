"""What every report reads: the summary of a replay, its money as exact decimals, its rows ranked and added up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from problems import BackrouteError

Summary = Mapping[str, Any]


@runtime_checkable
class HasSummary(Protocol):
    """A replay result or a saving: anything that carries its summary."""

    @property
    def summary(self) -> Summary:
        """The summary as `simulator/summary.schema.json` describes it."""


Summarised = Summary | HasSummary


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the spend: a rule with its model, a model or a day; USD before and after routing, null if unknown."""

    label: str
    requests: int
    before: Decimal | None
    after: Decimal | None

    @property
    def saving(self) -> Decimal | None:
        """Positive when routing is cheaper, USD; null where either side is unknown."""
        return None if self.before is None or self.after is None else self.before - self.after


def summary_of(result: Summarised) -> Summary:
    """The summary of a result, or the summary itself.

    Raises:
        BackrouteError: this is no summary, or one of another schema.
    """
    summary = result if isinstance(result, Mapping) else getattr(result, "summary", None)
    if not isinstance(summary, Mapping):
        raise BackrouteError(
            "reports",
            f"this is no replay summary ({type(result).__name__})",
            fix="Pass summary.json or a replay result",
        )
    if summary.get("schema") != 1:
        raise BackrouteError(
            "summary.json",
            f"unknown schema ({summary.get('schema')!r})",
            effect="the report was not written",
            fix="Replay the log again with this version; it reads schema 1",
        )
    return summary


def amount(text: str | None) -> Decimal | None:
    """Money of a summary as an exact decimal, USD; null stays null."""
    return None if text is None else Decimal(text)


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The exact sum; null as soon as one part is unknown, since a partial sum would pass for the whole."""
    added = Decimal(0)
    for part in amounts:
        if part is None:
            return None
        added += part
    return added


def rule_parts(summary: Summary) -> list[Part]:
    """Spend per rule and the model it chose, baseline against routed, most money first."""
    return ranked(
        Part(
            f"{rule_name(row)} → {model_name(row)}",
            row["requests"],
            amount(row["baseline_usd"]),
            amount(row["routed_usd"]),
        )
        for row in summary["by_rule"]
    )


def model_parts(summary: Summary) -> list[Part]:
    """Spend per model, the arm the headline compares with against routed, most money first."""
    arm = before_arm(summary)
    return ranked(
        Part(model_name(row), row["routed_requests"], amount(row[f"{arm}_usd"]), amount(row["routed_usd"]))
        for row in summary["by_model"]
    )


def caught(summary: Summary) -> list[tuple[str, int]]:
    """Requests per rule, over the models it chose, most first."""
    counts: dict[str, int] = {}
    for row in summary["by_rule"]:
        counts[rule_name(row)] = counts.get(rule_name(row), 0) + row["requests"]
    return sorted(counts.items(), key=lambda rule: -rule[1])


def before_arm(summary: Summary) -> str:
    """The arm the headline compares with, as the rows of a summary spell it: `baseline` or `logged`."""
    return "baseline" if summary["headline"] == "baseline" else "logged"


def headline_savings(summary: Summary) -> Summary:
    """The saving the headline is about."""
    savings: Summary = summary["savings" if summary["headline"] == "baseline" else "savings_vs_as_logged"]
    return savings


def rule_name(row: Summary) -> str:
    """A rule as a reader sees it."""
    return row["rule"] if row["rule"] is not None else "(no rule)"


def model_name(row: Summary) -> str:
    """A model as a reader sees it."""
    return row["model"] if row["model"] is not None else "(unknown model)"


def ranked(parts: Iterable[Part]) -> list[Part]:
    """Most money first, whichever side it is on; unknown spend counts as none for the order alone."""
    return sorted(parts, key=lambda part: -max(part.before or 0, part.after or 0))


def folded(parts: Sequence[Part], keep: int) -> list[Part]:
    """The first `keep` parts and, when there are more, one that adds up the others."""
    # One left over takes no more room than the line that would stand for it.
    if len(parts) <= keep + 1:
        return list(parts)
    others = parts[keep:]
    rest = Part(
        f"other ({len(others)} more)",
        sum(part.requests for part in others),
        total(part.before for part in others),
        total(part.after for part in others),
    )
    return [*parts[:keep], rest]
