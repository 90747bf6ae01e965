"""`backroute verify` as a user calls it, and over real sockets when it is killed."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest

from problems import BackrouteError
from router.providers.base import ProviderFault
from tests.command_line import Said, backroute
from tests.quality.stand_ins import StandIn, write_lines

ROOT = Path(__file__).resolve().parents[2]
BEFORE_THE_KILL = 12  # requests
CONTRACT = [
    *("request_id", "rule", "task", "arm", "model", "input_uncached", "cache_read", "cache_write_5m", "cache_write_1h"),
    *("output_text", "output_reasoning", "latency_ms", "completion", "score", "judge", "weight", "usd_pico"),
]


@pytest.fixture
def case(folder: tuple[Path, Path]) -> tuple[Path, Path, Path]:
    """A log, its replay and right answers: the logged answers are right."""
    log, out = folder
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    gold = [{"request_id": row["request_id"], "gold": row["response"]} for row in rows]
    return log, out, write_lines(out / "gold.jsonl", gold)


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> dict[str, StandIn]:
    held = {name: StandIn(name, lambda _, text: text.split()[-1]) for name in ("openai", "groq")}
    monkeypatch.setattr("router.providers.provider", held.__getitem__)
    return held


def verify(case: tuple[Path, Path, Path], *more: str) -> Said:
    log, out, gold = case
    return backroute("verify", str(out), "--log", str(log), "--gold", str(gold), "--max-usd", "5", *more)


def test_the_verdict_reaches_the_summary_and_the_report(
    case: tuple[Path, Path, Path], sides: dict[str, StandIn]
) -> None:
    said = verify(case, "--sample", "400", "--yes")
    assert said.exit_code == 0, said.stderr
    assert "as good" in said.stdout
    summary = json.loads((case[1] / "summary.json").read_text())
    jsonschema.validate(summary, json.loads((ROOT / "simulator" / "summary.schema.json").read_text()))
    quality = summary["quality"]
    assert quality["checked"]
    assert [row["verdict"] for row in quality["slices"]] == ["as good", "as good"]
    parts = [row["saving_usd"] for row in quality["slices"]]
    assert float(quality["verified_savings_usd"]) == pytest.approx(sum(map(float, parts)))
    rules = [row for row in summary["by_rule"] if row["rule"] != "default"]
    saved = sum(float(row["baseline_usd"]) - float(row["routed_usd"]) for row in rules)
    assert float(quality["verified_savings_usd"]) == pytest.approx(saved), "every request of these rules was checkable"
    assert "is verified" in (case[1] / "report.html").read_text()
    assert sum(sides["openai"].calls.values()) + sum(sides["groq"].calls.values()) <= 80
    table = pq.read_table(case[1] / "pairs.parquet")
    assert table.column_names == CONTRACT
    assert all(len(line) <= 80 for line in said.stdout.splitlines() if not line.startswith("Differences"))


def test_a_dry_run_shows_cost_power_and_needs_and_sends_nothing(
    case: tuple[Path, Path, Path], sides: dict[str, StandIn]
) -> None:
    said = verify(case, "--dry-run")
    assert said.exit_code == 0
    assert "80% needs" in said.stdout
    assert "Cost: about $0.01" in said.stdout
    assert "to groq and openai" in said.stdout
    plan = json.loads(verify(case, "--dry-run", "--format", "json").stdout)
    assert plan["providers"] == ["groq", "openai"]
    assert plan["calls"] == plan["requests_drawn"] <= 80
    assert not any(side.calls for side in sides.values())
    assert not (case[1] / "verify.jsonl").exists()


def test_without_yes_and_without_a_terminal_nothing_is_sent(
    case: tuple[Path, Path, Path], sides: dict[str, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115, PTH123
    said = verify(case)
    sys.stdin.close()
    assert said.exit_code == 2
    assert "add --yes or --dry-run" in said.stderr
    assert not any(side.calls for side in sides.values())


def test_a_provider_that_fails_ends_with_4_and_the_same_command_goes_on(
    case: tuple[Path, Path, Path], sides: dict[str, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quality.run.LONGEST_WAIT_S", 0.0)
    whole = dict(sides)

    def down(*_: str) -> str:
        raise ProviderFault("rate_limit", "groq", status=429, retry_after_s=30.0, retry=True)

    sides["groq"] = StandIn("groq", down)
    said = verify(case, "--yes")
    assert said.exit_code == 4
    assert "groq was given up" in said.stderr
    assert "run it again" in said.stderr
    paid = set(sides["openai"].calls)
    sides["groq"] = whole["groq"]
    said = verify(case, "--yes", "--format", "json")
    assert said.exit_code == 0, said.stderr
    assert json.loads(said.stdout)["overall"]["verdict"] == "as good"
    assert all(sides["openai"].calls[each] == 1 for each in paid)


def test_the_cap_ends_with_4(case: tuple[Path, Path, Path], sides: dict[str, StandIn]) -> None:
    log, out, gold = case
    said = backroute("verify", str(out), "--log", str(log), "--gold", str(gold), "--max-usd", "0.0001", "--yes")
    assert said.exit_code == 4
    assert "cap was reached" in said.stderr
    assert not any(side.calls for side in sides.values()), "the dearest call alone could go over"


def test_a_judge_of_the_models_own_family_is_warned_about(
    case: tuple[Path, Path, Path], sides: dict[str, StandIn]
) -> None:
    log, out, _ = case
    options = ("--log", str(log), "--max-usd", "5", "--dry-run")
    said = backroute("verify", str(out), *options, "--judge", "openai/gpt-4o")
    assert "the judge is of the family of openai/gpt-4o-mini" in said.stderr
    assert said.exit_code == 0
    assert not any(side.calls for side in sides.values())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-usd", "five"], "--max-usd: not an amount above 0 ('five')"),
        (["--max-usd", "NaN"], "--max-usd: not an amount"),
        (["--max-usd", "5"], "no way to tell which answer is better"),
        (["--max-usd", "5", "--judge", "openai/gpt-4p"], "unknown model ('openai/gpt-4p')"),
        (["--max-usd", "5", "--scorer", "nothing"], "--scorer: not module:function ('nothing')"),
        (["--max-usd", "5", "--scorer", "no_such_module:f"], "cannot import 'no_such_module'"),
        (["--max-usd", "5", "--scorer", "json:nothing"], "no function 'nothing' in 'json'"),
        (["--max-usd", "5", "--gold", "none.jsonl"], "--gold: cannot be read (none.jsonl"),
        (["--max-usd", "5", "--gold", "GOLD", "--scorer", "math:sqrt"], "given together"),
        (["--max-usd", "5", "--gold", "GOLD", "--margin", "0"], "--margin: not between 0 and 0.5"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(case: tuple[Path, Path, Path], options: list[str], said: str) -> None:
    given = [str(case[2]) if each == "GOLD" else each for each in options]
    heard = backroute("verify", str(case[1]), "--log", str(case[0]), *given)
    assert heard.exit_code == 2
    assert said in heard.stderr
    assert "Traceback" not in heard.stderr


class Server(ThreadingHTTPServer):
    """Speaks OpenAI's and Groq's chat wire format; counts requests by (model, text)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.reached, self.killed = threading.Event(), threading.Event()
        self.lock = threading.Lock()

    def handle_error(self, *_: object) -> None:
        """A caller that was killed: nothing to say."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][-1]["content"]
        with self.server.lock:
            self.server.asked[body["model"], text] += 1
            many = self.server.asked.total()
        if many >= BEFORE_THE_KILL:  # however late the kill comes, no further answer comes before it
            self.server.reached.set()
            self.server.killed.wait()
        message = {"role": "assistant", "content": text.split()[-1]}
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        answer: dict[str, Any] = {
            "id": "c-1", "object": "chat.completion", "created": 1, "model": body["model"], "usage": usage,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        }  # fmt: skip
        sent = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    held = Server()
    threading.Thread(target=held.serve_forever, daemon=True).start()
    yield held
    held.shutdown()
    held.server_close()


def test_killed_in_the_middle_and_started_again_it_pays_for_nothing_twice(
    case: tuple[Path, Path, Path], server: Server
) -> None:
    """kill -9 over real sockets and through the real SDKs; also what was in flight at that moment is not repeated."""
    for sdk in ("openai", "groq"):
        pytest.importorskip(sdk)
    log, out, gold = case
    port = server.server_address[1]
    env = {key: value for key, value in os.environ.items() if not key.endswith(("_API_KEY", "_BASE_URL"))}
    env |= {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "GROQ_BASE_URL": f"http://127.0.0.1:{port}"}
    env |= {"OPENAI_API_KEY": "test-key-openai", "GROQ_API_KEY": "test-key-groq"}
    command = [sys.executable, "-m", "backroute", "verify", str(out), "--log", str(log), "--gold", str(gold)]
    command += ["--max-usd", "5", "--yes", "--format", "json"]
    first = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert server.reached.wait(60)
    first.kill()
    assert first.wait() == -9
    before = Counter(server.asked)
    server.killed.set()
    assert BEFORE_THE_KILL <= before.total() < BEFORE_THE_KILL + 8
    second = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False, timeout=60)
    assert second.returncode == 0, second.stderr.decode()
    said = json.loads(second.stdout)
    assert set(server.asked.values()) == {1}, "no request was sent twice"
    assert server.asked.total() > before.total()
    lost = said["lost_calls"]
    assert lost <= 8, "at most those in flight"
    assert said["overall"]["pairs"] == said["plan"]["requests_drawn"] - lost
    held = (out / "verify.jsonl").read_text()
    assert "test-key" not in held + second.stderr.decode()
    assert "write code" not in held, "the journal holds answers, no prompts"


def test_no_prompt_and_no_key_is_in_an_error(
    case: tuple[Path, Path, Path], sides: dict[str, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaky(_: str, text: str) -> str:
        raise ProviderFault("server", "groq", status=500, retry=True) from ValueError(f"sk-secret {text}")

    monkeypatch.setattr("quality.run.LONGEST_WAIT_S", 0.0)
    for name in sides:
        sides[name] = StandIn(name, leaky)
    said = verify(case, "--yes")
    assert said.exit_code == 4
    assert not any(leak in said.stderr + said.stdout for leak in ("sk-secret", "write code", "sum up"))
    with pytest.raises(BackrouteError):
        raise ProviderFault("server", "groq")
