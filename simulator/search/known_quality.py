"""What answers were worth, where that is known: one score per request and model, from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from pricing import PriceBook
from problems import BackrouteError, nearest
from simulator.counts import Array

COLUMNS = ("request_id", "model", "score")
PREFERENCES = ("request_id", "model_a", "model_b", "winner")
WINNERS = ("a", "b", "tie")


class KnownQuality:
    """Scores by model and request id.

    Args:
        scores: per canonical "provider/model", the score, 0 to 1, of its answer to each request id.
    """

    def __init__(self, scores: Mapping[str, Mapping[str, float]]) -> None:
        self.scores = scores

    @property
    def models(self) -> list[str]:
        """The models that have scores, by name."""
        return sorted(self.scores)

    def of(self, request_ids: Sequence[str], model: str) -> Array:
        """Float64 per request, NaN where the score of the model's answer is not known."""
        held = self.scores.get(model, {})
        return np.array([held.get(request, np.nan) for request in request_ids], np.float64)


def read_quality(path: Path, book: PriceBook) -> KnownQuality:
    """Outcomes as CSV, JSON lines or Parquet with request_id, model and score; `verify`'s pairs.parquet is such a file.

    Several scores of one answer are averaged; rows without a score are left out.

    Raises:
        BackrouteError: no such file, a column missing, a score outside 0 to 1, or a model no price book knows.
    """
    table = read_table(path)
    _need(table, COLUMNS, path)
    sums: dict[str, dict[str, tuple[float, int]]] = {}
    canonical: dict[str, str] = {}
    for request, model, score in zip(*(_plain(table, name, path) for name in COLUMNS), strict=True):
        if request is None or model is None or score is None:
            continue
        if not 0 <= score <= 1:
            raise BackrouteError(str(path), f"a score outside 0 to 1 ({score})", fix="scale scores to 0 to 1")
        name = canonical.setdefault(model, book.resolve(model) or model)
        total, count = sums.setdefault(name, {}).get(request, (0.0, 0))
        sums[name][request] = (total + score, count + 1)
    if not sums:
        raise BackrouteError(str(path), "no scored answer in it", fix=f"each row needs {', '.join(COLUMNS)}")
    return KnownQuality(
        {model: {at: total / count for at, (total, count) in held.items()} for model, held in sums.items()}
    )


def read_preferences(path: Path, book: PriceBook) -> dict[tuple[str, str], dict[str, float]]:
    """Preferences as CSV, JSON lines or Parquet with request_id, model_a, model_b and winner: a, b or tie.

    Returns:
        Per (weak, strong) pair, in both orders, 1 where the weak one's answer was no worse, else 0, by request id.

    Raises:
        BackrouteError: no such file, a column missing, or another winner.
    """
    table = read_table(path)
    _need(table, PREFERENCES, path)
    found: dict[tuple[str, str], dict[str, float]] = {}
    for request, first, second, winner in zip(*(_plain(table, name, path) for name in PREFERENCES), strict=True):
        if winner not in WINNERS:
            what = f"a winner that is none of {', '.join(WINNERS)} ({winner!r})"
            raise BackrouteError(str(path), what, fix="name the side whose answer was better")
        a, b = book.resolve(first) or first, book.resolve(second) or second
        found.setdefault((a, b), {})[request] = float(winner != "b")
        found.setdefault((b, a), {})[request] = float(winner != "a")
    return found


def read_table(path: Path) -> pa.Table:
    """A table of outcomes or preferences, by the file's ending.

    Raises:
        BackrouteError: it cannot be read.
    """
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
        elif ".csv" in path.suffixes:
            table = pa_csv.read_csv(path)
        else:
            table = pa_json.read_json(path)
        table.column_names  # noqa: B018 - which are no texts where they are not UTF-8
        return table
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        first = str(error).partition("\n")[0]
        raise BackrouteError(str(path), f"cannot be read ({first})", fix="give CSV, JSON lines or Parquet") from error


def _need(table: pa.Table, columns: Sequence[str], path: Path) -> None:
    for name in columns:
        if name not in table.column_names:
            fix = nearest(name, table.column_names) or f"its columns are {', '.join(table.column_names)}"
            raise BackrouteError(str(path), f"no column {name!r}; it takes {', '.join(columns)}", fix=fix)
        if table.column_names.count(name) > 1:
            raise BackrouteError(str(path), f"two columns of one name ({name!r})", fix="leave one out")


def _plain(table: pa.Table, name: str, path: Path) -> list[object]:
    try:
        return pc.cast(table[name], pa.float64() if name == "score" else pa.string()).to_pylist()  # type: ignore[no-any-return]
    except (pa.ArrowException, UnicodeDecodeError) as error:
        fix = "give numbers" if name == "score" else "give texts"
        raise BackrouteError(str(path), f"`{name}` holds something else ({error})", fix=fix) from error
