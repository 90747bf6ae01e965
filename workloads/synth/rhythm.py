"""When conversations begin: the rhythm of the day and the week, drawn in order of time and in constant memory."""

import math
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import accumulate
from pathlib import Path

import yaml

HOUR_MS = 3_600_000
TRACES = Path(__file__).parent / "data" / "traces.yaml"


class Rhythm:
    """The period of a log, cut into hours that weigh as much as their traffic.

    `weekend` is the traffic of a Saturday or Sunday against a weekday: an assumption, since the calendar of the trace
    that gives the hours of the day is not public. All times are milliseconds since 1970, UTC.
    """

    def __init__(self, start: date, days: int, weekend: float) -> None:
        hours = yaml.safe_load(TRACES.read_text(encoding="utf-8"))["hour_weights"]["value"]
        self.start = int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp()) * 1000
        self.end = self.start + days * 24 * HOUR_MS
        weights = [
            weight * (weekend if (start.weekday() + day) % 7 >= 5 else 1.0) for day in range(days) for weight in hours
        ]
        self.cumulative = [0.0, *accumulate(weights)]
        self.at = 0.0  # how much of the period's traffic has begun, from 0 to 1

    def next_start(self, random: Callable[[], float], remaining: float) -> int:
        """When the next of about `remaining` conversations begins.

        The least of k uniform draws is 1 - u^(1/k), so this is a Poisson process given its total, one draw at a time
        (Devroye, Non-Uniform Random Variate Generation, 1986, chapter V.2).
        """
        self.at += (1 - self.at) * -math.expm1(math.log(1 - random()) / max(1.0, remaining))
        place = self.at * self.cumulative[-1]
        hour = min(bisect_right(self.cumulative, place), len(self.cumulative) - 1) - 1
        low, high = self.cumulative[hour], self.cumulative[hour + 1]
        return min(self.start + int((hour + (place - low) / (high - low)) * HOUR_MS), self.end - 1)


def completion_spread() -> float:
    """The standard deviation of ln(completion tokens), from a published production trace."""
    return float(yaml.safe_load(TRACES.read_text(encoding="utf-8"))["completion_ln_sd"]["value"])
