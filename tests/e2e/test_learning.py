import csv
import json
from pathlib import Path

import pytest

from router import load_rules
from tests.command_line import backroute

EASY, HARD = "say hello to guest number {}", "prove the theorem with number {}"
MINI, FULL = "openai/gpt-4o-mini", "openai/gpt-4o"
RULES = """rules:
- name: simple
  when: {length: {below: 30}}
  use: openai/gpt-4o-mini
- name: default
  use: openai/gpt-4o
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of easy and hard requests, what each model's answers were worth, and rules."""
    where = tmp_path_factory.mktemp("learning")
    with (where / "log.jsonl").open("w") as log, (where / "scores.csv").open("w") as scores:
        table = csv.writer(scores)
        table.writerow(["request_id", "model", "score"])
        for n in range(120):
            call = {"request_id": f"r{n}", "model": "gpt-4o", "label": "chat" if n % 2 else "reasoning"}
            call |= {"prompt": (EASY if n % 2 else HARD).format(n), "session_id": f"s{n // 3}"}
            log.write(json.dumps(call | {"usage": {"prompt_tokens": 500, "completion_tokens": 50}}) + "\n")
            table.writerows([[f"r{n}", MINI, n % 2], [f"r{n}", FULL, 1]])
    (where / "rules.yaml").write_text(RULES)
    return where


def sweep_arguments(folder: Path) -> list[str]:
    return [str(folder / "log.jsonl"), "--rules", str(folder / "rules.yaml"), "--param", "simple.length.below=20:40:5"]


def test_a_sweep_shows_cost_against_quality_and_draws_it(folder: Path, tmp_path: Path) -> None:
    scores = ["--outcomes", str(folder / "scores.csv")]
    said = backroute("sweep", *sweep_arguments(folder), *scores, "--out", str(tmp_path))
    assert said.exit_code == 0, said.stderr
    assert "APGR" in said.stdout
    assert "oracle" in said.stdout
    drawing = (tmp_path / "sweep.svg").read_text()
    assert "Best in hindsight" in drawing
    assert FULL in drawing
    held = json.loads((tmp_path / "sweep.json").read_text())
    again = backroute("sweep", *sweep_arguments(folder), *scores, "--format", "json")
    assert json.loads(again.stdout) == held
    assert held["settings"][2]["quality"] == 1.0  # 30: every easy request, and no hard one, is shorter


def test_a_sweep_without_outcomes_says_that_it_is_cost_alone(folder: Path, tmp_path: Path) -> None:
    said = backroute("sweep", *sweep_arguments(folder), "--out", str(tmp_path))
    assert said.exit_code == 0, said.stderr
    assert "cost alone" in said.stdout
    assert "quality" not in said.stdout.splitlines()[1]
    assert "no quality is known" in (tmp_path / "sweep.svg").read_text()


def test_tune_writes_the_cheapest_rules_that_keep_the_floor(folder: Path, tmp_path: Path) -> None:
    scores = ["--outcomes", str(folder / "scores.csv"), "--min-quality", "0.99", "-o", str(tmp_path / "tuned.yaml")]
    said = backroute("tune", *sweep_arguments(folder), *scores)
    assert said.exit_code == 0, said.stderr
    assert "simple.length.below=30" in said.stdout
    assert "below: 30" in (tmp_path / "tuned.yaml").read_text()


def test_a_floor_out_of_reach_is_one_line_and_exit_code_2(folder: Path) -> None:
    arguments = [*sweep_arguments(folder)[:-1], "simple.length.below=500", "--min-quality", "0.99"]
    said = backroute("tune", *arguments, "--outcomes", str(folder / "scores.csv"))
    assert said.exit_code == 2
    assert "no setting keeps a quality of 0.99" in said.stderr


def test_what_train_learns_rules_can_ask(folder: Path, tmp_path: Path) -> None:
    log = str(folder / "log.jsonl")
    for what, more in (
        ("task", []),
        ("quality", ["--outcomes", str(folder / "scores.csv"), "--pair", "gpt-4o-mini", "gpt-4o"]),
    ):
        said = backroute("train", log, "--label", what, *more, "-o", str(tmp_path / f"{what}.npz"))
        assert said.exit_code == 0, said.stderr
        assert "Brier" in said.stdout or "macro-F1" in said.stdout
    (tmp_path / "rules.yaml").write_text(
        "rules:\n"
        f"- {{name: chat, when: {{task: {{chat: {{at_least: 0.5}}, model: {tmp_path}/task.npz}}}}, use: {MINI}}}\n"
        f"- {{name: weak, when: {{weak_suffices: {{weak: {MINI}, strong: {FULL}, at_least: 0.5,"
        f" model: {tmp_path}/quality.npz}}}}, use: {MINI}}}\n"
        f"- {{name: rest, use: {FULL}}}\n"
    )
    router = load_rules(tmp_path / "rules.yaml")
    assert router.route(EASY.format(5)).name == "chat"
    assert router.route(HARD.format(5)).name == "rest"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "LOG", "--label", "quality", "-o", "x.npz"], "give --outcomes or --preferences"),
        (["train", "LOG", "--label", "task", "-o", "/nowhere/x.npz"], "cannot be written"),
        (["sweep", "LOG", "--rules", "RULES", "--param", "simple.lenth.below=1:2:1"], "simple.length.below"),
        (["sweep", "LOG", "--rules", "RULES", "--param", "simple.length.below=1"], ""),
        (["sweep", "LOG", "--rules", "RULES", "--param", "simple"], "not PATH=FROM:TO:STEP"),
        (["sweep", "LOG", "--rules", "RULES", "--param", "simple.length.below=1", "--outcomes", "no.csv"], "no.csv"),
        (["tune", "LOG", "--rules", "RULES", "--param", "simple.length.below=1", "--min-quality", "1"], "--outcomes"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], said: str, folder: Path) -> None:
    places = {"LOG": str(folder / "log.jsonl"), "RULES": str(folder / "rules.yaml")}
    result = backroute(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == (2 if said else 0)
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_explain_shows_the_score_and_the_nearest_examples(folder: Path, tmp_path: Path) -> None:
    log = str(folder / "log.jsonl")
    (tmp_path / "rules.yaml").write_text(
        "rules:\n"
        f"- {{name: proofs, when: {{task: {{reasoning: {{at_least: 0.5}}}}}}, use: {FULL}}}\n"
        f"- {{name: rest, use: {MINI}}}\n"
    )
    out = str(tmp_path / "out")
    assert backroute("replay", log, "--rules", str(tmp_path / "rules.yaml"), "--out", out).exit_code in (0, 3)
    said = backroute("explain", out, "--request", "r4", "--log", log)
    assert said.exit_code == 0, said.stderr
    assert "task('reasoning') >= 0.5: 0." in said.stdout
    assert "in your log, labelled reasoning: prove the theorem" in said.stdout
    plain = backroute("explain", out, "--request", "r4")
    assert "score" not in plain.stdout


def test_a_log_without_labels_is_told_what_training_needs(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(json.dumps({"model": "gpt-4o", "prompt": "hello"}) + "\n")
    said = backroute("train", str(tmp_path / "log.jsonl"), "--label", "task", "-o", str(tmp_path / "own.npz"))
    assert said.exit_code == 2
    assert "no request has both a text and a `label`" in said.stderr
