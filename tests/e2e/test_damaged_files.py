"""What backroute wrote and somebody altered or cut short is refused by name, and never ends in a traceback."""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quality.pairs import SCHEMA
from tests.command_line import backroute
from tests.simulator.conftest import call

RULES = "rules: [{name: code, when: {mentions: [code]}, use: openai/gpt-4o-mini}, {name: rest, use: openai/gpt-4o}]"
BUCKETS = dict.fromkeys(("cache_read", "cache_write_5m", "cache_write_1h", "output_reasoning"), 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile, pairs and a calibration as they were written."""
    made = tmp_path_factory.mktemp("written")
    (made / "rules.yaml").write_text(RULES)
    (made / "log.jsonl").write_text("".join(json.dumps(call(n, prompt=f"code {n}")) + "\n" for n in range(5)))
    (made / "salt").write_bytes(bytes(32))  # a random one makes other bytes in every run
    given = ("--rules", str(made / "rules.yaml"), "--salt-file", str(made / "salt"))
    assert backroute("profile", str(made / "log.jsonl"), *given, "-o", str(made / "p.parquet")).exit_code == 0
    rows = [
        {"request_id": f"r{n}", "arm": arm, "model": model, "input_uncached": 300, "output_text": 100 + n, **BUCKETS}
        for n in range(40)
        for arm, model in (("baseline", "openai/gpt-4o"), ("routed", "openai/gpt-4o-mini"))
    ]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), made / "pairs.parquet")
    assert backroute("calibrate", str(made), "-o", str(made / "own.json")).exit_code == 0
    return made


def replayed(folder: Path, path: Path, *options: str) -> str:
    """What is said of a replay; "" where it is done."""
    rules = str(folder / "rules.yaml")
    said = backroute("replay", str(path), "--rules", rules, "--out", str(path.parent / "out"), *options)
    assert said.exit_code in (0, 2), said.stderr
    return said.stderr if said.exit_code else ""


def calibrated(pairs: Path, *options: str) -> str:
    """What is said of a calibration; "" where it is done."""
    said = backroute("calibrate", str(pairs), "-o", str(pairs / "new.json"), *options)
    assert said.exit_code in (0, 2), said.stderr
    return said.stderr if said.exit_code else ""


def rewritten(source: Path, path: Path, change: Callable[[pa.Table], pa.Table], about: bytes = b"") -> Path:
    """A Parquet file with other columns, and its metadata or another."""
    held = {name: value for name, value in pq.read_metadata(source).metadata.items() if name != b"ARROW:schema"}
    held |= {b"backroute_profile": about} if about else {}
    pq.write_table(change(pq.read_table(source)).replace_schema_metadata(held), path)
    return path


def put(name: str, values: Any) -> Callable[[pa.Table], pa.Table]:
    """Another column in the place of one; numbers may be put where times were."""

    def change(table: pa.Table) -> pa.Table:
        column = pa.array(values * table.num_rows)
        held = table.schema.field(name).type
        kept = pa.types.is_timestamp(held) or pa.types.is_decimal(held)
        return table.set_column(table.column_names.index(name), name, column.cast(held) if kept else column)

    return change


def test_a_file_cut_short_or_with_a_byte_changed_is_refused_or_read(folder: Path, tmp_path: Path) -> None:
    draw = random.Random(3)
    for name, run in (
        ("p.parquet", lambda path: replayed(folder, path)),
        ("pairs.parquet", lambda p: calibrated(p.parent)),
    ):
        whole = (folder / name).read_bytes()
        for _ in range(12):
            data = bytearray(whole)
            data[draw.randrange(len(data))] = draw.randrange(256)
            (tmp_path / name).write_bytes(data if draw.random() < 0.7 else data[: draw.randrange(len(data))])
            run(tmp_path / name)


def test_a_byte_changed_in_a_column_is_found_by_its_checksum(folder: Path, tmp_path: Path) -> None:
    data = bytearray((folder / "p.parquet").read_bytes())
    group = pq.read_metadata(folder / "p.parquet").row_group(0)
    held = {group.column(at).path_in_schema: group.column(at) for at in range(group.num_columns)}
    column = held["output_text"]
    data[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 1
    (tmp_path / "p.parquet").write_bytes(data)
    assert "damaged, or no Parquet file (could not verify page integrity" in replayed(folder, tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop_columns(["length"]), "a column is missing ('length')"),
        (put("output_text", ["many"]), "column 'output_text' is of another type (string)"),
        (put("messages", [5]), "column 'messages' is of another type (int64)"),
        (put("input_uncached", [-3]), "column 'input_uncached' has a value below 0 (-3)"),
        (put("input_uncached", [10**18]), "column 'input_uncached' has a value above 10,000,000 (1000000000000000000)"),
        (put("latency_ms", [float("nan")]), "column 'latency_ms' has a value that is no number"),
        (put("input_tokens", [1e300]), "column 'input_tokens' has a value above"),
        (put("recorded_usd", [Decimal("-1")]), "column 'recorded_usd' has a value below 0"),
        (put("arrived_at", [-4105502544961892352]), "column 'arrived_at' has a time outside 2015 to 2099"),
        (put("arrived_at", [2**62]), "column 'arrived_at' has a time outside 2015 to 2099 (4611686018427387904 us"),
        (
            lambda table: table.set_column(
                table.column_names.index("messages"),
                "messages",
                pa.array([dict.fromkeys((field.name for field in table["messages"].type), 2**62)] * table.num_rows),
            ),
            "column 'messages.",
        ),
        (lambda table: table.append_column("model", table["model"]), "two columns of one name ('model')"),
    ],
)
def test_a_profile_that_was_altered_says_where(
    folder: Path, tmp_path: Path, change: Callable[[pa.Table], pa.Table], said: str
) -> None:
    told = replayed(folder, rewritten(folder / "p.parquet", tmp_path / "q.parquet", change))
    assert said in told
    assert "make it again with `backroute profile`" in told


@pytest.mark.parametrize("about", [b"{}", b"\xff", b"[]", b'{"version": 1}', b'{"version": 9}'])
def test_a_profile_that_says_something_else_of_itself_is_refused(folder: Path, tmp_path: Path, about: bytes) -> None:
    told = replayed(folder, rewritten(folder / "p.parquet", tmp_path / "q.parquet", lambda table: table, about))
    assert "profile" in told


def test_pairs_that_were_altered_say_where_and_none_are_calibrated_to_nothing(folder: Path, tmp_path: Path) -> None:
    def changed(change: Callable[[pa.Table], pa.Table]) -> str:
        rewritten_to = tmp_path / "pairs.parquet"
        pq.write_table(change(pq.read_table(folder / "pairs.parquet")), rewritten_to)
        return calibrated(tmp_path)

    assert "a column is missing ('arm')" in changed(lambda table: table.drop_columns(["arm"]))
    assert "column 'output_text' is of another type (double)" in changed(put("output_text", [1.5]))
    nameless = pa.nulls(80, pa.string())
    assert "'model' lacks a value in 80 rows" in changed(lambda t: t.set_column(4, "model", nameless))
    assert changed(lambda table: table.slice(0, 0)) == ""


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("cells", "level"), [5.0], "the lists of cells differ in length"),
        (("cells", "model", 0), 10**6, "a cell's model is not among those listed"),
        (("cells", "task", 0), -1, "$.cells.task[0]"),
        (("cells", "variance", 3), "x", "$.cells.variance[3]"),
        (("models", 0), 7, "$.models[0]"),
        (("scales", "model"), float("nan"), "$.scales"),
        (("reasoning",), {}, "no general prior"),
        (("runaway", "cap"), 0, "$.runaway.cap"),
    ],
)
def test_a_calibration_that_was_altered_says_where(
    folder: Path, tmp_path: Path, place: tuple[Any, ...], value: Any, said: str
) -> None:
    raw = json.loads((folder / "own.json").read_text())
    held = raw
    for key in place[:-1]:
        held = held[key]
    held[place[-1]] = value
    (tmp_path / "own.json").write_text(json.dumps(raw))
    told = replayed(folder, folder / "log.jsonl", "--calibration", str(tmp_path / "own.json"))
    assert "not a parameter file" in told
    assert said in told
    assert said in calibrated(folder, "--from", str(tmp_path / "own.json"))
