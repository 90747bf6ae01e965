"""Which texts of a log in memory hold which words: asked on all cores, and only of requests not known from before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from router import LLMRouter, Router
from router.conditions import Condition, Mentions, leaves
from router.features import answer_column
from simulator.arms import Batch
from simulator.counts import Array

MOST = 64  # lists of words whose answers are kept, a bit a request each; those asked longest ago go first


class Words:
    """Answers of `mentions` conditions over every batch of a log.

    A list that grew by a word is asked for that word alone, and only of the requests that the shorter list did not
    find; one that shrank only of those that the longer list found.

    Args:
        batches: the log's.
    """

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = batches
        self._known: dict[Mentions, list[pa.BooleanArray]] = {}

    def ask(self, router: Router) -> None:
        """Have what a router's conditions say kept by each batch before it is routed."""
        for condition in dict.fromkeys(_mentions(router)):
            answers = self._known.pop(condition, None)
            if answers is None:
                answers = self._answers(condition)
            self._known[condition] = answers
            while len(self._known) > MOST:
                self._known.pop(next(iter(self._known)))

    def _answers(self, condition: Mentions) -> list[pa.BooleanArray]:
        alike = [other for other in self._known if other.whole_word == condition.whole_word]
        shorter = [other for other in alike if set(other.words) <= set(condition.words)]
        longer = [other for other in alike if set(other.words) >= set(condition.words)]
        left = sorted(set(condition.words).difference(*(other.words for other in shorter)))
        fewer = Mentions(tuple(left), condition.whole_word) if left else None

        def of(number: int) -> pa.BooleanArray:
            batch = self._batches[number]
            found, absent = ([self._known[other][number] for other in others] for others in (shorter, longer))
            key = "when", answer_column(condition)
            return batch.kept(key, lambda: _asked(batch, condition, fewer, found, absent))

        with ThreadPoolExecutor(pa.cpu_count(), "words") as threads:
            return list(threads.map(of, range(len(self._batches))))


def _asked(
    batch: Batch,
    condition: Mentions,
    fewer: Mentions | None,
    shorter: Sequence[pa.BooleanArray],
    longer: Sequence[pa.BooleanArray],
) -> pa.BooleanArray:
    """What a condition says of a batch, by what shorter and longer lists said; `fewer` asks what none of them did."""
    if not shorter and not longer:
        return condition.found_in(batch.requests["prompt"])
    unknown = _flags((*shorter, *longer)[0].is_null())
    holds = np.logical_or.reduce([np.zeros_like(unknown), *map(_true, shorter)])
    rows = np.flatnonzero(np.logical_and.reduce([~holds & ~unknown, *map(_true, longer)]))
    if len(rows) and fewer is not None:
        holds[rows] = _true(fewer.found_in(batch.requests["prompt"].take(pa.array(rows))))
    return pa.array(holds, mask=unknown)


def _mentions(router: Router) -> Iterator[Mentions]:
    """The conditions on words that a router of ours may ask."""
    if isinstance(router, LLMRouter) and type(router).route_batch is LLMRouter.route_batch:
        for rule in router.rules:
            if isinstance(rule.condition, Condition):
                yield from (each for each in leaves(rule.condition) if type(each) is Mentions)


def _true(answers: pa.BooleanArray) -> Array:
    return _flags(answers.fill_null(False))


def _flags(answers: pa.BooleanArray) -> Array:
    return answers.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
