"""How the tests of formats read a log: its rows as dicts, and its problems."""

from typing import Any

import pyarrow as pa

from problems import ProblemLog
from workloads import OUTCOME, REQUEST, read_log


def read(source: Any, **options: Any) -> tuple[list[dict[str, Any]], ProblemLog]:
    """Each call's arrival and outcome columns as one dict, and what was noted."""
    problems = ProblemLog()
    both = list(read_log(source, **options).batches(problems=problems))
    requests = pa.Table.from_batches([requests for requests, _ in both], REQUEST)
    outcomes = pa.Table.from_batches([outcomes for _, outcomes in both], OUTCOME)
    requests.validate(full=True)
    outcomes.validate(full=True)
    return [{**asked, **came} for asked, came in zip(requests.to_pylist(), outcomes.to_pylist(), strict=True)], problems


def not_calls(problems: ProblemLog) -> dict[str, int]:
    """How many records were no calls, by kind."""
    mark = "not_a_call: "
    return {kind.removeprefix(mark): count for kind, count in problems.counts.items() if kind.startswith(mark)}


def buckets(row: dict[str, Any]) -> tuple[int | None, ...]:
    """uncached, read, written for 5 minutes, for an hour, output text, output reasoning."""
    names = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output_text", "output_reasoning")
    return tuple(row[name] for name in names)
