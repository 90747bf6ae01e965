"""The daily recipe of docs/production.md, run as it stands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.quality.test_monitor import RULES, calls

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"


def daily(folder: Path, day: str) -> subprocess.CompletedProcess[str]:
    shim = folder / "bin" / "backroute"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m backroute "$@"\n')
    shim.chmod(0o755)
    environment = os.environ | {"PATH": f"{shim.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    command = ["sh", str(EXAMPLES / "daily.sh"), "decisions.jsonl", "rules.yaml", "runs", day]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_recipe_reconciles_reports_and_flags_drift(tmp_path: Path) -> None:
    """The first day makes the forecast and is quiet; on the second every call costs three times as much."""
    rows = []
    for day, longer in ((1, 1.0), (2, 3.0)):
        for row in calls(400, seed=20 + day, live=True, longer=longer):
            row["timestamp"] = f"2026-06-{day:02d}{row['timestamp'][10:]}"
            rows.append(row)
    (tmp_path / "decisions.jsonl").write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    (tmp_path / "rules.yaml").write_text(RULES)
    first, second = (daily(tmp_path, f"2026-06-0{day}") for day in (1, 2))
    assert (first.returncode, second.returncode) == (0, 1), first.stderr + second.stderr
    assert "ALARM: cost of a request" in second.stdout
    for day in (1, 2):
        names = {path.name for path in (tmp_path / "runs" / f"2026-06-0{day}").iterdir()}
        assert names >= {"calls.jsonl", "bill.txt", "report.html", "monitor.html", "summary.json"}
    assert daily(tmp_path, "2026-06-09").returncode == 3


def test_the_workflow_runs_the_same_recipe() -> None:
    workflow = yaml.safe_load((EXAMPLES / "backroute-daily.yml").read_text("utf-8"))
    runs = [step.get("run", "") for step in workflow["jobs"]["daily"]["steps"]]
    assert any("daily.sh decisions.jsonl rules.yaml runs" in run for run in runs)
