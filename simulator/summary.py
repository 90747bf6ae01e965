"""summary.json: one replay in figures, as summary.schema.json describes them."""

from __future__ import annotations

import platform
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from typing import Any

from pricing import BUCKETS
from problems.problem import masked
from simulator.assumed import assumptions
from simulator.bill.doubted import doubted_pct
from simulator.caches import caches_said
from simulator.days import day_name
from simulator.money import Scale, dollars
from simulator.predicted_quality import predicted_quality
from simulator.result import Run
from simulator.scenario import Scenario
from simulator.state.summary import arm_names, state_said
from simulator.sums.breakdowns import by_rule, compared, days, feasibility, per_30d, sensitivity, waterfall
from simulator.sums.facts import NO_NAME
from simulator.sums.fold import Comparison
from simulator.sums.interval import LEVEL, Interval
from simulator.sums.unnamed import unnamed_said

SCHEMA = 1
HEADLINE_SHARE = 0.95  # of logged spend on the baseline's model, for the baseline to be the headline (CONTRACTS)
VERSIONS = ("backroute", "genai-prices", "numpy", "pyarrow", "tiktoken")

# Rows set aside that take no call with them: copies, records of no call, and where a file breaks off.
NO_CALL_LOST = ("duplicate", "nothing_to_replay", "broken_file")


def summarise(run: Run, number: int) -> dict[str, Any]:
    """The summary of one scenario of a run against the run's first, in summary.schema.json's shape."""
    against, against_log = run.comparisons[number]
    facts, scenario = run.facts, run.scenarios[number]
    known = facts.unpriced < facts.rows
    scale = Scale(run.sample_rate)
    which = headline(run)
    shown = against if which == "baseline" else against_log
    alone, from_log = run.interval(number, 0), run.interval(number, 1)
    found = alone if shown is against else from_log
    state: dict[str, Any] = {}
    if run.changes is not None:
        names = arm_names(run.scenarios)
        state = state_said(run.changes, run.totals.state, number, names, scenario.state, scale)
        if "cache" in state:
            state["cache"]["asked"] = not run.by_log
    return {
        "schema": SCHEMA,
        "log": {
            "rows": facts.rows,
            "problems": run.problems.set_aside,
            "set_aside": dict(run.problems.aside.most_common()),
            "unread": sum(count for kind, count in run.problems.aside.items() if kind not in NO_CALL_LOST),
            "first": _instant(facts.first_us),
            "last": _instant(facts.last_us),
            "sessions": run.facts.sessions,
            "formats": facts.formats,
            "sample_rate": run.sample_rate,
            "cached_input_pct": run.cached_input.pct,
            "doubted_usd_pct": doubted_pct(run.doubts, facts.doubted, facts.logged_pico),
            "doubts": [
                {"model": masked(doubt.model), "side": doubt.side, "words": doubt.words, "extent": doubt.extent}
                | {"requests": doubt.rows, "looked_at": doubt.looked_at, "of": doubt.of}
                for doubt in run.doubts
            ],
        },
        "coverage": _coverage(run, shown),
        "provenance": _provenance(shown),
        "as_logged": {
            "usd": dollars(scale(facts.logged_pico)) if known else None,
            "unpriced": facts.unpriced,
            "recorded_usd": dollars(scale(run.reconciliation.recorded)) if run.reconciliation.recorded else None,
            "drift_pct": run.reconciliation.drift_pct,
        },
        "baseline": {"name": run.scenarios[0].name, "usd": dollars(scale(against.total.baseline))},
        "routed": {"name": scenario.name, "usd": dollars(scale(against.total.routed))},
        "headline": which,
        "savings": _savings(against, alone, scale),
        "savings_vs_as_logged": _savings(against_log, from_log, scale),
        "compared": compared(run, number, shown, found, which),
        "waterfall": waterfall(against, scale),
        "period": {
            "days": days(run),
            "logged_usd_per_30d": per_30d(run, scale(facts.logged_pico)) if known else None,
            "baseline_usd_per_30d": per_30d(run, scale(against.total.baseline)),
            "routed_usd_per_30d": per_30d(run, scale(against.total.routed)),
        },
        "by_rule": _by_rule(run, number, against, scale),
        "by_model": _by_model(run, against, scale),
        "by_day": _by_day(against, scale),
        "sensitivity": sensitivity(run, number, against, alone),
        "feasibility": feasibility(run, number, scale),
        **state,
        **caches_said(run, shown, scale),
        **unnamed_said(against.unnamed),
        "quality": {
            "checked": False,
            "verified_savings_usd": None,
            "slices": [],
            "predicted": predicted_quality(run, number, shown),
        },
        "prices": _prices(run, number, against),
        "assumptions": assumptions(run, number, shown, found),
        "manifest": {
            "versions": {"python": platform.python_version()} | _versions(),
            "digests": {
                "log": facts.digest,
                "rules": scenario.router.digest(),
                "prices": scenario.book.digest,
            },
            "seed": run.seed,
            "prices_as_of": prices_as_of(scenario),
        },
    }


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONS}


def prices_as_of(scenario: Scenario) -> str:
    """The date policy in words, with the book's date where that is what `latest` means."""
    return f"latest ({scenario.book.date})" if str(scenario.as_of) == "latest" else str(scenario.as_of)


def headline(run: Run) -> str:
    """Which saving an invoice could show: the baseline's only where at least 95% of logged spend was its model.

    A log without any spend of its own, lengths alone for example, leaves nothing but the baseline to compare with.
    """
    spent = run.facts.logged_pico
    rules = run.scenarios[0].router.rules
    if not spent:
        return "baseline"
    if len(rules) != 1:
        return "as_logged"
    book = run.scenarios[0].book
    own = book.resolve(rules[0].target)
    on_it = sum(
        pico for name, pico in run.facts.models.items() if own and name is not None and book.same_model(name, own)
    )
    return "baseline" if on_it >= HEADLINE_SHARE * spent else "as_logged"


def _instant(micros: int | None) -> str | None:
    if micros is None:
        return None
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return when.isoformat().replace("+00:00", "Z")


def _pct(part: float, whole: float) -> float | None:
    return 100.0 * part / whole if whole else None


def _coverage(run: Run, against: Comparison) -> dict[str, Any]:
    return {
        "requests_pct": _pct(against.total.requests, run.facts.rows),
        "logged_usd_pct": _pct(against.covered_logged, run.facts.compared_pico),
        "priced_pct": _pct(run.facts.priced, run.facts.rows),
        "counted_pct": _pct(run.facts.counted, run.facts.rows),
        "infeasible": against.infeasible,
        "baseline_only": against.baseline_only,
        "routed_only": against.routed_only,
    }


def _provenance(against: Comparison) -> dict[str, float | None]:
    held = against.routed_by_provenance
    whole = sum(held.values())
    names = ("provider_pct", "tokenizer_pct", "estimated_pct")
    return {name: _pct(held[code], whole) for code, name in enumerate(names)}


def _savings(comparison: Comparison, found: Interval, scale: Scale) -> dict[str, Any]:
    total = comparison.total
    return {
        "usd": dollars(scale(total.baseline) - scale(total.routed)),
        "pct": _pct(total.baseline - total.routed, total.baseline),
        "low_pct": found.low_pct,
        "high_pct": found.high_pct,
        "level": LEVEL,
        "probability_positive": found.probability_positive,
        "interval_includes": list(found.includes),
    }


def _by_rule(run: Run, number: int, against: Comparison, scale: Scale) -> list[dict[str, Any]]:
    names = ("rule", "model", "requests", "routed_usd")
    rows = by_rule(run, number, against, scale)
    return [{name: row[name] for name in names} | {"baseline_usd": row["before_usd"]} for row in rows]


def _by_model(run: Run, against: Comparison, scale: Scale) -> list[dict[str, Any]]:
    models = {name for counts in against.model_requests.values() for name in counts}
    rows = []
    for model in sorted(models, key=lambda name: (-sum(usd[name] for usd in against.model_usd.values()), name or "")):
        row: dict[str, Any] = {"model": model}
        for arm in ("logged", "baseline", "routed"):
            row[f"{arm}_requests"] = against.model_requests[arm][model]
            row[f"{arm}_usd"] = dollars(scale(against.model_usd[arm][model]))
        rows.append(row)
    # What was left out for want of a price is listed, with its spend unknown.
    for name, count in sorted(run.facts.unknown_models.items()):
        if name != NO_NAME:
            nothing = {"baseline_requests": 0, "baseline_usd": "0", "routed_requests": 0, "routed_usd": "0"}
            rows.append({"model": masked(name), "logged_requests": count, "logged_usd": None} | nothing)
    return rows


def _by_day(against: Comparison, scale: Scale) -> list[dict[str, Any]]:
    days = sorted(against.by_day.items(), key=lambda item: (item[0] is None, item[0]))
    return [
        {
            "day": day_name(day),
            "requests": tally.requests,
            "logged_usd": dollars(scale(tally.logged)),
            "baseline_usd": dollars(scale(tally.baseline)),
            "routed_usd": dollars(scale(tally.routed)),
        }
        for day, tally in days
    ]


def _prices(run: Run, number: int, against: Comparison) -> list[dict[str, Any]]:
    """The standard-tier prices of every model in an arm, on the policy's day (the book's own for `request`)."""
    scenario = run.scenarios[number]
    book = scenario.book
    at = scenario.as_of.moment or book.date
    rows = []
    for model in sorted({name for counts in against.model_requests.values() for name in counts if name is not None}):
        quote = book.quote(model, at)
        if quote is None:
            continue
        for bucket in BUCKETS:
            rate = quote.usd_per_mtok[bucket]
            if rate is None:
                continue
            steps = [(f"{bucket} above {start:,} input tokens", usd) for start, usd in rate.above]
            rows += [
                {
                    "model": model,
                    "bucket": name,
                    "usd_per_mtok": f"{usd.normalize():f}",
                    "effective_from": quote.effective_from.isoformat() if quote.effective_from else None,
                    "source": quote.source,
                }
                for name, usd in [(bucket, rate.base), *steps]
            ]
    return rows
