"""What learned rules say of one request, and the examples it is most like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from problems import BackrouteError, ProblemLog
from problems.problem import masked
from router import Features, LLMRouter
from router.conditions import Condition, leaves
from router.scored import Score
from router.semantic.tasks import CORE, MINILM, utterances
from workloads import Log

MOST_EXAMPLES = 2_000  # of the log, from its beginning
NEAREST = 3
SHOWN = 80  # characters of an example


@dataclass(frozen=True)
class Near:
    """An example: how alike (cosine), what it is said to be, and its beginning."""

    similarity: float
    said: str
    text: str


@dataclass(frozen=True)
class Scored:
    """One condition on a learned score: its words, the score, whether it holds, and the nearest examples."""

    words: str
    value: float
    holds: bool
    nearest: list[Near]


def scored_request(log: Log, router: LLMRouter, request_id: str) -> list[Scored]:
    """Every learned score that the rules ask of a request.

    Examples are the utterances written for this project, for the models that come with it, and the log's own requests,
    named by their label or by the rule that they go to.

    Raises:
        BackrouteError: the log has no such request, or not its text.
    """
    asked = [
        each
        for rule in router.rules
        if isinstance(rule.condition, Condition)
        for each in leaves(rule.condition)
        if isinstance(each, Score)
    ]
    if not asked:
        return []
    row, examples = _read(log, router, request_id)
    features = router.features(row)
    text = row["prompt"][0].as_py()
    if text is None:
        raise BackrouteError(log.name, f"it holds no text of {request_id!r}", fix="give the log with its texts")
    return [_scored(each, features, text, examples) for each in dict.fromkeys(asked)]


def _scored(asked: Score, features: Features, text: str, examples: Sequence[tuple[str, str]]) -> Scored:
    name = getattr(asked, "model", CORE)
    ours = [(said, f"our example of {task}") for said, task in utterances()] if name in (CORE, MINILM) else []
    held = [*examples, *ours]
    alike: list[float] = asked.scorer.similarity(text, [said for said, _ in held]).tolist() if held else []
    order = sorted(range(len(held)), key=lambda at: -alike[at])[:NEAREST]
    nearest = [Near(round(alike[at], 3), held[at][1], _short(held[at][0])) for at in order if alike[at] > 0]
    return Scored(str(asked), float(asked.score(features)[0].as_py()), asked.evaluate(features)[0].as_py(), nearest)


def _read(log: Log, router: LLMRouter, request_id: str) -> tuple[pa.RecordBatch, list[tuple[str, str]]]:
    """The request, and other texts of the log with what they are said to be."""
    row: pa.RecordBatch | None = None
    examples: list[tuple[str, str]] = []
    for requests, _ in log.batches(problems=ProblemLog()):
        mine = pc.equal(requests["request_id"], request_id)
        if row is None and pc.any(mine).as_py():
            row = requests.filter(mine).slice(0, 1)
        if len(examples) < MOST_EXAMPLES:
            others = requests.filter(pc.and_(pc.invert(mine), requests["prompt"].is_valid())).slice(0, MOST_EXAMPLES)
            chosen = router.route_batch(others).chosen.tolist()
            columns = zip(others["prompt"].to_pylist(), others["label"].to_pylist(), chosen, strict=True)
            for text, label, rule in columns:
                named = (
                    f"labelled {label}" if label else f"went to {router.rules[rule].name}" if rule >= 0 else "undecided"
                )
                examples.append((text, f"in your log, {named}"))
        elif row is not None:
            break
    if row is None:
        raise BackrouteError(log.name, f"no request {request_id!r} in it", fix="give the log that was replayed")
    return row, examples[:MOST_EXAMPLES]


def _short(text: str) -> str:
    said = " ".join(masked(text).split())
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}..."
