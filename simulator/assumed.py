"""What a saving rests on, in words and shares: the lines that every report prints beside the headline."""

from __future__ import annotations

from typing import Any

from simulator.counts import ESTIMATED
from simulator.fold import NANO, SIDES, Comparison
from simulator.interval import Interval
from simulator.rebase import COPY_LOG_SD
from simulator.result import Run

INPUT, OUTPUT, REASONING = range(3)


def assumptions(run: Run, number: int, against: Comparison, found: Interval) -> list[dict[str, Any]]:
    """The assumptions in force: those about tokens, the one that widens the interval most first, and the prices.

    `saving_resting_on_it_pct` is the money computed with an assumption, in the arm that has more of it, as a share of
    the saving, at most 100; None where there is no saving to share.
    """
    saving = abs(against.total.baseline - against.total.routed)
    moved = [_moved(against, side) for side in range(SIDES)]
    scenario = run.scenarios[number]
    tokens = [
        (
            "Output tokens on another model",
            f"as logged, copied; a pair of models may be off by {COPY_LOG_SD:.0%} either way",
            "copying missed task totals by 23% in the median: ZeroEval and AlpacaEval, 7 models, 8 tasks",
            moved[OUTPUT],
        ),
        (
            "Input tokens on another model",
            "recounted with its tokenizer, or by a ratio; caches of the old model do not carry over",
            "pricing/data/tokenizers.yaml",
            moved[INPUT],
        ),
        (
            "Hidden reasoning tokens",
            "a prior, where the log's model has none",
            "recorded provider responses",
            moved[REASONING],
        ),
        (
            "Token counts of the log",
            "partly estimated: counted neither by the provider nor by the model's own tokenizer",
            "the log",
            against.routed_by_provenance[ESTIMATED] - moved[OUTPUT],
        ),
    ]
    width = {source: high - low for source, low, high in found.alone}
    tokens = sorted((row for row in tokens if row[3] > 0), key=lambda row: (-width.get(row[0].lower(), 0), -row[3]))
    day = (
        f"list prices of {scenario.book.date}"
        if str(scenario.as_of) == "latest"
        else f"list prices as of {scenario.as_of}"
    )
    prices = ("Prices", day, "price book: genai-prices and dated entries of our own", saving)
    return [
        {
            "name": name,
            "value": value,
            "source": source,
            "saving_resting_on_it_pct": min(100.0, 100.0 * money / saving) if saving else None,
        }
        for name, value, source, money in [*tokens, prices]
    ]


def _moved(against: Comparison, side: int) -> int:
    """Picodollars of one side on requests whose model is not the logged one, in the arm that has more of it."""
    arms = (against.baseline, against.routed)
    return max(round(sum(float(held[side, 0]) for pair, held in sums.by_pair.items() if pair) * NANO) for sums in arms)
