"""What of a log's spend rests on token counts that cannot be true: see `plausible`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from simulator.arms import Arm, Batch
from simulator.bill.plausible import Doubt, Group, groups
from simulator.bill.recount import WHOLE
from simulator.counts import PROVIDER, TEXT
from simulator.money import exact_sum

Place = tuple[Group, str]  # model and provider as logged, and the side


def stated_spend(batch: Batch, logged: Arm, doubts: Sequence[Doubt]) -> Counter[Place]:
    """Picodollars of a batch, as logged, for the tokens of each place in doubt that pass for the provider's count."""
    found: Counter[Place] = Counter()
    sides = {
        "input": (logged.inputs, logged.counts.input_provenance),
        "output": (logged.pico[:, TEXT], logged.counts.output_provenance),
    }
    wanted = {((doubt.model, doubt.provider), doubt.side) for doubt in doubts}
    for group, _, rows in groups(batch.requests, batch.source):
        for side, (money, provenance) in sides.items():
            if (group, side) in wanted:
                claimed = rows[(logged.priced & (provenance == PROVIDER))[rows]]
                found[group, side] = exact_sum(money[claimed])
    return found


def doubted_pct(doubts: Sequence[Doubt], stated: Mapping[Place, int], logged_pico: int) -> float | None:
    """The share of the logged spend, percent, that rests on counts in doubt; None where nothing is, or was spent.

    Args:
        doubts: of the log.
        stated: see `stated_spend`.
        logged_pico: picodollars of the whole log.

    A guess holds for every count of its model and source; other doubts for as many as of those looked at.
    """
    parts: defaultdict[Place, float] = defaultdict(float)
    for doubt in doubts:
        part = 1.0 if doubt.kind in WHOLE else doubt.rows / doubt.looked_at
        parts[(doubt.model, doubt.provider), doubt.side] += part
    if not parts or not logged_pico:
        return None
    return 100 * sum(min(1.0, part) * stated.get(place, 0) for place, part in parts.items()) / logged_pico
