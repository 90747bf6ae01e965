from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from problems import BackrouteError
from simulator.counterfactual import TASKS, Parameters, predict_output
from simulator.counterfactual.fit import fit
from simulator.counterfactual.group import observe
from simulator.counterfactual.kernel import NEW, Points, Scales, covariance, new_task_covariance
from simulator.counterfactual.kinds import candidates
from simulator.counterfactual.names import family_of
from simulator.counterfactual.outcomes import Published, capped, read_outcomes, read_published, within_tasks
from simulator.counterfactual.parameters import Task

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "outcomes"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public outcomes are not beside this checkout")


def made_up(models: dict[str, tuple[float, float]], levels: dict[str, float], n: int = 60) -> pd.DataFrame:
    """A table in which log tokens = level + shift of the model + slope x (level - 5.7) + difficulty + noise."""
    draw, rows = np.random.default_rng(0), []
    for task, level in levels.items():
        difficulty = draw.normal(0, 0.4, n)
        for model, (shift, slope) in models.items():
            logs = level + shift + slope * (level - 5.7) + difficulty * (1 + slope) + draw.normal(0, 0.2, n)
            rows += [(task, str(i), model, "AlpacaEval", round(np.exp(v)), 50) for i, v in enumerate(logs)]
    return pd.DataFrame(rows, columns=["task", "id", "model", "source", "tokens", "prompt_tokens"])


MODELS = {f"model-{i}": (shift, 0.0) for i, shift in enumerate(np.linspace(-0.4, 0.4, 8))}
SCALES = Scales()
LEVELS = {"one": 5.0, "two": 5.6, "three": 6.2}


def test_a_pair_that_keeps_its_ratio_everywhere_is_learned() -> None:
    """model-7 over model-0 is exp(0.4 + 0.4) = 2.23 on three kinds of task, so on a new one too."""
    params = fit(made_up(MODELS, {"gsm": 5.0, "a chat": 5.6, "math-l5": 6.2}), (), "today", {})
    fresh = made_up(MODELS, {"four": 5.4}, n=400)
    source, target = (fresh.loc[fresh["model"] == name, "tokens"].to_numpy(float) for name in ("model-0", "model-7"))
    told = predict_output(params, "model-0", "model-7", None, source, np.full(400, 50.0), None)
    assert told.expected.sum() == pytest.approx(target.sum(), rel=0.15)
    assert abs(np.log(target.sum() / told.expected.sum())) < 1.64 * told.group_log_sd


def test_levels_and_slopes_within_tasks_are_read_from_the_table() -> None:
    params = fit(made_up(MODELS | {"flat": (0.0, -0.5), "steep": (0.0, 0.5)}, LEVELS), (), "today", {}, SCALES)
    cells = params.cells
    level = [cells.level[cells.task == code].mean() for code in range(3)]
    assert dict(zip([t.name for t in params.tasks], np.argsort(level), strict=True)).keys() == LEVELS.keys()
    assert params.within["flat"].spread < 0.85 < 1.1 < params.within["steep"].spread


def test_the_fit_is_deterministic() -> None:
    table = made_up(MODELS, LEVELS)
    assert (
        fit(table, (), "d", {}, SCALES).as_json()
        == fit(table.sample(frac=1, random_state=1), (), "d", {}, SCALES).as_json()
    )


def test_the_kernel_gives_a_covariance() -> None:
    draw = np.random.default_rng(0)
    points = Points(
        draw.integers(0, 5, 40),
        draw.integers(0, 2, 40),
        draw.integers(0, 4, 40),
        draw.integers(0, 3, 40),
        draw.normal(5.7, 1, 40),
    )
    prior = covariance(Scales(model_lean=-0.1, family_lean=0.1), points, points, (4.0, 7.0))
    assert np.allclose(prior, prior.T)
    assert np.linalg.eigvalsh(prior).min() > -1e-9


def test_a_new_task_varies_as_the_kernel_says_and_more_than_a_known_one_is_known() -> None:
    """One model on a new task has the kernel's own variance; two of a family share what the family draws."""
    scales, level = Scales(model_lean=0.05), np.array([5.0, 6.5])
    own, _ = new_task_covariance(scales, level, same_model=True, same_family=True, span=(4.0, 7.0))
    one = np.zeros(2, np.int64)
    points = Points(one, one, np.array([0, 1]), np.array([0, 1]), level)
    assert own == pytest.approx(np.diag(covariance(scales, points, points, (4.0, 7.0))))
    _, apart = new_task_covariance(scales, level, same_model=False, same_family=False, span=(4.0, 7.0))
    assert np.array_equal(apart, [0.0, 0.0])


def test_the_slopes_of_the_coefficients_are_theirs() -> None:
    """By differences of a millionth around scales that are all unlike."""
    values = np.linspace(0.05, 0.5, 10)
    slopes = Scales.of(values).slopes_of_coefficients()
    for i in range(10):
        step = np.eye(10)[i] * 1e-6
        by_difference = (Scales.of(values + step).coefficients() - Scales.of(values - step).coefficients()) / 2e-6
        assert slopes[i] == pytest.approx(by_difference, abs=1e-6)


def test_scales_left_out_stay_zero_and_the_rest_are_found() -> None:
    """Shifts from -0.4 to 0.4 in eight models: an sd of 0.27; no kinds but one task each."""
    found = fit(made_up(MODELS, LEVELS), (), "today", {}, without=("model_kind", "family_kind")).scales
    assert (found.model_kind, found.family_kind) == (0.0, 0.0)
    assert np.hypot(found.model, found.family) == pytest.approx(0.27, rel=0.5)


def test_published_means_are_cells_like_any_other() -> None:
    """A mean of 300 tokens over 100 prompts: log 5.704, and a variance of (exp(0.75^2) - 1) / 100 = 0.00755."""
    told = Published(Task("five", "a paper", "code", "code", None), "url", "figures quoted", 100, {"model-0": 300.0})
    params = fit(made_up(MODELS, LEVELS), (told,), "today", {}, SCALES)
    assert params.cells.log_mean[-1] == pytest.approx(5.704, abs=0.001)
    assert params.cells.variance[-1] == pytest.approx(0.00755, abs=1e-5)
    assert params.support("model-0", "model-7").tasks == ("one", "three", "two")
    assert params.sources[-1]["rows"] == 100


def test_the_published_table_names_models_of_the_data_and_its_places() -> None:
    for each in read_published():
        assert set(each.mean_tokens) <= set(Parameters.load().models)
        assert each.url.startswith("github.com/")
        assert all(50 < tokens < 2_000 for tokens in each.mean_tokens.values())


def test_kinds_are_placed_by_their_tasks() -> None:
    """Level-5 maths writes more than GSM8K on prompts of one length; what is only published has no known prompts."""
    new, *known = Parameters.load().kinds
    assert new.code == NEW
    gsm, _, maths = known[:3]
    assert maths.level_mean > gsm.level_mean + 0.7
    assert maths.prompt_mean == pytest.approx(gsm.prompt_mean, abs=0.2)
    assert [np.isfinite(kind.prompt_mean) for kind in known] == [True, True, True, False, False, False]


def test_a_kind_without_known_prompts_is_only_found_by_its_label() -> None:
    kinds = Parameters.load().kinds
    unlabelled = {kind.code for kind, _ in candidates(kinds, 4.0, -1)}
    code = {kind.code for kind, _ in candidates(kinds, 4.0, TASKS.index("code"))}
    assert [kind.tasks for kind in kinds] == [0, 1, 5, 1, 2, 1, 2]  # GSM8K, chat, maths, users', summaries, code
    assert unlabelled == {NEW, 1}
    assert code == {NEW, 5}
    assert {kind.code for kind, _ in candidates(kinds, 5.0, TASKS.index("reasoning"))} == {NEW}
    assert {kind.code for kind, _ in candidates(kinds, 4.0, TASKS.index("analytics"))} == {NEW}
    assert {kind.code for kind, _ in candidates(kinds, float("nan"), -1)} == {NEW}


def test_cut_answers_are_counted_and_kept_out_of_the_means() -> None:
    table = made_up(MODELS, {"one": 5.0}, n=30)
    table.loc[table.index[:3], "tokens"] = 4096
    counts = capped(table)
    assert int(counts["cut"].sum()) == 3
    params = fit(table, (), "today", {}, SCALES)
    assert params.cells.log_mean.max() < np.log(1000)
    assert params.runaway.models["model-0"] > 2 * params.runaway.models["model-7"]


def test_a_lengthening_factor_is_what_within_tasks_measures() -> None:
    within, _ = within_tasks(made_up({"a": (0, 0), "b": (0, 0), "c": (0, 0), "d": (0, 1.0)}, {"one": 5.7}, n=400))
    assert within["d"].spread / within["a"].spread == pytest.approx(2**0.5, rel=0.1)  # 2, halved on the log scale


def test_a_censored_group_is_read_near_its_true_level() -> None:
    """Lognormal(5.7, 0.6) has log mean 5.7 + 0.18 = 5.88; cut at 400 it shows about 5.6, and is read back."""
    true = np.exp(np.random.default_rng(0).normal(5.7, 0.6, 4000))
    shown = np.minimum(true, 400.0)
    group = observe(shown, np.full(4000, 50.0), np.full(4000, 400.0))
    assert abs(group.level - 5.88) < 0.6 * abs(np.log(shown.mean()) - 5.88)


def test_a_missing_folder_is_said_and_not_traced(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="no such file"):
        read_outcomes(tmp_path)


def test_the_packaged_parameters_name_their_sources_rows_and_date() -> None:
    params = Parameters.load()
    assert {"ZeroEval", "AlpacaEval", "WildBench v2", "Arena-Hard-Auto v0.1"} <= {s["name"] for s in params.sources}
    assert all(source["rows"] > 500 and source["licence"] and source["url"] for source in params.sources)
    assert params.fitted_on >= "2026-11-01"
    behind = params.support("openai/gpt-4o", "anthropic/claude-3-haiku-20240307")
    assert behind.tasks == ("gsm", "math-l5", "arena-hard", "wildbench", "write-tests", "transpile")
    assert behind.independent == 4


@pytest.mark.parametrize(
    ("name", "model", "family"),
    [
        ("groq/llama-3.1-8b-instant", "Meta-Llama-3.1-8B-Instruct", "llama-3"),
        ("openai/gpt-4o", "gpt-4o-2024-05-13", "gpt-4o"),
        ("openai/gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18", "gpt-4o"),
        ("anthropic/claude-3-5-haiku-20241022", "claude-3-5-haiku-20241022", "claude"),
        ("anthropic/claude-sonnet-4-5", None, "claude"),
        ("groq/llama-3.3-70b-versatile", None, "llama-3"),
        ("openai/gpt-4.1", None, "gpt-4o"),
        ("openai/o3-mini", None, "openai-reasoning"),
        ("openai/gpt-5", None, None),
    ],
)
def test_names_lead_to_what_was_measured(name: str, model: str | None, family: str | None) -> None:
    known = Parameters.load().known(name)
    assert (known.model, known.family) == (model, family)


def test_every_pattern_names_a_model_of_the_data() -> None:
    from simulator.counterfactual.names import _table

    params = Parameters.load()
    models, families = _table()
    assert {model for _, model in models} <= set(params.models)
    assert {family for _, family in families} == {f for m in params.models if (f := family_of(m))}


@pytest.mark.slow
@needs_data
def test_the_packaged_measurements_are_those_of_the_public_outcomes() -> None:
    frame = read_outcomes(DATA)
    packaged = Parameters.load()
    refitted = fit(frame, read_published(), packaged.fitted_on, dict(packaged.reasoning), packaged.scales)
    assert refitted.models == packaged.models
    assert refitted.within == packaged.within
    assert np.array_equal(refitted.cells.rows, packaged.cells.rows)
    assert np.allclose(refitted.cells.level, packaged.cells.level, atol=0.02)


@needs_data
def test_hard_maths_left_out_is_better_predicted_than_copied() -> None:
    """llama-3.1-8b to claude-3-haiku on level-5 maths: copying is 290% too high, the six models' worst cell."""
    frame = read_outcomes(DATA)
    params = fit(frame[frame["task"] != "math-l5"], read_published(), "today", {}, Parameters.load().scales)
    table = frame[frame["task"] == "math-l5"].pivot(index="id", columns="model", values="tokens").astype(float)
    source, target = table["Meta-Llama-3.1-8B-Instruct"].to_numpy(), table["claude-3-haiku-20240307"].to_numpy()
    cap = np.full(len(source), 4096.0)
    told = predict_output(
        params, "groq/llama-3.1-8b-instant", "anthropic/claude-3-haiku", None, source, np.full(len(source), 159.0), cap
    )
    assert source.sum() / target.sum() - 1 > 2.8
    assert abs(told.expected.sum() / target.sum() - 1) < 0.8
