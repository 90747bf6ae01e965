"""Invented summaries, one for each kind of answer a report must be able to give."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.reports.compared import with_compared

LONG_MODEL = "openai/ft:gpt-4o-mini-2024-07-18:example-org:support-triage-v12:9xKq2"
HOSTILE_RULE = "<script>alert('x')</script> & [red]$a^2$ \u202e\x07 \ud800 日本語"
INCLUDES = ["sampling of requests", "token counts between tasks", "token counts between requests"]


def complete(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """A sample with its `compared`."""
    return lambda: with_compared(make())


def savings(
    usd: str | None, pct: float | None, low: float | None, high: float | None, p: float | None
) -> dict[str, Any]:
    return {
        "usd": usd, "pct": pct, "low_pct": low, "high_pct": high, "level": 0.9, "probability_positive": p,
        "interval_includes": INCLUDES if low is not None else [],
    }  # fmt: skip


def rule(
    name: str | None, model: str | None, requests: int, baseline: str | None, routed: str | None
) -> dict[str, Any]:
    return {"rule": name, "model": model, "requests": requests, "baseline_usd": baseline, "routed_usd": routed}


def model(name: str, logged: str, baseline: str, routed: str, requests: int = 1_000) -> dict[str, Any]:
    return {
        "model": name, "logged_requests": requests, "logged_usd": logged, "baseline_requests": requests,
        "baseline_usd": baseline, "routed_requests": requests, "routed_usd": routed,
    }  # fmt: skip


def days(first: str, number: int, logged: str, baseline: str, routed: str) -> list[dict[str, Any]]:
    """Days whose spend varies over the week and adds up to the given totals exactly; weekends are quieter."""
    start = date.fromisoformat(first)
    weights = [4 if (start + timedelta(days=at)).weekday() >= 5 else 9 + at % 5 for at in range(number)]
    rows = []
    left = {"logged_usd": Decimal(logged), "baseline_usd": Decimal(baseline), "routed_usd": Decimal(routed)}
    whole = dict(left)
    for at, weight in enumerate(weights):
        parts = {
            arm: left[arm] if at == number - 1 else (whole[arm] * weight / sum(weights)).quantize(Decimal("0.000001"))
            for arm in whole
        }
        left = {arm: left[arm] - parts[arm] for arm in whole}
        day = (start + timedelta(days=at)).isoformat()
        rows.append({"day": day, "requests": weight * 1_000, **{arm: str(money) for arm, money in parts.items()}})
    return rows


def price(name: str, bucket: str, usd: str, since: str | None = "2024-08-06") -> dict[str, Any]:
    return {
        "model": name, "bucket": bucket, "usd_per_mtok": usd, "effective_from": since,
        "source": "provider's price page, read 2026-11-20",
    }  # fmt: skip


PRICES = [
    price("openai/gpt-4o", "input_uncached", "2.50"),
    price("openai/gpt-4o", "cache_read", "1.25"),
    price("openai/gpt-4o", "output_text", "10.00"),
    price("openai/gpt-4o-mini", "input_uncached", "0.15", "2024-07-18"),
    price("openai/gpt-4o-mini", "output_text", "0.60", "2024-07-18"),
    price("groq/llama-3.1-8b-instant", "input_uncached", "0.05", None),
    price("groq/llama-3.1-8b-instant", "output_text", "0.08", None),
]
ASSUMPTIONS = [
    {
        "name": "answer length of groq/llama-3.1-8b-instant",
        "value": "1.26 times that of gpt-4o, give or take 27% from task to task",
        "source": "805 AlpacaEval prompts, counted with o200k",
        "saving_resting_on_it_pct": 58.3,
    },
    {
        "name": "answer length of openai/gpt-4o-mini",
        "value": "0.99 times that of gpt-4o",
        "source": "805 AlpacaEval prompts, counted with o200k",
        "saving_resting_on_it_pct": 24.1,
    },
    {
        "name": "prompt tokens on groq/llama-3.1-8b-instant",
        "value": "recounted at 1.04 times those of gpt-4o",
        "source": "55.7 MB of public text",
        "saving_resting_on_it_pct": 17.6,
    },
    {
        "name": "prompt caching",
        "value": "as logged on unchanged models, none elsewhere",
        "source": "the log",
        "saving_resting_on_it_pct": None,
    },
]
PREDICTED = {
    "margin": 0.05, "level": 0.9, "fitted_on": "2026-11-20", "sources": ["ZeroEval"], "scored": 0,
    "saving_usd": {"keeps": "0", "loses": "-0.000504", "unknown": "0"},
    "slices": [
        {
            "rule": "code", "model": LONG_MODEL, "against": "openai/gpt-4o", "task": "code", "requests": 30,
            "saving_usd": "-0.000504", "baseline_quality": 0.73, "routed_quality": 0.55, "difference": -0.18,
            "low": -0.31, "high": -0.07, "keeps": False, "basis": "public outcomes", "tasks": ["polyglot"],
        },
        {
            "rule": None, "model": "openai/gpt-4o-mini", "against": "openai/gpt-4o", "task": None, "requests": 11,
            "saving_usd": "0", "baseline_quality": None, "routed_quality": None, "difference": None, "low": None,
            "high": None, "keeps": None, "basis": "unknown", "tasks": [],
        },
    ],
}  # fmt: skip
MANIFEST = {
    "versions": {"backroute": "0.1.0", "genai-prices": "0.2.3", "python": "3.11.7"},
    "digests": {
        "log": "sha256:9f2c7e0b1d4a8c6e5f3b2a190807162534435261708f9e8d7c6b5a4938271605",
        "rules": "sha256:01a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f80",
    },
    "seed": 7,
    "prices_as_of": "2026-11-20",
}


# What a replay with state adds to a summary.
STATEFUL = {
    "cache": {
        "asked": True, "marked_pct": 100.0, "lifetime": "5m",
        "arms": [
            {
                "arm": "routed", "input_tokens": 91_200, "read_tokens": 40_100, "written_tokens": 0, "read_pct": 43.97,
                "recorded_requests": 12,
                "saved_usd": "12.25",
            }
        ],
        "calibration": [
            {
                "provider": "openai", "requests": 812, "recorded_read_tokens": 39_000, "simulated_read_tokens": 41_000,
                "unpredictable": [{"reason": "warm before the log", "requests": 2, "read_tokens": 600}],
                "hit_rate": 0.951, "error_pct": -0.4, "held_out_error_pct": 1.2, "row_error_pct": 3.1,
                "source": "this log",
            }
        ],
    },
    "guards": {"amended": {"budget": 31}, "blocked": 2, "waited": 5, "wait_p50_s": 1.5, "wait_max_s": 12.0},
    "retries": {
        "arm": "routed", "calls": 1_044, "retried": 40, "failed": 4, "wasted_usd": "0.31", "error_pct": {},
        "answered": 996, "usd_per_answer": "0.0021",
    },
    "feasibility": [
        {
            "rule": "code", "model": "groq/llama-3.1-8b-instant", "obstacle": "context window", "requests": 9,
            "served_by": "openai/gpt-4o", "usd": "1.20", "usd_if_it_could": "0.02",
        }
    ],
    "cascade": {
        "first": "openai/gpt-4o-mini", "requests": 500, "escalated": 88, "escalated_pct": 17.6, "checks_usd": "0.04",
        "break_even_pct": 92.5, "sweep": [],
    },
    "tiers": {"tier": "batch", "arms": [{"arm": "routed", "requests": 211, "saved_usd": "3.33"}]},
    "latency": {
        "limit_ms": 4000.0, "models": [],
        "arms": [
            {
                "arm": "routed", "requests": 990, "recorded": 120, "p50_ms": 812.0, "p95_ms": 3100.0, "p99_ms": None,
                "over_limit": 9, "over_limit_pct": 0.9,
            }
        ],
    },
}  # fmt: skip


def checked_slice(name: str, verdict: str, pairs: int, low: float | None, high: float | None) -> dict[str, Any]:
    known = low is not None and high is not None
    return {
        "slice": name, "model": "openai/gpt-4o-mini", "against": "openai/gpt-4o", "requests": 900,
        "requests_checkable": 880, "margin_pct": 5.0, "pairs": pairs, "worse_pct": 3.5 if known else None,
        "better_pct": 2.4 if known else None, "difference_pct": -1.1 if known else None, "low_pct": low,
        "high_pct": high, "verdict": verdict, "further_pairs": None, "saving_usd": "0.0003",
    }  # fmt: skip


@complete
def good() -> dict[str, Any]:
    """A month on gpt-4o, routed to three cheaper models: $4,812.33 becomes $1,771.02, 63.198... % less."""
    return {
        "schema": 1,
        "log": {
            "rows": 812_430, "problems": 37, "set_aside": {"duplicate": 30, "not_json": 7}, "unread": 7,
            "first": "2026-06-01T00:00:04Z", "last": "2026-06-30T23:59:41Z",
            "sessions": 90_112, "formats": ["chat"], "sample_rate": 1.0,
        },
        "coverage": {
            "requests_pct": 98.7, "logged_usd_pct": 99.96, "priced_pct": 99.2, "counted_pct": 100.0,
            "infeasible": 118, "baseline_only": 412, "routed_only": 0,
        },
        "caches_left_out": {
            "why": "its calls have no times", "overstated_usd": "44.90", "understated_usd": "10.75",
            "low_pct": 62.2652, "high_pct": 63.4216,
        },
        "provenance": {"provider_pct": 31.4, "tokenizer_pct": 45.2, "estimated_pct": 23.4},
        "as_logged": {"usd": "4812.330000000000", "unpriced": 0, "recorded_usd": "4799.12", "drift_pct": 0.28},
        "baseline": {"name": "always openai/gpt-4o", "usd": "4812.330000000000"},
        "routed": {"name": "june rules", "usd": "1771.020000000000"},
        "headline": "baseline",
        "savings": savings("3041.31", 63.1982, 58.02, 67.21, 1.0),
        "savings_vs_as_logged": savings("3041.31", 63.1982, 58.02, 67.21, 1.0),
        "waterfall": {
            "token_usd": "-211.40", "price_usd": "3310.11", "cache_usd": "-44.90", "overhead_usd": "-12.50",
            "retry_usd": "0",
        },
        "period": {"days": 30.0, "logged_usd_per_30d": "4812.33", "baseline_usd_per_30d": "4812.33"}
        | {"routed_usd_per_30d": "1771.02"},
        "by_rule": [
            rule("simple_chat", "groq/llama-3.1-8b-instant", 487_458, "2190.20", "61.77"),
            rule("analytics", "openai/gpt-4o-mini", 203_107, "1102.13", "84.25"),
            rule("code", "anthropic/claude-sonnet-4-5", 40_622, "700.00", "805.00"),
            rule("default", "openai/gpt-4o", 81_243, "820.00", "820.00"),
        ],
        "by_model": [
            model("openai/gpt-4o", "4812.33", "4812.33", "820.00"),
            model("anthropic/claude-sonnet-4-5", "0", "0", "805.00"),
            model("openai/gpt-4o-mini", "0", "0", "84.25"),
            model("groq/llama-3.1-8b-instant", "0", "0", "61.77"),
        ],
        "by_day": days("2026-06-01", 30, "4812.33", "4812.33", "1771.02"),
        "sensitivity": [
            {"source": "answer length, from task to task", "low_pct": 58.9, "high_pct": 66.4},
            {"source": "answer length, from request to request", "low_pct": 62.4, "high_pct": 63.9},
            {"source": "which requests happened to be logged", "low_pct": 62.7, "high_pct": 63.6},
        ],
        "quality": {"checked": False, "verified_savings_usd": None, "slices": []},
        "prices": PRICES,
        "assumptions": ASSUMPTIONS,
        "manifest": MANIFEST,
    }  # fmt: skip


@complete
def loss() -> dict[str, Any]:
    """A few cents of traffic that routing makes 12% dearer; quality checked; a hostile rule name."""
    return good() | {
        "log": good()["log"]
        | {"rows": 41, "problems": 0, "set_aside": {}, "unread": 0}
        | {"first": "2026-06-03T08:00:00Z", "last": "2026-06-04T09:00:00Z"},
        "as_logged": {"usd": "0.0042", "unpriced": 0, "recorded_usd": None, "drift_pct": None},
        "baseline": {"name": "always openai/gpt-4o-mini", "usd": "0.0042"},
        "routed": {"name": "careful rules", "usd": "0.004704"},
        "savings": savings("-0.000504", -12.0, -15.1, -9.04, 0.0),
        "savings_vs_as_logged": savings("-0.000504", -12.0, -15.1, -9.04, 0.0),
        "waterfall": {
            "token_usd": "0.0003", "price_usd": "-0.000754", "cache_usd": "0", "overhead_usd": "-0.00005",
            "retry_usd": "0",
        },
        "period": {"days": 1.04, "logged_usd_per_30d": "0.121", "baseline_usd_per_30d": "0.121"}
        | {"routed_usd_per_30d": "0.136"},
        "by_rule": [
            rule(HOSTILE_RULE, LONG_MODEL, 30, "0.0032", "0.003704"),
            rule(None, "openai/gpt-4o-mini", 11, "0.0010", "0.0010"),
        ],
        "by_model": [
            model("openai/gpt-4o-mini", "0.0042", "0.0042", "0.0010", 41),
            model(LONG_MODEL, "0", "0", "0.003704", 30),
        ],
        "by_day": days("2026-06-03", 2, "0.0042", "0.0042", "0.004704"),
        "sensitivity": [{"source": "answer length, from task to task", "low_pct": -14.9, "high_pct": -9.2}],
        "quality": {
            "checked": True, "verified_savings_usd": "-0.0004", "predicted": PREDICTED,
            "slices": [
                checked_slice(HOSTILE_RULE, "as good", 200, -4.2, 1.9),
                checked_slice("default", "not enough evidence", 11, None, None),
            ],
        },
    }  # fmt: skip


@complete
def as_logged() -> dict[str, Any]:
    """A log spread over several models, 2% of it not comparable, from a 1% sample; the baseline is hypothetical."""
    return good() | {
        "log": good()["log"] | {"sample_rate": 0.01},
        "as_logged": {"usd": "12204300.11", "unpriced": 0, "recorded_usd": "12204300.11", "drift_pct": 0.0},
        "baseline": {"name": "always openai/gpt-4o", "usd": "31000000.00"},
        "routed": {"name": "rules.yaml", "usd": "11300000.00"},
        "headline": "as_logged",
        "savings": savings("19700000.00", 63.5484, 60.0, 66.9, 1.0),
        "savings_vs_as_logged": savings("660000.00", 5.5184, -1.2, 11.8, 0.913),
        "waterfall": {
            "token_usd": "-900000",
            "price_usd": "20900000",
            "cache_usd": "-200000",
            "overhead_usd": "-100000",
            "retry_usd": "0",
        },
        "period": {
            "days": 30.0,
            "logged_usd_per_30d": "12400000",
            "baseline_usd_per_30d": "31000000",
            "routed_usd_per_30d": "11300000",
        },
        "by_rule": [
            rule("simple_chat", "groq/llama-3.1-8b-instant", 487_458, "9000000", "200000"),
            rule("analytics", LONG_MODEL, 203_107, "7000000", "600000"),
            rule("code", "anthropic/claude-sonnet-4-5", 40_622, "9000000", "9800000"),
            rule("default", "openai/gpt-4o-mini", 81_243, "6000000", "700000"),
        ],
        "by_model": [
            model("anthropic/claude-sonnet-4-5", "7000000", "0", "9800000"),
            model("openai/gpt-4o", "4000000", "31000000", "0"),
            model(LONG_MODEL, "960000", "0", "600000"),
            model("openai/gpt-4o-mini", "0", "0", "700000"),
            model("groq/llama-3.1-8b-instant", "0", "0", "200000"),
        ],
        "by_day": days("2026-06-01", 30, "11960000", "31000000", "11300000"),
    }


@complete
def nothing() -> dict[str, Any]:
    """A log in which nothing could be priced: nulls wherever the schema allows them."""
    unknown = savings(None, None, None, None, None)
    return good() | {
        "log": good()["log"] | {"rows": 0, "problems": 1, "set_aside": {"not_json": 1}, "unread": 1,
            "first": None, "last": None, "sessions": None, "formats": []},
        "coverage": {
            "requests_pct": None, "logged_usd_pct": None, "priced_pct": None, "counted_pct": None, "infeasible": 0,
            "baseline_only": 0, "routed_only": 0,
        },
        "provenance": {"provider_pct": None, "tokenizer_pct": None, "estimated_pct": None},
        "as_logged": {"usd": None, "unpriced": 0, "recorded_usd": None, "drift_pct": None},
        "baseline": {"name": "always openai/gpt-4o", "usd": None},
        "routed": {"name": "june rules", "usd": None},
        "savings": unknown,
        "savings_vs_as_logged": unknown,
        "waterfall": dict.fromkeys(good()["waterfall"]),
        "period": {"days": None, "logged_usd_per_30d": None, "baseline_usd_per_30d": None, "routed_usd_per_30d": None},
        "by_rule": [], "by_model": [], "by_day": [], "sensitivity": [], "prices": [], "assumptions": [],
    }  # fmt: skip


@complete
def one_day() -> dict[str, Any]:
    """One day, one rule, a scenario against itself: the saving is exactly nothing; some requests without a time."""
    return good() | {
        "log": good()["log"] | {"rows": 1_000, "first": "2026-06-03T08:00:00Z", "last": "2026-06-03T19:00:00Z"},
        "as_logged": {"usd": "13.00", "unpriced": 0, "recorded_usd": "13.00", "drift_pct": 0.0},
        "baseline": {"name": "always openai/gpt-4o", "usd": "12.40"},
        "routed": {"name": "the same again", "usd": "12.40"},
        "savings": savings("0", 0.0, 0.0, 0.0, 0.0),
        "savings_vs_as_logged": savings("0.60", 4.6154, 4.2, 5.0, 1.0),
        "waterfall": dict.fromkeys(good()["waterfall"], "0"),
        "by_rule": [rule("default", "openai/gpt-4o", 1_000, "12.40", "12.40")],
        "by_model": [model("openai/gpt-4o", "13.00", "12.40", "12.40")],
        "by_day": [
            *days("2026-06-03", 1, "12.50", "12.00", "12.00"),
            {"day": None, "requests": 31, "logged_usd": "0.50", "baseline_usd": "0.40", "routed_usd": "0.40"},
        ],
        "sensitivity": [{"source": "answer length", "low_pct": 0.0, "high_pct": 0.0}],
    }


@complete
def large() -> dict[str, Any]:
    """Forty models with names of sixty characters and more, forty rules, a year."""
    names = [
        f"openrouter/vendor-{at:02d}/a-model-with-a-rather-long-name-{at:02d}-instruct-preview" for at in range(40)
    ]
    spent = [Decimal(100_000) / (at + 1) for at in range(40)]
    routed = [str((money * (at % 7 + 1) / 8).quantize(Decimal("0.01"))) for at, money in enumerate(spent)]
    before = [str(money.quantize(Decimal("0.01"))) for money in spent]
    all_before, all_routed = str(sum(map(Decimal, before))), str(sum(map(Decimal, routed)))
    saved = Decimal(all_before) - Decimal(all_routed)
    share = float(100 * saved / Decimal(all_before))
    made = savings(str(saved), share, share - 6, share + 5, 0.9997)
    return good() | {
        "as_logged": {"usd": all_before, "unpriced": 0, "recorded_usd": None, "drift_pct": None},
        "baseline": {"name": "everything as it was on forty models", "usd": all_before},
        "routed": {"name": "forty rules", "usd": all_routed},
        "savings": made,
        "savings_vs_as_logged": made,
        "waterfall": good()["waterfall"] | {"price_usd": str(saved + Decimal("268.80"))},
        "by_rule": [
            rule(f"team_{at:02d}_with_a_long_rule_name_that_says_what_it_is_for", name, 40_000 // (at + 1), b, r)
            for at, (name, b, r) in enumerate(zip(names, before, routed, strict=True))
        ],
        "by_model": [model(name, b, b, r) for name, b, r in zip(names, before, routed, strict=True)],
        "by_day": days("2025-07-01", 365, all_before, all_before, all_routed),
        "prices": [price(name, bucket, "1.5") for name in names for bucket in ("input_uncached", "output_text")],
    }


SAMPLES: Mapping[str, Any] = {
    "good": good, "loss": loss, "as_logged": as_logged, "nothing": nothing, "one_day": one_day, "large": large,
}  # fmt: skip
