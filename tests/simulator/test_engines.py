"""Any engine gives the same results; a dead worker's batch is done again."""

import asyncio
import json
import logging
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.workers import cluster
from pricing import PriceBook
from problems import BackrouteError
from router import LLMRouter, RoutingRule, load_rules
from simulator import ReplayResult, Scenario, engines, prepared, replay
from simulator.engines import Dask, Pool, engine_of
from simulator.state.guards import Budget, Guards, Limit, Sticky
from simulator.state.latency import LatencyLimits
from simulator.state.retries import Retries
from simulator.state.settings import CacheSettings, State
from simulator.stored import parts
from tests.simulator.conftest import call
from tests.simulator.worker_tasks import Counted, always_dies, dies_once, told
from tests.workloads.s3_server import KEY, s3_server
from workloads import Log, blocks, read_log

MODELS = ("gpt-4o", "claude-3-haiku", "gpt-4o-2024-05-13", "nobody-knows-it")


def lines() -> list[str]:
    """600 calls, some counted here, with odd lines between: a duplicate, an id used twice, no JSON, parts, a blank."""
    rows = [
        call(n, model=MODELS[n % 4], messages=[{"role": "user", "content": "code " * (n % 50)}]) for n in range(600)
    ]
    for row in rows[::3]:
        del row["usage"], row["prompt"]
    held = [json.dumps(row) for row in rows]
    held[450:450] = [held[3], json.dumps(rows[5] | {"model": "gpt-4o-mini"}), "{oops", "", json.dumps({"data": []})]
    held[470:470] = [json.dumps(call(900, messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]))]
    return held


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_text("\n".join(lines()) + "\r\n", "utf-8")
    return path


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks.blocks_of, "__defaults__", (20_000,))
    monkeypatch.setattr(engines, "WORTH", 1)


def replayed(path: Path | str, book: PriceBook, out: Path, **options: Any) -> ReplayResult:
    base = Scenario.always("openai/gpt-4o", book)
    return replay(read_log(path), base, Scenario("case", load_rules("case"), book), out=out, **options)[1]


def alike(one: ReplayResult, other: ReplayResult) -> None:
    assert one.summary == other.summary
    assert one.requests().equals(other.requests())
    problems = [(result.run.folder / "problems.jsonl").read_text("utf-8") for result in (one, other)]
    assert problems[0] == problems[1]


@pytest.mark.usefixtures("small_blocks")
def test_two_processes_give_what_one_gives(log_file: Path, book: PriceBook, tmp_path: Path) -> None:
    assert len(read_log(log_file).blocks() or ()) > 5
    alone = replayed(log_file, book, tmp_path / "alone")
    assert alone.summary["log"]["problems"] == 2
    alike(alone, replayed(log_file, book, tmp_path / "pool", workers=2))
    assert sorted(path.name for path in (tmp_path / "pool").iterdir()) == ["decisions.parquet", "problems.jsonl"]


@pytest.mark.usefixtures("small_blocks")
def test_a_log_too_long_for_memory_is_replayed_in_parts_with_any_router(
    log_file: Path, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose rule is a Python function, which no other process could be sent."""
    alone = replayed(log_file, book, tmp_path / "alone")
    written: list[int] = []
    write = parts.write_part
    monkeypatch.setattr(parts, "write_part", lambda *given: written.append(1) or write(*given))
    monkeypatch.setattr(prepared, "HELD_BYTES", 1_000)
    monkeypatch.setattr(Log.batches, "__kwdefaults__", {"problems": None, "rows": 50})
    alike(alone, replayed(log_file, book, tmp_path / "long"))
    assert len(written) > 10
    assert sorted(path.name for path in (tmp_path / "long").iterdir()) == ["decisions.parquet", "problems.jsonl"]
    rules = [
        RoutingRule("odd", lambda prompt, _: len(prompt) % 20 == 10, "openai", "gpt-4o-mini"),
        RoutingRule("default", None, "openai", "gpt-4o"),
    ]
    base, odd = Scenario.always("openai/gpt-4o", book), Scenario("odd", LLMRouter(rules), book)
    in_parts = replay(read_log(log_file), base, odd)[1].summary
    monkeypatch.undo()
    assert replay(read_log(log_file), base, odd)[1].summary == in_parts


@pytest.mark.usefixtures("small_blocks")
def test_state_is_folded_over_what_two_processes_gather_as_over_what_one_does(
    log_file: Path, book: PriceBook, tmp_path: Path
) -> None:
    """Caches, sessions that stay, a budget, a limit, retries and latency, which one process folds in order of time."""
    guards = Guards(
        budgets=(Budget(usd=0.0005, then="openai/gpt-4o-mini"),),
        limits=(Limit("openai", rpm=20, max_wait_s=1),),
        sticky=Sticky(within_s=3_600),
    )
    retries, latency = Retries({"openai": 20.0}), LatencyLimits(5_000)
    state = State(CacheSettings({"openai": 0.9}), guards, retries, latency=latency)
    base = Scenario.always("openai/gpt-4o", book, state=state.of_the_world)
    case = Scenario("case", load_rules("case"), book, state=state)
    found = [
        replay(read_log(log_file), base, case, out=tmp_path / str(workers), workers=workers)[1] for workers in (1, 2)
    ]
    alike(*found)
    said = found[0].summary
    assert all(said[name] is not None for name in ("cache", "guards", "retries", "latency"))
    assert {"budget", "sticky"} <= set(said["guards"]["amended"])


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_two_processes_see_the_cached_input_of_the_whole_log(book: PriceBook, tmp_path: Path) -> None:
    """Only the last block shows any: whether caches are simulated is known when all of it was read, and on disk too."""
    rows = [call(n, messages=[{"role": "user", "content": f"{n % 20} " + "code " * 1500}]) for n in range(60)]
    for n in range(40, 60):
        tokens = {"prompt_tokens": 1600, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 1536}}
        rows[n]["usage"] = tokens
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    alone, pair, again = (
        replayed(path, book, tmp_path / str(number), workers=workers) for number, workers in enumerate((1, 2, 2))
    )
    alike(alone, pair)
    alike(alone, again)
    assert alone.summary["cache"]["asked"] is False
    assert alone.summary["cache"]["arms"][0]["read_tokens"] == 20 * 1536


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_lines_and_parquet_give_the_same_totals_from_disk_and_from_s3(
    book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes read parts of the files through pyarrow's own S3 client from a server on loopback."""
    rows = [call(n, model=MODELS[n % 2]) for n in range(600)]
    lines, table = tmp_path / "log.jsonl", tmp_path / "log.parquet"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    pq.write_table(pa.Table.from_pylist(rows), table, row_group_size=50)
    alone = replayed(lines, book, tmp_path / "alone")
    with s3_server() as s3:
        for name, value in (("ENDPOINT_URL", s3.url), ("ACCESS_KEY_ID", KEY), ("SECRET_ACCESS_KEY", "s")):
            monkeypatch.setenv(f"AWS_{name}", value)
        s3.buckets["logs"] = {"june/1.jsonl": lines.read_bytes(), "june.parquet": table.read_bytes()}
        for number, given in enumerate(("s3://logs/june/*.jsonl", "s3://logs/june.parquet", table)):
            again = replayed(given, book, tmp_path / str(number), workers=2)
            for part in ("baseline", "routed", "savings", "by_rule", "by_day"):
                assert again.summary[part] == alone.summary[part]
            assert again.requests().equals(alone.requests())
        assert len({start for key, start, _ in s3.ranges if key == "june/1.jsonl"}) > 3


def test_a_log_that_is_no_plain_file_is_read_in_one_process(book: PriceBook, tmp_path: Path) -> None:
    base, rows = Scenario.always("openai/gpt-4o", book), [call(n) for n in range(5)]
    _, after = replay(read_log(rows), base, base, workers=2, out=tmp_path)
    assert after.run.facts.rows == 5


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_a_dask_cluster_gives_what_one_process_gives_even_if_a_worker_is_killed(
    log_file: Path, book: PriceBook, tmp_path: Path
) -> None:
    """A real scheduler and two worker processes on loopback; one is killed between reading and replaying."""
    pytest.importorskip("distributed")
    with cluster(tmp_path, [1, 3]) as (address, workers):
        killer = threading.Timer(0, lambda: kill_when(tmp_path / "dask", workers[0]))
        killer.start()
        after = replayed(log_file, book, tmp_path / "dask", engine="dask", scheduler=address)
        killer.join()
        assert workers[0].poll() is not None
    alike(replayed(log_file, book, tmp_path / "alone"), after)


@pytest.mark.parametrize(
    ("answers", "direct"), [([0, 0], True), ([0, OSError("no route")], False), ([0, 9], False), ([], False)]
)
def test_results_come_from_the_workers_themselves_only_if_all_of_them_answer(
    answers: list[float | OSError], direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is the seconds that it takes, or why there is none."""
    monkeypatch.setattr(engines, "ANSWERS", 0.2)

    class Worker:
        def __init__(self, answer: float | OSError) -> None:
            self.answer = answer

        async def identity(self) -> None:
            if isinstance(self.answer, OSError):
                raise self.answer
            await asyncio.sleep(self.answer)

    class Client:
        def rpc(self, address: str) -> Worker:
            return Worker(answers[int(address)])

    assert asyncio.run(engines._answer(Client(), [str(number) for number in range(len(answers))])) is direct


def test_a_worker_that_stops_answering_is_left_to_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process holds its results, and never says that it will not send them."""
    monkeypatch.setattr(engines, "PATIENCE", 0.1)

    class Asked:
        def __init__(self, client: "Client", result: Any) -> None:
            self.client, self.held = client, result

        def result(self, timeout: float | None = None) -> Any:
            if self.client.direct_to_workers:
                assert timeout == 0.1
                raise TimeoutError
            return self.held

    class Client:
        direct_to_workers = True

        def submit(self, function: Callable[[bytes], Any], call: bytes, *, pure: bool) -> Asked:  # noqa: ARG002
            return Asked(self, function(call))

    dask = Dask.__new__(Dask)
    dask.workers, dask._client = 1, Client()
    assert list(dask.map(abs, [-5, -6])) == [5, 6]
    assert not dask._client.direct_to_workers


def test_a_scheduler_that_hands_a_task_on_needs_no_backroute_and_takes_no_part_in_it(tmp_path: Path) -> None:
    """What it unpickles names only a function of Python's own and bytes; unpickling these is the work."""
    call = pickle.dumps(engines._Call(told, Counted(7, [])))
    code = "import pickle, sys; f, b = pickle.load(sys.stdin.buffer); print(f.__name__, 'simulator' in sys.modules)"
    asked = pickle.dumps((pickle.loads, call))
    said = subprocess.run([sys.executable, "-c", code], input=asked, capture_output=True, check=True, cwd=tmp_path)
    assert said.stdout == b"loads False\n"
    assert engines._unpacked(pickle.loads(call)) == 7


def kill_when(folder: Path, worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker once a few parts of the log lie in the folder."""
    for _ in range(3_000):
        if len(list(folder.glob(".parts-*/*.columns.*"))) > 3:
            break
        time.sleep(0.01)
    worker.kill()


def test_a_dead_worker_is_told_and_its_batch_done_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(3)
    with caplog.at_level(logging.WARNING, "backroute"):
        done = list(pool.map(dies_once, [(n, str(tmp_path)) for n in range(40)]))
    pool.close()
    assert [number for number, _ in done] == [n * n for n in range(40)]
    assert {worker for _, worker in done} == {True, False}, "this process works along"
    assert "a worker process died; its batch is done again" in caplog.text


def test_a_batch_that_kills_every_worker_is_an_error() -> None:
    pool = Pool(2)
    with pytest.raises(BackrouteError, match="died 3 times over the same batch"):
        list(pool.map(always_dies, [1]))
    pool.close()


def test_results_held_for_the_one_before_them_are_bounded() -> None:
    """While a worker starts, this process does no more than 16 tasks beyond those handed out."""
    pool, done = Pool(2), list[int]()
    results = pool.map(told, [Counted(n, done) for n in range(100)])
    assert next(results) == 0
    assert len(done) <= engines.DONE + engines.AHEAD
    assert list(results) == list(range(1, 100))
    pool.close()


def test_a_short_log_is_given_no_more_processes_than_it_is_worth(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(4)
    with caplog.at_level(logging.WARNING, "backroute"):
        assert pool.suits(2 * engines.WORTH)
    assert pool.workers == 3
    assert "too short for 4 workers" in caplog.text
    assert not Pool(4).suits(engines.WORTH - 1)


def test_workers_on_a_short_log_change_nothing_but_a_note(
    log_file: Path, book: PriceBook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "backroute"):
        after = replayed(log_file, book, tmp_path / "pool", workers=2)
    assert "this process alone is used" in caplog.text
    alike(replayed(log_file, book, tmp_path / "alone"), after)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("spark", 1, None), "unknown engine"),
        (("local", 0, None), "not 1 or more"),
        (("dask", 1, None), "dask without a scheduler"),
        (("local", 2, "tcp://127.0.0.1:1"), "without --engine dask"),
    ],
)
def test_an_engine_that_cannot_be_is_told(options: tuple[str, int, str | None], said: str) -> None:
    with pytest.raises(BackrouteError, match=said):
        engine_of(*options)
