"""What state does to the bill: prompt caches, guards, retries, fallbacks, cascades, tiers and latency, where simulated.

Each part is None where the summary holds nothing of it; see `reports.sections`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pricing.formatting import percent, usd
from reports.sheets import Cell, Sheet, in_columns
from reports.summary import Summary, amount
from reports.words import counted

ARMS = {"logged": "As logged", "baseline": "Baseline", "routed": "With routing"}


def arm_name(arm: str) -> str:
    """An arm as a reader sees it."""
    return ARMS.get(arm, arm)


def cache_sheets(summary: Summary) -> list[Sheet]:
    """The simulated prompt cache of every arm, and how it fits what the log recorded."""
    cache = summary["cache"]
    arms: list[tuple[Cell, ...]] = [
        (
            arm_name(row["arm"]), row["input_tokens"], row["read_tokens"], row["written_tokens"], row["read_pct"],
            row["recorded_requests"], amount(row["saved_usd"]),
        )
        for row in cache["arms"]
    ]  # fmt: skip
    fits: list[tuple[Cell, ...]] = [
        (
            row["provider"], row["requests"], row["recorded_read_tokens"],
            sum(each["read_tokens"] for each in row["unpredictable"]), row["simulated_read_tokens"],
            100.0 * row["hit_rate"], row["error_pct"], row["source"],
        )
        for row in cache["calibration"]
    ]  # fmt: skip
    columns = ("Arm", "Input tokens", "Read", "Written", "Share read", "Calls as recorded", "Saved")
    fit = (
        "Provider",
        "Requests",
        "Recorded reads",
        "Of those, unpredictable",
        "Simulated reads",
        "Hit rate, of input still cached",
        "Total then off by",
        "Known from",
    )
    return [
        Sheet("The prompt cache of each arm, in tokens", columns, in_columns(arms)),
        Sheet("Simulated cache against the log's own records", fit, fits),
    ]


def guard_facts(summary: Summary) -> list[tuple[str, str]]:
    """What budgets, limits, stickiness and outages changed."""
    facts = []
    for name, found in both(summary["guards"]):
        amended = [f"{number:,} by {guard}" for guard, number in found["amended"].items() if number]
        facts.append((f"{name}: amended", ", ".join(amended) or "nothing"))
        if found["blocked"]:
            facts.append((f"{name}: blocked", counted(found["blocked"], "request")))
        if found["waited"]:
            wait = f"{counted(found['waited'], 'request')}, {seconds(found['wait_p50_s'])} in the middle"
            facts.append((f"{name}: waited", f"{wait}, {seconds(found['wait_max_s'])} at most"))
    return facts


def both(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The routed arm, and the baseline where it was simulated too."""
    arms = [("With routing", found)]
    return [*arms, ("Baseline", found["baseline"])] if found.get("baseline") else arms


def seconds(value: float | None) -> str:
    """Seconds in words."""
    return "unknown" if value is None else f"{value:,.1f} s"


def retry_facts(summary: Summary) -> list[tuple[str, str]]:
    """What failed and repeated calls cost."""
    facts = []
    for name, found in both(summary["retries"]):
        failed = f"{counted(found['retried'], 'request')} took more than one of {counted(found['calls'], 'call')}"
        failed += f", {found['failed']:,} were never answered"
        facts.append((name, f"{failed}; {usd(amount(found['wasted_usd']))} paid for nothing"))
        worth = f"{usd(amount(found['usd_per_answer']))} over {counted(found['answered'], 'answer')}"
        facts.append((f"{name}, per answer", worth))
    return facts


def feasibility_sheet(summary: Summary) -> Sheet:
    """Requests that the model a rule names cannot serve, and the fallback taken."""
    rows: list[tuple[Cell, ...]] = [
        (
            f"{row['rule']} → {row['model']}", row["obstacle"], row["served_by"] or "none could", row["requests"],
            amount(row["usd"]), amount(row["usd_if_it_could"]),
        )
        for row in summary["feasibility"]
    ]  # fmt: skip
    columns = ("Rule and model", "Cannot serve", "Served by", "Requests", "Cost", "If it could")
    return Sheet("Fallbacks taken", columns, in_columns(rows))


def cascade_facts(summary: Summary) -> list[tuple[str, str]]:
    """How often the first answer was not good enough."""
    found = summary["cascade"]
    even = found["break_even_pct"]
    return [
        ("First", f"asked first: {found['first']}"),
        ("Escalated", f"{found['escalated']:,} of {counted(found['requests'], 'request')}"),
        ("Share escalated", percent(found["escalated_pct"])),
        ("Checks", f"{usd(amount(found['checks_usd']))} for telling which answers are good enough"),
        ("Break even", "unknown" if even is None else f"at {percent(even)} escalated"),
    ]


def tier_sheet(summary: Summary) -> Sheet:
    """What a cheaper service tier would save on requests that can wait."""
    rows: list[tuple[Cell, ...]] = [
        (arm_name(row["arm"]), row["requests"], amount(row["saved_usd"])) for row in summary["tiers"]["arms"]
    ]
    return Sheet(
        f"Requests that can wait, at the tier {summary['tiers']['tier']}",
        ("Arm", "Requests", "Saved"),
        in_columns(rows),
    )


def latency_sheet(summary: Summary) -> Sheet:
    """How long answers take."""

    def ms(value: float | None) -> str:
        return "unknown" if value is None else f"{value:,.0f} ms"

    rows: list[tuple[Cell, ...]] = [
        (
            arm_name(row["arm"]), row["requests"], row["recorded"], ms(row["p50_ms"]), ms(row["p95_ms"]),
            ms(row["p99_ms"]), row["over_limit_pct"],
        )
        for row in summary["latency"]["arms"]
    ]  # fmt: skip
    columns = ("Arm", "Requests", "Times of the log's own", "Median", "95%", "99%", "Over the limit")
    return Sheet("How long answers take", columns, rows)


# name, heading, what it says, its facts, its tables
Part = tuple[str, str, str, Callable[[Summary], list[tuple[str, str]]] | None, Callable[[Summary], list[Sheet]] | None]
STATE: tuple[Part, ...] = (
    (
        "cache",
        "Prompt caches",
        "Simulated for every arm with its own history, since a switch of models starts with an empty cache. A call "
        "that finds there what it found in the log is charged as recorded.",
        None,
        cache_sheets,
    ),
    (
        "feasibility",
        "Fallbacks",
        "Requests that the model a rule names cannot serve, and what the fallback costs instead.",
        None,
        lambda summary: [feasibility_sheet(summary)],
    ),
    (
        "retries",
        "Failed calls",
        "Calls that failed and were made again, as drawn at the error rates assumed.",
        retry_facts,
        None,
    ),
    (
        "guards",
        "Guards",
        "Budgets, rate limits, sticky sessions and outages that changed a decision.",
        guard_facts,
        None,
    ),
    (
        "cascade",
        "Cascade",
        "A cheap answer first, and a strong model where it was not good enough.",
        cascade_facts,
        None,
    ),
    (
        "tiers",
        "Service tiers",
        "What the requests that can wait would save at a cheaper tier.",
        None,
        lambda summary: [tier_sheet(summary)],
    ),
    (
        "latency",
        "Latency",
        "Recorded where the log has it for the same model, else estimated from public speeds.",
        None,
        lambda summary: [latency_sheet(summary)],
    ),
)
