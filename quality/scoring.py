"""The three ways of telling how good an answer is: right answers, a function of the user's own, a judge."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from problems import BackrouteError
from quality.gold import is_right
from quality.judge import Ask, Judge
from quality.population import Request


class Scores(NamedTuple):
    """How one pair of answers was scored: each answer in [0, 1], None where only their difference is known."""

    difference: float  # routed minus baseline, in [-1, 1]
    baseline: float | None = None
    routed: float | None = None
    labelled: float | None = None  # the difference by right answers, beside a judge's


class Scoring(Protocol):
    """Scores pairs of answers; None where a pair could not be scored."""

    @property
    def name(self) -> str:
        """What scores: a judge's model, a function, or gold."""

    async def score(self, request: Request, baseline: str, routed: str, ask: Ask) -> Scores | None:
        """The scores of one pair."""


@dataclass(frozen=True)
class ByGold:
    """Exact and numeric match with right answers by request id."""

    gold: Mapping[str, str]
    name: str = "gold"

    async def score(self, request: Request, baseline: str, routed: str, ask: Ask) -> Scores:  # noqa: ARG002
        """1 for right, 0 for wrong."""
        right = self.gold[request.request_id]
        before, after = float(is_right(right, baseline)), float(is_right(right, routed))
        return Scores(after - before, before, after)


@dataclass(frozen=True)
class ByFunction:
    """A function of the user's own: `(request, answer) -> score from 0 to 1`.

    The request is a dict of `request_id, rule, label, messages`.
    """

    name: str
    function: Callable[[dict[str, Any], str], float]

    async def score(self, request: Request, baseline: str, routed: str, ask: Ask) -> Scores:  # noqa: ARG002
        """The function's scores."""
        before, after = self._one(request, baseline), self._one(request, routed)
        return Scores(after - before, before, after)

    def _one(self, request: Request, answer: str) -> float:
        held = {"request_id": request.request_id, "rule": request.rule, "label": request.label}
        held_messages = [dict(message) for message in request.messages]
        where, fix = f"--scorer {self.name}", "mend it and run again; no answer is paid for twice"
        try:
            score = float(self.function({**held, "messages": held_messages}, answer))
        except Exception as error:
            # The error's own words may quote a prompt.
            what = f"it failed on request {request.request_id!r} ({type(error).__name__})"
            raise BackrouteError(where, what, fix=fix) from error
        if not 0 <= score <= 1 or math.isnan(score):
            raise BackrouteError(where, f"not a score from 0 to 1 ({score:g})", fix=fix)
        return score


@dataclass(frozen=True)
class ByJudge:
    """A judge model; where right answers are known as well, how often it agrees with them is measured."""

    judge: Judge
    gold: Mapping[str, str]

    @property
    def name(self) -> str:
        """The judge's model."""
        return self.judge.name

    async def score(self, request: Request, baseline: str, routed: str, ask: Ask) -> Scores | None:
        """The judge's difference."""
        found = await self.judge.difference(request, baseline, routed, ask)
        if found is None:
            return None
        right = self.gold.get(request.request_id)
        labelled = None if right is None else float(is_right(right, routed)) - float(is_right(right, baseline))
        return Scores(found, (1 - found) / 2, (1 + found) / 2, labelled)


def load_scorer(named: str) -> ByFunction:
    """The function that `module:function` names; modules of the working folder are found.

    Raises:
        BackrouteError: there is no such function.
    """
    module, _, function = named.partition(":")
    fix = "give module:function, for example my_checks:score"
    if not module or not function:
        raise BackrouteError("--scorer", f"not module:function ({named!r})", fix=fix)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), function, None)
    except Exception as error:
        raise BackrouteError(
            "--scorer", f"cannot import {module!r} ({type(error).__name__}: {error})", fix=fix
        ) from error
    if not callable(found):
        raise BackrouteError("--scorer", f"no function {function!r} in {module!r}", fix=fix)
    return ByFunction(named, found)
