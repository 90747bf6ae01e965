import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pricing import PriceBook
from problems import BackrouteError
from quality import ByFunction, ByGold, ByJudge, Judge, Result, Tariff, paired_samples
from quality.verdict import GOOD, UNSURE, WORSE
from router.providers.base import BadRequest, ProviderFault
from simulator.counterfactual import Parameters, calibrate, predict_output
from tests.quality.stand_ins import Reply, StandIn, check_of, replayed
from tests.simulator.conftest import call

CAP = 10**12
RIGHT = ByFunction("right", lambda _, answer: float(answer == "right" or answer.isdigit()))


def providers(reply: Reply) -> dict[str, StandIn]:
    return {name: StandIn(name, reply) for name in ("openai", "groq")}


def run(
    folder: tuple[Path, Path], book: PriceBook, sides: dict[str, StandIn], *, cap: int = CAP, **options: object
) -> Result:
    check = check_of(*folder, options.pop("scoring", RIGHT), book, **options)  # type: ignore[arg-type]
    return check.run(sides, cap)


def test_a_model_that_is_as_good_passes_and_one_that_is_not_fails(folder: tuple[Path, Path], book: PriceBook) -> None:
    sides = providers(lambda model, _: "wrong" if "llama" in model else "right")
    result = run(folder, book, sides, sample=400)
    slices = check_of(*folder, RIGHT, book).plan.population.slices
    found = {each.name: finding for each, finding in zip(slices, result.verdict.slices, strict=True)}
    assert (found["code"].verdict, found["sums"].verdict, result.verdict.overall.verdict) == (GOOD, WORSE, WORSE)
    assert found["sums"].difference_pct == pytest.approx(-100, abs=25)
    savings = {each.name: each.saving_pico for each in slices}
    assert list(savings) == ["sums", "code"], "the largest saving first"
    assert result.verdict.verified_pico == savings["code"] > 0
    assert result.runner.complete


def test_where_the_log_holds_the_baselines_answer_only_the_routed_side_is_called(
    folder: tuple[Path, Path], book: PriceBook
) -> None:
    sides = providers(lambda *_: "right")
    run(folder, book, sides)
    assert {model for side in sides.values() for model, _ in side.calls} == {"gpt-4o-mini", "llama-3.1-8b-instant"}
    rows = pq.read_table(folder[1] / "pairs.parquet").to_pylist()
    logged = [row for row in rows if row["arm"] == "baseline"]
    assert all(row["completion"].isdigit() and row["output_text"] == 100 for row in logged)
    assert {row["usd_pico"] for row in logged} == {3_500_000_000}


def test_every_request_is_paid_for_once_and_a_second_run_pays_for_nothing(
    folder: tuple[Path, Path], book: PriceBook
) -> None:
    first = providers(lambda *_: "right")
    before = run(folder, book, first)
    assert set(Counter(n for side in first.values() for n in side.calls.values())) == {1}
    second = providers(lambda *_: "right")
    after = run(folder, book, second)
    assert not any(side.calls for side in second.values())
    assert after.verdict == before.verdict
    assert after.spent_pico == before.spent_pico > 0
    more = providers(lambda *_: "right")
    run(folder, book, more, sample=60)
    asked = [set(side.calls) for side in (*first.values(), *more.values())]
    assert asked[2] | asked[3]
    assert not (asked[0] | asked[1]) & (asked[2] | asked[3])


def test_an_outage_in_the_middle_loses_nothing_and_a_later_run_finishes(
    folder: tuple[Path, Path], book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quality.run.LONGEST_WAIT_S", 0.0)
    answered: Counter[str] = Counter()

    def failing(model: str, _: str) -> str:
        if "llama" in model and answered["llama"] >= 5:
            raise ProviderFault("server", "groq", status=503, retry=True)
        answered["llama" if "llama" in model else "other"] += 1
        return "right"

    first = providers(failing)
    broken = run(folder, book, first)
    assert not broken.runner.complete
    assert list(broken.runner.down) == ["groq"]
    assert answered["other"] > 5, "the other provider goes on"
    assert broken.verdict.overall.verdict == UNSURE
    second = providers(lambda *_: "right")
    mended = run(folder, book, second)
    assert mended.runner.complete
    paid = Counter(dict.fromkeys(first["openai"].calls, 1)) + second["openai"].calls
    assert set(paid.values()) == {1}
    assert len(second["groq"].calls) + 5 == len({text for side in (first, second) for _, text in side["groq"].calls})


def test_the_cap_ends_the_run_and_a_larger_one_goes_on(folder: tuple[Path, Path], book: PriceBook) -> None:
    """4,000 tokens x $0.60/M = $0.0024 an answer of gpt-4o-mini, so that $0.02 is enough for seven or eight."""
    first = providers(lambda *_: "1" * 16_000)
    capped = run(folder, book, first, cap=20_000_000_000)
    assert capped.runner.capped
    assert not capped.runner.complete
    assert 15_000_000_000 < capped.spent_pico <= 20_000_000_000
    second = providers(lambda *_: "right")
    assert run(folder, book, second).runner.complete
    assert not set(first["openai"].calls) & set(second["openai"].calls)


def test_a_request_that_the_routed_model_refuses_counts_as_lost(folder: tuple[Path, Path], book: PriceBook) -> None:
    def refusing(model: str, _: str) -> str:
        raise BadRequest("groq" if "llama" in model else "openai", 400, "content_filter")

    result = run(folder, book, providers(refusing))
    assert result.verdict.overall.difference_pct is not None
    assert result.verdict.overall.difference_pct < -80
    assert result.runner.complete


def test_a_wrong_key_stops_at_once_and_says_so(folder: tuple[Path, Path], book: PriceBook) -> None:
    def refusing(*_: str) -> str:
        raise BadRequest("openai", 401)

    sides = providers(refusing)
    with pytest.raises(BackrouteError, match="check the key"):
        run(folder, book, sides)
    assert sum(sum(side.calls.values()) for side in sides.values()) <= 8
    assert run(folder, book, providers(lambda *_: "right")).runner.complete


def test_prompts_are_masked_and_a_masked_request_asks_the_baseline_as_well(
    folder: tuple[Path, Path], book: PriceBook
) -> None:
    sides = providers(lambda *_: "right")
    run(folder, book, sides, redact=["code"])
    sent = [message["content"] for side in sides.values() for each in side.sent for message in each]
    assert not any("code" in text for text in sent)
    assert any(text.startswith("write [pattern 1]") for text in sent)
    assert any(model == "gpt-4o" for model, _ in sides["openai"].calls)
    assert not any("sum up" in text for model, text in sides["openai"].calls)


def test_nothing_is_sent_to_a_provider_that_is_not_in_the_plan(folder: tuple[Path, Path], book: PriceBook) -> None:
    check = check_of(*folder, RIGHT, book)
    assert check.providers == ["groq", "openai"]
    with pytest.raises(BackrouteError, match="no provider groq"):
        check.run({"openai": StandIn("openai", lambda *_: "right")}, CAP)


def test_a_judge_is_paid_from_the_same_cap_and_its_calls_are_not_repeated(
    folder: tuple[Path, Path], book: PriceBook
) -> None:
    scoring = ByJudge(Judge("openai/gpt-4o", Tariff(book)), {})
    tie = lambda model, _: '{"winner": "tie"}' if model == "gpt-4o" else "an answer"  # noqa: E731
    sides = providers(tie)
    check = check_of(*folder, scoring, book)
    assert check.expected_pico() > check.plan.cost_pico
    result = check.run(sides, CAP)
    judged = {text: n for (model, text), n in sides["openai"].calls.items() if model == "gpt-4o"}
    assert len(judged) == 2 * len(result.pairs)
    assert result.verdict.overall.difference_pct == 0
    again = providers(tie)
    run(folder, book, again, scoring=ByJudge(Judge("openai/gpt-4o", Tariff(book)), {}))
    assert not again["openai"].calls


def test_a_judge_that_disagrees_with_right_answers_widens_the_bounds(
    folder: tuple[Path, Path], book: PriceBook
) -> None:
    rows = [json.loads(line) for line in folder[0].read_text().splitlines()]
    gold = {row["request_id"]: row["response"] for row in rows}
    tie = lambda model, _: '{"winner": "tie"}' if model == "gpt-4o" else "an answer"  # noqa: E731
    trusting = run(folder, book, providers(tie), scoring=ByJudge(Judge("openai/gpt-4o", Tariff(book)), {}), sample=200)
    measured = run(
        folder, book, providers(tie), scoring=ByJudge(Judge("openai/gpt-4o", Tariff(book)), gold), sample=200
    )
    assert trusting.verdict.overall.verdict == GOOD
    assert measured.verdict.overall.verdict != GOOD, "gold says the routed model is always wrong"
    assert measured.verdict.bias.agreement == 0
    assert measured.verdict.bias.low > 0.5
    assert measured.verdict.overall.low_pct < trusting.verdict.overall.low_pct  # type: ignore[operator]


def test_only_requests_with_a_right_answer_are_drawn_for_gold(folder: tuple[Path, Path], book: PriceBook) -> None:
    rows = [json.loads(line) for line in folder[0].read_text().splitlines()]
    gold = {row["request_id"]: row["response"] for row in rows if "code" in row["prompt"]}
    check = check_of(*folder, ByGold(gold), book)
    assert {check.requests[row].rule for row in check.plan.rows} == {"code"}
    assert check.plan.population.left_out.total() == 40


def test_what_cannot_be_sent_again_is_counted_and_not_claimed_for(tmp_path: Path, book: PriceBook) -> None:
    rows = [call(n, prompt=f"write code {n}", response="x") for n in range(6)]
    rows[0]["tools"] = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    rows[1]["response_format"] = {"type": "json_object"}
    rows[2] = call(
        2, messages=[{"role": "user", "content": "code"}, {"role": "tool", "content": "3", "tool_call_id": "c"}]
    )
    log, out = replayed(tmp_path, rows)
    check = check_of(log, out, RIGHT, book)
    (only,) = check.plan.population.slices
    assert (only.requests, only.callable) == (6, 3)
    assert check.plan.population.left_out.total() == 3
    kept = pq.read_table(out / "decisions.parquet").to_pylist()[3:]
    assert only.saving_pico == sum(row["baseline_usd_pico"] - row["routed_usd_pico"] for row in kept) > 0


def test_another_log_is_refused(folder: tuple[Path, Path], tmp_path: Path, book: PriceBook) -> None:
    other = tmp_path / "other.jsonl"
    other.write_bytes(folder[0].read_bytes().replace(b"talk", b"walk"))
    with pytest.raises(BackrouteError, match="not the log of this replay"):
        _ = check_of(other, folder[1], RIGHT, book).plan


def test_a_replay_that_moves_nothing_has_nothing_to_verify(tmp_path: Path, book: PriceBook) -> None:
    log, out = replayed(tmp_path, [call(1, prompt="talk")])
    with pytest.raises(BackrouteError, match="no request moved"):
        _ = check_of(log, out, RIGHT, book).plan


def test_a_scorer_that_fails_keeps_what_was_paid_for_and_tells_no_prompt(
    folder: tuple[Path, Path], book: PriceBook
) -> None:
    def failing(request: dict[str, object], _: str) -> float:
        raise ValueError(f"cannot score {request['messages']}")

    first = providers(lambda *_: "right")
    with pytest.raises(BackrouteError, match=r"it failed on request 'r\d+' \(ValueError\)") as caught:
        run(folder, book, first, scoring=ByFunction("own", failing))
    assert "write code" not in str(caught.value)
    second = providers(lambda *_: "right")
    run(folder, book, second, scoring=ByFunction("own", lambda *_: 1.0))
    assert not set(first["groq"].calls) & set(second["groq"].calls)


def test_observed_answers_narrow_the_prediction_of_tokens(folder: tuple[Path, Path], book: PriceBook) -> None:
    # Half of the requests each way, so that no verdict ends the run early.
    odd = ByFunction("odd", lambda request, answer: float(int(request["request_id"][1:]) % 2 == answer.isdigit()))
    run(folder, book, providers(lambda *_: "word " * 100), sample=400, scoring=odd)
    plan = check_of(*folder, odd, book, sample=400).plan
    weights = [
        row["weight"] for row in pq.read_table(folder[1] / "pairs.parquet").to_pylist() if row["arm"] == "routed"
    ]
    assert sum(weights) == pytest.approx(plan.overall_weight[plan.draws].sum())
    params = Parameters.load()
    samples = paired_samples(folder[1] / "pairs.parquet")
    assert {(each.source, each.target) for each in samples} == {
        ("openai/gpt-4o", "openai/gpt-4o-mini"), ("openai/gpt-4o", "groq/llama-3.1-8b-instant"),
    }  # fmt: skip
    mine = next(each for each in samples if "llama" in each.target)
    args = (mine.source, mine.target, None, mine.source_tokens, mine.input_tokens, None)
    before, after = predict_output(params, *args), predict_output(calibrate(params, samples), *args)
    assert after.group_log_sd < before.group_log_sd
