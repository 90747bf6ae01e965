"""`backroute audit`, run as a user runs it."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.command_line import Said, backroute
from tests.simulator.claims import LIST, MINI, SMALL


def run(*arguments: str) -> Said:
    return backroute("audit", *arguments)


def test_the_command_says_the_case_is_impossible_and_exits_1() -> None:
    result = run("--case")
    assert result.exit_code == 1
    assert "Impossible: no token volumes at list prices" in result.stdout
    assert "$1,394.67 to $2,305.83" in result.stdout
    assert all(len(row.rstrip()) <= 80 for row in result.stdout.splitlines())


def test_the_command_shows_volumes_for_a_possible_claim_and_exits_0(tmp_path: Path) -> None:
    path = tmp_path / "claim.yaml"
    path.write_text(SMALL.replace("1000", "1667"))
    result = run(str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Possible: some token volumes at list prices" in result.stdout
    assert "For example, these tokens" in result.stdout


def test_the_command_prints_json_and_csv() -> None:
    said = json.loads(run("--case", "--format", "json").stdout)
    assert said["possible"] is False
    assert said["before_usd"] == ["1394.666667", "2305.833333"]
    assert said["slices"][0]["before_usd"] == ["600", "1500"]
    rows = list(csv.DictReader(io.StringIO(run("--case", "--format", "csv").stdout)))
    lows = {row["slice"]: row["before_low_usd"] for row in rows}
    assert lows == {"simple": "600", "analytics": "750", "code": "44.666667"}


def test_json_of_a_possible_claim_carries_volumes_that_cost_the_claimed_line(tmp_path: Path) -> None:
    path = tmp_path / "claim.yaml"
    path.write_text(SMALL.replace("1000", "1667"))
    routed = json.loads(run(str(path), "--format", "json").stdout)["slices"][0]["volume"]["routed"]
    assert abs(Decimal(routed["usd"]) - 100) <= Decimal("0.501")
    assert Decimal(routed["usd"]) == (routed["input"] * LIST[MINI].input + routed["output"] * LIST[MINI].output) / 10**6


@pytest.mark.parametrize("text", ["a: [", SMALL.replace(MINI, "openai/gpt-4o-banana"), SMALL + "nane: x"])
def test_the_command_exits_2_for_a_bad_claim_without_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claim.yaml"
    path.write_text(text)
    result = run(str(path))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert run().exit_code == run(str(path), "--case").exit_code == 2


def test_the_example_of_the_help_is_a_claim_that_can_be_audited(tmp_path: Path) -> None:
    help_text = run("--help").stdout
    example = help_text.split("Example of a claim:\n")[1].split("A slice may also")[0]
    path = tmp_path / "example.yaml"
    path.write_text(example)
    assert run(str(path)).exit_code in (0, 1)
