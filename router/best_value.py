"""Many models: each request to the one of the best expected quality, less what its cost is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pricing import PriceBook
from problems import BackrouteError, nearest
from router.conditions import Asked, Condition, Yaml
from router.features import Features
from router.learned.linear import Array, LinearModel
from router.learned.quality import pairs_of, quality_model
from router.rules import LLMRouter, RoutingRule, split_target


@dataclass(frozen=True)
class BestValue(Condition):
    """One of several models is worth most: expected quality minus `quality_per_usd` times its estimated cost.

    Costs are those of `estimated_cost_usd` on each model. Of equals the earlier one is picked.

    Args:
        pick: the model asked about.
        of: "provider/model" names to choose among.
        quality_per_usd: what a dollar of one request is worth in quality; 0 ignores cost. Sweep it.
        model: the path of a file that `backroute train --label quality` wrote with outcomes of all of them.

    Raises:
        BackrouteError: no such file, a model that it does not know, or a price of quality below 0.
    """

    pick: str
    of: tuple[str, ...]
    quality_per_usd: float
    model: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", tuple(self.of))
        per_usd = self.quality_per_usd
        if isinstance(per_usd, bool) or not isinstance(per_usd, int | float) or not 0 <= per_usd < np.inf:
            what = f"`quality_per_usd` is no number from 0 up ({per_usd!r})"
            raise BackrouteError("best_value", what, fix="for example 10: a cent is worth 0.1 of quality")
        known = [name for name in self._scorer.outputs if name not in pairs_of(self._scorer.outputs)]
        for name in self.of:
            if name not in known:
                fix = nearest(str(name), known) or f"it knows {', '.join(known)}"
                raise BackrouteError("best_value", f"{self.model} scores no {name!r}", fix=fix)
        if self.pick not in self.of:
            raise BackrouteError("best_value", f"`pick` is not among `of` ({self.pick!r})", fix="add it to `of`")

    @property
    def _scorer(self) -> LinearModel:
        return quality_model(self.model)

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`; undecidable where the log holds no text."""
        if (answers := features.answered(self)) is not None:
            return answers
        scorer = self._scorer
        quality = features.scores(scorer)[:, [scorer.outputs.index(name) for name in self.of]]
        cost = np.column_stack([features.usd_on(name).to_numpy(zero_copy_only=False) for name in self.of])
        value: Array = quality - self.quality_per_usd * cost
        unknown: Array = np.asarray(np.isnan(value).any(axis=1))
        best = np.where(unknown.reshape(-1, 1), 0.0, value).argmax(axis=1)
        return pa.array(best == self.of.index(self.pick), mask=unknown)

    def asks(self) -> tuple[Asked, ...]:
        """See `Condition.asks`."""
        return (Asked(self._scorer.digest, self._scorer.seconds_a_text),)

    def to_yaml(self) -> Yaml:
        """For example `{best_value: {pick: a/b, of: [a/b, c/d], quality_per_usd: 10, model: own.npz}}`."""
        said = {"pick": self.pick, "of": list(self.of), "quality_per_usd": self.quality_per_usd, "model": self.model}
        return {"best_value": said}

    def __str__(self) -> str:
        return f"BestValue({self.pick!r}, {self.of!r}, {self.quality_per_usd!r}, {self.model!r})"


def best_value(
    models: Sequence[str], model: str, *, quality_per_usd: float, book: PriceBook | None = None
) -> LLMRouter:
    """A rule set that sends each request to the model worth most; see `BestValue`.

    Args:
        models: "provider/model" names, two or more; the last is the rule set's default.
        model: the trained file.
        quality_per_usd: what a dollar of one request is worth in quality.
        book: prices; the bundled ones when left out.

    Raises:
        BackrouteError: as for `BestValue`, or fewer than two models.
    """
    if len(models) < 2:
        raise BackrouteError("best_value", "fewer than two models to choose among", fix="name two or more")
    tests = [BestValue(name, tuple(models), quality_per_usd, model) for name in models[:-1]]
    rules = [
        RoutingRule(f"best value {name}", test, *split_target(name, "best_value"))
        for name, test in zip(models, (*tests, None), strict=True)
    ]
    return LLMRouter(rules, name="best value", book=book)
