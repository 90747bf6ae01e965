"""`summary.json`'s `quality.predicted`: on which of the saving the routed answers are expected to be as good."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from simulator.arms import PASSED_THROUGH
from simulator.counterfactual import TASKS
from simulator.counterfactual.quality import LEVEL, Expected, Outcomes, Scored, expected_quality
from simulator.money import Scale, dollars
from simulator.result import Run
from simulator.scores import WHOLE
from simulator.sums.fold import Comparison
from simulator.sums.quality_sums import SliceSums

MARGIN = 0.05  # by how much worse still counts as good; `verify` starts from the same

VERDICTS = {True: "keeps", False: "loses", None: "unknown"}


def predicted_quality(run: Run, number: int, comparison: Comparison) -> dict[str, Any]:
    """Slices by rule, models and task class, the one with most money at stake first, and the saving by verdict."""
    outcomes, scale = Outcomes.load(), Scale(run.sample_rate)
    rules, book = run.scenarios[number].router.rules, run.scenarios[0].book
    merged: dict[tuple[int, str | None, str | None, int], SliceSums] = defaultdict(SliceSums)
    scored: dict[tuple[int, int, str | None], SliceSums] = defaultdict(SliceSums)
    for key, sums in comparison.quality.slices.items():
        merged[key.rule, key.before, key.routed, key.task] += sums
        scored[key.rule, key.task, key.logged] += sums

    def same(one: str | None, two: str | None) -> bool:
        return one == two or (one is not None and two is not None and book.same_model(one, two))

    def of(rule: int, task: int, model: str | None) -> Scored | None:
        parts = [sums for (r, t, name), sums in scored.items() if (r, t) == (rule, task) and same(name, model)]
        answers = sum(part.scored for part in parts)
        return Scored(answers, sum(part.score for part in parts) / WHOLE / answers) if answers and model else None

    rows, total = [], dict.fromkeys(VERDICTS.values(), 0)
    for (rule, before, routed, task), sums in merged.items():
        label = TASKS[task] if task >= 0 else None
        unmoved = rule < 0 or same(before, routed)
        if unmoved:
            found = Expected.unmoved(of(rule, task, before))
        elif before is None or routed is None:
            found = Expected.unknown()
        else:
            found = expected_quality(outcomes, before, routed, label, of(rule, task, before), of(rule, task, routed))
        keeps = found.keeps(MARGIN)
        saving = sums.before - sums.routed
        total[VERDICTS[keeps]] += saving
        row = {
            "rule": PASSED_THROUGH if rule < 0 else rules[rule].name,
            "model": routed,
            "against": before,
            "task": label,
            "requests": sums.requests,
            "saving_usd": dollars(scale(saving)),
            "baseline_quality": _rounded(found.baseline),
            "routed_quality": _rounded(found.routed),
            "difference": _rounded(found.difference),
            "low": _rounded(found.low),
            "high": _rounded(found.high),
            "keeps": keeps,
            "basis": found.basis,
            "tasks": list(found.tasks),
        }
        rows.append((-abs(saving), str(row["rule"]), str(before), str(routed), str(label), row))
    return {
        "margin": MARGIN,
        "level": LEVEL,
        "fitted_on": outcomes.fitted_on,
        "sources": [str(source["name"]) for source in outcomes.sources],
        "scored": sum(sums.scored for sums in scored.values()),
        "saving_usd": {name: dollars(scale(pico)) for name, pico in total.items()},
        "slices": [row[-1] for row in sorted(rows, key=lambda row: row[:-1])],
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
