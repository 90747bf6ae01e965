"""What a saving rests on, in words and shares: the lines that every report prints beside the headline."""

from __future__ import annotations

from typing import Any

from simulator.counts import ESTIMATED
from simulator.fold import Comparison
from simulator.rebase import COPY_LOG_SD
from simulator.result import Run

INPUT, OUTPUT, REASONING = range(3)


def assumptions(run: Run, number: int, against: Comparison) -> list[dict[str, Any]]:
    """The assumptions in force, the one with most money on it first.

    `saving_resting_on_it_pct` is the money computed with an assumption, in either arm, as a share of the saving, at
    most 100; None where there is no saving to share.
    """
    saving = abs(against.total.baseline - against.total.routed)
    moved = [_moved(against, side) for side in range(3)]
    scenario = run.scenarios[number]
    said = scenario.assumptions
    rows = []
    if moved[OUTPUT]:
        rows.append(
            {
                "name": "Output tokens on another model",
                "value": f"as logged, copied; a pair of models may be off by a factor of {1 + COPY_LOG_SD:.2g} either way",
                "source": "copying missed task totals by 23% in the median (ZeroEval and AlpacaEval, 7 models, 8 tasks)",
                "money": moved[OUTPUT],
            }
        )
    if moved[INPUT]:
        rows.append(
            {
                "name": "Input tokens on another model",
                "value": "as logged, cached parts counted as uncached",
                "source": "tokenizer ratios of pricing/data/tokenizers.yaml",
                "money": moved[INPUT],
            }
        )
    if moved[REASONING]:
        rows.append(
            {
                "name": "Hidden reasoning tokens",
                "value": "a prior, since the log's model has none",
                "source": "recorded provider responses",
                "money": moved[REASONING],
            }
        )
    estimated = against.routed_by_provenance[ESTIMATED]
    if estimated:
        rows.append(
            {
                "name": "Token counts of the log",
                "value": "partly estimated, not counted by a provider or tokenizer",
                "source": "the log",
                "money": estimated,
            }
        )
    rows.append(
        {
            "name": "Prices",
            "value": f"list prices as of {scenario.as_of if str(scenario.as_of) != 'latest' else scenario.book.date}",
            "source": "price book",
            "money": saving,
        }
    )
    del said
    rows.sort(key=lambda row: -row["money"])
    for row in rows:
        money = row.pop("money")
        row["saving_resting_on_it_pct"] = min(100.0, 100.0 * money / saving) if saving else None
    return rows


def _moved(against: Comparison, side: int) -> int:
    """Picodollars of one side on requests whose model is not the logged one, in the arm that has more of it."""
    arms = (against.baseline, against.routed)
    return max(round(sum(held[side, 0] for pair, held in sums.by_pair.items() if pair) * 1000) for sums in arms)
