import functools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pricing import PriceBook
from problems import BackrouteError
from router import LLMRouter, RoutingRule, length, task
from router.learned.linear import LinearModel
from router.parameters import read_parameter
from simulator import Assumptions, Scenario, replay
from simulator.search.known_quality import KnownQuality, read_preferences, read_quality
from simulator.search.sweep import Sweep, sweep
from simulator.search.sweep_summary import summarise_sweep
from simulator.search.tune import tune
from tests.simulator.conftest import call
from workloads import read_log

RULES = LLMRouter(
    [
        RoutingRule("short", length() < 50, "openai", "gpt-4o-mini"),
        RoutingRule("rest", None, "openai", "gpt-4o"),
    ]
)
MINI, FULL = "openai/gpt-4o-mini", "openai/gpt-4o"
# Texts of 10, 20, ... 100 characters; gpt-4o-mini answers those below 60 rightly, gpt-4o all.
ROWS = [call(n, prompt="x" * (10 * (n % 10 + 1))) for n in range(40)]
KNOWN = KnownQuality({MINI: {f"r{n}": float(n % 10 < 5) for n in range(40)}, FULL: {f"r{n}": 1.0 for n in range(40)}})
COPIED = Assumptions("as_logged")


def swept(
    book: PriceBook,
    rows: list[dict[str, Any]] = ROWS,
    *,
    quality: KnownQuality | None = KNOWN,
    param: str = "short.length.below=0:110:10",
) -> Sweep:
    scenario = Scenario("x", RULES, book, assumptions=COPIED)
    return sweep(read_log(rows), RULES, [read_parameter(param)], scenario, quality=quality)


def test_a_setting_costs_what_its_replay_does(book: PriceBook) -> None:
    found = swept(book, param="short.length.below=30,75")
    for point in found.settings:
        threshold = point.values["short.length.below"]
        rules = [RoutingRule("short", length() < threshold, "openai", "gpt-4o-mini"), RULES.rules[1]]
        scenarios = [Scenario("a", LLMRouter(rules), book, assumptions=COPIED)]
        base = Scenario.always(FULL, book, assumptions=COPIED)
        _, after = replay(read_log(ROWS), base, *scenarios)
        assert point.all.usd == Decimal(after.summary["routed"]["usd"])


def test_one_model_for_all_costs_no_decisions(book: PriceBook) -> None:
    """40 x $0.0035 on gpt-4o, though the rules ask a learned model of every request."""
    rules = [RoutingRule("code", task("code") >= 0.5, "openai", "gpt-4o-mini"), RULES.rules[1]]
    scenario = Scenario("x", LLMRouter(rules), book, assumptions=COPIED)
    found = sweep(read_log(ROWS), scenario.router, [read_parameter("code.task.code.at_least=0.5,0.6")], scenario)
    assert next(point.all.usd for point in found.singles if point.name == FULL) == Decimal("0.14")


def test_cost_and_quality_by_hand(book: PriceBook) -> None:
    """1,000 in and 100 out: $0.0035 on gpt-4o, $0.00021 on gpt-4o-mini.

    Below 60: 50 characters or less, 5 of 10, go to gpt-4o-mini, all answered rightly: 20 x 0.0035 + 20 x 0.00021.
    Below 110: all of them, half of them rightly: 40 x 0.00021 = $0.0084.
    """
    found = swept(book, param="short.length.below=60,110")
    half, all_mini = (point.all for point in found.settings)
    assert (half.usd, half.quality) == (Decimal("0.0742"), 1.0)
    assert (all_mini.usd, all_mini.quality) == (Decimal("0.0084"), 0.5)
    assert [(point.name, point.all.usd) for point in found.singles] == [
        (MINI, Decimal("0.0084")),
        (FULL, Decimal("0.14")),
    ]
    assert found.oracle is not None
    assert (found.oracle.all.usd, found.oracle.all.quality) == (Decimal("0.0742"), 1.0)


def test_the_fields_figures_of_a_sweep_by_hand(book: PriceBook) -> None:
    """Every tenth of calls taken from gpt-4o-mini's wrong half first recovers a fifth of the gap, up to half of them.

    APGR = 0.5 x 0.5 + 0.5 x 1 = 0.75, CPT(50%) = 0.25, CPT(80%) = 0.4.
    """
    summary = summarise_sweep(swept(book), RULES)
    figures = summary["figures"]
    assert (figures["weak"], figures["strong"], figures["best_single_model"]) == (MINI, FULL, FULL)
    assert (figures["apgr"], figures["cpt50"], figures["cpt80"]) == (0.75, 0.25, 0.4)
    assert figures["aiq"] > figures["aiq_of_single_models"]
    assert summary["settings"][6]["pgr"] == 1.0
    assert summary["settings"][6]["strong_share"] == 0.5


def test_without_quality_the_sweep_gives_cost_alone(book: PriceBook) -> None:
    found = swept(book, quality=None)
    summary = summarise_sweep(found, RULES)
    assert not found.has_quality
    assert (summary["figures"], summary["frontier"], summary["oracle"]) == (None, None, None)
    assert all(point["quality"] is None and point["usd"] for point in summary["settings"])


def test_quality_known_of_one_model_alone_is_not_compared(book: PriceBook) -> None:
    known = KnownQuality({MINI: KNOWN.scores[MINI], FULL: {"r0": 1.0, "r7": 1.0}})
    assert {point.all.known for point in swept(book, quality=known).settings} == {2}


@pytest.mark.parametrize("size", [1, 7])
def test_batches_do_not_matter(book: PriceBook, size: int) -> None:
    log = read_log(ROWS)
    log.batches = functools.partial(log.batches, rows=size)  # type: ignore[method-assign]
    scenario = Scenario("x", RULES, book, assumptions=COPIED)
    split = sweep(log, RULES, [read_parameter("short.length.below=0:110:10")], scenario, quality=KNOWN)
    assert summarise_sweep(split, RULES) == summarise_sweep(swept(book), RULES)


def test_a_text_is_scored_once_however_many_settings_sweeps_and_replays_there_are(
    book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []
    real = LinearModel.scores
    monkeypatch.setattr(LinearModel, "scores", lambda self, texts: scored.append(len(texts)) or real(self, texts))
    rules = LLMRouter([RoutingRule("code", task("code") >= 0.5, "openai", "gpt-4o-mini"), RULES.rules[1]])
    log, scenario = read_log(ROWS), Scenario("x", rules, book)
    for values in ("0:1:0.05", "0.1,0.7"):
        sweep(log, rules, [read_parameter(f"code.task.code.at_least={values}")], scenario, quality=KNOWN)
    replay(log, Scenario.always(FULL, book), scenario)
    assert sum(scored) == len(ROWS)


def test_tuning_chooses_the_cheapest_on_one_half_and_reports_on_the_other(book: PriceBook) -> None:
    found = swept(book)
    tuned = tune(found, 1.0, FULL)
    assert tuned.point.values == {"short.length.below": 60}
    assert tuned.kept
    assert tuned.chosen_on.requests + tuned.reported_on.requests == 40
    assert tuned.reported_on.requests == tuned.last_model.requests
    assert tuned.saved_usd > 0
    cheap = tune(found, 0.4, FULL).point.values["short.length.below"]
    assert cheap > 60


def test_sessions_stay_in_one_half(book: PriceBook) -> None:
    rows = [row | {"session_id": "one"} for row in ROWS]
    halves = swept(book, rows).settings[0].halves
    assert sorted(half.requests for half in halves) == [0, 40]


def test_a_floor_that_nothing_keeps_names_the_best(book: PriceBook) -> None:
    with pytest.raises(BackrouteError, match=r"the best is 0\.\d{4} \(short\.length\.below=110\)"):
        tune(swept(book, param="short.length.below=110,120"), 0.99, FULL)
    with pytest.raises(BackrouteError, match="--outcomes"):
        tune(swept(book, quality=None), 0.99, FULL)


def test_outcomes_are_read_from_any_table_and_named_as_the_book_does(tmp_path: Path, book: PriceBook) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("request_id,model,score\nr1,gpt-4o,1\nr1,gpt-4o,0\n7,openai/gpt-4o-mini,0.5\nr2,gpt-4o,\n")
    known = read_quality(path, book)
    assert known.models == [FULL, MINI]
    assert known.of(["r1", "r2"], FULL).tolist()[0] == 0.5
    assert known.of(["7"], MINI).tolist() == [0.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("request_id,model,skore\na,gpt-4o,1\n", "score"),
        ("request_id,model,score\na,gpt-4o,7\n", "outside 0 to 1"),
        ("request_id,model,score\n", "no scored answer"),
        ("request_id,model,score\na,gpt-4o,good\n", "score"),
        ("request_id,model,score,score\na,gpt-4o,1,0\n", "two columns of one name"),
        ("request_id,mod\udcffel,score\na,gpt-4o,1\n", "cannot be read"),
    ],
)
def test_outcomes_that_cannot_be_meant_are_an_error(text: str, said: str, tmp_path: Path, book: PriceBook) -> None:
    (tmp_path / "scores.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BackrouteError, match=said):
        read_quality(tmp_path / "scores.csv", book)


def test_preferences_say_where_either_side_was_no_worse(tmp_path: Path, book: PriceBook) -> None:
    (tmp_path / "p.jsonl").write_text(
        "".join(
            f'{{"request_id": "r{n}", "model_a": "gpt-4o-mini", "model_b": "gpt-4o", "winner": "{winner}"}}\n'
            for n, winner in enumerate(("a", "b", "tie"))
        )
    )
    found = read_preferences(tmp_path / "p.jsonl", book)
    assert found[MINI, FULL] == {"r0": 1.0, "r1": 0.0, "r2": 1.0}
    assert found[FULL, MINI] == {"r0": 0.0, "r1": 1.0, "r2": 1.0}
    (tmp_path / "p.jsonl").write_text('{"request_id": "r", "model_a": "x", "model_b": "y", "winner": "x"}\n')
    with pytest.raises(BackrouteError, match="a, b, tie"):
        read_preferences(tmp_path / "p.jsonl", book)
