"""What a parameter file holds, so that one that was altered by hand is told by the place of the mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

Log = Annotated[float, msgspec.Meta(ge=-50, le=50)]  # e to it is a number of tokens, or a ratio
Sd = Annotated[float, msgspec.Meta(ge=0, le=50)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    """Unknown keys are mistakes."""


class _Task(_Strict):
    name: str
    source: str
    label: str
    kind: str
    mean_log_prompt: Log | None


class _Cells(_Strict):
    model: list[Count]
    task: list[Count]
    log_mean: list[Log]
    variance: list[Sd]
    rows: list[Count]
    level: list[Log]


class _Runaway(_Strict):
    rate: Sd
    at_level: Log
    level_slope: Log
    shape: Positive
    cap: Positive
    models: dict[str, Sd]
    cut: dict[str, Count]


class _Within(_Strict):
    spread: Log
    noise: Log


class _Reasoning(msgspec.Struct):
    intercept: Log
    slope: Log
    log_sd: Annotated[float, msgspec.Meta(ge=0, le=5)]
    share: Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Live(_Strict):
    intercept: Log
    slope: Log
    log_sd: Sd
    pairs: Count


class _File(msgspec.Struct):
    fitted_on: str
    sources: list[dict[str, Any]]
    models: list[str]
    tasks: Annotated[list[_Task], msgspec.Meta(min_length=1)]
    scales: dict[str, Sd]
    cells: _Cells
    runaway: _Runaway
    within: dict[str, _Within]
    prompt_slope: Log
    reasoning: dict[str, _Reasoning]
    live: dict[str, _Live]


def check(raw: Mapping[str, Any]) -> None:
    """Check a parameter file's values and that they fit together.

    Raises:
        ValueError: one does not (msgspec's ValidationError is one), with its place.
    """
    held = msgspec.convert(raw, _File)
    cells = held.cells
    many = len(cells.model)
    if {len(getattr(cells, name)) for name in cells.__struct_fields__} != {many}:
        raise ValueError("the lists of cells differ in length")
    if set(cells.task) != set(range(len(held.tasks))):
        raise ValueError("the cells' tasks are not those listed")
    if max(cells.model) >= len(held.models):
        raise ValueError("a cell's model is not among those listed")
    if "*" not in held.reasoning:
        raise ValueError("reasoning has no general prior (*)")
