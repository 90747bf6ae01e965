"""RouterBench's wide table: one row a prompt, with every model's answer, cost and score. An outcome table, no log.

arxiv.org/abs/2403.12031. No column says which model served the prompt, and no tokens were counted, so nothing was paid
that a replay could be held against. A mapping file can read one model's columns as its log.
"""

from __future__ import annotations

from datetime import tzinfo

from workloads.formats.envelope import Record
from workloads.rows import Row, RowError

NAME = "outcome table"

MARKS = ("|total_cost", "|model_response")


def detect(record: Record) -> str | None:
    """Why this record holds outcomes of many models; None when it does not."""
    mark = next((key for key in record if key.endswith(MARKS)), None)
    return None if mark is None else f"it has `{mark}`: one column for each model"


def read(record: Record, zone: tzinfo) -> Row:  # noqa: ARG001 - there is no row to place in time
    """Nothing but the reason why.

    Raises:
        RowError: always.
    """
    models = sorted({key.rpartition("|")[0] for key in record if key.endswith(MARKS)})
    fix = "it names no model that was used: --mapping reads one model's columns as its log (docs/log-formats.md)"
    raise RowError("", ", ".join(models), "outcomes_of_many_models", fix)
