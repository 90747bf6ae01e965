from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from problems import BackrouteError
from simulator.counterfactual import PairedSample, Parameters, calibrate, predict_output
from simulator.counterfactual.predict import live_key, pair_of

PARAMS = Parameters.load()
PAIR = ("openai/gpt-4o", "openai/gpt-4o-mini")


def sample(n: int, factor: float, seed: int = 0, noise: float = 0.2) -> PairedSample:
    draw = np.random.default_rng(seed)
    source = np.exp(draw.normal(5.8, 0.6, n))
    return PairedSample(
        *PAIR, source, factor * source * np.exp(draw.normal(-(noise**2) / 2, noise, n)), np.full(n, 100.0)
    )


def total(params: Parameters, paired: PairedSample) -> float:
    told = predict_output(params, *PAIR, None, paired.source_tokens, paired.input_tokens, None)
    return float(told.expected.sum())


def log_sd(params: Parameters, paired: PairedSample) -> float:
    return predict_output(params, *PAIR, None, paired.source_tokens, paired.input_tokens, None).group_log_sd


def test_many_paired_answers_decide_the_ratio() -> None:
    live, fresh = sample(400, 1.5), sample(2000, 1.5, seed=1)
    tuned = calibrate(PARAMS, [live])
    assert total(tuned, fresh) == pytest.approx(fresh.target_tokens.sum(), rel=0.04)
    assert log_sd(tuned, fresh) < 0.2 * log_sd(PARAMS, fresh)


def test_few_paired_answers_move_it_part_of_the_way() -> None:
    live = sample(30, 2.5, noise=1.0)
    before, after, true = total(PARAMS, live), total(calibrate(PARAMS, [live]), live), live.target_tokens.sum()
    assert before * 1.05 < after < true / 1.05


def test_a_slope_from_few_answers_stays_near_the_public_one() -> None:
    """The sample's own slope is about -0.5, known to 1 / (0.6 x sqrt(40)) = 0.26; the public is 0.8 ± 0.3."""
    live = sample(40, 1.0)
    target = 5_000 / np.sqrt(live.source_tokens) * np.exp(np.random.default_rng(9).normal(0, 1, 40))
    apart = PairedSample(*PAIR, live.source_tokens, target, live.input_tokens)
    x, y = np.log(apart.source_tokens), np.log(apart.target_tokens)
    usual, found = pair_of(PARAMS, *PAIR).slope, np.polyfit(x, y, 1)[0]
    low, high = sorted((found, usual))
    assert low + 0.2 < calibrate(PARAMS, [apart]).live[live_key(*PAIR)].slope < high - 0.2


def test_a_source_that_always_writes_the_same_leaves_the_public_slope() -> None:
    live = sample(100, 1.0)
    same = PairedSample(*PAIR, np.full(100, 300.0), live.target_tokens, live.input_tokens)
    assert calibrate(PARAMS, [same]).live[live_key(*PAIR)].slope == pair_of(PARAMS, *PAIR).slope


def test_other_pairs_are_left_as_they_were() -> None:
    tuned = calibrate(PARAMS, [sample(200, 1.5)])
    tokens = np.full(10, 300.0)
    other = ("openai/gpt-4o", "groq/llama-3.1-8b-instant")
    plain, after = (predict_output(p, *other, None, tokens, tokens, None) for p in (PARAMS, tuned))
    assert np.array_equal(plain.expected, after.expected)
    assert plain.group_log_sd == after.group_log_sd


def test_calibrating_twice_with_the_same_answers_is_calibrating_once() -> None:
    live = sample(200, 1.5)
    once = calibrate(PARAMS, [live])
    assert calibrate(once, [live]).live == once.live


def test_a_slope_unlike_the_public_one_is_learned() -> None:
    """Every answer of 500 tokens: whatever the source wrote, so the slope is 0 and the expectation flat."""
    live = sample(200, 1.0)
    flat = PairedSample(*PAIR, live.source_tokens, np.full(200, 500.0), live.input_tokens)
    told = predict_output(calibrate(PARAMS, [flat]), *PAIR, None, live.source_tokens, live.input_tokens, None)
    assert told.expected == pytest.approx(np.full(200, 500.0), rel=0.02)


def test_a_handful_or_none_changes_nothing() -> None:
    assert calibrate(PARAMS, [sample(29, 3.0)]).live == {}
    assert calibrate(PARAMS, []).live == {}


def test_parameters_survive_writing_and_reading(tmp_path: Path) -> None:
    tuned = calibrate(PARAMS, [sample(200, 1.5)])
    tuned.save(tmp_path / "own.json")
    back = Parameters.load(tmp_path / "own.json")
    assert back.as_json() == tuned.as_json()
    fresh = sample(50, 1.5, seed=2)
    assert total(back, fresh) == total(tuned, fresh)


def test_a_note_tells_of_the_live_answers() -> None:
    tuned = calibrate(PARAMS, [sample(200, 1.5)])
    note = predict_output(tuned, *PAIR, None, np.ones(3), np.ones(3), None).source_note
    assert "200 paired live answers" in note


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 99}'])
def test_a_file_that_holds_no_parameters_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text, "utf-8")
    with pytest.raises(BackrouteError, match=r"broken\.json"):
        Parameters.load(path)


def test_what_is_derived_is_not_mixed_up_between_parameters() -> None:
    wide = replace(PARAMS, scales=replace(PARAMS.scales, model=1.0))
    assert log_sd(wide, sample(100, 1.0)) != log_sd(PARAMS, sample(100, 1.0))


def test_one_runaway_answer_does_not_bring_a_refuted_prior_back() -> None:
    """The target writes a third of what the public tasks expect, but for one answer in 200 that ran to 4,000 tokens.

    It makes up a tenth of the total and belongs in it; the spread it makes must not let the prior, three times too
    long, take part of the refitted total.
    """
    live = sample(200, 0.33)
    target = live.target_tokens.copy()
    target[7] += 4_000
    tuned = calibrate(PARAMS, [replace(live, target_tokens=target)])
    assert total(tuned, live) == pytest.approx(target.sum(), rel=0.02)
    assert log_sd(tuned, live) > 1.5 * log_sd(calibrate(PARAMS, [live]), live)
