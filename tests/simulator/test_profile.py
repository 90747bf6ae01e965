import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing import PriceBook
from problems import BackrouteError
from router import (
    LLMRouter,
    RoutingRule,
    estimated_cost_usd,
    has_tools,
    input_tokens,
    length,
    mentions,
    meta,
    model,
    n_messages,
    task,
    user_id,
)
from router.semantic.tasks import task_model
from simulator import ReplayResult, Scenario, replay
from simulator.profile import ProfileLog, is_profile, write_profile
from tests.simulator.conftest import call
from workloads import Log, read_log

SALT = b"0123456789abcdef"
RULES = LLMRouter(
    [
        RoutingRule("code", mentions("code", "sql"), "anthropic", "claude-sonnet-4-5"),
        RoutingRule("mine", (user_id() == "ann") & (length() > 3), "openai", "gpt-4o-mini"),
        RoutingRule("gold", meta("tier") == "gold", "openai", "gpt-4.1"),
        RoutingRule("flagged", meta("urgent") & ~has_tools(), "groq", "llama-3.1-8b-instant", "", ("openai/gpt-4",)),
        RoutingRule("long", (input_tokens() > 40) | (n_messages() >= 3), "mistral", "mistral-large-latest"),
        RoutingRule("dear", estimated_cost_usd() >= 0.004, "openai", "gpt-4o-mini"),
        RoutingRule("task", task("code") >= 0.5, "groq", "llama-3.1-8b-instant"),
        RoutingRule("odd", model() == "house-model-7", "openai", "gpt-4o-mini"),
        RoutingRule("default", None, "openai", "gpt-4o"),
    ],
    name="all kinds",
)  # fmt: skip


def profiled(rows: list[dict[str, Any]], path: Path, book: PriceBook, router: LLMRouter = RULES) -> ProfileLog:
    write_profile(read_log(rows), path, book=book, salt=SALT, routers=[router])
    return ProfileLog(path)


def replayed(log: Log, book: PriceBook, router: LLMRouter = RULES) -> ReplayResult:
    base = Scenario.always("openai/gpt-4o", book)
    return replay(log, base, Scenario(router.name, router, book))[1]


MONEY = (
    "as_logged",
    "baseline",
    "routed",
    "headline",
    "waterfall",
    "by_rule",
    "by_model",
    "by_day",
    "coverage",
    "period",
)


def totals(result: ReplayResult) -> dict[str, Any]:
    held = {name: result.summary[name] for name in MONEY}
    held["saved"] = result.summary["savings"]["usd"], result.summary["savings_vs_as_logged"]["usd"]
    log = result.summary["log"]
    return held | {name: log[name] for name in ("rows", "first", "last", "sessions")}


TEXTS = st.text(alphabet="code sql äß\u2028\n漢🙂", max_size=60)
CALLS = st.lists(
    st.fixed_dictionaries(
        {"prompt": TEXTS},
        optional={
            "completion": TEXTS,
            "system": st.just("be brief"),
            "usage": st.one_of(
                st.none(), st.just({"prompt_tokens": 900, "completion_tokens": 80}), st.just({"completion_tokens": 7})
            ),
            "model": st.sampled_from(["gpt-4o", "gpt-4o-2024-05-13", "claude-sonnet-4-5", "house-model-7", "o1"]),
            "user_id": st.sampled_from(["ann", "bo"]),
            "metadata": st.sampled_from([{"tier": "gold"}, {"tier": "tin", "urgent": True}, {}]),
            "tools": st.just([{"type": "function", "function": {"name": "f"}}]),
            "cost": st.sampled_from([0.01, 0.002]),
            "status": st.sampled_from(["ok", "error"]),
            "session_id": st.sampled_from(["s1", "s2"]),
        },
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=CALLS)
def test_a_profile_replays_to_the_same_totals_to_the_picodollar(
    rows: list[dict[str, Any]], book: PriceBook, tmp_path: Path
) -> None:
    calls = [
        {"request_id": f"r{n}", "model": "gpt-4o", "timestamp": f"2026-06-{n + 1:02d}T08:00:00Z"} | row
        for n, row in enumerate(rows)
    ]
    log = replayed(read_log(calls), book)
    profile = replayed(profiled(calls, tmp_path / "p.parquet", book), book)
    assert totals(profile) == totals(log)
    columns = ["rule", "logged_usd_pico", "baseline_usd_pico", "routed_usd_pico", "routed_model", "routed_provenance"]
    assert profile.requests()[columns].equals(log.requests()[columns])


@pytest.mark.parametrize("rules", ["starter", "case", "current"])
def test_the_bundled_log_and_rules_come_out_alike(rules: str, book: PriceBook, tmp_path: Path) -> None:
    from router import load_rules

    router = load_rules(rules)
    path = Path(__file__).resolve().parents[2] / "workloads" / "presets" / "case-60-25-15.jsonl.gz"
    write_profile(read_log(path), tmp_path / "p.parquet", book=book, salt=SALT, routers=[router])
    assert totals(replayed(ProfileLog(tmp_path / "p.parquet"), book, router)) == totals(
        replayed(read_log(path), book, router)
    )


SECRETS = {
    "prompt": "the patient's name is Wilhelmina",
    "system": "you are the helper of Contoso",
    "completion": "dear Wilhelmina, take two of these",
    "metadata": {"note": "room 4711", "tier": "gold"},
    "user_id": "wilhelmina@example.com",
    "session_id": "call-of-wilhelmina",
    "feedback": "she was delighted",
    "label": "oncology ward",
    "provider": "wilhelmina's own gateway",
    "service_tier": "tier for Wilhelmina",
}


def test_a_profile_holds_no_text_of_the_log(book: PriceBook, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    rows = [call(n) | SECRETS | {"model": "sk-proj-Abcdefgh12345678", "request_id": f"secret {n}"} for n in range(3)]
    profiled(rows, path, book)
    table = pq.read_table(path)
    said = json.dumps(
        [table.to_pylist(), {str(k): str(v) for k, v in (table.schema.metadata or {}).items()}], default=str
    )
    for secret in ("ilhelmina", "Contoso", "4711", "oncology", "delighted", "sk-proj", "secret", "take two"):
        assert secret not in said
        assert secret.encode() not in path.read_bytes()
    texts = [value for row in table.to_pylist() for value in row.values() if isinstance(value, str)]
    assert max(map(len, texts)) <= 80


def test_ids_are_hashed_with_the_salt_and_equal_ids_stay_equal(book: PriceBook, tmp_path: Path) -> None:
    rows = [call(n, user_id="ann") for n in range(4)]
    first = profiled(rows, tmp_path / "a.parquet", book).requests()
    write_profile(read_log(rows), tmp_path / "b.parquet", book=book, salt=b"another salt 567", routers=[RULES])
    other = ProfileLog(tmp_path / "b.parquet").requests()
    assert first["session_id"].nunique() == 2
    assert first["user_id"].nunique() == 1
    assert not set(first["request_id"]) & set(other["request_id"])
    assert first["user_id"][0] != first["request_id"][0]


def test_rules_that_a_profile_was_not_made_for_are_refused(book: PriceBook, tmp_path: Path) -> None:
    log = profiled([call()], tmp_path / "p.parquet", book)
    other = LLMRouter(
        [
            RoutingRule("new", mentions("poem"), "openai", "gpt-4o-mini"),
            RoutingRule("default", None, "openai", "gpt-4o"),
        ]
    )
    with pytest.raises(BackrouteError, match=r"holds no answers.*poem.*backroute profile"):
        replayed(log, book, other)
    longer = LLMRouter([RoutingRule("long", length() > 5, "openai", "gpt-4o-mini"), *RULES.rules[-1:]])
    assert replayed(log, book, longer).summary["by_rule"][0]["rule"] == "long", "numbers may be compared with any other"


def test_thresholds_on_tasks_may_change_though_no_rule_asked_for_a_task(book: PriceBook, tmp_path: Path) -> None:
    plain = LLMRouter([RoutingRule("default", None, "openai", "gpt-4o")])
    rows = [call(n, prompt=text) for n, text in enumerate(("Sort a list in Python", "Hi, how are you?", "", None))]
    for share in (0.2, 0.5, 0.9):
        router = LLMRouter([RoutingRule("code", task("code") >= share, "openai", "gpt-4o-mini"), *plain.rules])
        log = profiled(rows, tmp_path / "p.parquet", book, plain)
        assert totals(replayed(log, book, router)) == totals(replayed(read_log(rows), book, router))
    names = pq.read_schema(tmp_path / "p.parquet").names
    assert {name for name in names if name.startswith("score ")} == {
        f"score {task_model().digest[:16]} {output}" for output in task_model().outputs
    }


def test_scores_of_another_version_are_refused(book: PriceBook, tmp_path: Path) -> None:
    router = LLMRouter([RoutingRule("code", task("code") >= 0.5, "openai", "gpt-4o-mini"), *RULES.rules[-1:]])
    profiled([call()], tmp_path / "p.parquet", book)
    table = pq.read_table(tmp_path / "p.parquet")
    others = [name.replace("score ", "score 0") for name in table.column_names]
    renamed = table.rename_columns(others).replace_schema_metadata(pq.read_metadata(tmp_path / "p.parquet").metadata)
    pq.write_table(renamed, tmp_path / "q.parquet")
    with pytest.raises(BackrouteError, match=r"no scores of a model.*backroute profile"):
        replayed(ProfileLog(tmp_path / "q.parquet"), book, router)


def test_a_model_whose_tokenizer_did_not_count_is_refused(book: PriceBook, tmp_path: Path) -> None:
    plain = LLMRouter([RoutingRule("default", None, "openai", "gpt-4o-mini")])
    log = profiled([call()], tmp_path / "p.parquet", book, plain)
    with pytest.raises(BackrouteError, match="--model anthropic/claude-3-haiku"):
        replay(log, Scenario.always("anthropic/claude-3-haiku", book), Scenario("x", plain, book))


def test_rows_without_text_stay_undecidable(book: PriceBook, tmp_path: Path) -> None:
    rows = [call(0, prompt=None), call(1)]
    assert replayed(profiled(rows, tmp_path / "p.parquet", book), book).run.facts.undecided == 1


def test_a_rule_that_is_a_python_function_cannot_be_profiled(book: PriceBook, tmp_path: Path) -> None:
    router = LLMRouter(
        [RoutingRule("f", lambda text, _: "x" in text, "openai", "gpt-4o"), RoutingRule("d", None, "openai", "gpt-4o")]
    )
    with pytest.raises(BackrouteError, match="Python function"):
        profiled([call()], tmp_path / "p.parquet", book, router)


def test_what_is_no_profile_is_told(book: PriceBook, tmp_path: Path) -> None:
    for name, content in (("a", b""), ("b", b"PAR1"), ("c", b'{"prompt": "x"}')):
        (tmp_path / name).write_bytes(content)
        assert not is_profile(tmp_path / name)
        with pytest.raises(BackrouteError, match="no profile"):
            ProfileLog(tmp_path / name)
    with pytest.raises(BackrouteError, match="no request to profile"):
        write_profile(read_log([]), tmp_path / "p", book=book, salt=SALT)
    with pytest.raises(BackrouteError, match="cannot be written"):
        write_profile(read_log([call()]), tmp_path, book=book, salt=SALT)
