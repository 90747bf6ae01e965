"""The monitor: quiet while live calls are as forecast, and soon loud when they are not."""

import gzip
import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricing import PriceBook
from quality.live_calls import live_calls
from quality.monitor import Forecast, Limits, Watch, report_of
from quality.monitor.psi import psi
from quality.monitor.report import price_changes
from quality.sequential import Detector
from router import LLMRouter, RoutingRule, mentions
from simulator import Assumptions, Scenario, replay
from tests.command_line import backroute
from workloads import read_log

ROUTER = LLMRouter(
    [RoutingRule("code", mentions("code"), "openai", "gpt-4o-mini"), RoutingRule("rest", None, "openai", "gpt-4o")]
)
RULES = "rules: [{name: code, when: {mentions: [code]}, use: openai/gpt-4o-mini}, {name: rest, use: openai/gpt-4o}]"


def calls(count: int, *, seed: int, live: bool = False, code: float = 0.5, longer: float = 1.0) -> list[dict[str, Any]]:
    """Calls over ten days; `live` ones went where the rules say, the others to gpt-4o."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(count):
        is_code = rng.random() < code
        rule, model = ("code", "gpt-4o-mini") if is_code else ("rest", "gpt-4o")
        day, minute = divmod(number * 14_400 // count, 1_440)
        row: dict[str, Any] = {
            "request_id": f"{seed}-{number}",
            "timestamp": f"2026-06-{1 + day:02d}T{minute // 60:02d}:{minute % 60:02d}:00Z",
            "model": model if live else "gpt-4o",
            "prompt": "write code" if is_code else "talk",
            "usage": {
                "prompt_tokens": int(200 * rng.lognormal(0, 0.5) * longer) + 1,
                "completion_tokens": int(100 * rng.lognormal(0, 0.7) * longer) + 1,
            },
            "latency_ms": float(rng.gamma(4, 200)),
            "status": "ok",
        }
        if live:
            row["decision"] = {"rule": rule, "model": f"openai/{model}", "fallback_from": [], "rules_digest": "x"}
        rows.append(row)
    return rows


def test_any_cost_is_a_rise_where_the_forecast_is_free() -> None:
    watch = Watch(Forecast(100, 10.0, 0.0, 0.0, 0.0, 0.0, (), (), ()))
    assert watch.detector.bounds[0] == 1e-12
    watch.see(live_calls(lines(calls(50, seed=3, live=True)), PriceBook.load()))
    assert "cost of a request" in watch.alarms


def test_an_answered_call_costs_what_is_known_of_priced_ones(out: Path) -> None:
    rows = calls(40, seed=4, live=True)
    known = live_calls(lines(rows[:20]), PriceBook.load())
    mixed = live_calls(lines(rows[:20] + [row | {"model": "unheard-of"} for row in rows[20:]]), PriceBook.load())
    spends = []
    for table in (known, mixed):
        watch = Watch(Forecast.read(out))
        watch.see(table)
        spends.append(report_of(watch, PriceBook.load())["spend"])
    assert spends[0]["usd_per_success"] == spends[1]["usd_per_success"]
    assert spends[1]["unpriced_calls"] == 20


def lines(rows: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(row).encode() for row in rows]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a replay of 2,000 calls."""
    folder, book = tmp_path_factory.mktemp("monitor") / "out", PriceBook.load()
    copied = Assumptions(output="as_logged")
    base = Scenario.always("openai/gpt-4o", book, assumptions=copied)
    _, after = replay(
        read_log(calls(2_000, seed=1)), base, Scenario("rules", ROUTER, book, assumptions=copied), out=folder
    )
    (folder / "summary.json").write_text(json.dumps(after.summary))
    (folder / "rules.yaml").write_text(RULES)
    return folder


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook.load()


def watched(out: Path, book: PriceBook, rows: list[dict[str, Any]], limits: Limits | None = None) -> Watch:
    watch = Watch(Forecast.read(out), limits or Limits())
    watch.see(live_calls(lines(rows), book))
    return watch


def test_calls_as_forecast_raise_no_alarm(out: Path, book: PriceBook) -> None:
    report = report_of(watched(out, book, calls(3_000, seed=2, live=True)), book)
    assert report["alarms"] == []
    assert report["spend"]["within"] is True
    assert [row["said"] for row in report["mix"]] == ["stable"] * 3
    assert len(report["days"]) == 10
    assert sum(row["within"] for row in report["days"]) >= 7
    assert report["outcomes"] == {"errors": 0, "errors_pct": 0.0, "fallbacks_pct": 0.0}
    assert report["latency_ms"]["p50"] < report["latency_ms"]["p99"]


def test_the_spend_is_the_replay_of_the_log_to_the_picodollar(out: Path, book: PriceBook) -> None:
    rows = calls(500, seed=3, live=True)
    base = Scenario.always("openai/gpt-4o", book)
    (before,) = replay(read_log(rows), base)
    report = report_of(watched(out, book, rows), book)
    assert report["spend"]["usd"] == before.summary["as_logged"]["usd"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"longer": 1.6}, "cost of a request"),
        ({"code": 0.2}, "mix: rule"),
        ({"longer": 4.0, "code": 0.5}, "mix: input tokens"),
    ],
)
def test_a_change_is_caught_and_dated(out: Path, book: PriceBook, change: dict[str, float], found: str) -> None:
    """1,000 calls as forecast, then 1,500 of another kind."""
    rows = calls(1_000, seed=4, live=True) + calls(1_500, seed=5, live=True, **change)
    watch = watched(out, book, rows)
    assert 1_000 < watch.alarms[found] <= 2_000
    (alarm,) = [each for each in report_of(watch, book)["alarms"] if each["what"] == found]
    assert alarm["call"] == watch.alarms[found]
    assert "rose above" in alarm["said"]


def test_an_outage_is_caught_within_fifty_calls(out: Path, book: PriceBook) -> None:
    rows = calls(1_000, seed=6, live=True)
    for row in rows[700:]:
        row |= {"status": "error", "usage": None}
    assert 700 < watched(out, book, rows).alarms["errors"] <= 750


def test_fallbacks_are_caught(out: Path, book: PriceBook) -> None:
    rows = calls(1_000, seed=7, live=True)
    for row in rows[500:]:
        row["decision"]["fallback_from"] = [{"model": "openai/gpt-4o-mini", "why": "timeout"}]
    assert 500 < watched(out, book, rows).alarms["fallbacks"] <= 560


def test_batches_change_nothing(out: Path, book: PriceBook) -> None:
    rows = calls(1_000, seed=8, live=True) + calls(500, seed=9, live=True, longer=2.0)
    whole, parts = watched(out, book, rows), Watch(Forecast.read(out))
    for start in range(0, len(rows), 137):
        parts.see(live_calls(lines(rows[start : start + 137]), book))
    assert parts.alarms == whole.alarms
    assert parts.calls.equals(whole.calls)


def test_a_changed_price_is_named_with_what_it_was(out: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "prices.yaml"
    overlay.write_text(
        "models:\n  openai/gpt-4o:\n    prices:\n      - {effective_from: 2026-06-05, input_usd_per_mtok: 5, "
        "output_usd_per_mtok: 20, source: https://example.org/prices}\n"
    )
    log = tmp_path / "d.jsonl"
    log.write_bytes(b"\n".join(lines(calls(200, seed=10, live=True))) + b"\n")
    said = backroute("monitor", str(log), "--against", str(out), "--prices", str(overlay), "--format", "json")
    assert said.exit_code == 1, said.stderr
    changed = {(row["model"], row["bucket"]): row for row in json.loads(said.stdout)["price_changes"]}
    assert changed["openai/gpt-4o", "output_text"]["was"] == "10"
    assert changed["openai/gpt-4o", "output_text"]["now"] == "20"


def test_an_unchanged_book_has_no_changed_prices(out: Path, book: PriceBook) -> None:
    from datetime import UTC, datetime

    assert price_changes(Forecast.read(out).prices, book, datetime(2026, 6, 10, tzinfo=UTC)) == []


def test_the_verb_writes_a_page_and_gauges(out: Path, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    log, page, gauges = tmp_path / "d.jsonl", tmp_path / "monitor.html", tmp_path / "backroute.prom"
    log.write_bytes(b"\n".join(lines(calls(300, seed=11, live=True))) + b"\n")
    said = backroute("monitor", str(log), "--against", str(out), "--page", str(page), "--metrics", str(gauges))
    assert said.exit_code == 0, said.stdout
    assert said.stdout.startswith("No alarm: 300 calls, spend within its forecast")
    assert all(len(line) <= 80 for line in said.stdout.splitlines())
    assert "No alarm: 300 calls" in page.read_text()
    assert "backroute_monitor_calls 300.0" in gauges.read_text()


def test_following_stops_at_the_first_alarm(out: Path, tmp_path: Path) -> None:
    log, gauges = tmp_path / "d.jsonl", tmp_path / "gauges.prom"
    log.write_bytes(b"\n".join(lines(calls(200, seed=12, live=True))) + b"\n")

    def more() -> None:
        while not gauges.exists():  # written at the first look
            time.sleep(0.05)
        failed = [row | {"status": "error", "usage": None} for row in calls(100, seed=13, live=True)]
        whole = b"\n".join(lines(failed)) + b"\n"
        for part in (whole[:1_001], whole[1_001:]):  # in the middle of a line
            with log.open("ab") as file:
                file.write(part)
            time.sleep(0.3)

    writer = threading.Thread(target=more)
    writer.start()
    asked = ("--against", str(out), "--follow", "--every", "0.2", "--format", "json", "--metrics", str(gauges))
    said = backroute("monitor", str(log), *asked)
    writer.join()
    assert said.exit_code == 1
    assert "200 calls" in said.stderr
    report = json.loads(said.stdout)
    assert report["calls"] == 300
    assert [each["what"] for each in report["alarms"]] == ["errors"]


@pytest.mark.parametrize("rotates", [True, False], ids=["rotated", "cut"])
def test_following_goes_on_with_the_new_file(out: Path, tmp_path: Path, rotates: bool) -> None:
    """200 calls are read; where the file is moved away, 50 more of it are not lost; then 100 fail in the new one."""
    log, gauges = tmp_path / "d.jsonl", tmp_path / "gauges.prom"
    log.write_bytes(b"\n".join(lines(calls(200, seed=12, live=True))) + b"\n")

    def another() -> None:
        while not gauges.exists():  # written at the first look
            time.sleep(0.05)
        if rotates:
            with log.open("ab") as file:
                file.write(b"\n".join(lines(calls(50, seed=14, live=True))))
            log.rename(tmp_path / "d.jsonl.1")
            time.sleep(0.3)
        failed = [row | {"status": "error", "usage": None} for row in calls(100, seed=13, live=True)]
        log.write_bytes(b"\n".join(lines(failed)) + b"\n")

    writer = threading.Thread(target=another)
    writer.start()
    asked = ("--against", str(out), "--follow", "--every", "0.1", "--format", "json", "--metrics", str(gauges))
    said = backroute("monitor", str(log), *asked)
    writer.join()
    assert said.exit_code == 1
    assert "rotated or cut" in said.stderr
    report = json.loads(said.stdout)
    assert report["calls"] == (350 if rotates else 300)
    assert [each["what"] for each in report["alarms"]] == ["errors"]


def test_the_detectors_false_alarms_are_rarer_than_asked() -> None:
    """600 runs of 500 calls at the bound itself: with a patience of 5,000 at most about one in ten may alarm."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(600):
        detector = Detector(np.array([0.02]), np.array(["errors"]), 5_000)
        detector.see((rng.random((500, 1)) < 0.02).astype(float))
        alarms += bool(detector.alarms)
    assert alarms / 600 <= 0.1


def test_what_an_e_detector_is() -> None:
    """One bettor per start: after two calls of gains a and b, (1 + 0) a, then (a + 1) b, averaged over the stakes."""
    detector = Detector(np.array([1.0]), np.array(["x"]), 1e9)
    detector.see(np.array([[3.0], [2.0]]))
    from quality.sequential import STAKES

    first, second = 1 + STAKES * 2, 1 + STAKES
    assert detector.evidence()["x"] == pytest.approx(math.log(((first + 1) * second).mean()) / math.log(1e9))


def test_the_index_of_a_mix_by_hand() -> None:
    """(0.7 - 0.5) ln(0.7 / 0.5) + (0.3 - 0.5) ln(0.3 / 0.5) = 0.0673 + 0.1022 = 0.1695."""
    found = psi(np.array([500.0, 500.0]), np.array([700.0, 300.0]))
    assert found.value == pytest.approx(0.1695, abs=1e-4)
    assert found.said == "moved"
    assert psi(np.array([500.0, 500.0]), np.array([7.0, 3.0])).said == "stable", "ten calls say nothing"


def test_a_packed_log_is_read_as_it_is(out: Path, tmp_path: Path) -> None:
    log = tmp_path / "d.jsonl.gz"
    log.write_bytes(gzip.compress(b"\n".join(lines(calls(150, seed=14, live=True))) + b"\n{half a line"))
    said = backroute("monitor", str(log), "--against", str(out))
    assert said.exit_code == 0
    assert said.stdout.startswith("No alarm: 150 calls")
    assert "1 lines set aside" in said.stderr


def test_lines_that_are_no_text_or_no_json_are_counted_and_the_others_watched(out: Path, tmp_path: Path) -> None:
    said = b"\n".join(lines(calls(30, seed=3, live=True))) + b"\n"
    (tmp_path / "live.jsonl").write_bytes(said + b'{"model": "\xff"}\n' + b"[" * 100_000 + b"\n")
    assert backroute("monitor", str(tmp_path / "live.jsonl"), "--against", str(out)).exit_code in (0, 1)


def test_a_folder_that_is_no_replay_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("{}")
    said = backroute("monitor", str(tmp_path / "d.jsonl"), "--against", str(tmp_path))
    assert said.exit_code == 2
    assert "--out folder of a replay" in said.stderr
