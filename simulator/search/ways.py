"""The ways of routing that a sweep tries: every rule's arm, what each setting chooses, and prompt caches of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router import Decisions, LLMRouter
from simulator.arms import Arm, Batch, Choice, Use, charged, serve, use
from simulator.counts import Array, Counts
from simulator.models import NO_MODEL, ModelIndex
from simulator.prepared import Prepared
from simulator.scenario import Scenario
from simulator.state.caching import Caches
from simulator.state.changes import Change
from simulator.state.columns import LogColumns
from simulator.state.pieces import prefixes
from simulator.state.settings import CacheSettings
from simulator.state.store import PrefixStore
from simulator.usage.outputs import Outputs
from simulator.usage.pairs import Pairs


@dataclass
class Ways:
    """What is tried.

    Args:
        scenario: the rule set, with its prices and assumptions.
        settings: the rule set with other numbers.
        index: codes of model names, those that the batches use.
        outputs: of the log.
    """

    scenario: Scenario
    settings: Sequence[LLMRouter]
    index: ModelIndex
    outputs: Outputs

    def arms(self, batch: Batch) -> list[Arm]:
        """Every rule's arm, if all requests were its own; no cache is simulated."""
        found, pairs = [], Pairs()
        for rule in range(len(self.scenario.router.rules)):
            decided = Decisions(np.full(batch.requests.num_rows, rule, np.int32))
            choice = serve(batch, self.scenario, decided, self.index)
            used = use(batch, choice, self.index, self.outputs, pairs)
            found.append(charged(batch, self.scenario, choice, used, self.index))
        return found

    def chosen(self, batch: Batch) -> Array:
        """Int32 (settings, requests): the rule that each setting chooses, -1 where it cannot."""
        features = self.settings[0].features(batch.requests, batch.kept)
        return np.stack([setting.route_features(features).chosen for setting in self.settings])


class SweptCaches:
    """What each way costs with prompt caches of its own, simulated over the whole log.

    Args:
        prepared: the log.
        ways: what is tried.
        settings: of the caches.
        index: codes of model names.
    """

    def __init__(self, prepared: Prepared, ways: Ways, settings: CacheSettings, index: ModelIndex) -> None:
        self._ways, self._index = ways, index
        columns, store, models, inputs, chosen = LogColumns(), PrefixStore(), [], [], []
        first = 0
        for batch in prepared.batches():
            columns.add(batch)
            store.add(prefixes(batch, first))
            first += batch.requests.num_rows
            arms = ways.arms(batch)
            models.append(np.stack([arm.model for arm in arms]))
            inputs.append(np.stack([np.where(batch.passes, 0, arm.counts.input_milli) for arm in arms]))
            chosen.append(ways.chosen(batch).astype(np.int16))
        columns.join()
        caches = Caches(store, columns, settings, index)
        model, milli, at = np.concatenate(models, axis=1), np.concatenate(inputs, axis=1), np.arange(first)
        rules = [np.full(first, rule, np.int16) for rule in range(len(model))]
        self._chosen, self._changes = [*np.concatenate(chosen, axis=1), *rules], list[Change]()
        for rule in self._chosen:
            served = np.where(rule < 0, NO_MODEL, model[rule, at]).astype(np.int32)
            cached, kept = caches.arm(served, milli[rule, at])
            self._changes.append(Change().cached(cached, columns.passes | kept, long=caches.long))
        store.close()

    def cost(self, batch: Batch, arms: Sequence[Arm], first: int, rows: Array) -> tuple[list[Array], Array]:
        """Picodollars of some requests under each setting; and (rules, requests) where all are one rule's, undecided.

        Args:
            batch: the batch.
            arms: its arms by rule.
            first: the number of its first request in the log.
            rows: which of its requests.
        """
        found, at = list[Array](), np.arange(batch.requests.num_rows)
        scenario, many = self._ways.scenario, len(self._ways.settings)
        milli, known = (np.stack([getattr(arm.counts, name) for arm in arms]) for name in ("milli", "known"))
        model = np.stack([arm.model for arm in arms])
        here = slice(first, first + len(at))
        for rule, change in zip(self._chosen, self._changes, strict=True):
            mine = np.maximum(rule[here], 0)
            counts = Counts(milli[mine, at], known[mine, at], arms[0].counts.input_provenance,
                            arms[0].counts.output_provenance)  # fmt: skip
            used = change.at(here).use(Use(counts, arms[0].pair, arms[0].request_sd))
            choice = Choice(mine.astype(np.int32), model[mine, at], np.ones(len(at), bool))
            billed = charged(batch, scenario, choice, used, self._index)
            found.append((billed.total if len(found) < many else billed.total - billed.overhead)[rows])
        return found[:many], np.stack(found[many:])
