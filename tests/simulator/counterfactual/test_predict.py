import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri, stdtrit

from simulator.counterfactual import TASKS, Parameters, Prediction, predict_output
from simulator.counterfactual.predict import ENOUGH_TASKS, T_OVER_NORMAL

GPT_4O, MINI, LLAMA, SONNET, HAIKU = (
    "openai/gpt-4o",
    "openai/gpt-4o-mini",
    "groq/llama-3.1-8b-instant",
    "anthropic/claude-3-5-sonnet-20240620",
    "anthropic/claude-3-haiku-20240307",
)
PARAMS = Parameters.load()


def answers(level: float, n: int = 1000, spread: float = 0.6, seed: int = 0) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal(level, spread, n))


def told(
    source: str,
    target: str,
    tokens: np.ndarray,
    *,
    prompt: float = 100.0,
    cap: float | None = None,
    label: str | None = None,
) -> Prediction:
    n = len(tokens)
    return predict_output(
        PARAMS,
        source,
        target,
        None if label is None else np.full(n, TASKS.index(label)),
        tokens,
        np.full(n, prompt),
        None if cap is None else np.full(n, cap),
    )


def ratio(prediction: Prediction, tokens: np.ndarray) -> float:
    return float(prediction.expected.sum() / tokens.sum())


def test_models_that_answer_alike_are_predicted_alike() -> None:
    tokens = answers(5.8)
    assert ratio(told(GPT_4O, MINI, tokens), tokens) == pytest.approx(1.0, abs=0.12)
    assert ratio(told(MINI, GPT_4O, tokens), tokens) == pytest.approx(1.0, abs=0.12)


def test_what_is_expected_is_the_mean_of_what_the_ratio_may_be_and_not_its_middle() -> None:
    """Two models nobody measured differ by a log-normal ratio of middle 1, so either is expected longer: exp(V / 2).

    Of V only the part between tasks is widened: log_sd^2 = V + (w^2 - 1) x that part, w = t(95%, 2) / 1.645 = 1.775.
    No kind of task carries the label analytics, so nothing is known of the level but its prior around exp(5.6); and
    without leans long answers are no more apart than short ones, so nor is the level likelier above it than below.
    """
    level = replace(PARAMS.scales, model_lean=0.0, family_lean=0.0)
    params = replace(PARAMS, scales=level, runaway=replace(PARAMS.runaway, rate=1e-9))
    tokens, names = answers(5.555, spread=0.3), ("one/novel-a", "two/novel-b")  # a mean of exp(5.6), the usual level
    between = params.scales.between_tasks(same_model=False, same_family=False)
    for source, target in (names, names[::-1]):
        found = predict_output(
            params, source, target, np.full(1000, TASKS.index("analytics")), tokens, np.full(1000, 100.0), None
        )
        expected = np.exp((found.group_log_sd**2 - (1.775**2 - 1) * between) / 2)
        assert expected > 1.03
        assert ratio(found, tokens) == pytest.approx(expected, rel=0.015)


def test_a_terse_model_is_relatively_shorter_where_answers_are_long() -> None:
    """Claude 3.5 Sonnet over gpt-4o in the public outcomes: 1.15 on GSM8K (150 tokens), 0.53 on hard maths (640).

    Arena-Hard (630 tokens) says 0.81 and WildBench 0.78, so long answers of no known kind are expected in between.
    """
    short, long = answers(4.95, spread=0.3), answers(6.25)
    assert ratio(told(GPT_4O, SONNET, short, prompt=136), short) > 1.0
    assert ratio(told(GPT_4O, SONNET, long, prompt=159), long) < 0.9


def test_within_a_group_short_answers_get_relatively_longer() -> None:
    tokens = answers(5.8)
    prediction = told(GPT_4O, LLAMA, tokens)
    factor = prediction.expected / tokens
    order = np.argsort(tokens)
    assert factor[order[:100]].mean() > 1.5 * factor[order[-100:]].mean()


def test_expected_tokens_are_means_and_not_medians() -> None:
    """The mean of a long-tailed group is exp(centre + sd²/2), 1.65 times its median exp(centre) at sd 1."""
    tokens = answers(5.8, n=5000, spread=1.0)
    prediction = told(GPT_4O, MINI, tokens)
    assert prediction.expected.mean() > 1.25 * np.exp(5.8)


@pytest.mark.parametrize(("source", "target"), [(GPT_4O, LLAMA), (LLAMA, SONNET), (HAIKU, GPT_4O)])
def test_no_answer_is_expected_beyond_its_cap(source: str, target: str) -> None:
    tokens = np.minimum(answers(5.8), 300.0)
    prediction = told(source, target, tokens, cap=300)
    assert (prediction.expected <= 300).all()
    assert (prediction.request_sd <= 150 + 1e-9).all()  # no variable on [0, 300] has a larger sd


def test_answers_cut_by_a_short_cap_are_read_as_longer_than_they_look() -> None:
    """300 tokens is the median at a log mean of 5.7, so half of the answers are cut; the target meets the same cap."""
    tokens = np.minimum(answers(5.7), 300.0)
    cut = predict_output(PARAMS, GPT_4O, MINI, None, tokens, np.full(1000, 100.0), np.full(1000, 300.0))
    taken_at_face_value = told(GPT_4O, MINI, tokens)
    assert cut.expected.mean() <= 300
    assert cut.expected.mean() > 0.85 * tokens.mean()
    assert taken_at_face_value.expected.mean() == pytest.approx(tokens.mean(), rel=0.2)


def test_answers_that_ran_away_are_not_taken_for_long_ones() -> None:
    """19% of a Llama's hard maths answers run into 4,096; what gpt-4o would answer follows from the other 81%."""
    tokens = answers(6.2)
    tokens[:190] = 4096
    prediction = told(LLAMA, SONNET, tokens, cap=4096)
    without = told(LLAMA, SONNET, tokens[190:], cap=4096)
    assert ratio(prediction, tokens) < 0.6
    assert prediction.expected[190:].mean() == pytest.approx(without.expected.mean(), rel=0.25)


def test_one_freak_answer_does_not_place_the_whole_group() -> None:
    tokens = answers(5.0, spread=0.3)
    freak = np.r_[tokens, 30_000.0]
    assert told(GPT_4O, SONNET, freak).expected[:1000].mean() == pytest.approx(
        told(GPT_4O, SONNET, tokens).expected.mean(), rel=0.01
    )


def test_fewer_than_five_independent_tasks_widen_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Haiku and gpt-4o share four kinds: t(95%, 5) / 1.645 = 1.225, so (1.225^2 - 1) of the part between tasks."""
    params = replace(PARAMS, runaway=replace(PARAMS.runaway, rate=1e-9))
    tokens, prompts = answers(5.8), np.full(1000, 20.0)
    assert params.support(GPT_4O, HAIKU).independent == 4
    few = predict_output(params, GPT_4O, HAIKU, None, tokens, prompts, None).group_log_sd
    monkeypatch.setattr("simulator.counterfactual.predict.ENOUGH_TASKS", 0)
    many = predict_output(params, GPT_4O, HAIKU, None, tokens, prompts, None).group_log_sd
    between = params.scales.between_tasks(same_model=False, same_family=False)
    assert few**2 - many**2 == pytest.approx((1.225**2 - 1) * min(between, many**2), rel=0.02)


def test_a_models_few_runaways_leave_their_share_unsure() -> None:
    """What a target ran away was read from `cut` answers, so with none the share's relative variance grows by
    1 / 0.4 and the interval with it; the expectation stays."""
    unsure = replace(PARAMS, runaway=replace(PARAMS.runaway, cut={}))
    tokens = answers(6.2)
    tokens[:50] = 4096
    sure, doubt = (
        predict_output(params, MINI, LLAMA, None, tokens, np.full(1000, 150.0), np.full(1000, 4096.0))
        for params in (PARAMS, unsure)
    )
    assert doubt.expected.sum() == pytest.approx(sure.expected.sum())
    assert doubt.group_log_sd > 1.2 * sure.group_log_sd


def test_traffic_like_a_measured_kind_is_surer_than_traffic_like_none() -> None:
    """Chat answers of exp(5.9) tokens to prompts of exp(3.1) are AlpacaEval's; prompts of exp(8) are nobody's."""
    tokens = answers(5.75)
    like, unlike = (told(GPT_4O, "anthropic/claude-3-opus", tokens, prompt=np.exp(log)) for log in (3.1, 8.0))
    assert like.group_log_sd < 0.9 * unlike.group_log_sd


def test_runaways_of_one_model_make_them_likelier_of_another() -> None:
    calm, wild = answers(6.0), answers(6.0)
    wild[:100] = 4096
    of_calm, of_wild = (told(GPT_4O, LLAMA, tokens, cap=4096) for tokens in (calm, wild))
    assert of_wild.expected.mean() > 1.3 * of_calm.expected.mean()


def test_uncertainty_grows_from_pair_to_family_to_prior() -> None:
    tokens = answers(5.8)
    pair, family, prior = (
        told(GPT_4O, name, tokens) for name in (SONNET, "anthropic/claude-sonnet-4-5", "nobody/model-of-tomorrow")
    )
    assert (pair.level, family.level, prior.level) == ("pair", "family", "prior")
    assert pair.group_log_sd < family.group_log_sd < prior.group_log_sd


def test_an_unlike_task_is_less_sure_than_a_like_one() -> None:
    tokens = answers(5.8)
    chat, code = told(GPT_4O, LLAMA, tokens, prompt=20, label="chat"), told(GPT_4O, LLAMA, tokens, label="code")
    assert chat.group_log_sd < code.group_log_sd


def test_the_note_says_what_stands_behind_the_figure() -> None:
    """gpt-4o and Llama 3.1 8B share all tasks but WildBench: five AlpacaEval sets, one kind, GSM8K, level-5 maths,
    Arena-Hard, summaries, and two kinds of code, one kind."""
    note = told(GPT_4O, LLAMA, answers(5.8)).source_note
    assert "11 tasks (6 independent)" in note
    assert "AlpacaEval, Arena-Hard" in note
    assert "ZeroEval" in note
    published = 500 + 831 + 72 + 30
    assert PARAMS.support(GPT_4O, LLAMA).rows == 644 + 1319 + 721 - cut_or_empty(GPT_4O, LLAMA) + published


def cut_or_empty(source: str, target: str) -> int:
    """Answers left out of the cells because they ran into the cap, the more of the two models' on each task."""
    names = [PARAMS.known(name).model for name in (source, target)]
    cells = PARAMS.cells
    whole = {"gsm": 1319, "helpful_base": 103, "koala": 125, "math-l5": 721, "oasst": 150, "selfinstruct": 202}
    whole |= {"vicuna": 64, "arena-hard": 500, "wildbench": 0, "summaries": 831, "write-tests": 72, "transpile": 30}
    kept = [
        np.bincount(cells.task, cells.rows * (cells.model == PARAMS.models.index(name)), len(PARAMS.tasks))
        for name in names
        if name
    ]
    return int(sum(whole[task.name] for task in PARAMS.tasks) - np.minimum(*kept).sum())


def test_one_request_is_served_with_more_doubt_than_a_thousand() -> None:
    one = told(GPT_4O, SONNET, np.array([400.0]))
    many = told(GPT_4O, SONNET, answers(5.8))
    assert np.isfinite(one.expected).all()
    assert one.group_log_sd > many.group_log_sd


def test_an_empty_group_is_an_empty_prediction() -> None:
    none = np.empty(0)
    prediction = predict_output(PARAMS, GPT_4O, LLAMA, None, none, none, None)
    assert prediction.expected.size == 0
    assert prediction.group_log_sd == 0


def test_arrays_of_unlike_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        predict_output(PARAMS, GPT_4O, LLAMA, None, np.ones(3), np.ones(2), None)


def test_unknown_prompts_widen_and_do_not_break() -> None:
    tokens = answers(5.8)
    blank = predict_output(PARAMS, GPT_4O, SONNET, None, tokens, np.full(1000, np.nan), None)
    assert np.isfinite(blank.expected).all()
    assert blank.group_log_sd > told(GPT_4O, SONNET, tokens, prompt=20).group_log_sd


def test_labelled_parts_are_predicted_as_if_alone() -> None:
    short, long = answers(4.95, 500), answers(6.3, 500, seed=1)
    labels = np.repeat([TASKS.index("chat"), TASKS.index("reasoning")], 500)
    both = predict_output(PARAMS, GPT_4O, SONNET, labels, np.r_[short, long], np.full(1000, 100.0), None)
    alone = told(GPT_4O, SONNET, long, label="reasoning")
    assert np.allclose(both.expected[500:], alone.expected)
    first = told(GPT_4O, SONNET, short, label="chat")
    weights = first.expected.sum(), alone.expected.sum()
    assert both.group_log_sd == pytest.approx(np.average([first.group_log_sd, alone.group_log_sd], weights=weights))


@settings(max_examples=30, deadline=None)
@given(
    tokens=st.lists(st.floats(0, 20_000), min_size=1, max_size=20),
    prompt=st.floats(1, 1e6) | st.just(float("nan")),
    cap=st.sampled_from([None, 1.0, 64.0, 4096.0]),
    pair=st.permutations([GPT_4O, LLAMA, SONNET, "openai/gpt-5", "x/y"]),
)
def test_predictions_are_finite_and_never_negative(
    tokens: list[float], prompt: float, cap: float | None, pair: list[str]
) -> None:
    prediction = told(pair[0], pair[1], np.array(tokens), prompt=prompt, cap=cap)
    for values in (prediction.expected, prediction.request_sd):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert np.isfinite(prediction.group_log_sd)
    if cap:
        assert (prediction.expected <= cap + 1e-9).all()


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(12)))
def test_the_order_of_requests_does_not_matter(order: list[int]) -> None:
    tokens, inputs = answers(5.5, 12), np.linspace(10, 500, 12)
    straight = predict_output(PARAMS, GPT_4O, SONNET, None, tokens, inputs, None)
    shuffled = predict_output(PARAMS, GPT_4O, SONNET, None, tokens[order], inputs[order], None)
    assert np.allclose(straight.expected[order], shuffled.expected)


def test_a_prediction_does_not_depend_on_the_threads_of_linear_algebra() -> None:
    """Workers have one; without rounding, the last digits of a level differed from those of two."""
    code = (
        "import numpy as np; from simulator.counterfactual import Parameters, predict_output\n"
        "draw = np.random.default_rng(1); tokens = np.rint(np.exp(draw.normal(5, 1, 500)))\n"
        "for target in ('groq/llama-3.1-8b-instant', 'anthropic/claude-sonnet-4-5', 'x/never-measured'):\n"
        "    said = predict_output(Parameters.load(), 'openai/gpt-4o', target, None, tokens, tokens, None)\n"
        "    print(said.group_log_sd.hex(), said.expected.sum().hex())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
            cwd=Path(__file__).parents[3],
            check=True,
            capture_output=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(said) == 1, said


def test_the_widening_of_few_tasks_is_students_t_over_the_normal() -> None:
    """k independent tasks leave max(k, 1) + 1 degrees of freedom: 2 for none and for one."""
    assert {max(k, 1) + 1: stdtrit(max(k, 1) + 1, 0.95) / ndtri(0.95) for k in range(ENOUGH_TASKS)} == T_OVER_NORMAL


def test_a_process_that_replays_loads_scipy_only_where_answers_are_capped() -> None:
    code = (
        "import sys, simulator.parallel; from simulator.counterfactual import Parameters, predict_output as predict\n"
    )
    code += "cut = float(sys.argv[1]); tokens = [8.0, 30.0]; caps = [cut, cut]\n"
    code += "predict(Parameters.load(), 'openai/gpt-4o', 'x/never-measured', None, tokens, tokens, caps)\n"
    code += "print('scipy' in sys.modules)"
    said = [
        subprocess.run(
            [sys.executable, "-c", code, cap], cwd=Path(__file__).parents[3], check=True, capture_output=True
        )
        for cap in ("nan", "30")
    ]
    assert [each.stdout.split() for each in said] == [[b"False"], [b"True"]]
