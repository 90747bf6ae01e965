"""Records already in memory: a list of dicts, or a DataFrame's rows, as the JSON lines they would be in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from problems import BackrouteError, Problem, ProblemLog


@dataclass(frozen=True)
class RecordSource:
    """Records already in memory, as a list of dicts or a DataFrame's rows."""

    records: list[Any]
    name: str = "records"

    def runs(self, problems: ProblemLog) -> Iterator[tuple[list[int], list[bytes]]]:
        """See `Source.runs`: each record as the JSON line it would be in a file."""
        for number, record in enumerate(self.records, 1):
            try:
                line = as_json(record)
            except (TypeError, ValueError, RecursionError) as error:
                said = ("", str(error), "row set aside", "give values that JSON can hold", "not_json")
                problems.add(Problem(self.name, number, *said))
                continue
            yield [number], [line]


def as_json(record: object) -> bytes:
    """A record as the JSON line it would be in a file.

    Raises:
        TypeError, ValueError, RecursionError: a value that JSON cannot hold.
    """
    try:
        return msgspec.json.encode(record, enc_hook=_plain)
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, or a number above 64 bits: json writes both
        return json.dumps(record, default=_plain).encode()


def _plain(value: Any) -> Any:
    """A value that JSON lacks as one that it has: numpy's, pandas', times, the providers' own objects."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if type(value).__name__ in ("NaTType", "NAType"):  # pandas' own nulls
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is nothing that JSON can hold")


def as_records(source: Iterable[Any]) -> list[Any]:
    """A DataFrame's rows, or a list of mappings, as dicts; a missing DataFrame cell is left out.

    Raises:
        BackrouteError: neither of the two, or a DataFrame with two columns of one name.
    """
    pd = sys.modules.get("pandas")  # who holds a DataFrame has imported it
    if pd is not None and isinstance(source, pd.DataFrame):
        if not source.columns.is_unique:
            twice = sorted({str(name) for name in source.columns[source.columns.duplicated()]})
            raise BackrouteError("the DataFrame", f"two columns of one name ({', '.join(twice)})", fix="rename one")
        rows = source.to_dict(orient="records")
        return [{k: v for k, v in row.items() if not (pd.api.types.is_scalar(v) and pd.isna(v))} for row in rows]
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        what = f"not a log (a {type(source).__name__})"
        raise BackrouteError("read_log", what, fix="give a path, several paths, a DataFrame or a list of dicts")
    return list(source)
