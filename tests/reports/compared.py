"""What a replay says of the headline's own comparison, derived from a sample's other parts."""

from decimal import Decimal
from typing import Any


def with_compared(made: dict[str, Any]) -> dict[str, Any]:
    """A sample with the headline's own comparison, derived from its other parts as a replay derives it."""
    arm, which = ("baseline", "savings") if made["headline"] == "baseline" else ("logged", "savings_vs_as_logged")
    routed, saved = made["routed"]["usd"], made[which]["usd"]
    requests = sum(row["requests"] for row in made["by_rule"])
    before = None if saved is None else str(Decimal(routed) + Decimal(saved))
    # Rules of an as-logged sample cost before what they cost on the baseline, scaled to what was spent.
    scale = Decimal(1) if arm == "baseline" or before is None else Decimal(before) / Decimal(made["baseline"]["usd"])

    def rule_row(row: dict[str, Any]) -> dict[str, Any]:
        spent = None if row["baseline_usd"] is None else Decimal(row["baseline_usd"]) * scale
        share = 100 * row["requests"] / requests
        return {
            "rule": row["rule"], "model": row["model"], "requests": row["requests"], "requests_pct": share,
            **sides(spent, row["routed_usd"]),
        }  # fmt: skip

    dearer = [row for row in map(rule_row, made["by_rule"]) if (row["saving_usd"] or "0").startswith("-")]
    compared = {
        "against": made["headline"],
        "name": made["baseline"]["name"] if arm == "baseline" else "as logged",
        "requests": requests,
        "before_usd": before,
        "routed_usd": routed,
        "before_usd_per_30d": made["period"]["baseline_usd_per_30d"] if arm == "baseline" else before,
        "routed_usd_per_30d": made["period"]["routed_usd_per_30d"],
        "waterfall": made["waterfall"] if arm == "baseline" else AS_LOGGED_STEPS,
        "by_rule": [rule_row(row) for row in made["by_rule"]],
        "by_model": [
            {
                "model": row["model"], "before_requests": row[f"{arm}_requests"], "before_usd": row[f"{arm}_usd"],
                "routed_requests": row["routed_requests"], "routed_usd": row["routed_usd"],
            }
            for row in made["by_model"]
        ],
        "by_day": [
            {"day": row["day"], "requests": row["requests"], **sides(Decimal(row[f"{arm}_usd"]), row["routed_usd"])}
            for row in made["by_day"]
        ],
        "sensitivity": made["sensitivity"],
        "dearer": {
            "requests": len(dearer),
            "extra_usd": str(-sum(Decimal(row["saving_usd"]) for row in dearer)),
            "costliest": [
                {
                    "request_id": f"req-{row['rule']}", "rule": row["rule"], "before_model": "openai/gpt-4o",
                    "routed_model": row["model"], "before_usd": row["before_usd"], "routed_usd": row["routed_usd"],
                    "extra_usd": row["saving_usd"][1:],
                }
                for row in dearer[:10]
            ],
        },
    }  # fmt: skip
    return made | {"compared": compared}


AS_LOGGED_STEPS = {
    "token_usd": "-40000", "price_usd": "900000", "cache_usd": "-150000", "overhead_usd": "-50000", "retry_usd": "0",
}  # fmt: skip


def sides(before: Decimal | None, routed: str | None) -> dict[str, Any]:
    """Before, after and saved, in a summary's decimal strings."""
    rounded = None if before is None else before.quantize(Decimal(1).scaleb(-12))
    saved = None if rounded is None or routed is None else f"{rounded - Decimal(routed):f}"
    return {
        "before_usd": None if rounded is None else f"{rounded:f}", "routed_usd": routed, "saving_usd": saved,
    }  # fmt: skip
