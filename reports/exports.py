"""The figures as data: every breakdown and every request as CSV or Parquet, money exact."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reports.summary import Summary
from simulator.decisions import read_decisions

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["csv", "parquet"]
BREAKDOWNS = ("by_rule", "by_model", "by_day", "sensitivity")
PICO = 12  # decimals of a dollar


def write_tables(summary: Summary, folder: Path, kind: Kind) -> list[Path]:
    """Write `tables/` into a replay's folder: the headline's breakdowns, the prices, and a row a request.

    Money is exact: decimal text in CSV, decimal128 in Parquet. Requests come from `decisions.parquet`, with columns in
    dollars beside those in picodollars.

    Raises:
        BackrouteError: the folder has no decisions, or cannot be written.
    """
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    from reports.write import written_to

    tables = {name.replace("_", "-"): breakdown(summary["compared"][name]) for name in BREAKDOWNS}
    tables["prices"] = breakdown(summary["prices"])
    tables["dearer"] = breakdown(summary["compared"]["dearer"]["costliest"])
    tables["requests"] = requests(folder)
    out, written = folder / "tables", []
    with written_to(out):
        for name, table in tables.items():
            if table is None:
                continue
            path = out / f"{name}.{kind}"
            csv.write_csv(table, path) if kind == "csv" else pq.write_table(table, path, compression="zstd")
            written.append(path)
    return written


def breakdown(rows: list[dict[str, Any]]) -> "pa.Table | None":
    """Rows of a summary as a table, money as decimals; None where there are none."""
    import pyarrow as pa

    if not rows:
        return None
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if "usd" in name:
            money = [None if value is None else Decimal(value) for value in values]
            columns[name] = pa.array(money, pa.decimal128(38, PICO))
        else:
            columns[name] = pa.array(values)
    return pa.table(columns)


def requests(folder: Path) -> "pa.Table":
    """A row a request, `decisions.parquet` with its money in dollars too.

    Raises:
        BackrouteError: there is none.
    """
    rows = read_decisions(folder)
    for at, name in reversed(list(enumerate(rows.column_names))):
        if name.endswith("_usd_pico"):
            rows = rows.add_column(at + 1, name.removesuffix("_pico"), dollars(rows[name]))
    return rows


def dollars(pico: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Picodollars, int64, as exact decimals in USD."""
    import pyarrow as pa

    kind = pa.decimal128(38, PICO)
    # A decimal of no places read as one of twelve is the same integer, divided by 10^12.
    parts = [
        pa.Array.from_buffers(kind, len(part), part.buffers(), part.null_count, part.offset)
        for part in pico.cast(pa.decimal128(19, 0)).chunks
    ]
    return pa.chunked_array(parts, kind)
