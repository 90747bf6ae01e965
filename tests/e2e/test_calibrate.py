"""From paired live answers to a narrower saving."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quality.pairs import SCHEMA
from tests.command_line import backroute
from tests.simulator.conftest import call

RULES = "rules: [{name: all, use: anthropic/claude-3-haiku}]"
PAIRS = 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose pairs say: on this traffic claude-3-haiku writes 1.3 times as many tokens of its own as gpt-4o."""
    draw = np.random.default_rng(5)
    rows = []
    for n in range(PAIRS):
        tokens = int(draw.lognormal(5.3, 0.4))
        for arm, model, counted in (
            ("baseline", "openai/gpt-4o", tokens),
            ("routed", "anthropic/claude-3-haiku", round(tokens * 1.3 * draw.lognormal(0, 0.1))),
        ):
            buckets = {"input_uncached": 300, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0}
            buckets |= {"output_text": counted, "output_reasoning": 0}
            rows.append({"request_id": f"r{n}", "rule": "all", "arm": arm, "model": model, "weight": 1.0, **buckets})
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / "pairs.parquet")
    (tmp_path / "rules.yaml").write_text(RULES)
    usage = {"prompt_tokens": 300, "completion_tokens": 0}
    log = [call(n, usage=usage | {"completion_tokens": int(draw.lognormal(5.3, 0.4))}) for n in range(PAIRS)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    return tmp_path


def replayed(folder: Path, name: str, *options: str) -> dict[str, float]:
    out = folder / name
    said = backroute(
        "replay", str(folder / "log.jsonl"), "--rules", str(folder / "rules.yaml"), "--out", str(out), *options
    )
    assert said.exit_code == 0, said.stderr
    summary = json.loads((out / "summary.json").read_text())
    rows = pq.read_table(out / "decisions.parquet").to_pandas()
    ratio = rows["routed_output_text"].sum() / rows["logged_output_text"].sum()
    return {"ratio": ratio, "width": summary["savings"]["high_pct"] - summary["savings"]["low_pct"]}


def test_live_pairs_move_the_prediction_to_what_they_show_and_narrow_the_saving(folder: Path) -> None:
    own = folder / "own.json"
    said = backroute("calibrate", str(folder), "-o", str(own))
    assert said.exit_code == 0, said.stderr
    assert f"{PAIRS}" in said.stdout
    before = replayed(folder, "before")
    after = replayed(folder, "after", "--calibration", str(own))
    assert after["ratio"] == pytest.approx(1.3, rel=0.03)
    assert after["width"] < before["width"] / 2


def test_calibrating_without_pairs_says_where_they_come_from(tmp_path: Path) -> None:
    said = backroute("calibrate", str(tmp_path), "-o", str(tmp_path / "own.json"))
    assert said.exit_code == 2
    assert "`backroute verify` writes one" in said.stderr
