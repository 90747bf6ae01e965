"""The command as a newcomer uses it: every verb, every exit code, every mistake."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest

from backroute.cli import VERBS
from tests.command_line import backroute
from tests.simulator.conftest import call

ROOT = Path(__file__).resolve().parents[2]
RULES = """
rules:
  - {name: code, when: {mentions: [code]}, use: openai/gpt-4o-mini, reason: cheap enough}
  - {name: default, use: openai/gpt-4o}
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "log.jsonl", [call(n, prompt="code" if n % 2 else "talk") for n in range(20)])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_replay_leaves_everything_it_promises(log: Path, rules: Path, tmp_path: Path) -> None:
    """20 calls of $0.0035 on gpt-4o; 10 of them cost $0.00021 on mini: $0.07 becomes $0.0371, 47% less."""
    out = tmp_path / "out"
    said = backroute("replay", str(log), "--rules", str(rules), "--out", str(out), "--output-tokens", "as_logged")
    assert said.exit_code == 0
    assert "47" in said.stdout
    assert all(len(line) <= 80 for line in said.stdout.splitlines())
    assert f"Open {out / 'report.html'}" in said.stderr
    names = {path.name for path in out.iterdir()}
    assert names >= {"report.html", "charts", "summary.json", "decisions.parquet", "problems.jsonl", "rules.yaml"}
    summary = json.loads((out / "summary.json").read_text())
    jsonschema.validate(summary, json.loads((ROOT / "simulator" / "summary.schema.json").read_text()))
    assert (summary["baseline"]["usd"], summary["routed"]["usd"]) == ("0.07", "0.0371")
    assert pq.read_table(out / "decisions.parquet").num_rows == 20
    assert json.loads((out / "manifest.json").read_text()) == summary["manifest"]
    copied = ["--output-tokens", "as_logged"]
    again = backroute("replay", str(log), "--rules", str(out / "rules.yaml"), "--out", str(tmp_path / "again"), *copied)
    assert again.stdout.replace("rules", "") == said.stdout.replace("rules", ""), "the rules as used replay alike"


def test_json_on_stdout_is_the_summary_and_prose_stays_on_stderr(log: Path, rules: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = backroute("replay", str(log), "--rules", str(rules), "--out", str(out), "--format", "json")
    assert json.loads(said.stdout) == json.loads((out / "summary.json").read_text())


def test_a_log_comes_through_a_pipe(log: Path, rules: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backroute", "replay", "-", "--rules", str(rules), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, input=log.read_bytes(), capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["log"]["rows"] == 20


def test_output_tokens_are_predicted_copied_or_given(log: Path, rules: Path, tmp_path: Path) -> None:
    """Copied, mini costs $0.00021 a call; at twice the output 0.00015 + 0.00012 = $0.00027: 0.035 + 10 x 0.00027."""
    routed = {}
    for name, option in {
        "fitted": [],
        "copied": ["--output-tokens", "as_logged"],
        "given": ["--output-ratio", "gpt-4o-mini=2"],
    }.items():
        out = tmp_path / name
        assert backroute("replay", str(log), "--rules", str(rules), "--out", str(out), *option).exit_code == 0
        routed[name] = json.loads((out / "summary.json").read_text())["routed"]["usd"]
    assert routed["copied"] == "0.0371"
    assert routed["given"] == "0.0377"
    assert routed["fitted"] not in ("0.0371", "0.0377")


def test_gates_set_the_exit_code(log: Path, rules: Path, tmp_path: Path) -> None:
    arguments = ["replay", str(log), "--rules", str(rules), "--out", str(tmp_path / "out")]
    assert backroute(*arguments, "--min-savings", "1").exit_code == 0
    said = backroute(*arguments, "--min-savings", "60")
    assert said.exit_code == 1
    assert "below --min-savings 60%" in said.stderr


def test_a_log_that_mostly_cannot_be_compared_exits_3_unless_allowed(rules: Path, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [call(0), call(1, usage={"prompt_tokens": 5}), call(2, usage=None)])
    arguments = ["replay", str(log), "--rules", str(rules), "--out", str(tmp_path / "out")]
    said = backroute(*arguments)
    assert said.exit_code == 3
    assert "33.3% of requests" in said.stderr
    assert backroute(*arguments, "--allow-incomplete").exit_code == 0


COUNTED = {
    "predicted": [],
    "copied": ["--output-tokens", "as_logged"],
    "by ratio": ["--output-ratio", "openai/gpt-4o-mini=0.9"],
}


@pytest.mark.parametrize("word", COUNTED)
def test_explain_says_which_tokens_were_not_counted_but_predicted(
    word: str, log: Path, rules: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    backroute("replay", str(log), "--rules", str(rules), "--out", str(out), *COUNTED[word])
    logged, baseline, routed = backroute("explain", str(out), "--request", "r1").stdout.split("\n\n")[1:]
    assert "tokens counted by the provider" in logged
    assert "tokens counted by the provider" in baseline
    assert f"input_uncached recounted, output_text {word}" in " ".join(routed.split())
    arms = json.loads(backroute("explain", str(out), "--request", "r1", "--format", "json").stdout)[0]["arms"]
    said = [[line["counted"] for line in arm["lines"]] for arm in arms]
    assert said == [["as logged"] * 2, ["as logged"] * 2, ["recounted", word]]


@pytest.mark.parametrize("arguments", [["--request", "r1"], ["--request", "r1", "--format", "json"]])
def test_explain_shows_the_rule_and_arithmetic_that_adds_up(
    arguments: list[str], log: Path, rules: Path, tmp_path: Path
) -> None:
    """r1 is code: 1,000 x $0.15 + 100 x $0.60 per million = 0.00015 + 0.00006 = $0.00021."""
    out = tmp_path / "out"
    backroute("replay", str(log), "--rules", str(rules), "--out", str(out), "--output-tokens", "as_logged")
    said = backroute("explain", str(out), *arguments)
    assert said.exit_code == 0
    assert "adds up to" not in said.stdout, "the arithmetic gives the stored charge"
    if "json" not in arguments:
        assert "tokens counted by the provider" in said.stdout.replace("\n", " "), "as logged"
    assert "0.00021" in said.stdout
    assert "0.00015" in said.stdout
    assert "code" in said.stdout


def test_explain_says_why_another_model_has_other_tokens(log: Path, rules: Path, tmp_path: Path) -> None:
    """Meta's template adds 25 tokens and, without a system message, 5; OpenAI's adds 3."""
    out = tmp_path / "out"
    rules.write_text(rules.read_text().replace("openai/gpt-4o-mini", "groq/llama-3.1-8b-instant"))
    backroute("replay", log, "--rules", rules, "--out", out)
    said = " ".join(backroute("explain", out, "--request", "r1").stdout.split())
    assert "llama-3.1-8b-instant counts with" in said
    assert "adds 25 tokens a request and 4 a message, 5 more without a system message" in said
    assert "gpt-4o counts with o200k_base and adds 3 tokens a request and 3 a message" in said
    assert "output 100 -> " in said
    held = json.loads(backroute("explain", out, "--request", "r1", "--format", "json").stdout)[0]
    assert [bool(arm["why"]) for arm in held["arms"]] == [False, False, True]


def test_requests_without_a_price_are_told_beside_the_spend_as_logged(tmp_path: Path, rules: Path) -> None:
    log = write(tmp_path / "log.jsonl", [call(n, model="gpt-4o" if n else "house-model") for n in range(30)])
    out = tmp_path / "out"
    said = " ".join(backroute("replay", log, "--rules", rules, "--out", out).stdout.split())
    assert "and 1 request without a price" in said
    assert "96.7% of 30 requests, 100% of the known logged spend" in said
    assert "Unknown price 1 request on house-model, as logged" in said
    write(log, [call(n, model="house-model") for n in range(30)])
    backroute("replay", log, "--rules", rules, "--out", out)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["as_logged"]["usd"], summary["as_logged"]["unpriced"]) == (None, 30)
    jsonschema.validate(summary, json.loads((ROOT / "simulator" / "summary.schema.json").read_text()))


def test_the_interval_of_one_request_holds_no_draw_without_it(tmp_path: Path, rules: Path) -> None:
    """Over a third of the draws of a bootstrap leave out an only request; they tell nothing of its saving."""
    log = write(tmp_path / "log.jsonl", [call(0, prompt="code")])
    backroute("replay", log, "--rules", rules, "--out", tmp_path / "out")
    savings = json.loads((tmp_path / "out" / "summary.json").read_text())["savings"]
    assert savings["low_pct"] > savings["pct"] - 30
    assert savings["probability_positive"] == 1


def test_check_counts_what_hides_behind_what(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log.jsonl", [call(0, prompt="some python"), call(1, prompt="hello"), call(2, prompt="python " * 50)]
    )
    said = backroute("check", "starter", str(log), "--format", "json")
    rows = {row["rule"]: row for row in json.loads(said.stdout)}
    assert (rows["code"]["matched"], rows["code"]["fired"]) == (2, 1), "the long one alone gets past simple_chat"
    assert "1 of the 2 requests it matches (50%) went to 'simple_chat' before it" in rows["code"]["findings"]
    assert backroute("check", "current").exit_code == 0


def test_check_says_which_rule_cannot_decide_a_log_without_texts_as_replay_does(tmp_path: Path) -> None:
    lines = [{"id": str(at), "model": "gpt-4o", "input_tokens": 9, "output_tokens": 9} for at in range(3)]
    log = write(tmp_path / "log.jsonl", [*lines, call(9, prompt="hello")])
    said = backroute("check", "starter", str(log), "--format", "json")
    rows = {row["rule"]: row for row in json.loads(said.stdout)}
    assert "cannot decide 3 of 4 requests, whose text is not in the log" in rows["simple_chat"]["findings"]
    assert rows["simple_chat"]["fired"] == 1
    last = list(rows.values())[-1]
    assert last["fired"] == 0, "what cannot be decided does not fall to the default"
    assert "earlier rules took, or could not decide, all 4 requests" in last["findings"]


def test_inspect_says_what_a_log_holds(log: Path) -> None:
    said = backroute("inspect", str(log))
    assert said.exit_code == 0
    assert "chat JSONL" in said.stdout
    assert "20" in said.stdout
    assert "provider" in said.stdout


def test_prices_show_their_dates_and_sources() -> None:
    said = backroute("prices", "show", "gpt-4o", "--on", "2024-06-01", "--format", "json")
    (row,) = json.loads(said.stdout)
    assert (row["model"], row["input"], row["output"]) == ("openai/gpt-4o", "5", "15")
    assert row["since"] == "2024-05-13"
    assert "2024-10-02" in backroute("prices", "diff", "2024-09-01", "2024-12-31").stdout
    assert "genai-prices" in backroute("prices", "stale", "--today", "2026-12-01").stdout


def test_the_history_of_prices_has_the_day_that_each_began_and_ended() -> None:
    """gpt-4o cost $5 and $15 from its launch on, and half and two thirds of it from 2024-10-02."""
    said = backroute("prices", "show", "gpt-4o", "--history", "--format", "json")
    first, second, *_ = [row for row in json.loads(said.stdout) if row["tier"] == "standard"]
    assert (first["input"], first["since"], first["until"]) == ("5", "2024-05-13", "2024-10-02")
    assert (second["input"], second["since"], second["until"]) == ("2.5", "2024-10-02", None)
    lines = backroute("prices", "show", "gpt-4o", "claude-sonnet-4-5", "--history").stdout.splitlines()
    assert "openai/gpt-4o, USD per million tokens" in lines
    assert "not stated" not in " ".join(lines)


def test_a_step_that_changes_is_seen_though_the_price_below_it_stays() -> None:
    """Claude Opus 4.6 cost 10 above 200,000 tokens of input, until it cost 5 throughout."""
    said = backroute("prices", "diff", "2026-03-12", "2026-03-13", "--format", "json")
    rows = {(row["model"], row["bucket"]): row for row in json.loads(said.stdout)}
    row = rows["anthropic/claude-opus-4-6", "input_uncached"]
    assert (row["before"], row["after"]) == ("5; 10 >200k in", "5")


@pytest.mark.parametrize("arguments", [("check", "starter"), ("prices", "show", "claude-sonnet-4-5", "gpt-4o")])
def test_a_table_breaks_no_name_of_a_model(arguments: tuple[str, ...]) -> None:
    said = backroute(*arguments).stdout
    assert "anthropic/claude-sonnet-4-5" in said
    assert all(len(line) <= 80 and line == line.rstrip() for line in said.splitlines())


def test_every_unknown_model_of_a_rules_file_is_told_with_the_file_before_the_log_is_read(
    log: Path, tmp_path: Path
) -> None:
    """No request mentions any such word, so that no request would meet the first rule."""
    rules = tmp_path / "mine.yaml"
    never = "{name: never, when: {mentions: [zebra]}, use: groq/llama-3.1-8b-instnt, fallback: [openai/gpt4o]}"
    rules.write_text(f"rules:\n  - {never}\n  - {{name: default, use: openai/gpt-4o}}\n")
    said = backroute("replay", log, "--rules", rules, "--out", tmp_path / "out")
    assert said.exit_code == 2
    assert said.stderr.startswith(f"backroute: {rules}: 2 mistakes\n- rule 'never': unknown model")
    assert "did you mean 'groq/llama-3.1-8b-instant'" in said.stderr
    assert not (tmp_path / "out").exists()


def test_synth_writes_a_log_that_replays(tmp_path: Path) -> None:
    path = tmp_path / "made.jsonl.gz"
    assert backroute("synth", "support-desk", "-n", "200", "-o", str(path)).exit_code == 0
    said = backroute("replay", str(path), "--rules", "case", "--out", str(tmp_path / "out"), "--allow-incomplete")
    assert said.exit_code == 0, said.stderr


def test_report_is_drawn_again_from_its_folder(log: Path, rules: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = backroute("replay", str(log), "--rules", str(rules), "--out", str(out))
    page = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    again = backroute("report", str(out))
    assert again.stdout == first.stdout
    assert (out / "report.html").read_bytes() == page


def test_the_demo_states_the_claim_beside_its_own_result(tmp_path: Path) -> None:
    said = backroute("demo", "--out", str(tmp_path / "demo"))
    assert said.exit_code == 0
    assert "$450 a month becomes $124" in said.stdout
    assert "No traffic at list prices can cost that" in said.stdout
    assert (tmp_path / "demo" / "report.html").exists()


MISTAKES = {
    "no such file": (["replay", "nowhere.jsonl", "--rules", "case", "--out", "OUT"], "no such file"),
    "no such rules": (["replay", "LOG", "--rules", "starrter", "--out", "OUT"], "did you mean 'starter'"),
    "unknown baseline": (
        ["replay", "LOG", "--rules", "case", "--baseline", "openai/gpt-4oo", "--out", "OUT"],
        "gpt-4o",
    ),
    "a name run together": (["replay", "LOG", "--rules", "case", "--baseline", "gpt4o", "--out", "OUT"], "'gpt-4o'"),
    "a part of a name": (["prices", "show", "haiku"], "claude-haiku-4-5"),
    "a log for a result": (["explain", "LOG", "--request", "r1"], "a file, where the folder of a result is wanted"),
    "a result that is not there": (["report", "nowhere"], "no such folder"),
    "bad date": (["replay", "LOG", "--rules", "case", "--prices-as-of", "June", "--out", "OUT"], "not a date"),
    "bad zone": (["inspect", "LOG", "--timezone", "Mars/Base"], "unknown time zone"),
    "bad format": (["inspect", "LOG", "--log-format", "chatt"], "did you mean 'chat'"),
    "unknown verb": (["replya", "LOG"], "did you mean 'replay'"),
    "unknown option": (["replay", "LOG", "--rulez", "x"], "--rulez"),
    "unknown model": (["prices", "show", "gpt-4o-minni"], "gpt-4o-mini"),
    "no summary": (["report", "EMPTY"], "no summary.json"),
    "unknown preset": (["synth", "case-60", "-o", "OUT"], "case-60-25-15"),
    "bad ratio": (["replay", "LOG", "--rules", "case", "--out", "OUT", "--output-ratio", "gpt-4o"], "not MODEL=RATIO"),
    "bad sample rate": (["replay", "LOG", "--rules", "case", "--out", "OUT", "--sample-rate", "7"], "sample rate"),
    "out is a file": (["replay", "LOG", "--rules", "case", "--out", "LOG"], "--out"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"LOG": str(log), "OUT": str(tmp_path / "out"), "EMPTY": str(tmp_path / "empty")}
    result = backroute(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x00\x01\x02" * 100, b"not json\n", b'{"a": 1}\n'])
def test_a_log_without_requests_is_one_line_and_exit_code_2(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    said = backroute("replay", str(path), "--rules", "case", "--out", str(tmp_path / "out"))
    assert said.exit_code == 2
    assert "no request to replay" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    said = backroute(verb, "--help")
    assert said.exit_code == 0
    assert f"backroute {verb}" in said.stdout


def test_help_is_quick_because_it_imports_no_verb() -> None:
    code = (
        "import sys; from backroute.cli import run; run(['--help']); print('pyarrow' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    assert done.stderr.strip() == b"False"


def test_a_model_where_a_command_of_prices_stands_is_told_how() -> None:
    said = backroute("prices", "openai/gpt-4o")
    assert said.exit_code == 2
    assert "`backroute prices show openai/gpt-4o`" in said.stderr


def test_check_with_its_arguments_the_wrong_way_round_says_so() -> None:
    said = backroute("check", "june.jsonl", "rules.yaml")
    assert said.exit_code == 2
    assert "`backroute check rules.yaml june.jsonl`" in said.stderr
