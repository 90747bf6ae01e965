"""How long answers take: the time to the first token, and a time for each token after it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from router.baselines import uniform
from simulator.counts import THOUSAND, Array

_DATA = Path(__file__).parent / "data" / "latencies.yaml"
ENOUGH = 20  # calls of a model before the log's own times are believed
_LOTTERY = 99
MAD_TO_SD = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class LatencyLimits:
    """What is asked of answers.

    Args:
        limit_ms: an answer that takes longer breaks the limit; None to count only requests with a budget of their own.
    """

    limit_ms: float | None = None


@dataclass(frozen=True)
class Pace:
    """How fast a model answers.

    Args:
        ttft_ms: median milliseconds to the first token.
        ms_per_token: median milliseconds for each output token, hidden reasoning included.
        log_sd: of one call's whole time around ttft_ms + tokens x ms_per_token.
        source: where this is from.
    """

    ttft_ms: float
    ms_per_token: float
    log_sd: float
    source: str

    def expected_us(self, output_milli: Array) -> Array:
        """Int64 microseconds to the last token, expected."""
        return np.rint(1000 * (self.ttft_ms + output_milli / THOUSAND * self.ms_per_token)).astype(np.int64)


@dataclass(frozen=True)
class Paces:
    """Every model's pace: the log's own where it has enough calls with times, else the published one."""

    logged: Mapping[str, Pace] = field(default_factory=dict)

    def of(self, model: str) -> Pace:
        """A model's pace."""
        return self.logged.get(model) or prior(model)


@cache
def prior(model: str) -> Pace:
    """A model's pace as published or recorded elsewhere."""
    said = next(each for each in _priors() if re.search(each["models"], model))
    return Pace(said["ttft_ms"], said["ms_per_token"], said["log_sd"], f"{said['source']}, {said['checked']}")


def fitted(output_milli: Array, latency_ms: Array, ttft_ms: Array) -> Pace | None:
    """A model's pace from its calls in the log; None where fewer than ENOUGH have a time.

    Args:
        output_milli: int64 per call, all output.
        latency_ms: float64, NaN where unknown: the whole call.
        ttft_ms: float64, NaN where unknown.

    Where times to the first token are known their median counts; else a line through the calls gives both figures,
    by least squares weighted by 1/latency, so that a few long calls do not decide.
    """
    rows = np.isfinite(latency_ms) & (latency_ms > 0) & (output_milli > 0)
    if int(rows.sum()) < ENOUGH:
        return None
    tokens, whole, first = output_milli[rows] / THOUSAND, latency_ms[rows], ttft_ms[rows]
    if int(np.isfinite(first).sum()) >= ENOUGH:
        start = float(np.nanmedian(first))
        each = float(np.nanmedian((whole - first) / tokens))
    else:
        weight = 1 / whole
        design = np.stack([weight, tokens * weight], axis=1)
        start, each = (float(x) for x in np.linalg.lstsq(design, np.ones(len(tokens)), rcond=None)[0])
    start, each = max(start, 0.0), max(each, 0.0)
    off = np.log(whole / np.maximum(start + each * tokens, 1e-3))
    sd = MAD_TO_SD * float(np.median(np.abs(off - np.median(off))))
    return Pace(start, each, sd, f"{int(rows.sum()):,} calls of the log")


def durations(expected_us: Array, log_sd: Array, ids: Array, seed: int) -> Array:
    """Int64 microseconds of each call, its own luck included; arms share it, drawn from the request's id."""
    from scipy.special import ndtri  # 0.2 s to load, which replays without latencies need not take

    luck = ndtri(np.clip(uniform(ids, seed * 10_007 + _LOTTERY), 1e-9, 1 - 1e-9))
    return np.asarray(np.rint(expected_us * np.exp(log_sd * luck)), np.int64)


@cache
def _priors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(_DATA.read_text("utf-8"))
    return found
