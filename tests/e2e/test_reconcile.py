import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Said, backroute
from tests.simulator.conftest import call

CODE_TO_MINI = """
rules:
  - {name: code, when: {mentions: [code]}, use: openai/gpt-4o-mini}
  - {name: default, use: openai/gpt-4o}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(CODE_TO_MINI, "utf-8")
    return path


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", "utf-8")
    return path


def usage(tokens_in: int, tokens_out: int) -> dict[str, int]:
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}


def discounted(count: int = 20) -> list[dict[str, Any]]:
    """gpt-4o at 15% below its list: $2.125 and $8.50."""
    return [
        call(
            n,
            prompt=f"code {n}" if n % 2 else f"talk {n}",
            usage=usage(1000 + 17 * n, 100 + n * n % 61),
            cost=str((Decimal("2.125") * (1000 + 17 * n) + Decimal("8.5") * (100 + n * n % 61)) / 10**6),
        )
        for n in range(count)
    ]


def test_inspect_explains_drift_and_its_own_suggestion_mends_it(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", discounted())
    said = backroute("inspect", str(log), "--max-drift-pct", "1")
    assert said.exit_code == 1
    assert "off-list price: 15% below the list" in said.stdout
    assert "input_uncached x $2.5 + " in said.stdout
    assert "gate: gpt-4o: recomputed spend is +17.65% off the recorded" in said.stderr
    suggested = json.loads(backroute("inspect", str(log), "--format", "json").stdout)["suggested_prices"]
    assert suggested in said.stdout
    (tmp_path / "own.yaml").write_text(suggested, "utf-8")
    mended = backroute("inspect", str(log), "--max-drift-pct", "0", "--prices", str(tmp_path / "own.yaml"))
    assert mended.exit_code == 0, mended.stderr
    assert "+0.00%" in mended.stdout
    assert "--prices" not in mended.stdout, "nothing is left to suggest"


def test_inspect_fits_eighty_columns_and_breaks_no_number(tmp_path: Path) -> None:
    long = "a-provider/with-a-model-name-of-sixty-and-more-characters-that-goes-on"
    million = [call(n, model=long, cost=f"{n + 1}.5", usage=usage(999_000 + n, 90_000 + n * n)) for n in range(9)]
    log = write(tmp_path / "log.jsonl", discounted() + [row | {"request_id": f"m{n}"} for n, row in enumerate(million)])
    said = backroute("inspect", str(log)).stdout
    own = [line for line in said.splitlines() if long not in line and str(log) not in line]
    assert max(map(len, own)) <= 80
    assert "8,991,036" in said
    assert "unpriced" in said
    assert "unpriced" not in backroute("inspect", str(write(tmp_path / "b.jsonl", discounted()))).stdout
    assert "recorded" not in backroute("inspect", str(write(tmp_path / "c.jsonl", [call()]))).stdout.replace(
        "no recorded", ""
    )


def test_inspect_as_json_gives_everything(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", discounted())
    held = json.loads(backroute("inspect", str(log), "--format", "json", "--invoice-usd", "0.06").stdout)
    (model,) = held["models"]
    assert model["priced_as"] == "openai/gpt-4o"
    assert model["causes"][0]["implied"] == {"pct_off": "15"}
    assert Decimal(held["bill"]["total"]["recorded_usd"]) == sum(Decimal(row["cost"]) for row in discounted())
    assert len(held["bill"]["by_day"]) == 20
    assert len(held["bill"]["furthest"]) == 10
    assert held["bill"]["invoice"]["invoice_usd"] == "0.06"
    csv = backroute("inspect", str(log), "--format", "csv").stdout.splitlines()
    assert csv[0].startswith("model,priced_as,requests")


def test_an_invoice_within_five_percent_passes_unless_told_otherwise(tmp_path: Path, rules: Path) -> None:
    """Ten calls of $0.0035 are $0.035; $0.034 is 2.9% off, $0.03 16.7%."""
    log = write(tmp_path / "log.jsonl", [call(n) for n in range(10)])

    def inspect(*options: str) -> Said:
        return backroute("inspect", str(log), *options)

    assert inspect("--invoice-usd", "0.034").exit_code == 0
    assert inspect("--invoice-usd", "0.034", "--max-drift-pct", "2").exit_code == 1
    assert inspect("--invoice-usd", "0").exit_code == 2
    nothing = inspect("--max-drift-pct", "2")
    assert (nothing.exit_code, "nothing to check" in nothing.stderr) == (1, True)
    replayed = backroute(
        "replay", str(log), "--rules", str(rules), "--out", str(tmp_path / "out"), "--invoice-usd", "0.03"
    )
    for failed in (inspect("--invoice-usd", "0.03"), replayed):
        assert failed.exit_code == 1
        assert "gate: the log comes to +16.67% off the invoice, above 5%" in failed.stderr


def test_a_sampled_log_is_scaled_before_it_meets_the_invoice(tmp_path: Path, rules: Path) -> None:
    """$0.035 of a 1% sample is $3.50."""
    log = write(tmp_path / "log.jsonl", [call(n) for n in range(10)])
    said = backroute(
        "replay", str(log), "--rules", str(rules), "--out", str(tmp_path / "out"), "--sample-rate", "0.01",
        "--invoice-usd", "3.5", "--max-drift-pct", "0",
    )  # fmt: skip
    assert said.exit_code == 0, said.stderr
    assert "invoice $3.5; the log comes to $3.500000 at the price of the day: +0.00%" in said.stderr


def test_replay_says_that_the_bill_drifts_and_why(tmp_path: Path, rules: Path) -> None:
    log = write(tmp_path / "log.jsonl", discounted())
    said = backroute("replay", str(log), "--rules", str(rules), "--out", str(tmp_path / "out"))
    assert "17.65% off the recorded costs; gpt-4o: off-list price: 15% below the list" in said.stderr


def test_guessed_counts_are_shown_and_recounted(tmp_path: Path, rules: Path) -> None:
    words = "a longer text of several words that goes on, unbelievably; and on: 4,711 times, at 3.14 each (or not)?"
    rows = []
    for n in range(20):
        answer = " ".join((words.split() * 9)[n : n + 20 + 5 * n])
        rows.append(call(n, completion=answer, usage=usage(9, int(1.3 * len(answer.split())))))
    log = write(tmp_path / "log.jsonl", rows)
    said = backroute("inspect", str(log))
    assert "counts are 1.3 x the words, rounded down" in said.stdout
    again = backroute("inspect", str(log), "--recount", "--format", "json")
    assert "20 output counts were recounted from their texts" in again.stderr
    held = json.loads(again.stdout)
    assert held["output_counted_by"] == {"tokenizer": 20}
    assert held["doubts"] == []
    out = tmp_path / "out"
    plain = backroute("replay", str(log), "--rules", str(rules), "--out", str(out))
    assert "note: token counts that cannot be true: gpt-4o, output: counts are 1.3 x the words" in plain.stderr
    assert json.loads((out / "summary.json").read_text())["log"]["doubts"][0]["requests"] == 20
    copied = backroute("replay", str(log), "--rules", str(rules), "--out", str(out), "--output-tokens", "as_logged")
    assert "cannot be true" in copied.stderr, "whether or not the log is read once more for the prediction"
    replayed = backroute("replay", str(log), "--rules", str(rules), "--out", str(tmp_path / "out"), "--recount")
    assert "cannot be true" not in replayed.stderr
    assert "20 output counts were recounted" in replayed.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["provenance"]["tokenizer_pct"] > 50


def conversation() -> Iterator[dict[str, Any]]:
    messages = [{"role": "user", "content": "hello"}]
    for n, answer in enumerate(("hi", "fine", "bye")):
        yield call(n, prompt=None, session_id=None, messages=list(messages), completion=answer)
        messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": f"and code {n}?"}]


def test_sessions_are_inferred_on_request_and_said_to_be(tmp_path: Path, rules: Path) -> None:
    log = write(tmp_path / "log.jsonl", list(conversation()))
    out = tmp_path / "out"
    said = backroute("replay", str(log), "--rules", str(rules), "--out", str(out), "--infer-sessions")
    assert "1 sessions were inferred from their messages, not logged; 1 have several calls" in said.stderr
    assert json.loads((out / "summary.json").read_text())["log"]["sessions"] == 1
    assert "sessions           1\n" in backroute("inspect", str(log), "--infer-sessions").stdout
    assert "none stated" in backroute("inspect", str(log)).stdout


def test_a_profile_replays_like_its_log(tmp_path: Path, rules: Path) -> None:
    log = write(tmp_path / "log.jsonl", discounted())
    profile = tmp_path / "profile.parquet"
    made = backroute("profile", str(log), "--rules", str(rules), "-o", str(profile), "--infer-sessions")
    assert made.exit_code == 0, made.stderr
    assert "20 requests" in made.stderr
    summaries = []
    for name, source in (("a", log), ("b", profile)):
        said = backroute("replay", str(source), "--rules", str(rules), "--out", str(tmp_path / name))
        assert said.exit_code == 0, said.stderr
        summaries.append(json.loads((tmp_path / name / "summary.json").read_text()))
    for part in ("as_logged", "baseline", "routed", "by_rule", "by_model", "by_day", "waterfall"):
        assert summaries[0][part] == summaries[1][part]
    assert "profile" in backroute("inspect", str(profile)).stdout
    checked = [backroute("check", str(rules), str(source)).stdout for source in (log, profile)]
    assert checked[0] == checked[1], "the profile holds the rules' answers"
    both = backroute("replay", str(log), str(profile), "--rules", str(rules), "--out", str(tmp_path / "c"))
    assert (both.exit_code, "read alone" in both.stderr) == (2, True)
    inferred = backroute("inspect", str(profile), "--infer-sessions")
    assert (inferred.exit_code, "no messages" in inferred.stderr) == (2, True)
    other = backroute("replay", str(profile), "--rules", "case", "--out", str(tmp_path / "d"))
    assert (other.exit_code, "holds no answers" in other.stderr) == (2, True)


def test_two_profiles_hash_alike_only_under_one_salt(tmp_path: Path, rules: Path) -> None:
    from simulator.profile import ProfileLog

    log = write(tmp_path / "log.jsonl", [call()])
    salt = tmp_path / "salt"
    salt.write_bytes(b"sixteen secret bytes")
    made = []
    for name, options in (("a", [salt]), ("b", [salt]), ("c", [])):
        path = tmp_path / f"{name}.parquet"
        chosen = [part for file in options for part in ("--salt-file", str(file))]
        assert backroute("profile", str(log), "--rules", str(rules), "-o", str(path), *chosen).exit_code == 0
        made.append(ProfileLog(path).requests()["request_id"][0])
    assert made[0] == made[1] != made[2]
    salt.write_bytes(b"short")
    said = backroute("profile", str(log), "--rules", str(rules), "-o", str(path), "--salt-file", str(salt))
    assert (said.exit_code, "too short" in said.stderr) == (2, True)


KEYS = {
    "openai": "sk-proj-AbCdEfGh1234567890IjKlMnOp",
    "anthropic": "sk-ant-api03-QrStUvWx0987654321YzAb",
    "groq": "gsk_MnOpQrStUvWx1234567890CdEf",
    "bearer": "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "password": "hunter2-hunter2",
}


def full_of_keys() -> list[dict[str, Any]]:
    rows = [
        call(
            n,
            prompt=f"write code with {KEYS['openai']} and Authorization: Bearer {KEYS['bearer']}",
            system=f"api_key={KEYS['groq']}",
            completion=f"your key is {KEYS['anthropic']}, your password: {KEYS['password']}",
            metadata={"api_key": KEYS["anthropic"], "headers": {"Authorization": f"Bearer {KEYS['bearer']}"}},
            api_key=KEYS["openai"],
            litellm_params={"aws_access_key_id": KEYS["aws"]},
            cost=0.005,
        )
        for n in range(12)
    ]
    rows[1]["model"] = KEYS["openai"]
    rows[2]["label"] = KEYS["groq"]
    rows[3]["timestamp"] = f"Bearer {KEYS['bearer']}"
    rows[4]["usage"] = {"prompt_tokens": KEYS["openai"]}
    rows[5]["cost"] = KEYS["aws"]
    rows[6]["messages"] = {"api_key": KEYS["anthropic"], "password": KEYS["password"]}
    return rows


def test_no_key_of_the_log_reaches_a_report_the_terminal_or_a_profile(tmp_path: Path, rules: Path) -> None:
    """Only problems.jsonl holds the lines set aside as they were, so that they can be mended and read again."""
    log = write(tmp_path / "log.jsonl", full_of_keys())
    with log.open("a") as file:
        file.write(f'{{"api_key": "{KEYS["openai"]}", "prompt": broken\n')
    out, profile = tmp_path / "out", tmp_path / "profile.parquet"
    said = [
        backroute("inspect", str(log)),
        backroute("inspect", str(log), "--format", "json", "--max-drift-pct", "1"),
        backroute("inspect", str(log), "--format", "csv"),
        backroute("replay", str(log), "--rules", str(rules), "--out", str(out), "--allow-incomplete"),
        backroute(
            "replay", str(log), "--rules", str(rules), "--out", str(out), "--format", "json", "--allow-incomplete"
        ),
        backroute("explain", str(out), "--request", "r0"),
        backroute("check", str(rules), str(log)),
        backroute("profile", str(log), "--rules", str(rules), "-o", str(profile)),
    ]
    assert [each.exit_code for each in said] == [0, 1, 0, 0, 0, 0, 0, 0], [each.stderr for each in said]
    written = [path for path in out.rglob("*") if path.is_file() and path.name != "problems.jsonl"]
    assert {path.name for path in written} >= {"summary.json", "report.html", "decisions.parquet", "manifest.json"}
    for secret in KEYS.values():
        for each in said:
            assert secret not in each.stdout + each.stderr
        for path in [*written, profile]:
            assert secret.encode() not in contents(path), path


def contents(path: Path) -> bytes:
    """A file's bytes, a Parquet file's columns unpacked."""
    import pyarrow.parquet as pq

    if path.suffix != ".parquet":
        return path.read_bytes()
    return path.read_bytes() + json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
