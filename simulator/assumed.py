"""What a saving rests on, in words and shares: the lines that every report prints beside the headline."""

from __future__ import annotations

from collections import Counter
from typing import Any

from simulator.arms import NANO
from simulator.caches import cache_assumption
from simulator.counts import ESTIMATED
from simulator.result import Run
from simulator.state.assumed import state_assumptions
from simulator.state.changes import LOGGED
from simulator.sums.fold import SIDES, Comparison
from simulator.sums.interval import ESTIMATES, SIDE_NAMES, Interval
from simulator.usage.outputs import COPIED, COPY_LOG_SD, OWN_RATIO

INPUT, OUTPUT, REASONING = range(3)


def assumptions(run: Run, number: int, against: Comparison, found: Interval) -> list[dict[str, Any]]:
    """The assumptions in force: those about tokens, the one that widens the interval most first, state, and the prices.

    `saving_resting_on_it_pct` is the money computed with an assumption, in the arm that has more of it, as a share of
    the saving, at most 100; None where there is no saving to share.
    """
    saving = abs(against.total.baseline - against.total.routed)
    moved = [_moved(against, side) for side in range(SIDES)]
    scenario = run.scenarios[number]
    value, source = _output(against)
    tokens = [
        (SIDE_NAMES[OUTPUT], value, source, moved[OUTPUT]),
        (
            SIDE_NAMES[INPUT],
            "recounted with its tokenizer, or by a ratio",
            "pricing/data/tokenizers.yaml",
            moved[INPUT],
        ),
        (
            SIDE_NAMES[REASONING],
            "a prior per model family, where the log's model has none; a factor of 2.7 either way is usual",
            "recorded provider responses: pydantic-ai, simonw/llm, openinference",
            moved[REASONING],
        ),
        (
            ESTIMATES,
            "the log's own estimates, or counts by a similar tokenizer where a model's own is not public",
            "the log; pricing/data/tokenizers.yaml",
            against.logged_by_provenance[ESTIMATED],
        ),
    ]
    width = {name: high - low for name, low, high in found.alone}
    tokens = sorted((row for row in tokens if row[3] > 0), key=lambda row: (-width.get(row[0], 0), -row[3]))
    latest = str(scenario.as_of) == "latest"
    day = f"list prices of {scenario.book.date}" if latest else f"list prices as of {scenario.as_of}"
    prices = ("prices", day, "price book: genai-prices and dated entries of our own", saving)
    beside = cache_assumption(run, number, against)
    if run.changes is not None:
        base = 0 if against is run.comparisons[number][0] else LOGGED
        beside += state_assumptions(run.changes, run.totals.state, number, (base, number), scenario.state)
    return [
        {
            "name": name,
            "value": value,
            "source": source,
            "saving_resting_on_it_pct": min(100.0, 100.0 * money / saving) if saving else None,
        }
        for name, value, source, money in [*tokens, *beside, prices]
    ]


def _output(against: Comparison) -> tuple[str, str]:
    """How output tokens were predicted, and from what, by the pair with most routed money on it."""
    money: Counter[str] = Counter()
    for sums in (against.baseline, against.routed):
        for pair in sums.by_pair:
            if pair.moved:
                money[pair.note] += sums.total(pair, OUTPUT)
    note = max(money, key=lambda note: (money[note], note)) if money else ""
    if note == COPIED:
        copying = "copying missed task totals by 23% in the median: ZeroEval and AlpacaEval, 7 models, 8 tasks"
        return f"as logged, copied; a pair of models may be off by {COPY_LOG_SD:.0%} either way", copying
    if note == OWN_RATIO:
        return "your own ratios", "--output-ratio"
    return "predicted from public answers of the same and like models", note


def _moved(against: Comparison, side: int) -> int:
    """Picodollars of one side on requests whose model is not the logged one, in the arm that has more of it."""
    arms = (against.baseline, against.routed)
    return max(sum(sums.total(pair, side) for pair in sums.by_pair if pair.moved) * NANO for sums in arms)
