"""A replay's folder that was damaged or altered: every command that reads it says what is wrong, and where."""

import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulator.decisions import SCHEMA
from tests.command_line import Said, backroute
from tests.simulator.conftest import call

RULES = "rules: [{name: code, when: {mentions: [code]}, use: openai/gpt-4o-mini}, {name: rest, use: openai/gpt-4o}]"
OF_DECISIONS = (
    *(("explain", "--request", "r3"), ("monitor",), ("report", "--to", "csv"), ("report", "--to", "focus")),
    ("ab", "plan"),
    ("verify", "--max-usd", "5", "--dry-run", "--judge", "openai/gpt-4o"),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A replay as it was written."""
    made = tmp_path_factory.mktemp("replayed")
    (made / "rules.yaml").write_text(RULES)
    counted = [{"prompt_tokens": 1000 + 9 * n, "completion_tokens": 100} for n in range(8)]
    texts = [f"{'code' if n % 2 else 'talk'} {n}" for n in range(8)]
    calls = [call(n, prompt=text, usage=usage) for n, (text, usage) in enumerate(zip(texts, counted, strict=True))]
    (made / "log.jsonl").write_text("".join(json.dumps(each) + "\n" for each in calls))
    given = (str(made / "log.jsonl"), "--rules", str(made / "rules.yaml"), "--out", str(made / "out"))
    assert backroute("replay", *given).exit_code == 0
    return made


@pytest.fixture
def out(folder: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(folder / "out", tmp_path / "out")
    return tmp_path / "out"


def asked(folder: Path, out: Path, command: tuple[str, ...]) -> Said:
    """What a command says of a replay's folder."""
    log = str(folder / "log.jsonl")
    if command[0] == "monitor":
        return backroute("monitor", log, "--against", str(out))
    if command[0] == "verify":
        return backroute("verify", str(out), "--log", log, *command[1:])
    at = 2 if command[0] == "ab" else 1
    return backroute(*command[:at], str(out), *command[at:])


def test_what_a_replay_writes_is_what_is_read(folder: Path) -> None:
    held = pq.read_table(folder / "out" / "decisions.parquet")
    assert held.schema.equals(SCHEMA)
    for command in OF_DECISIONS:
        assert asked(folder, folder / "out", command).exit_code in (0, 1)


def test_decisions_cut_short_or_with_a_byte_changed_are_refused_or_read(folder: Path, out: Path) -> None:
    draw, path = random.Random(5), out / "decisions.parquet"
    whole = path.read_bytes()
    for n in range(40):
        data = bytearray(whole)
        data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data if draw.random() < 0.7 else data[: draw.randrange(len(data))])
        said = asked(folder, out, OF_DECISIONS[n % len(OF_DECISIONS)])
        assert said.exit_code in (0, 1, 2), said.stderr


def put(name: str, value: Any, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    """Another column in the place of one."""
    return lambda table: table.set_column(
        table.column_names.index(name), name, pa.array([value] * table.num_rows, kind)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop_columns(["routed_usd_pico"]), "a column is missing ('routed_usd_pico')"),
        (put("baseline_usd_pico", 9.5, pa.float64()), "column 'baseline_usd_pico' is of another type (double)"),
        (put("routed_usd_pico", 2**63 - 1, pa.int64()), "column 'routed_usd_pico' has a value above"),
        (put("arrived_at", 2**62, pa.timestamp("us", "UTC")), "column 'arrived_at' has a time outside 2015 to 2099"),
        (put("routed_output_text", math.nan, pa.float64()), "column 'routed_output_text' has a value that is no num"),
    ],
)
def test_decisions_that_were_altered_say_where(
    folder: Path, out: Path, change: Callable[[pa.Table], pa.Table], said: str
) -> None:
    path = out / "decisions.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    some = 6 if "routed_usd_pico" in said else 4  # the last two do not look at every column
    for command in OF_DECISIONS[:some]:
        told = asked(folder, out, command)
        assert (told.exit_code, said in told.stderr) == (2, True), (command, told.stderr)
        assert "replay the log again" in told.stderr


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("schema",), 7, "unknown schema (7)"),
        (("log", "rows"), -1, "log.rows must be bigger than or equal to 0 (-1)"),
        (("log", "first"), "2026-02-30", "log.first must be date"),
        (("savings", "pct"), math.nan, "no number: NaN"),
        (("savings", "low_pct"), 1e300, "savings.low_pct must be smaller than"),
        (("routed", "usd"), "9" * 40, "routed.usd must match pattern"),
        (("routed", "usd"), 5, "routed.usd must be string or null"),
        (("compared", "by_rule", 0, "before_usd"), "x", "compared.by_rule[0].before_usd must match pattern"),
        (("prices", 0, "bucket"), "input", "prices[0].bucket must match pattern"),
        (("quality", "slices"), [{}], "quality.slices[0] must contain"),
        (("waterfall",), None, "waterfall must be object"),
        (("new",), 1, "must not contain {'new'} properties"),
    ],
)
def test_a_summary_that_was_altered_says_where(
    folder: Path, out: Path, place: tuple[Any, ...], value: Any, said: str
) -> None:
    summary = json.loads((out / "summary.json").read_text())
    held = summary
    for key in place[:-1]:
        held = held[key]
    held[place[-1]] = value
    (out / "summary.json").write_text(json.dumps(summary))
    for command in (("report",), ("explain", "--request", "r3"), ("monitor",), ("compare", str(folder / "out"))):
        told = asked(folder, out, command)
        assert (told.exit_code, said in told.stderr) == (2, True), (command, told.stderr)
        assert "replay the log again" in told.stderr
