"""What every report reads: the summary of a replay, its money as exact decimals, its rows ranked."""

from collections.abc import Iterable, Mapping
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
class Cached:
    """What simulated prompt caches do for a rule: USD lost with routing, and % of the input read before and after."""

    lost: Decimal
    before_pct: float
    routed_pct: float


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the spend: a rule with its model, a model or a day; USD before and after routing, null if unknown."""

    label: str
    requests: int
    before: Decimal | None
    after: Decimal | None
    cached: Cached | None = None

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


def broken_files(summary: Summary) -> int:
    """Files of the log that could be read up to a line and no further."""
    return int(summary["log"]["set_aside"].get("broken_file", 0))


def unread_pct(summary: Summary) -> float:
    """Rows that may have been calls and could not be read, percent of those and the replayed."""
    unread = summary["log"]["unread"]
    return 100 * unread / (summary["log"]["rows"] + unread) if unread else 0.0


def rule_parts(summary: Summary) -> list[Part]:
    """Spend per rule and the model it chose, the headline's own comparison, most money first."""
    return ranked(
        Part(f"{rule_name(row)} → {model_name(row)}", row["requests"], *before_and_after(row), cached(row))
        for row in summary["compared"]["by_rule"]
    )


def cached(row: Summary) -> Cached | None:
    """What caches do for the requests of a rule; null where none are simulated, or nothing is known of its input."""
    before, routed = row.get("before_read_pct"), row.get("routed_read_pct")
    return None if before is None or routed is None else Cached(-Decimal(row["cache_usd"]), before, routed)


def model_parts(summary: Summary) -> list[Part]:
    """Spend per model, the headline's own comparison, most money first."""
    return ranked(
        Part(model_name(row), row["routed_requests"], *before_and_after(row)) for row in summary["compared"]["by_model"]
    )


def raising(summary: Summary) -> list[Part]:
    """The rules, with the model they chose, that raise the bill, the worst first."""
    losing = (part for part in rule_parts(summary) if part.saving is not None and part.saving < 0)
    return sorted(
        (part for part in losing if not negligible(summary, part.saving or Decimal(0))),
        key=lambda part: part.saving or 0,
    )


def negligible(summary: Summary, money: Decimal) -> bool:
    """Whether a sum, USD, is under 0.01% of the spend before, as what deciding costs is: no loss to name."""
    before, _ = before_and_after(summary["compared"])
    return abs(money) < (before or Decimal(0)) / 10_000 or not money


def moving(summary: Summary) -> list[Part]:
    """The rules, with the model they chose, that change the bill, the largest change first."""
    return sorted(
        (part for part in rule_parts(summary) if part.saving), key=lambda part: -abs(part.saving or Decimal(0))
    )


def whole(summary: Summary) -> Part:
    """All requests compared: what every breakdown adds up to."""
    return Part("Total", summary["compared"]["requests"], *before_and_after(summary["compared"]))


def before_and_after(row: Summary) -> tuple[Decimal | None, Decimal | None]:
    """The two sides of a row of `compared`, USD."""
    return amount(row["before_usd"]), amount(row["routed_usd"])


def before_arm(summary: Summary) -> str:
    """The arm the headline compares with, by the name of its colour: `baseline` or `logged`."""
    return "baseline" if summary["headline"] == "baseline" else "logged"


def before_words(summary: Summary) -> str:
    """The arm the headline compares with, in a sentence."""
    return "with the baseline" if summary["headline"] == "baseline" else "as logged"


def as_compared(summary: Summary) -> str:
    """How what the log's own arm comes to, as it is compared, may differ from the bill.

    Calls that show no counts have the caches that are simulated for them, which the bill as logged has not.
    """
    some = "on the requests compared" if summary["coverage"]["requests_pct"] != 100.0 else ""
    cached = "with simulated prompt caches" if "cache" in summary else ""
    return ", ".join(filter(None, (some, cached))) or "on the requests compared"


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
