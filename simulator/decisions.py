"""decisions.parquet: every request, what was decided, used and charged in each arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from problems import BackrouteError
from simulator.arms import PASSED_THROUGH, Arm
from simulator.joined import JoinedFile
from simulator.models import ModelIndex
from simulator.money import PICO
from simulator.scenario import Scenario
from workloads import BUCKETS, REQUEST
from workloads.counts import MOST_USD
from workloads.own_tables import MOST_COUNTED, checked_batches

GROUP = 65_536  # rows
IDS = ("request_id", "session_id")  # which a dictionary would only repeat
ARMS = ("logged", "baseline", "routed")
NAME = "decisions.parquet"
SCHEMA = pa.schema(
    [REQUEST.field(name) for name in ("request_id", "session_id", "arrived_at")]
    + [("rule", pa.string())]
    + [
        (f"{arm}_{name}", kind)
        for arm in ARMS
        for name, kind in (
            *(("model", pa.string()), *((bucket, pa.float64()) for bucket in BUCKETS)),
            *(("usd_pico", pa.int64()), ("feasible", pa.bool_()), ("provenance", pa.string())),
        )
    ]
)
NEVER_NULL = ("request_id", *(f"{arm}_feasible" for arm in ARMS))
LARGEST = {f"{arm}_{bucket}": MOST_COUNTED for arm in ARMS for bucket in BUCKETS} | {
    f"{arm}_usd_pico": MOST_USD * PICO for arm in ARMS
}


def decision_rows(
    requests: pa.RecordBatch, index: ModelIndex, logged: Arm, baseline: Arm, routed: Arm, scenario: Scenario
) -> pa.Table:
    """One row per request in CONTRACTS' columns; tokens are float64, money int64 picodollars, unknown is null.

    Names of models, rules and provenances are dictionaries here, and strings in the file.
    """
    columns: dict[str, pa.Array] = {name: requests[name] for name in ("request_id", "session_id", "arrived_at")}
    columns["rule"] = rule_names(routed, scenario)
    for name, arm in zip(ARMS, (logged, baseline, routed), strict=True):
        columns[f"{name}_model"] = index.column(arm.model)
        columns |= {f"{name}_{bucket}": tokens for bucket, tokens in arm.counts.tokens().items()}
        columns[f"{name}_usd_pico"] = pa.array(arm.total, mask=~arm.priced)
        columns[f"{name}_feasible"] = pa.array(arm.feasible)
        columns[f"{name}_provenance"] = arm.counts.provenance()
    return pa.table(columns)


def read_decisions(folder: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a replay's folder; see `decision_batches`."""
    wanted = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    return pa.Table.from_batches(decision_batches(folder, wanted.names), wanted)


def decision_batches(folder: Path, columns: Sequence[str] = tuple(SCHEMA.names)) -> Iterator[pa.RecordBatch]:
    """Batches of some columns.

    Args:
        folder: a replay's output folder.
        columns: their names, in SCHEMA's order.

    Raises:
        BackrouteError: it has no decisions, or they are damaged, or not what a replay wrote.
    """
    path = folder / NAME
    if not path.is_file():
        raise BackrouteError(str(folder), f"no {NAME} in it", fix="give the --out folder of a replay")
    held = list(columns)
    wanted = pa.schema([SCHEMA.field(name) for name in held])
    nulls = tuple(name for name in NEVER_NULL if name in held)
    for batch in checked_batches(
        path, lambda _: wanted, "replay the log again", never_null=nulls, largest=LARGEST, columns=held
    ):
        yield batch.select(held)


class DecisionFile:
    """Writes rows in groups of GROUP, however they come, so that one process writes equal decisions as equal files.

    Those that workers encoded are joined as they are. The file appears when it is whole; until then, one of before
    stays as it is.

    Args:
        path: of the Parquet file.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._begun = path, path.with_name(f"{path.name}.partial")
        self._file = self._begun.open("wb")
        self._joined = JoinedFile(self._file)
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def add(self, rows: pa.Table | bytes) -> None:
        """Add the next rows, or what `encoded` made of them."""
        if isinstance(rows, bytes):
            self._joined.add(rows)
            return
        self._waiting.append(rows)
        self._rows += rows.num_rows
        if self._rows >= GROUP:
            held = pa.concat_tables(self._waiting)
            whole = held.num_rows // GROUP * GROUP
            for first in range(0, whole, GROUP):
                self._joined.add(encoded(held.slice(first, GROUP)))
            self._waiting, self._rows = [held.slice(whole)], held.num_rows - whole

    def __enter__(self) -> DecisionFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                if self._rows or not self._joined.begun:
                    self._joined.add(encoded(pa.concat_tables(self._waiting)))
                self._joined.close()
        if kind is None:
            self._begun.replace(self._path)
        else:
            self._begun.unlink()


def encoded(rows: pa.Table) -> bytes:
    """At most GROUP rows as a Parquet file, in which names are strings."""
    columns = [_as_met(each) if pa.types.is_dictionary(each.type) else each for each in rows.columns]
    repeated = [name for name in rows.schema.names if name not in IDS]
    options: dict[str, Any] = {"use_dictionary": repeated, "store_schema": False}  # strings, to who reads it
    options["write_page_checksum"] = True
    sink = pa.BufferOutputStream()
    table = pa.table(columns, rows.schema).combine_chunks()
    pq.write_table(table, sink, compression="zstd", row_group_size=GROUP, **options)
    return bytes(sink.getvalue().to_pybytes())


def _as_met(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The same names in the order in which the rows have them, whatever batches they came in."""
    held = column.combine_chunks()
    met = pc.unique(held.indices).drop_null()
    codes = pc.index_in(held.indices, met, skip_nulls=True).cast(held.type.index_type)
    return pa.DictionaryArray.from_arrays(codes, held.dictionary.take(met))


def rule_names(arm: Arm, scenario: Scenario) -> pa.DictionaryArray:
    """The name of the rule that decided each request; null where none could."""
    names = [rule.name for rule in scenario.router.rules]
    codes = pa.array(np.where(arm.rule == -2, len(names), arm.rule), pa.int32(), mask=arm.rule == -1)
    return pa.DictionaryArray.from_arrays(codes, pa.array([*names, PASSED_THROUGH]))
