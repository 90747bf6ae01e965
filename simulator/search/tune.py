"""The setting of least cost that keeps a quality floor: chosen on one half of the log, reported on the other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from problems import BackrouteError
from simulator.search.sweep import Point, Sums, Sweep


@dataclass(frozen=True)
class Tuned:
    """What `tune` chose.

    Args:
        point: the setting.
        floor: mean score that it had to keep on the first half.
        chosen_on: its sums there.
        reported_on: its sums on the second half, which the choice never saw.
        last_model: the last rule's model alone on the second half, to compare with.
    """

    point: Point
    floor: float
    chosen_on: Sums
    reported_on: Sums
    last_model: Sums

    @property
    def saved_usd(self) -> Decimal:
        """Against the last rule's model alone, on the second half."""
        return self.last_model.usd - self.reported_on.usd

    @property
    def kept(self) -> bool:
        """Whether the floor held on the second half, in the mean."""
        return self.reported_on.quality is not None and self.reported_on.quality >= self.floor


def tune(found: Sweep, floor: float, last_model: str, *, surely: bool = False) -> Tuned:
    """Choose on the first half.

    Args:
        found: the swept settings.
        floor: the least mean score, 0 to 1.
        last_model: the last rule's model, as `Sweep.singles` names it.
        surely: the lower end of the interval, not the mean, must reach the floor on the first half.

    Raises:
        BackrouteError: no quality is known in a half, or no setting reaches the floor.
    """
    if not all(found.settings[0].halves[half].known for half in range(2)):
        what = "no request's quality is known under all of the rules' models, in one half of the log at least"
        raise BackrouteError("tune", what, fix="give --outcomes with scores of every model that the rules use")
    able = [point for point in found.settings if _worth(point.halves[0], surely) >= floor]
    if not able:
        best = max(found.settings, key=lambda point: _worth(point.halves[0], surely))
        what = (
            f"no setting keeps a quality of {floor:g}; the best is {_worth(best.halves[0], surely):.4f} ({best.name})"
        )
        raise BackrouteError("tune", what, fix="lower --min-quality, or try other values or models")
    chosen = min(able, key=lambda point: (point.halves[0].pico, -_worth(point.halves[0], surely)))
    alone = next(point for point in found.singles if point.name == last_model)
    return Tuned(chosen, floor, chosen.halves[0], chosen.halves[1], alone.halves[1])


def _worth(sums: Sums, surely: bool) -> float:
    interval = sums.interval
    return interval[0] if surely and interval else sums.quality or 0.0
