"""A log's texts as examples to learn from: labels of its own, or what answers to them were worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pricing import PriceBook
from problems import BackrouteError, ProblemLog
from router.learned.linear import LinearModel
from router.learned.quality import pair_output
from router.learned.train import suffices, train_quality
from router.semantic.train import train_tasks
from simulator.counts import Array
from simulator.search.known_quality import read_preferences, read_quality
from workloads import Log


@dataclass(frozen=True)
class Examples:
    """One row per request of a log that has text.

    Args:
        ids, texts, labels: per request; a label is None where the log has none.
        groups: what is left out together; equal texts share a group, so that none is judged by its twin.
    """

    ids: list[str]
    texts: list[str]
    labels: list[str | None]
    groups: list[str]

    @classmethod
    def of(cls, log: Log, leave_out: str, problems: ProblemLog | None = None) -> Examples:
        """The examples of a log, grouped by a column; a request without it stands alone.

        Rows that cannot be read go to `problems`.

        Raises:
            BackrouteError: the log holds no text.
        """
        ids: list[str] = []
        texts: list[str] = []
        labels: list[str | None] = []
        groups: list[str] = []
        group_of: dict[str, str] = {}
        for requests, _ in log.batches(problems=problems):
            columns = (requests[name].to_pylist() for name in ("request_id", "prompt", "label", leave_out))
            for request, text, label, group in zip(*columns, strict=True):
                if text is None:
                    continue
                named = str(group.date() if leave_out == "arrived_at" and group else group or f"request {request}")
                ids.append(request)
                texts.append(text)
                labels.append(label)
                groups.append(group_of.setdefault(text, named))
        if not texts:
            raise BackrouteError(log.name, "no text in it to learn from", fix="give a log with prompts or messages")
        return cls(ids, texts, labels, groups)

    def train_tasks(self, progress: Callable[[int, int], None] | None = None) -> LinearModel:
        """A model of the log's own labels; `progress` hears how many fits are done, and of how many.

        Raises:
            BackrouteError: too few labels.
        """
        rows = [row for row, label in enumerate(self.labels) if label is not None]
        labels = [label for label in self.labels if label is not None]
        return train_tasks(
            [self.texts[row] for row in rows], labels, [self.groups[row] for row in rows], progress=progress
        )

    def train_quality(
        self,
        outcomes: Path | None,
        preferences: Path | None,
        pairs: Sequence[tuple[str, str]],
        book: PriceBook,
        progress: Callable[[int, int], None] | None = None,
    ) -> LinearModel:
        """A model of what answers are worth, and of where the weaker of some pairs suffices; `progress` as above.

        Raises:
            BackrouteError: neither outcomes nor preferences, a pair without any, or too few of them.
        """
        if outcomes is None and preferences is None:
            what = "nothing says what answers were worth"
            raise BackrouteError("train", what, fix="give --outcomes or --preferences; `backroute verify` writes pairs")
        truths: dict[str, Array] = {}
        if outcomes is not None:
            known = read_quality(outcomes, book)
            truths = {model: known.of(self.ids, model) for model in known.models}
        preferred = read_preferences(preferences, book) if preferences is not None else {}
        for weak, strong in ((book.resolve(weak) or weak, book.resolve(strong) or strong) for weak, strong in pairs):
            held = preferred.get((weak, strong), {})
            said = np.array([held.get(request, np.nan) for request in self.ids], np.float64)
            if weak in truths and strong in truths:
                said = np.where(np.isnan(said), suffices(truths[weak], truths[strong]), said)
            truths[pair_output(weak, strong)] = said
        known_rows = ~np.isnan(np.stack(list(truths.values()))) if truths else np.zeros((1, len(self.ids)), bool)
        rows: list[int] = np.flatnonzero(known_rows.any(axis=0)).tolist()
        if not rows:
            what = "no outcome belongs to a request of the log"
            raise BackrouteError("train", what, fix="give the log they are of, or a --pair for preferences")
        return train_quality(
            [self.texts[row] for row in rows],
            {name: column[rows] for name, column in truths.items()},
            [self.groups[row] for row in rows],
            progress=progress,
        )
