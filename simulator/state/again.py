"""The prompt caches of a log in memory under one plan after another: only arms that a change reaches are simulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.arms import Batch
from simulator.counts import Array
from simulator.models import Codes, ModelIndex
from simulator.scenario import Scenario
from simulator.state.amend import Proposed
from simulator.state.caching import Caches
from simulator.state.changes import Changes
from simulator.state.columns import LogColumns
from simulator.state.named import check_names
from simulator.state.pieces import prefixes
from simulator.state.prompt_cache import Cached
from simulator.state.settings import CacheSettings
from simulator.state.simulate import cached
from simulator.state.store import PrefixStore

_Arm = tuple[Codes, Array, tuple[Cached, Array]]  # its models, its input, what `Caches.arm` gave


class _Caches(Caches):
    """Keeps what each arm of the last pass came to, for arms of the same models and the same input."""

    def __init__(self, store: PrefixStore, columns: LogColumns, settings: CacheSettings, index: ModelIndex) -> None:
        super().__init__(store, columns, settings, index)
        self._last, self._now = list[_Arm](), list[_Arm]()

    def arm(self, model: Codes, input_milli: Array) -> tuple[Cached, Array]:
        """See `Caches.arm`."""
        for each in (*self._now, *self._last):
            if np.array_equal(each[0], model) and np.array_equal(each[1], input_milli):
                self._now.append(each)
                return each[2]
        found = super().arm(model, input_milli)
        self._now.append((model, input_milli, found))
        return found

    def end_pass(self) -> None:
        """Forget the arms of the pass before."""
        self._last, self._now = self._now, []


class CachesAgain:
    """Keeps what the log itself gives, what calibrates on it, and the last simulation of each arm.

    Args:
        batches: the whole log, in its order.
        index: codes of model names, those that the batches use.
    """

    def __init__(self, batches: Sequence[Batch], index: ModelIndex) -> None:
        self._batches, self._index = batches, index
        self._log: tuple[LogColumns, PrefixStore] | None = None
        self._caches: tuple[CacheSettings, _Caches] | None = None

    def changes(self, scenarios: Sequence[Scenario], proposed: Sequence[Proposed]) -> Changes:
        """What the caches change in every arm, of scenarios whose state is that alone.

        Raises:
            BackrouteError: a setting names a provider that is none.
        """
        settings = scenarios[0].state.caches
        assert settings is not None
        if self._caches is None or self._caches[0] != settings:
            check_names(scenarios)
            columns, store = self._log = self._log or self._gathered()
            self._caches = settings, _Caches(store, columns, settings, self._index)
        caches = self._caches[1]
        found = cached(caches, proposed, [scenario.name for scenario in scenarios])
        caches.end_pass()
        return found

    def _gathered(self) -> tuple[LogColumns, PrefixStore]:
        columns, store, first = LogColumns(), PrefixStore(), 0
        for batch in self._batches:
            columns.add(batch)
            store.add(prefixes(batch, first))
            first += len(batch.source)
        columns.join()
        return columns, store
